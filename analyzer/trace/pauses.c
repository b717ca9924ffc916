/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/pauses.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/trace/trace.h"
#include "common/array.h"
#include "proto/limits.h"

void nd_pauses_fini(struct nd_pauses *pauses)
{
	free(pauses->list);
	free(pauses->threads);
}

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

/* 0 with NULL where there is no place for it. */
static int find_thread(struct nd_pauses *pauses, uint32_t tid, struct nd_allocation **ret)
{
	struct nd_pauses_thread *grown;
	size_t i;

	*ret = NULL;
	for (i = 0; i < pauses->thread_count && pauses->threads[i].tid != tid;)
		i++;
	if (i == ND_LAG_THREADS_MAX)
		return 0;
	if (i == pauses->thread_count) {
		grown = nd_array_grow(pauses->threads, i, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		pauses->threads = grown;
		pauses->threads[pauses->thread_count++] = (struct nd_pauses_thread){.tid = tid};
	}
	*ret = &pauses->threads[i].allocation;
	return 0;
}

int nd_pauses_add(struct nd_pauses *pauses, const struct nd_event_gc *event)
{
	struct nd_allocation *allocation;
	struct nd_pause *pause;
	int ret = make_room(pauses);

	if (!ret)
		ret = find_thread(pauses, event->event.tid, &allocation);
	if (ret)
		return ret;
	pause = &pauses->list[pauses->count++];
	pause->event = *event;
	pause->bytes = allocation ? nd_allocation_add(allocation, event) : 0;
	return 0;
}

static bool has_span(const struct nd_trace_request *request, const uint8_t *span_id)
{
	size_t i;

	for (i = 0; i < request->node_count; i++)
		if (!memcmp(request->nodes[i].span->span_id, span_id, ND_SPAN_ID_SIZE))
			return true;
	return false;
}

void nd_pauses_charge(const struct nd_pauses *pauses, struct nd_trace_request *request)
{
	const struct nd_event_span *span = request->span;
	const struct nd_pause *pause;

	for (pause = pauses->list; pause < pauses->list + pauses->count; pause++)
		if (pause->event.event.tid == span->event.tid &&
		    pause->event.start_ns >= span->start_ns &&
		    has_span(request, pause->event.span_id))
			nd_collected_add(&request->collected, &pause->event, pause->bytes);
}

uint64_t nd_pauses_find(const struct nd_pauses *pauses, uint32_t tid, uint64_t start_ns,
			uint64_t end_ns)
{
	const struct nd_event_gc *pause;
	uint64_t from_ns, to_ns, total = 0;
	size_t i;

	for (i = 0; i < pauses->count; i++) {
		pause = &pauses->list[i].event;
		from_ns = pause->start_ns > start_ns ? pause->start_ns : start_ns;
		to_ns = pause->event.time_ns < end_ns ? pause->event.time_ns : end_ns;
		if (pause->event.tid == tid && to_ns > from_ns)
			total += to_ns - from_ns;
	}
	return total;
}
