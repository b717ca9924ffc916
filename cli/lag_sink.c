/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lag_sink.h"

#include "analyzer/lag/lag.h"

static void lag_set_known(void *impl, uint32_t known)
{
	nd_lag_set_known(impl, known);
}

static int lag_add_event(void *impl, const struct nd_event *event, size_t size)
{
	return nd_lag_add_event(impl, event, size);
}

static int lag_add_stack(void *impl, const struct nd_event_sample *sample,
			 const struct nd_call *calls, size_t depth)
{
	return nd_lag_add_stack(impl, &sample->event, calls, depth);
}

static int lag_set_counters(void *impl, const struct lag_counters *counters)
{
	return nd_lag_set_counters(impl, counters->first, counters->now, counters->start_ns,
				   counters->now_ns);
}

struct lag_sink lag_sink_to_lag(struct nd_lag *lag)
{
	static const struct lag_sink_ops ops = {
		.set_known = lag_set_known,
		.add_event = lag_add_event,
		.add_stack = lag_add_stack,
		.set_counters = lag_set_counters,
	};

	return (struct lag_sink){&ops, lag};
}
