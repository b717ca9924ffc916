/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_GROUPS_H
#define NODIAG_ANALYZER_HEAP_GROUPS_H

/* What objects retain together, by whatever puts them into groups. */

#include <stdint.h>

struct nd_heap;
struct nd_heap_analysis;

struct nd_heap_group {
	uint32_t example; /* its first object */
	uint32_t count;
	uint64_t self;	   /* bytes */
	uint64_t retained; /* by all of them together */
};

/*
 * What the objects of each group retain, those without a size of their own left out: what an object
 * retains is not added again for those of the same group that it dominates. `group_of` has an
 * element for each node, ND_HEAP_NONE for those of no group; `retained` one for each group. 0 or
 * -ENOMEM.
 */
int nd_heap_sum_retained(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			 const uint32_t *group_of, uint32_t groups, uint64_t *retained);

/* All there is to know of each group; the caller frees the list. 0 or -ENOMEM. */
int nd_heap_sum_groups(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
		       const uint32_t *group_of, uint32_t groups, struct nd_heap_group **ret);

/* Put those that retain most first. */
void nd_heap_sort_groups(struct nd_heap_group *groups, uint32_t count);

#endif /* NODIAG_ANALYZER_HEAP_GROUPS_H */
