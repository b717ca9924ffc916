/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SPACES_H
#define NODIAG_AGENT_SPACES_H

/*
 * What V8's heap consists of, space by space, and what JavaScript holds outside of it.
 *
 * Young collections are too frequent to look each time: this is done after full ones, and at most
 * ten times a second, and when a reader asks. All on the thread itself.
 */

#include <stdint.h>

struct nd_heap_statistics;
struct nd_thread;

/* Look once whether they can be read in this program: not during a collection. */
void nd_spaces_learn(struct nd_thread *thread);

/* Write them, now. */
void nd_spaces_write(struct nd_thread *thread);

/* After a full collection that ended at `now`, which left such a heap. */
void nd_spaces_write_after(struct nd_thread *thread, const struct nd_heap_statistics *heap,
			   uint64_t now);

#endif /* NODIAG_AGENT_SPACES_H */
