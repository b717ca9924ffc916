/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SAMPLER_H
#define NODIAG_AGENT_SAMPLER_H

/*
 * Stacks of the threads with an event loop, taken by a signal handler on the thread itself:
 * registers and a copy of the stack, which the reader walks and names.
 *
 * A real-time signal that the program does not use is taken for it. The handler only reads the
 * thread's own stack and writes into its ring.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_thread;

/* Take a signal, or give it back. False when none is free. Both of the agent's thread. */
bool nd_sampler_start(void);
void nd_sampler_stop(void);

/*
 * Samples by CPU time of this thread, if the reader wants them. Under the threads' lock, or on that
 * thread.
 */
void nd_sampler_add_timer(struct nd_thread *thread);
void nd_sampler_remove_timer(struct nd_thread *thread);

/*
 * Look at a thread whose iteration lasts: take its stack, if the time has come. Returns when to
 * look again, in nanoseconds from now. Of the agent's thread, under the threads' lock.
 */
uint64_t nd_sampler_watch(struct nd_thread *thread, uint64_t now);

/* The reader is gone: what is known of the thread's use of the CPU gets old. Likewise. */
void nd_sampler_forget(struct nd_thread *thread);

/* Let a thread that waits in epoll come by our hook, or all of them. Of the agent's thread. */
void nd_sampler_wake(const struct nd_thread *thread);
void nd_sampler_wake_all(void);

#endif /* NODIAG_AGENT_SAMPLER_H */
