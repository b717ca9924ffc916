/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CHANNEL_VIEW_H
#define NODIAG_PROTO_CHANNEL_VIEW_H

/*
 * A reader's view of an agent's memory (proto/channel.h), which the observed process writes to and
 * is not trusted. Does no I/O.
 */

#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"

struct nd_channel_view {
	uint8_t *memory; /* the caller's */
	/* What the head said when it was checked; what says where things are is not read again. */
	struct nd_channel_head head;
};

/* -EPROTO when the slots that the head tells of do not lie in the memory. */
int nd_channel_view_init(struct nd_channel_view *view, void *memory, size_t size);

/* `index` is below head.slots. */
struct nd_channel_slot *nd_channel_view_slot(const struct nd_channel_view *view, uint32_t index);
void nd_channel_view_ring(const struct nd_channel_view *view, uint32_t index,
			  struct nd_ring *ret_ring);

/*
 * Hand on the events that are in a slot's ring, and those that come meanwhile, but for a program
 * that writes as fast as it is read. `buf` has room for half a ring, and what is handed on lies in
 * it. Ends early with what `handle` returns when that is not 0. -EBADMSG when the ring
 * is damaged; all that was in it is skipped then.
 */
int nd_channel_view_read(const struct nd_channel_view *view, uint32_t index, void *buf,
			 int (*handle)(void *arg, const struct nd_event *event, size_t size),
			 void *arg);

#endif /* NODIAG_PROTO_CHANNEL_VIEW_H */
