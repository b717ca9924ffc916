/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_GRAPH_H
#define NODIAG_ANALYZER_HEAP_GRAPH_H

/*
 * Which edges keep something alive. These are the rules of Chrome DevTools
 * (heap_snapshot_worker/HeapSnapshot.ts), and so are the numbers that come of them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/heap/heap.h"

/*
 * The entries of weak maps. Each is two edges with one text, one from the key and one from the map,
 * "2 / part of key (A @1) -> value (B @3) pair in WeakMap (table @5)", but for the number at the
 * start: the value lives while both do.
 */
struct nd_heap_pairs {
	uint32_t *of_string; /* of each string its pair + 1, or 0 */
	uint32_t *table;     /* of each pair the id of its map */
	uint32_t count;
};

/* Find them. 0 or -ENOMEM. */
int nd_heap_pairs_init(struct nd_heap_pairs *pairs, const struct nd_heap *heap);
void nd_heap_pairs_fini(struct nd_heap_pairs *pairs);

/* The pair + 1 that an edge is of, 0 when it is of none. */
static inline uint32_t nd_heap_pair_of(const struct nd_heap_pairs *pairs,
				       const struct nd_heap *heap, uint32_t edge)
{
	if (nd_heap_edge_type(heap, edge) != ND_HEAP_EDGE_INTERNAL)
		return 0;
	return pairs->of_string[heap->edge_name[edge]];
}

static inline bool nd_heap_bit(const uint8_t *bits, uint32_t i)
{
	return bits[i >> 3] >> (i & 7) & 1;
}

static inline void nd_heap_set_bit(uint8_t *bits, uint32_t i)
{
	bits[i >> 3] |= (uint8_t)(1 << (i & 7));
}

/*
 * The edges by which one object dominates another, as a bit for each; the caller frees them. NULL
 * when out of memory.
 *
 * Left out are weak edges, those of an object to itself, those from a weak map to its values (those
 * from the keys are left), shortcuts but from the root, and, so that a page or a program keeps what
 * it owns, edges from what only V8 or the embedder reaches to what the user's objects reach.
 */
uint8_t *nd_heap_find_essential(const struct nd_heap *heap, const struct nd_heap_pairs *pairs);

/* Whether a node is what the rules call a user's root, when the root has an edge to it. */
bool nd_heap_is_user_root(const struct nd_heap *heap, uint32_t node);

#endif /* NODIAG_ANALYZER_HEAP_GRAPH_H */
