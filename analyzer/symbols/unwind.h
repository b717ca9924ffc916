/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_UNWIND_H
#define NODIAG_ANALYZER_SYMBOLS_UNWIND_H

/*
 * One frame up through code without frame pointers, by the unwind tables (.eh_frame) that compilers
 * and hand-written assembly leave in the file. Slower than a frame pointer by orders of magnitude:
 * only for where a walk broke off, in libc, in OpenSSL's assembly, in a distribution's libraries.
 */

#include <stdbool.h>

struct nd_modules;
struct nd_process;
struct nd_unwinder;
struct nd_walk;

/* NULL when out of memory. All it is given must outlive it. */
struct nd_unwinder *nd_unwinder_new(struct nd_process *process, struct nd_modules *modules);
void nd_unwinder_free(struct nd_unwinder *unwinder);

/*
 * Go from `walk`'s pc, stack and frame pointer to those of the caller. Reads the process's memory,
 * with its overlay. `is_call`: the pc is a return address.
 *
 * Returns 1; or with `walk` as it was 0, where the table says that this is the thread's first
 * function, and -ENOENT where there is no table, or it needs a register that is not known, or the
 * stack does not go up.
 */
int nd_unwinder_step(struct nd_unwinder *unwinder, struct nd_walk *walk, bool is_call);

#endif /* NODIAG_ANALYZER_SYMBOLS_UNWIND_H */
