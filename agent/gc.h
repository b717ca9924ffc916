/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_GC_H
#define NODIAG_AGENT_GC_H

/*
 * Pauses of the garbage collector, told by V8 itself before and after each, on the isolate's own
 * thread.
 */

struct nd_thread;

/* On that thread, which is in its isolate. */
void nd_gc_add_callbacks(struct nd_thread *thread);
void nd_gc_remove_callbacks(struct nd_thread *thread);

#endif /* NODIAG_AGENT_GC_H */
