/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/lag/stall.h"
#include "common/array.h"
#include "proto/limits.h"

void nd_lag_threads_fini(struct nd_lag_threads *threads)
{
	size_t i;

	for (i = 0; i < threads->count; i++)
		nd_stall_free(threads->list[i].open);
	free(threads->list);
	free(threads->loops);
}

struct nd_lag_thread *nd_lag_threads_find(struct nd_lag_threads *threads, uint32_t tid)
{
	struct nd_lag_thread *found = NULL, *thread;
	size_t i;

	for (i = 0; i < threads->count; i++) {
		thread = &threads->list[i];
		if (thread->loop.tid == tid && (!found || found->loop.ended))
			found = thread;
	}
	return found;
}

/* The thread of a slot; one that only events spoke of so far has no start yet. */
static struct nd_lag_thread *find_slot_thread(struct nd_lag_threads *threads,
					      const struct nd_channel_slot *slot)
{
	struct nd_lag_thread *thread;
	size_t i;

	for (i = 0; i < threads->count; i++) {
		thread = &threads->list[i];
		if (thread->loop.tid == slot->tid &&
		    (thread->loop.start_ns == slot->start_ns || !thread->loop.start_ns))
			return thread;
	}
	return NULL;
}

/* Room in the place of one that has ended; NULL when all live. */
static struct nd_lag_thread *drop_ended(struct nd_lag_threads *threads)
{
	size_t i;

	threads->left_out++;
	for (i = 0; i < threads->count; i++)
		if (threads->list[i].loop.ended) {
			nd_stall_free(threads->list[i].open);
			return &threads->list[i];
		}
	return NULL;
}

/* 0 with NULL where there is no place for it. */
static int add_thread(struct nd_lag_threads *threads, uint32_t tid,
		      struct nd_lag_thread **ret_thread)
{
	struct nd_lag_thread *grown, *thread;

	if (threads->count == ND_LAG_THREADS_MAX) {
		thread = drop_ended(threads);
	} else {
		grown = nd_array_grow(threads->list, threads->count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		threads->list = grown;
		thread = &threads->list[threads->count++];
	}
	if (thread)
		*thread = (struct nd_lag_thread){.loop.tid = tid};
	*ret_thread = thread;
	return 0;
}

int nd_lag_threads_get(struct nd_lag_threads *threads, uint32_t tid,
		       struct nd_lag_thread **ret_thread)
{
	struct nd_lag_thread *thread = nd_lag_threads_find(threads, tid);

