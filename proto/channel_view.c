/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/channel_view.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "proto/limits.h"

/* A program writes a fraction of what is read in that time, so that a few times are enough. */
#define ROUNDS 8

/* The slots must lie in the memory, and each one's parts in the slot. */
static bool is_sound(const struct nd_channel_head *head, size_t size)
{
	return head->magic == ND_CHANNEL_MAGIC && head->version == ND_CHANNEL_VERSION &&
	       head->head_size >= sizeof(*head) && head->slots &&
	       head->slots <= ND_CHANNEL_SLOTS_MAX &&
	       head->ring_offset >= sizeof(struct nd_channel_slot) && head->ring_size >= 4096 &&
	       head->ring_size <= ND_CHANNEL_RING_MAX &&
	       !(head->ring_size & (head->ring_size - 1)) && head->ring_offset % 8 == 0 &&
	       head->head_size % 8 == 0 && head->slot_size % 8 == 0 &&
	       head->ring_offset <= UINT32_MAX - head->ring_size &&
	       head->slot_size >= head->ring_offset + head->ring_size &&
	       size >= head->head_size + (size_t)head->slots * head->slot_size;
}

int nd_channel_view_init(struct nd_channel_view *view, void *memory, size_t size)
{
	if (size < sizeof(view->head))
		return -EPROTO;
	view->memory = memory;
	memcpy(&view->head, memory, sizeof(view->head));
	view->head.output[sizeof(view->head.output) - 1] = '\0';
	view->head.heap_folder[sizeof(view->head.heap_folder) - 1] = '\0';
	return is_sound(&view->head, size) ? 0 : -EPROTO;
}

struct nd_channel_slot *nd_channel_view_slot(const struct nd_channel_view *view, uint32_t index)
{
	return (void *)(view->memory + view->head.head_size + (size_t)index * view->head.slot_size);
}

void nd_channel_view_ring(const struct nd_channel_view *view, uint32_t index,
			  struct nd_ring *ret_ring)
{
	struct nd_channel_slot *slot = nd_channel_view_slot(view, index);

	*ret_ring = (struct nd_ring){
		.head = &slot->ring,
		.data = (uint8_t *)slot + view->head.ring_offset,
		.size = view->head.ring_size,
	};
}

/* No more than was there at first: the program may write as fast as it is read. */
static int read_up_to(const struct nd_channel_view *view, struct nd_ring *ring, uint64_t end,
		      void *buf, int (*handle)(void *arg, const struct nd_event *, size_t),
		      void *arg)
{
	int ret;

	while ((int64_t)(end - ring->head->consumed) > 0) {
		ret = nd_ring_read(ring, buf, view->head.ring_size / 2);
		if (ret < 0) {
			nd_ring_skip(ring);
			return -EBADMSG;
		}
		if (ret < (int)sizeof(struct nd_event))
			return 0;
		ret = handle(arg, buf, (size_t)ret);
		if (ret)
			return ret;
	}
	return 0;
}

int nd_channel_view_read(const struct nd_channel_view *view, uint32_t index, void *buf,
			 int (*handle)(void *arg, const struct nd_event *event, size_t size),
			 void *arg)
{
	struct nd_ring ring;
	uint64_t end;
	int round, ret = 0;

	nd_channel_view_ring(view, index, &ring);
	/* What came meanwhile, too: a ring that is empty begins anew, and stays in the caches. */
	for (round = 0; round < ROUNDS && !ret; round++) {
		end = __atomic_load_n(&ring.head->produced, __ATOMIC_ACQUIRE);
		if (end == ring.head->consumed)
			break;
		ret = read_up_to(view, &ring, end, buf, handle, arg);
	}
	return ret;
}
