/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_DOMINATORS_H
#define NODIAG_ANALYZER_HEAP_DOMINATORS_H

/*
 * The dominator of an object is the last one that all ways from the root to it go through: without
 * it, the object would be garbage. What an object retains is the sum over all that it dominates.
 */

#include <stdint.h>

struct nd_heap;

/*
 * Find all dominators by the edges whose bit is set, and the retained sizes that come of them and
 * of the heap's self sizes. Both lists have an element for each node, and are the caller's to free.
 * The root dominates itself, and what no edge leads to. 0 or -ENOMEM.
 *
 * Lengauer and Tarjan's algorithm, "A fast algorithm for finding dominators in a flowgraph" (1979),
 * with path compression: O(e log n) whatever the graph. Nothing in it recurses.
 */
int nd_heap_find_dominators(const struct nd_heap *heap, const uint8_t *essential,
			    uint32_t **ret_dominator, uint64_t **ret_retained);

#endif /* NODIAG_ANALYZER_HEAP_DOMINATORS_H */
