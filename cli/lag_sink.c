/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lag_sink.h"

#include "analyzer/lag/lag.h"
#include "analyzer/trace/trace.h"
#include "proto/span.h"

static void set_known(void *impl, uint32_t known)
{
	const struct lag_answer *answer = impl;

	nd_lag_set_known(answer->lag, known);
}

static bool is_span(const struct nd_event *event)
{
	return event->kind == ND_EVENT_SPAN_START || event->kind == ND_EVENT_SPAN;
}

static int add_event(void *impl, const struct nd_event *event, size_t size)
{
	const struct lag_answer *answer = impl;
	int ret = answer->trace ? nd_trace_add_event(answer->trace, event, size) : 0;

	if (!ret && answer->add_span && is_span(event) && nd_span_is_sound(event, size))
		ret = answer->add_span(answer->arg, (const void *)event);
	return ret ? ret : nd_lag_add_event(answer->lag, event, size);
}

static int add_stack(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		     const struct nd_call *calls, size_t depth)
{
	const struct lag_answer *answer = impl;

	return nd_lag_add_stack(answer->lag, &sample->event, span_id, calls, depth);
}

static int add_sample(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		      const struct nd_call *calls, size_t depth)
{
	const struct lag_answer *answer = impl;

	return answer->add_sample ? answer->add_sample(answer->arg, sample, span_id, calls, depth)
				  : 0;
}

static int set_counters(void *impl, const struct lag_counters *counters)
{
	const struct lag_answer *answer = impl;

	return nd_lag_set_counters(answer->lag, counters->first, counters->now, counters->start_ns,
				   counters->now_ns);
}

struct lag_sink lag_sink_to_answer(struct lag_answer *answer)
{
	static const struct lag_sink_ops ops = {
		.set_known = set_known,
		.add_event = add_event,
		.add_stack = add_stack,
		.add_sample = add_sample,
		.set_counters = set_counters,
	};

	return (struct lag_sink){&ops, answer};
}
