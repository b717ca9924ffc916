/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/stalls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "proto/limits.h"

/*
 * Between a turn's end and the beginning of the next, in which what came meanwhile is read, lies
 * one call of epoll that does not wait; so long may that take on a machine that is busy.
 */
#define NEXT_TURN_NS UINT64_C(200000)

void nd_trace_stalls_fini(struct nd_trace_stalls *stalls)
{
	free(stalls->last);
	free(stalls->list);
}

static struct nd_trace_last_stall *find_last(const struct nd_trace_stalls *stalls, uint32_t tid)
{
	size_t i;

	for (i = 0; i < stalls->last_count; i++)
		if (stalls->last[i].tid == tid)
			return &stalls->last[i];
	return NULL;
}

int nd_trace_stalls_add_last(struct nd_trace_stalls *stalls, const struct nd_event_stall *event)
{
	struct nd_trace_last_stall *last = find_last(stalls, event->event.tid), *grown;

	if (!last && stalls->last_count < ND_LAG_THREADS_MAX) {
		grown = nd_array_grow(stalls->last, stalls->last_count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		stalls->last = grown;
		last = &grown[stalls->last_count++];
	}
	if (last)
		*last = (struct nd_trace_last_stall){event->event.tid, event->start_ns,
						     event->event.time_ns};
	return 0;
}

uint64_t nd_trace_stalls_find_unread(const struct nd_trace_stalls *stalls,
				     const struct nd_event_span *span, uint64_t *ret_stall_ns)
{
	const struct nd_trace_last_stall *last = find_last(stalls, span->event.tid);

	if (!last || span->turn_ns < last->end_ns || span->turn_ns - last->end_ns > NEXT_TURN_NS)
		return 0;
	*ret_stall_ns = last->start_ns;
	return span->start_ns - last->start_ns;
}

int nd_trace_stalls_add(struct nd_trace_stalls *stalls, const struct nd_lag_stall *stall)
{
	size_t half = ND_TRACE_STALLS_MAX / 2;
	struct nd_lag_stall *grown;

	if (stalls->count == ND_TRACE_STALLS_MAX) {
		memmove(stalls->list, stalls->list + half, half * sizeof(*stall));
		stalls->count = half;
	} else {
		grown = nd_array_grow(stalls->list, stalls->count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		stalls->list = grown;
	}
	stalls->list[stalls->count++] = *stall;
	return 0;
}

uint64_t nd_trace_stalls_measure(const struct nd_trace_stalls *stalls, uint32_t tid,
				 struct nd_trace_interval in, const struct nd_lag_stall **ret_stall)
{
	const struct nd_lag_stall *stall;
	uint64_t start_ns, end_ns, total = 0, most = 0;
	size_t i;

	for (i = 0; i < stalls->count; i++) {
		stall = &stalls->list[i];
		start_ns = stall->start_ns > in.start_ns ? stall->start_ns : in.start_ns;
		end_ns = stall->end_ns < in.end_ns ? stall->end_ns : in.end_ns;
		if (stall->culprit.tid != tid || end_ns <= start_ns)
			continue;
		total += end_ns - start_ns;
		if (end_ns - start_ns <= most)
			continue;
		most = end_ns - start_ns;
		if (ret_stall)
			*ret_stall = stall;
	}
	return total;
}

const struct nd_lag_stall *nd_trace_stalls_find(const struct nd_trace_stalls *stalls, uint32_t tid,
						uint64_t start_ns)
{
	size_t i;

	for (i = stalls->count; i-- > 0;)
		if (stalls->list[i].start_ns == start_ns && stalls->list[i].culprit.tid == tid)
			return &stalls->list[i];
	return NULL;
}
