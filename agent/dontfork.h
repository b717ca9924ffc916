/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_DONTFORK_H
#define NODIAG_AGENT_DONTFORK_H

/*
 * Memory that the program keeps from its children (MADV_DONTFORK), as V8 does with its heap: a
 * child that is to read it must be given it for the fork.
 *
 * Which memory that is, only /proc/self/smaps tells, for which the kernel looks at every page: some
 * 25 ms for a heap of 1 GB. So it is found beforehand, while the program goes on, and what the
 * program has mapped since is found in /proc/self/maps, which takes 1 ms. Of that nobody knows
 * whether it was kept back: it is not any more, which makes the program's own forks no wronger.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_dontfork_range {
	uintptr_t start;
	uintptr_t end;
};

struct nd_dontfork {
	struct nd_dontfork_range *list; /* mapped: the program's malloc() is left alone */
	size_t count;
};

/*
 * Find it. 0, or a negative errno: -E2BIG for more ranges than a process usually maps. Needs
 * nd_dontfork_fini() also where it fails.
 */
int nd_dontfork_find(struct nd_dontfork *ret_kept);

/* Let the next child have all private memory that is of no file. 0, or a negative errno. */
int nd_dontfork_share_all(void);

/* Keep from children again what was found; the rest of it that is mapped, where some is not. */
void nd_dontfork_keep(const struct nd_dontfork *kept);

void nd_dontfork_fini(struct nd_dontfork *kept);

#endif /* NODIAG_AGENT_DONTFORK_H */
