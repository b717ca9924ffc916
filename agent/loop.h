/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_LOOP_H
#define NODIAG_AGENT_LOOP_H

/*
 * How long each iteration of an event loop keeps it from polling, and with what.
 *
 * An iteration begins when epoll has nothing more to wait for on the loop's own descriptor, and
 * ends when it polls there next; what a nested loop of spawnSync() waits for is part of it. A poll
 * that does not wait is no idle time, as in Node's own performance.eventLoopUtilization(). Times
 * are exact: each iteration is measured.
 */

#include <stdbool.h>

struct nd_thread;

/* Hook epoll_wait() and epoll_pwait() where libuv calls them. False when it calls neither. */
bool nd_loop_hook(void);
void nd_loop_unhook(void);

/* Whether the libuv in this program is laid out as our header says. */
bool nd_loop_is_known(void);

/* The thread, just adopted, is in the middle of an iteration: count it from now on. */
void nd_loop_begin_late(struct nd_thread *thread);

/* It is about to poll, in a call that is not hooked yet. */
void nd_loop_begin_idle(struct nd_thread *thread);

/* Learn of the phases of the thread's loop, or no longer. On that thread. */
void nd_loop_add_handles(struct nd_thread *thread);
void nd_loop_remove_handles(struct nd_thread *thread);

#endif /* NODIAG_AGENT_LOOP_H */
