/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/analyzer.h"
#include "agent/control.h"
#include "agent/core.h"
#include "agent/log.h"
#include "agent/node_abi.h"
#include "agent/otel.h"
#include "common/clock.h"

#define PAGE 4096u

#define ALIGN(size) (((size) + PAGE - 1) & ~(PAGE - 1))

/* A slot's struct and its ring each begin on a page, so that what is unused costs none. */
#define HEAD_SIZE   ALIGN((uint32_t)sizeof(struct nd_channel_head))
#define RING_OFFSET ALIGN((uint32_t)sizeof(struct nd_channel_slot))
#define SLOT_SIZE   (RING_OFFSET + ND_CHANNEL_RING)
#define MEMORY_SIZE (HEAD_SIZE + (size_t)SLOT_SIZE * ND_CHANNEL_SLOTS)

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;

static void fill_head(struct nd_channel_head *head)
{
	*head = (struct nd_channel_head){
		.version = ND_CHANNEL_VERSION,
		.head_size = HEAD_SIZE,
		.slot_size = SLOT_SIZE,
		.slots = ND_CHANNEL_SLOTS,
		.ring_offset = RING_OFFSET,
		.ring_size = ND_CHANNEL_RING,
		.pid = (uint32_t)getpid(),
		.start_ns = nd_clock_monotonic_ns(),
		.start_unix_ns = nd_clock_realtime_ns(),
		.features = nd_agent.features,
		.reason = nd_agent.reason,
		.threshold_ns = nd_agent.threshold_ns,
	};
	snprintf(head->v8_version, sizeof(head->v8_version), "%s", nd_v8_get_version());
	snprintf(head->output, sizeof(head->output), "%s", nd_analyzer_get_output());
	snprintf(head->heap_folder, sizeof(head->heap_folder), "%s", nd_analyzer_get_heap_folder());
	head->exports = nd_otel_get_exports();
	head->magic = ND_CHANNEL_MAGIC;
}

static bool map_memory(void)
{
	int fd = memfd_create("nodiag", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory;

	if (fd < 0)
		return false;
	memory = ftruncate(fd, (off_t)MEMORY_SIZE)
			 ? MAP_FAILED
			 : mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		close(fd);
		return false;
	}
	/* Writing a core would fill all of it with zeros first: some 1 GiB. */
	madvise(memory, MEMORY_SIZE, MADV_DONTDUMP);
	/* A reader that could shorten the file could make us write beyond its end. */
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	fill_head(memory);
	nd_agent.channel_fd = fd;
	nd_agent.channel_size = MEMORY_SIZE;
	__atomic_store_n(&nd_agent.channel, memory, __ATOMIC_RELEASE);
	return true;
}

bool nd_channel_open(void)
{
	bool is_open;

	if (__atomic_load_n(&nd_agent.channel, __ATOMIC_ACQUIRE))
		return true;
	pthread_mutex_lock(&open_lock);
	is_open = nd_agent.channel || map_memory();
	if (is_open)
		is_open = nd_control_start();
	else
		nd_log("cannot make the channel: %s", strerror(errno));
	pthread_mutex_unlock(&open_lock);
	return is_open;
}

static struct nd_channel_slot *slot_at(size_t index)
{
	return (void *)((char *)nd_agent.channel + HEAD_SIZE + index * SLOT_SIZE);
}

size_t nd_channel_slot_index(const struct nd_channel_slot *slot)
{
	return (size_t)((const char *)slot - (const char *)slot_at(0)) / SLOT_SIZE;
}

struct nd_channel_slot *nd_channel_take_slot(enum nd_thread_kind kind, uint32_t tid)
{
	struct nd_channel_slot *slot;
	size_t i;

	/* Slot 0 is the agent's own. */
	for (i = kind == ND_THREAD_AGENT ? 0 : 1; i < ND_CHANNEL_SLOTS; i++) {
		slot = slot_at(i);
		if (slot->state == ND_SLOT_LIVE)
			continue;
		slot->tid = tid;
		slot->kind = kind;
		slot->generation++;
		slot->start_ns = nd_clock_monotonic_ns();
		memset(&slot->loop, 0, sizeof(slot->loop));
		memset(&slot->gc, 0, sizeof(slot->gc));
		slot->tracing = ND_TRACING_OFF;
		slot->context = ND_CONTEXT_OFF;
		memset(&slot->place, 0, sizeof(slot->place));
		slot->kept = 0;
		slot->spans_lost = 0;
		__atomic_store_n(&slot->state, ND_SLOT_LIVE, __ATOMIC_RELEASE);
		if (nd_agent.channel->slots_used <= i)
			nd_agent.channel->slots_used = (uint32_t)i + 1;
		return slot;
	}
	nd_agent.channel->threads_left_out++;
	return NULL;
}

void nd_channel_release_slot(struct nd_channel_slot *slot)
{
	__atomic_store_n(&slot->state, ND_SLOT_ENDED, __ATOMIC_RELEASE);
}

void nd_channel_get_ring(struct nd_channel_slot *slot, struct nd_ring *ret_ring)
{
	/* Another thread may have had it. */
	uint64_t produced = slot->ring.produced;

	*ret_ring = (struct nd_ring){
		.head = &slot->ring,
		.data = (uint8_t *)slot + RING_OFFSET,
		.size = ND_CHANNEL_RING,
		.touched = produced < ND_CHANNEL_RING ? (uint32_t)produced : ND_CHANNEL_RING,
	};
}

void nd_channel_trim(struct nd_ring *ring)
{
	uint32_t from, size = nd_ring_take_unused(ring, &from);

	if (size)
		madvise(ring->data + from, ALIGN(size), MADV_REMOVE);
}

void *nd_channel_begin(struct nd_ring *ring, enum nd_event_kind kind, uint32_t tid,
		       uint64_t time_ns, uint32_t size)
{
	struct nd_event *event = nd_ring_reserve(ring, size);

	if (event)
		*event = (struct nd_event){.kind = kind, .tid = tid, .time_ns = time_ns};
	return event;
}
