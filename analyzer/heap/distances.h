/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_DISTANCES_H
#define NODIAG_ANALYZER_HEAP_DISTANCES_H

/*
 * How many steps an object is from the user's roots, as DevTools counts them, and by which way.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_heap;
struct nd_heap_pairs;

/* Of an object that nothing reaches; and what is added for those that only V8's roots reach. */
#define ND_HEAP_DISTANCE_NONE	(-5)
#define ND_HEAP_DISTANCE_SYSTEM 100000000

/*
 * For each node the one before it on a shortest way from the root, ND_HEAP_NONE where there is
 * none, as for the root. That way does not begin with what is on the stack while the snapshot is
 * taken, unless there is no other. The caller frees the list; NULL when out of memory.
 */
uint32_t *nd_heap_list_before(const struct nd_heap *heap, const struct nd_heap_pairs *pairs);

/* The distance of each node, likewise. */
int32_t *nd_heap_list_distances(const struct nd_heap *heap, const struct nd_heap_pairs *pairs);

/* Whether a node is one of V8's roots with what is there only while the snapshot is taken. */
bool nd_heap_is_passing_root(const struct nd_heap *heap, uint32_t node);

#endif /* NODIAG_ANALYZER_HEAP_DISTANCES_H */
