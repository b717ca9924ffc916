/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_USAGE_H
#define NODIAG_AGENT_USAGE_H

/*
 * How much of a stall its thread ran, or waited for a CPU. The agent's thread notes from time to
 * time what the thread has had so far; when a stall is over, the thread subtracts that from what it
 * has had by then. Two such notes are kept: the later one may be from the middle of the iteration
 * that becomes a stall.
 */

#include <stdint.h>

struct nd_event_stall;
struct nd_thread;

/* Note it, and forget what was noted. Of the agent's thread, under the threads' lock. */
void nd_usage_take(struct nd_thread *thread, uint64_t now);
void nd_usage_forget(struct nd_thread *thread);

/*
 * Fill in what the thread has had since the note that is nearest to `event->start_ns`, and when
 * that was; zeros where there is none. On that thread.
 */
void nd_usage_read(const struct nd_thread *thread, struct nd_event_stall *event);

#endif /* NODIAG_AGENT_USAGE_H */
