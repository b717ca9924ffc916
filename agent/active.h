/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_ACTIVE_H
#define NODIAG_AGENT_ACTIVE_H

/*
 * What keeps a thread's loop alive: timers, sockets, requests and the like, as
 * process.getActiveResourcesInfo() has them. libuv knows them by fewer types, and Node.js has one
 * timer of libuv's for all of its own; so a script asks Node.js (active.js).
 *
 * Only for a reader that wants it, when it asks for handles: with 10,000 timers and 3,000 sockets a
 * look takes a millisecond.
 */

struct nd_thread;

/* Write them, where that is wanted. On that thread, while it is about to poll. */
void nd_active_write(struct nd_thread *thread);

#endif /* NODIAG_AGENT_ACTIVE_H */
