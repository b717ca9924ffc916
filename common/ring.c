/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ring.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PADDING (UINT64_C(1) << 63)

/* The kernel's, on all machines but some, where giving back less than one fails. */
#define PAGE 4096u

static uint64_t make_header(uint64_t position, uint32_t len)
{
	return (position / 8 & 0x7fffffff) << 32 | len;
}

static uint64_t *header_at(const struct nd_ring *ring, uint64_t position)
{
	return (uint64_t *)(void *)(ring->data + (position & (ring->size - 1)));
}

static uint32_t record_size(uint32_t len)
{
	return ND_RING_HEADER + ((len + 7) & ~7u);
}

/*
 * Set `produced` to `next` if it is `*position` still; else tell in `*position` what it is. Only a
 * signal handler of the writer's thread can come in between, so x86 needs no locked instruction,
 * which would be half of what an event costs.
 */
static bool advance(uint64_t *produced, uint64_t *position, uint64_t next)
{
#ifdef __x86_64__
	bool done;

	__asm__ volatile("cmpxchgq %[next], %[produced]"
			 : "=@ccz"(done), [produced] "+m"(*produced), "+a"(*position)
			 : [next] "r"(next)
			 : "memory");
	return done;
#else
	return __atomic_compare_exchange_n(produced, position, next, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
#endif
}

/* Where the next record is for a reader that is done with all before `consumed`. */
static uint64_t pass_void(const struct nd_ring_head *head, uint64_t consumed)
{
	if (consumed != __atomic_load_n(&head->void_from, __ATOMIC_RELAXED))
		return consumed;
	return __atomic_load_n(&head->void_to, __ATOMIC_RELAXED);
}

/*
 * Where the next record begins when all up to `position` was read. A signal handler that comes in
 * between does the same, since nothing is read or reserved meanwhile. The reader looks at it after
 * `produced`, which is written afterwards.
 */
static uint64_t rewind_ring(struct nd_ring *ring, uint64_t position)
{
	uint64_t beginning = (position | (ring->size - 1)) + 1;

	if ((position & (ring->size - 1)) < ND_RING_REWIND)
		return position;
	__atomic_store_n(&ring->head->void_from, position, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->head->void_to, beginning, __ATOMIC_RELAXED);
	return beginning;
}

/* Bytes to leave out, so that a record of that size does not wrap. */
static uint64_t find_padding(const struct nd_ring *ring, uint64_t position, uint32_t size)
{
	uint64_t rest = ring->size - (position & (ring->size - 1));

	return rest < size ? rest : 0;
}

static void note_touched(struct nd_ring *ring, uint64_t position, uint64_t padding, uint32_t size)
{
	uint32_t end = (uint32_t)(position & (ring->size - 1)) + (padding ? ND_RING_HEADER : size);

	if (end > ring->touched)
		ring->touched = end;
}

void *nd_ring_reserve(struct nd_ring *ring, uint32_t len)
{
	uint64_t produced, position, consumed, padding, *header;
	uint32_t size = record_size(len);

	if (len > nd_ring_content_max(ring))
		goto drop;
	produced = __atomic_load_n(&ring->head->produced, __ATOMIC_RELAXED);
	do {
		/* Pairs with the release in nd_ring_read(): what is reused was read. */
		consumed = __atomic_load_n(&ring->head->consumed, __ATOMIC_ACQUIRE);
		position = produced == consumed ? rewind_ring(ring, produced) : produced;
		consumed = pass_void(ring->head, consumed);
		padding = find_padding(ring, position, size);
		if (position - consumed > ring->size ||
		    position + padding + size - consumed > ring->size)
			goto drop;
		/* A signal handler may have reserved in between. */
	} while (!advance(&ring->head->produced, &produced, position + padding + size));
	note_touched(ring, position, padding, size);
	header = header_at(ring, position);
	if (!padding)
		return header + 1;
	__atomic_store_n(header, make_header(position, (uint32_t)padding) | PADDING,
			 __ATOMIC_RELEASE);
	return ring->data + ND_RING_HEADER;
drop:
	__atomic_fetch_add(&ring->head->dropped, 1, __ATOMIC_RELAXED);
	return NULL;
}

/*
 * The position that a reserved record has: at most one ring behind the end of what is reserved.
 */
static uint64_t position_of(const struct nd_ring *ring, uint64_t offset)
{
	uint64_t produced = __atomic_load_n(&ring->head->produced, __ATOMIC_RELAXED);
	uint64_t position = (produced & ~(uint64_t)(ring->size - 1)) + offset;

	return position < produced ? position : position - ring->size;
}

void nd_ring_commit(struct nd_ring *ring, void *content, uint32_t len)
{
	uint64_t *header = (uint64_t *)content - 1;
	uint64_t position = position_of(ring, (uint64_t)((uint8_t *)header - ring->data));

	__atomic_store_n(header, make_header(position, ND_RING_HEADER + len), __ATOMIC_RELEASE);
}

uint32_t nd_ring_take_unused(struct nd_ring *ring, uint32_t *ret_from)
{
	uint64_t produced = __atomic_load_n(&ring->head->produced, __ATOMIC_RELAXED);
	uint64_t consumed =
		pass_void(ring->head, __atomic_load_n(&ring->head->consumed, __ATOMIC_ACQUIRE));
	uint32_t offset = (uint32_t)(produced & (ring->size - 1)), touched = ring->touched;
	/* Signal handlers do not write so much that they would come there from the offset. */
	uint32_t from = (offset + ND_RING_REWIND + PAGE - 1) & ~(PAGE - 1);

	/* All that is not read must lie before the offset. */
	if (produced - consumed > offset || touched <= from + ND_RING_REWIND)
		return 0;
	*ret_from = ring->touched = from;
	return touched - from;
}

int nd_ring_read(struct nd_ring *ring, void *buf, uint32_t size)
{
	uint64_t consumed = ring->head->consumed, position, header;
	uint32_t len, left;

	for (;;) {
		if (consumed == __atomic_load_n(&ring->head->produced, __ATOMIC_ACQUIRE))
			return 0;
		position = pass_void(ring->head, consumed);
		if (position % 8 || position - consumed > ring->size)
			return -EBADMSG;
		consumed = position;
		header = __atomic_load_n(header_at(ring, consumed), __ATOMIC_ACQUIRE);
		len = (uint32_t)header;
		left = ring->size - (uint32_t)(consumed & (ring->size - 1));
		/* Reserved, and not committed yet; in a new ring, zero is the position 0. */
		if (!len || (header & ~PADDING) != make_header(consumed, len))
			return 0;
		if (len < ND_RING_HEADER || len > left)
			return -EBADMSG;
		if (!(header & PADDING))
			break;
		consumed += left;
		__atomic_store_n(&ring->head->consumed, consumed, __ATOMIC_RELEASE);
	}
	len -= ND_RING_HEADER;
	if (len > size)
		return -EMSGSIZE;
	memcpy(buf, header_at(ring, consumed) + 1, len);
	/* Pairs with the acquire in nd_ring_reserve(). */
	__atomic_store_n(&ring->head->consumed, consumed + record_size(len), __ATOMIC_RELEASE);
	return (int)len;
}

void nd_ring_skip_to(struct nd_ring *ring, uint64_t position)
{
	__atomic_store_n(&ring->head->consumed, position, __ATOMIC_RELEASE);
}

void nd_ring_skip(struct nd_ring *ring)
{
	nd_ring_skip_to(ring, __atomic_load_n(&ring->head->produced, __ATOMIC_ACQUIRE));
}
