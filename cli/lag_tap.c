/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lag_tap.h"

static void set_known(void *impl, uint32_t known)
{
	const struct lag_tee *tee = impl;

	tee->first.ops->set_known(tee->first.impl, known);
	tee->second.ops->set_known(tee->second.impl, known);
}

static int add_event(void *impl, const struct nd_event *event, size_t size)
{
	const struct lag_tee *tee = impl;
	int ret = tee->first.ops->add_event(tee->first.impl, event, size);

	return ret ? ret : tee->second.ops->add_event(tee->second.impl, event, size);
}

static int add_stack(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		     const struct nd_call *calls, size_t depth)
{
	const struct lag_tee *tee = impl;
	int ret = tee->first.ops->add_stack(tee->first.impl, sample, span_id, calls, depth);

	return ret ? ret
		   : tee->second.ops->add_stack(tee->second.impl, sample, span_id, calls, depth);
}

static int add_sample(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		      const struct nd_call *calls, size_t depth)
{
	const struct lag_tee *tee = impl;
	int ret = tee->first.ops->add_sample(tee->first.impl, sample, span_id, calls, depth);

	return ret ? ret
		   : tee->second.ops->add_sample(tee->second.impl, sample, span_id, calls, depth);
}

static int set_counters(void *impl, const struct lag_counters *counters)
{
	const struct lag_tee *tee = impl;
	int ret = tee->first.ops->set_counters(tee->first.impl, counters);

	return ret ? ret : tee->second.ops->set_counters(tee->second.impl, counters);
}

struct lag_sink lag_sink_to_both(struct lag_tee *tee)
{
	static const struct lag_sink_ops ops = {
		.set_known = set_known,
		.add_event = add_event,
		.add_stack = add_stack,
		.add_sample = add_sample,
		.set_counters = set_counters,
	};

	return (struct lag_sink){&ops, tee};
}
