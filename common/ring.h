/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_RING_H
#define NODIAG_COMMON_RING_H

/*
 * A ring of records in memory that two processes share: one thread writes, one process reads.
 *
 * Writing takes no lock, no system call and no allocation, and never waits: a record that finds no
 * room is dropped and counted. The writer's own signal handlers may write too, in the middle of a
 * write: a record is reserved, filled and committed on its own, and the reader stops at one that is
 * not committed yet.
 *
 * Records are a multiple of 8 bytes long and never wrap; their first 8 bytes are the ring's:
 *
 *	bits 0..31	length with these 8 bytes
 *	bits 32..62	the record's position divided by 8, its lower 31 bits
 *	bit 63		1 for padding up to the end of the ring
 *
 * A header is written last, with release order, so what it says of is all there. Since the position
 * is part of it, what an earlier round left in the ring is not taken for a record.
 *
 * Where all was read, the next record begins at the ring's beginning again, and the positions up to
 * it are void: of a ring that is read in time, only its first ND_RING_REWIND bytes and what a burst
 * takes ever hold memory.
 *
 * Neither side trusts the other: the writer takes a reader's position only as a bound for itself
 * and stays inside of the ring whatever it says; the reader checks each length.
 */

#include <stdint.h>

/* At the start of the shared memory of a ring. Each half is written by one side only. */
struct nd_ring_head {
	uint64_t produced;  /* bytes reserved since the beginning */
	uint64_t dropped;   /* records that found no room */
	uint64_t void_from; /* there is nothing from this position, of all that were produced, */
	uint64_t void_to;   /* to this one */
	uint64_t unused1[4];
	uint64_t consumed; /* bytes that the reader is done with */
	uint64_t unused2[7];
};

struct nd_ring {
	struct nd_ring_head *head;
	uint8_t *data;
	uint32_t size;	  /* of `data`: a power of two, at least 4096 */
	uint32_t touched; /* of the writer: bytes of `data` that may hold memory; the rest is new */
};

#define ND_RING_HEADER 8

/* A ring that is no larger goes round. */
#define ND_RING_REWIND (256u << 10)

/* Longest content of a record: half of the ring, so that one always fits into an empty one. */
static inline uint32_t nd_ring_content_max(const struct nd_ring *ring)
{
	return ring->size / 2 - ND_RING_HEADER;
}

/*
 * Room for a record of `len` bytes, of which the caller fills all and then commits; NULL when there
 * is none, or when `len` is more than nd_ring_content_max(). Async-signal-safe.
 */
void *nd_ring_reserve(struct nd_ring *ring, uint32_t len);

/* Let the reader see a reserved record, `len` bytes as before. Async-signal-safe. */
void nd_ring_commit(struct nd_ring *ring, void *content, uint32_t len);

/*
 * Bytes of `data` from *ret_from on, a multiple of 4096, that hold memory for nothing, since a
 * burst is over; they count as new from then on, and the caller is to give them back to the kernel.
 * 0: there are none, or not now. For the writer's thread, outside of its signal handlers.
 */
uint32_t nd_ring_take_unused(struct nd_ring *ring, uint32_t *ret_from);

/*
 * The reader's side: copy the oldest record into `buf` and move on. Returns its length, 0 when
 * there is none (yet), -EMSGSIZE when it is longer than `size` (it stays), and -EBADMSG when the
 * ring is damaged.
 */
int nd_ring_read(struct nd_ring *ring, void *buf, uint32_t size);

/* Forget all records so far. */
void nd_ring_skip(struct nd_ring *ring);

/* Forget those before a position that `produced` had earlier. */
void nd_ring_skip_to(struct nd_ring *ring, uint64_t position);

#endif /* NODIAG_COMMON_RING_H */
