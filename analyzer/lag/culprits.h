/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_LAG_CULPRITS_H
#define NODIAG_ANALYZER_LAG_CULPRITS_H

/*
 * Who made the stalls: each is charged to a function in the way in which it was late.
 */

#include "analyzer/lag/lag.h"
#include "analyzer/lag/stall.h"

/* All zeros at first. */
struct nd_culprits {
	struct nd_culprit *list;
	size_t count;
	uint64_t left_out; /* stalls of culprits beyond ND_LAG_CULPRITS_MAX */
};

/* Whose stall it is, by the stack that stands for it; without sums. `stack` may be NULL. */
void nd_culprit_describe(const struct nd_stall *stall, const struct nd_stall_stack *stack,
			 struct nd_culprit *ret);

/* Add a stall to those of whoever is `like`; the longest gives the stack. -ENOMEM. */
int nd_culprits_charge(struct nd_culprits *culprits, const struct nd_culprit *like,
		       const struct nd_stall *stall, const struct nd_stall_stack *stack);

/* The list, most time first; borrowed. */
const struct nd_culprit *nd_culprits_sort(struct nd_culprits *culprits);

void nd_culprits_fini(struct nd_culprits *culprits);

#endif /* NODIAG_ANALYZER_LAG_CULPRITS_H */