	if (!thread)
		return add_thread(threads, tid, ret_thread);
	*ret_thread = thread;
	return 0;
}

static void subtract(uint64_t *ret, const uint64_t *first, const uint64_t *now, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		ret[i] = now[i] >= first[i] ? now[i] - first[i] : 0;
}

static void read_loop(struct nd_lag_thread *thread, const struct nd_loop_counters *first,
		      const struct nd_loop_counters *now, uint64_t now_ns)
{
	struct nd_lag_loop *loop = &thread->loop;

	loop->iterations = now->iterations - first->iterations;
	loop->busy_ns = now->busy_ns - first->busy_ns;
	loop->idle_ns = now->idle_ns - first->idle_ns;
	loop->events = now->events - first->events;
	loop->stalls = now->stalls - first->stalls;
	loop->stall_ns = now->stall_ns - first->stall_ns;
	subtract(loop->phase_ns, first->phase_ns, now->phase_ns, ND_PHASE_COUNT);
	subtract(loop->delay, first->delay, now->delay, ND_HISTOGRAM_BUCKETS);
	thread->busy_since_ns = now->busy_since_ns;
	thread->phase = now->phase;
	if (now->busy_since_ns && now->busy_since_ns < now_ns)
		loop->busy_ns += now_ns - now->busy_since_ns;
	if (now->idle_since_ns && now->idle_since_ns < now_ns)
		loop->idle_ns += now_ns - now->idle_since_ns;
	/* What began before the observation belongs to it only from there on. */
	if (first->busy_since_ns && loop->busy_ns > loop->observed_ns)
		loop->busy_ns = loop->observed_ns;
	if (loop->idle_ns > loop->observed_ns)
		loop->idle_ns = loop->observed_ns;
}

/* The longest of the observed iterations: exact where it is the longest ever, else its bucket's. */
static uint64_t find_max(const struct nd_lag_loop *loop, const struct nd_loop_counters *first,
			 const struct nd_loop_counters *now)
{
	uint32_t i;

	if (now->max_ns > first->max_ns)
		return now->max_ns;
	for (i = ND_HISTOGRAM_BUCKETS; i-- > 0;)
		if (loop->delay[i])
			return i + 1 < ND_HISTOGRAM_BUCKETS ? nd_histogram_start(i + 1)
							    : nd_histogram_start(i);
	return 0;
}

int nd_lag_threads_set_counters(struct nd_lag_threads *threads, const struct nd_channel_slot *first,
				const struct nd_channel_slot *now, uint64_t start_ns,
				uint64_t now_ns)
{
	struct nd_lag_thread *thread = find_slot_thread(threads, now);
	struct nd_lag_loop *loop;
	uint64_t from;
	int ret;

	/* One that had ended before is not of this observation. */
	if (first->state == ND_SLOT_ENDED && first->start_ns == now->start_ns)
		return 0;
	if (!thread) {
		ret = add_thread(threads, now->tid, &thread);
		if (ret || !thread)
			return ret;
	}
	thread->loop.start_ns = now->start_ns;
	loop = &thread->loop;
	loop->kind = now->kind;
	loop->known = threads->known;
	if (thread->is_final)
		return 0;
	thread->is_final = now->state != ND_SLOT_LIVE;
	loop->ended |= thread->is_final;
	from = now->loop.start_ns > start_ns ? now->loop.start_ns : start_ns;
	loop->observed_ns = now->loop.start_ns && now_ns > from ? now_ns - from : 0;
	read_loop(thread, &first->loop, &now->loop, now_ns);
	loop->max_ns = find_max(loop, &first->loop, &now->loop);
	subtract(loop->gc_count, first->gc.count, now->gc.count, ND_GC_TYPES);
	subtract(loop->gc_ns, first->gc.time_ns, now->gc.time_ns, ND_GC_TYPES);
	loop->heap_used_bytes = now->gc.used_bytes;
	loop->heap_total_bytes = now->gc.total_bytes;
	loop->heap_limit_bytes = now->gc.limit_bytes;
	loop->external_bytes = now->gc.external_bytes;
	return 0;
}

static void add_pause(struct nd_gc_pauses *pauses, uint64_t took_ns)
{
	static const double bounds[ND_GC_BUCKETS - 1] = ND_GC_BOUNDS;
	size_t i;

	for (i = 0; i < ND_GC_BUCKETS - 1; i++)
		if ((double)took_ns / 1e9 <= bounds[i])
			break;
	pauses->count[i]++;
	pauses->ns += took_ns;
}

static void add_gc(struct nd_lag_loop *loop, const struct nd_event_gc *event)
{
	int index = event->type ? __builtin_ctz(event->type) : 0;
	uint64_t took = event->event.time_ns - event->start_ns;

	if (index >= ND_GC_TYPES)
		return;
	if (took > loop->gc_max_ns[index])
		loop->gc_max_ns[index] = took;
	add_pause(&loop->gc_pauses[index], took);
}

uint64_t nd_lag_threads_add_gc(struct nd_lag_threads *threads, const struct nd_event_gc *event)
{
	struct nd_lag_thread *thread = nd_lag_threads_find(threads, event->event.tid);
	uint64_t bytes;

	if (!thread)
		return 0;
	add_gc(&thread->loop, event);
	bytes = nd_allocation_add(&thread->allocation, event);
	if (!bytes || event->start_ns <= thread->allocation.since_ns)
		return 0;
	thread->loop.allocated_bytes += bytes;
	thread->loop.allocated_ns = event->start_ns - thread->allocation.since_ns;
	return bytes;
}

static void add_handles(struct nd_lag_loop *loop, const struct nd_event_handles *event)
{
	loop->has_handles = true;
	loop->requests = event->requests;
	memcpy(loop->handles_active, event->active, sizeof(event->active));
	memcpy(loop->handles_total, event->total, sizeof(event->total));
}

static void add_memory(struct nd_lag_loop *loop, const struct nd_event_memory *event)
{
	loop->has_memory = true;
	loop->held_bytes = event->external_bytes;
	loop->array_buffers_bytes = event->array_buffers_bytes;
}

/* Its place: that of the same name, or a new one; NULL when there is none. */
static struct nd_lag_space *find_space(struct nd_lag_loop *loop, const char *name)
{
	size_t i;

