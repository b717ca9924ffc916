/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_DONTFORK_H
#define NODIAG_AGENT_DONTFORK_H

/*
 * Memory that the program keeps from its children (MADV_DONTFORK), as V8 does with its heap: a
 * child that is to read it must be given it for the fork.
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
int nd_dontfork_find(struct nd_dontfork *ranges);

/* Let the next child have it, or no longer. 0, or a negative errno. */
int nd_dontfork_share(const struct nd_dontfork *ranges);
void nd_dontfork_keep(const struct nd_dontfork *ranges);

void nd_dontfork_fini(struct nd_dontfork *ranges);

#endif /* NODIAG_AGENT_DONTFORK_H */
