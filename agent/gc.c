/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/gc.h"

#include "agent/channel.h"
#include "agent/context.h"
#include "agent/core.h"
#include "agent/node_abi.h"
#include "agent/spaces.h"
#include "agent/thread.h"
#include "agent/trace_ids.h"
#include "common/clock.h"

/* v8::kGCTypeAll */
#define GC_TYPES_ALL 31
#define GC_TYPES     5

/* The number of the lowest bit that is set; V8 gives one. */
static int type_index(int type)
{
	int index = type ? __builtin_ctz((unsigned int)type) : 0;

	return index < GC_TYPES ? index : GC_TYPES - 1;
}

static void on_prologue(struct nd_isolate *isolate, int type, int flags, void *data)
{
	struct nd_heap_statistics heap = {0};
	struct nd_thread *thread = data;
	int index = type_index(type);

	/* A child that fork() made has the callbacks, but not the channel. */
	if (!nd_agent.active)
		return;
	nd_isolate_get_heap_statistics(isolate, &heap);
	thread->gc_used_bytes[index] = heap.used_heap_size;
	nd_context_before_gc(thread);
	thread->gc_depth++;
	thread->gc_start_ns[index] = nd_clock_monotonic_ns();
}

static void count(struct nd_gc_counters *gc, int index, uint64_t took,
		  const struct nd_heap_statistics *heap)
{
	__atomic_store_n(&gc->count[index], gc->count[index] + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->time_ns[index], gc->time_ns[index] + took, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->used_bytes, heap->used_heap_size, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->total_bytes, heap->total_heap_size, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->limit_bytes, heap->heap_size_limit, __ATOMIC_RELAXED);
	__atomic_store_n(&gc->external_bytes, heap->external_memory, __ATOMIC_RELAXED);
}

static void write_event(struct nd_thread *thread, int index, uint64_t start, uint64_t now,
			int flags, const struct nd_heap_statistics *heap)
{
	struct nd_event_gc *event =
		nd_channel_begin(&thread->ring, ND_EVENT_GC, thread->tid, now, sizeof(*event));

	if (!event)
		return;
	event->start_ns = start;
	event->type = 1u << index;
	event->flags = (uint32_t)flags;
	event->used_before_bytes = thread->gc_used_bytes[index];
	event->used_after_bytes = heap->used_heap_size;
	event->total_bytes = heap->total_heap_size;
	event->limit_bytes = heap->heap_size_limit;
	event->external_bytes = heap->external_memory;
	event->malloced_bytes = heap->malloced_memory;
	nd_trace_name_span(thread, thread->context.place.at_gc, event->span_id);
	nd_ring_commit(&thread->ring, event, sizeof(*event));
}

static void on_epilogue(struct nd_isolate *isolate, int type, int flags, void *data)
{
	uint64_t now = nd_clock_monotonic_ns(), start;
	struct nd_heap_statistics heap = {0};
	struct nd_thread *thread = data;
	int index = type_index(type);

	start = thread->gc_start_ns[index];
	thread->gc_start_ns[index] = 0;
	if (!start)
		return; /* it began before we came */
	if (--thread->gc_depth == 0)
		thread->iteration_gc_ns += now - start;
	if (!nd_agent.active)
		return;
	if (!thread->gc_depth)
		nd_context_after_gc(thread);
	nd_isolate_get_heap_statistics(isolate, &heap);
	count(&thread->slot->gc, index, now - start, &heap);
	write_event(thread, index, start, now, flags, &heap);
	if (type & ND_GC_MARK_COMPACT)
		nd_spaces_write_after(thread, &heap, now);
}

void nd_gc_add_callbacks(struct nd_thread *thread)
{
	if (!(nd_agent.features & ND_FEATURE_GC))
		return;
	nd_isolate_add_gc_prologue(thread->isolate, on_prologue, thread, GC_TYPES_ALL);
	nd_isolate_add_gc_epilogue(thread->isolate, on_epilogue, thread, GC_TYPES_ALL);
}

void nd_gc_remove_callbacks(struct nd_thread *thread)
{
	if (!(nd_agent.features & ND_FEATURE_GC) || !nd_thread_has_isolate(thread))
		return;
	nd_isolate_remove_gc_prologue(thread->isolate, on_prologue, thread);
	nd_isolate_remove_gc_epilogue(thread->isolate, on_epilogue, thread);
}