	for (i = 0; i < loop->spaces; i++)
		if (!strncmp(loop->space[i].name, name, ND_SPACE_NAME - 1))
			return &loop->space[i];
	return loop->spaces < ND_LAG_SPACES_MAX ? &loop->space[loop->spaces++] : NULL;
}

static void add_space(struct nd_lag_loop *loop, const struct nd_event_space *event)
{
	struct nd_lag_space *space = find_space(loop, event->name);

	if (!space)
		return;
	memcpy(space->name, event->name, ND_SPACE_NAME - 1);
	space->size_bytes = event->size_bytes;
	space->used_bytes = event->used_bytes;
	space->available_bytes = event->available_bytes;
	space->physical_bytes = event->physical_bytes;
}

/* Those of one look, after an event that tells of all together. */
static void add_resource(struct nd_lag_loop *loop, const struct nd_event_resource *event)
{
	struct nd_lag_resource *resource;

	if (!event->type[0]) {
		loop->resources = 0;
		return;
	}
	if (loop->resources == ND_LAG_RESOURCES_MAX) {
		resource = &loop->resource[ND_LAG_RESOURCES_MAX - 1];
		strcpy(resource->type, "(others)");
		resource->count += event->count;
		return;
	}
	resource = &loop->resource[loop->resources++];
	*resource = (struct nd_lag_resource){.count = event->count};
	memcpy(resource->type, event->type, sizeof(resource->type) - 1);
}

void nd_lag_threads_add_event(struct nd_lag_threads *threads, const struct nd_event *event,
			      size_t size)
{
	struct nd_lag_thread *thread = nd_lag_threads_find(threads, event->tid);
	struct nd_lag_loop *loop = thread ? &thread->loop : NULL;

	if (!loop)
		return;
	if (event->kind == ND_EVENT_HANDLES && size >= sizeof(struct nd_event_handles))
		add_handles(loop, (const void *)event);
	else if (event->kind == ND_EVENT_MEMORY && size >= sizeof(struct nd_event_memory))
		add_memory(loop, (const void *)event);
	else if (event->kind == ND_EVENT_SPACE && size >= sizeof(struct nd_event_space))
		add_space(loop, (const void *)event);
	else if (event->kind == ND_EVENT_RESOURCE && size >= sizeof(struct nd_event_resource))
		add_resource(loop, (const void *)event);
	else if (event->kind == ND_EVENT_THREAD_END)
		loop->ended = true;
}

static int compare_loops(const void *a, const void *b)
{
	const struct nd_lag_loop *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

const struct nd_lag_loop *nd_lag_threads_list(struct nd_lag_threads *threads, size_t *ret_count)
{
	struct nd_lag_loop *loops = calloc(threads->count ? threads->count : 1, sizeof(*loops));
	size_t i;

	*ret_count = 0;
	if (!loops)
		return NULL;
	for (i = 0; i < threads->count; i++)
		if (threads->list[i].loop.observed_ns)
			loops[(*ret_count)++] = threads->list[i].loop;
	qsort(loops, *ret_count, sizeof(*loops), compare_loops);
	free(threads->loops);
	threads->loops = loops;
	return loops;
}
