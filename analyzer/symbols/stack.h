/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_STACK_H
#define NODIAG_ANALYZER_SYMBOLS_STACK_H

/*
 * Stacks that the kernel could not walk to their end, walked over a copy: by frame pointers, as the
 * eBPF program does, and where code has none, by unwind tables until it has again.
 */

#include <stdbool.h>

struct nd_process;
struct nd_sample_cpu;
struct nd_sample_stack;

/*
 * Walk a sample that came as a copy of its stack. The process's memory shows the copy until
 * nd_stack_forget(), for what is read about the frames.
 *
 * A function without a frame of its own, as most of libc's are, hides its caller from a walk by
 * frame pointers. An `exact` walk goes by unwind tables wherever there are some, which takes ten
 * times as long.
 */
void nd_stack_walk(struct nd_process *process, const struct nd_sample_stack *copy, bool exact,
		   struct nd_sample_cpu *ret_walked);

/* The same for a walked sample that broke off where `tail` says: `*ret_walked` is the whole. */
void nd_stack_complete(struct nd_process *process, const struct nd_sample_cpu *sample,
		       const struct nd_sample_stack *tail, struct nd_sample_cpu *ret_walked);

/* Let the process's memory be its own again. */
void nd_stack_forget(struct nd_process *process);

#endif /* NODIAG_ANALYZER_SYMBOLS_STACK_H */
