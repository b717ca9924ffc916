/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SNAPSHOT_H
#define NODIAG_AGENT_SNAPSHOT_H

/*
 * Heap snapshots by a child: the thread whose heap it is forks where it is about to poll, and goes
 * on; the child has the same heap, and lets V8 write it down. docs/internals/heap.md says what
 * makes that work. Where there can be no child, the thread takes one itself at the same place.
 *
 * One at a time, besides one that waits for the heap to be nearly full: V8 says so in the middle of
 * a collection, and the thread forks there and then. The agent's thread asks for it, tells of it
 * and buries the child, whose end is no signal to the program (it is one of clone(2) without a
 * number for that).
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/channel.h"

struct nd_thread;

/* What there is to tell whoever asked; `message` says which. */
union nd_snapshot_news {
	struct nd_message message;
	struct nd_forked forked;
	struct nd_child_end end;
	struct nd_written written;
};

/* Whether this V8 has what is called here. */
bool nd_snapshot_is_known(void);

/*
 * All of these are for the agent's thread. The thread that is meant takes the snapshot when it
 * comes by; `fd` is a stream socket, which stays the caller's. -EBUSY while there is one, -ENOTSUP
 * where the child could not be kept from waiting for threads that it has not.
 */
int nd_snapshot_want(const struct nd_snapshot_wish *wish, int fd);

/*
 * There is nobody any more who wants it, now or, with `at_limit`, when the heap is nearly full:
 * kill the child, if there is one already.
 */
void nd_snapshot_cancel(bool at_limit);

/* So much is free by now for the one that is to be taken when the heap is nearly full. */
void nd_snapshot_set_free(uint64_t bytes);

/* Whether the thread is still to fork, or there is a child, or the thread takes one itself. */
bool nd_snapshot_is_busy(void);

/* Whether that one is the one that was to be taken when the heap is nearly full. */
bool nd_snapshot_is_at_limit(void);

/* Whether V8 tells when the heap is nearly full. */
bool nd_snapshot_knows_limit(void);

/* See what has happened. False when there is nothing to tell. */
bool nd_snapshot_look(union nd_snapshot_news *ret_news);

/* Take what is wanted; on the thread, while it is about to poll. */
void nd_snapshot_update(struct nd_thread *thread);

/* Let V8 no longer call us; on the thread. */
void nd_snapshot_unhook(struct nd_thread *thread);

#endif /* NODIAG_AGENT_SNAPSHOT_H */
