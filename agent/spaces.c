/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/spaces.h"

#include <stdbool.h>
#include <string.h>

#include "agent/channel.h"
#include "agent/core.h"
#include "agent/got.h"
#include "agent/log.h"
#include "agent/node_abi.h"
#include "agent/thread.h"
#include "common/clock.h"

/* More often nobody looks: at most ten times a second. */
#define INTERVAL_NS (100 * ND_NSEC_PER_MSEC)

/* V8 14 has 14; more than twice as many are no spaces. */
#define SPACES_MAX 32

/* No statistic has this value. */
#define POISON UINT64_C(0x5a5a5a5a5a5a5a5a)

/* Allocated to see which of the allocator's words counts: an amount that is unlikely elsewhere. */
#define PROBE_BYTES 4211

/* Tries for each word: what other threads allocate meanwhile gets in the way, but not each time. */
#define PROBES_MAX 8

enum knowledge { NOT_LOOKED, KNOWN, REFUSED };

/* Of the program; threads that find it out at the same time find the same. */
static int spaces_are;

static bool read_space(struct nd_isolate *isolate, struct nd_space_statistics *ret, size_t index)
{
	memset(ret, 0x5a, sizeof(*ret));
	return nd_isolate_get_space(isolate, ret, index);
}

/* Whether V8's struct has our fields, no more and no less. */
static bool is_sane(const struct nd_space_statistics *space)
{
	return space->room[0] == POISON && space->name &&
	       nd_got_is_in_file((const void *)nd_isolate_get_space, space->name) &&
	       strnlen(space->name, ND_SPACE_NAME) < ND_SPACE_NAME &&
	       strstr(space->name, "space") && space->used <= space->size &&
	       space->physical != POISON && space->available != POISON;
}

static int look_at_spaces(struct nd_isolate *isolate)
{
	struct nd_space_statistics space;
	size_t i, count;

	if (!nd_isolate_count_spaces || !nd_isolate_get_space)
		return REFUSED;
	count = nd_isolate_count_spaces(isolate);
	for (i = 0; i < count && count <= SPACES_MAX; i++)
		if (!read_space(isolate, &space, i) || !is_sane(&space))
			return REFUSED;
	return count && count <= SPACES_MAX ? KNOWN : REFUSED;
}

static size_t read_word(const struct nd_allocator *allocator, int word)
{
	return __atomic_load_n(&allocator->words[word], __ATOMIC_RELAXED);
}

/* Whether a word of Node's allocator is its sum of what is allocated. */
static bool is_sum(struct nd_allocator *allocator, int word)
{
	size_t before = read_word(allocator, word), during;
	void *data = nd_node_allocate(allocator, PROBE_BYTES);

	if (!data)
		return false;
	during = read_word(allocator, word);
	nd_node_free(allocator, data, PROBE_BYTES);
	return during - before == PROBE_BYTES && read_word(allocator, word) == before;
}

/* Its place differs between versions. NULL where the allocator is not Node's, or is unlike it. */
static const size_t *find_sum(struct nd_isolate *isolate)
{
	struct nd_allocator *allocator;
	int i;

	if (!nd_isolate_get_allocator || !nd_node_allocator_table || !nd_node_allocate ||
	    !nd_node_free)
		return NULL;
	allocator = nd_isolate_get_allocator(isolate);
	if (!allocator || allocator->table != &nd_node_allocator_table[2])
		return NULL;
	for (i = 0; i < 2 * PROBES_MAX; i++)
		if (is_sum(allocator, i % 2))
			return &allocator->words[i % 2];
	return NULL;
}

void nd_spaces_learn(struct nd_thread *thread)
{
	if (!(nd_agent.features & ND_FEATURE_GC) || thread->knows_memory)
		return;
	thread->knows_memory = true;
	if (spaces_are == NOT_LOOKED) {
		spaces_are = look_at_spaces(thread->isolate);
		if (spaces_are == REFUSED)
			nd_log("the heap's spaces are not as expected");
	}
	thread->array_buffers = find_sum(thread->isolate);
}

static void write_memory(struct nd_thread *thread, const struct nd_heap_statistics *heap,
			 uint64_t now)
{
	struct nd_event_memory *event =
		nd_channel_begin(&thread->ring, ND_EVENT_MEMORY, thread->tid, now, sizeof(*event));

	if (!event)
		return;
	event->external_bytes = heap->external_memory;
	event->array_buffers_bytes =
		thread->array_buffers ? __atomic_load_n(thread->array_buffers, __ATOMIC_RELAXED)
				      : UINT64_MAX;
	nd_ring_commit(&thread->ring, event, sizeof(*event));
}

static void write_space(struct nd_thread *thread, const struct nd_space_statistics *space,
			uint64_t now)
{
	struct nd_event_space *event =
		nd_channel_begin(&thread->ring, ND_EVENT_SPACE, thread->tid, now, sizeof(*event));

	if (!event)
		return;
	memset(event->name, 0, sizeof(event->name));
	memcpy(event->name, space->name, strnlen(space->name, sizeof(event->name) - 1));
	event->size_bytes = space->size;
	event->used_bytes = space->used;
	event->available_bytes = space->available;
	event->physical_bytes = space->physical;
	nd_ring_commit(&thread->ring, event, sizeof(*event));
}

static void write_all(struct nd_thread *thread, const struct nd_heap_statistics *heap, uint64_t now)
{
	struct nd_space_statistics space;
	size_t i, count;

	thread->spaces_ns = now;
	write_memory(thread, heap, now);
	if (spaces_are != KNOWN)
		return;
	count = nd_isolate_count_spaces(thread->isolate);
	for (i = 0; i < count; i++)
		if (read_space(thread->isolate, &space, i))
			write_space(thread, &space, now);
}

void nd_spaces_write(struct nd_thread *thread)
{
	struct nd_heap_statistics heap = {0};

	if (!(nd_agent.features & ND_FEATURE_GC) || !nd_thread_has_isolate(thread))
		return;
	nd_isolate_get_heap_statistics(thread->isolate, &heap);
	write_all(thread, &heap, nd_clock_monotonic_ns());
}

void nd_spaces_write_after(struct nd_thread *thread, const struct nd_heap_statistics *heap,
			   uint64_t now)
{
	if (now - thread->spaces_ns >= INTERVAL_NS)
		write_all(thread, heap, now);
}
