/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/allocation.h"

#include "proto/event.h"

static bool is_young(const struct nd_event_gc *event)
{
	return event->type == ND_GC_SCAVENGE || event->type == ND_GC_MINOR_MARK_SWEEP;
}

uint64_t nd_allocation_add(struct nd_allocation *allocation, const struct nd_event_gc *event)
{
	/* Events come at the end of a pause: of one within another, the inner one comes first. */
	bool is_around = allocation->is_known && event->start_ns < allocation->end_ns;
	uint64_t bytes;

	if (!allocation->is_known)
		allocation->since_ns = event->event.time_ns;
	else if (!is_around && event->used_before_bytes > allocation->used_bytes)
		allocation->bytes += event->used_before_bytes - allocation->used_bytes;
	allocation->is_known = true;
	allocation->end_ns = event->event.time_ns;
	allocation->used_bytes = event->used_after_bytes;
	if (!is_young(event))
		return 0;
	bytes = allocation->bytes;
	allocation->bytes = 0;
	return bytes;
}

void nd_collected_add(struct nd_collected *sum, const struct nd_event_gc *event, uint64_t bytes)
{
	uint64_t took_ns = 0;

	if (event->event.time_ns > event->start_ns)
		took_ns = event->event.time_ns - event->start_ns;
	sum->count++;
	sum->total_ns += took_ns;
	sum->samples += bytes != 0;
	sum->bytes += bytes;
	if (took_ns > sum->longest_ns)
		sum->longest_ns = took_ns;
}
