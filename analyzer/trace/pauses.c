/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/pauses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/event.h"
#include "proto/limits.h"

/* Room for one more: the oldest half goes when there is none. */
static int make_room(struct nd_pauses *pauses)
{
	const size_t count = pauses->count, half = ND_TRACE_PAUSES_MAX / 2;
	struct nd_pause *grown;

	if (count == ND_TRACE_PAUSES_MAX) {
		memmove(pauses->list, pauses->list + half, half * sizeof(*pauses->list));
		pauses->count = half;
		return 0;
	}
	/* A power of two is full. */
	if (count & (count - 1))
		return 0;
	grown = reallocarray(pauses->list, count ? count * 2 : 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pauses->list = grown;
	return 0;
}

int nd_pauses_add(struct nd_pauses *pauses, const struct nd_event_gc *event)
{
	int ret = make_room(pauses);

	if (ret)
		return ret;
	pauses->list[pauses->count++] =
		(struct nd_pause){event->start_ns, event->event.time_ns, event->event.tid};
	return 0;
}

uint64_t nd_pauses_find(const struct nd_pauses *pauses, uint32_t tid, uint64_t start_ns,
			uint64_t end_ns)
{
	const struct nd_pause *pause;
	uint64_t from_ns, to_ns, total = 0;
	size_t i;

	for (i = 0; i < pauses->count; i++) {
		pause = &pauses->list[i];
		from_ns = pause->start_ns > start_ns ? pause->start_ns : start_ns;
		to_ns = pause->end_ns < end_ns ? pause->end_ns : end_ns;
		if (pause->tid == tid && to_ns > from_ns)
			total += to_ns - from_ns;
	}
	return total;
}
