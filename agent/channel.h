/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_CHANNEL_H
#define NODIAG_AGENT_CHANNEL_H

/* The writing side of proto/channel.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"

/* Make the memory, once; false when it cannot be had. Thread-safe. */
bool nd_channel_open(void);

/*
 * A free slot, which is the calling thread's until it is released; its counters are zero. NULL when
 * there is none, which the channel counts. The caller keeps others from taking and releasing
 * meanwhile.
 */
struct nd_channel_slot *nd_channel_take_slot(enum nd_thread_kind kind, uint32_t tid);
void nd_channel_release_slot(struct nd_channel_slot *slot);

/* Which one it is, from 0, and its ring, which only the thread that has it writes into. */
size_t nd_channel_slot_index(const struct nd_channel_slot *slot);
void nd_channel_get_ring(struct nd_channel_slot *slot, struct nd_ring *ret_ring);

/* Give back the memory that a burst took, if it has been read. On the writer's thread. */
void nd_channel_trim(struct nd_ring *ring);

/*
 * Reserve an event of `size` bytes and fill its head; the caller fills the rest and commits. NULL
 * when there is no room, which is counted. Async-signal-safe.
 */
void *nd_channel_begin(struct nd_ring *ring, enum nd_event_kind kind, uint32_t tid,
		       uint64_t time_ns, uint32_t size);

#endif /* NODIAG_AGENT_CHANNEL_H */
