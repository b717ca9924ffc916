/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_OUTLINE_H
#define NODIAG_ANALYZER_HEAP_OUTLINE_H

/*
 * The tree of dominators as a person can look at it: a few thousand blocks of the millions of
 * objects, the largest ones.
 *
 * An object that is large stands for itself. Those that are not, but are dominated by the same
 * block and are of one kind, stand together: "200,000 functions onRequest", and below it what all
 * of these hold. Kinds are classes, and for functions their names. What is still too small is left
 * out and counted in the block around it.
 */

#include <stdint.h>

struct nd_err;
struct nd_heap;
struct nd_heap_analysis;
struct nd_heap_census;

/* A block has at least that part of all; one object by itself, that one. */
#define ND_HEAP_OUTLINE_PART	    100000
#define ND_HEAP_OUTLINE_PART_SINGLE 1000

/* Blocks at most. */
#define ND_HEAP_OUTLINE_MAX 20000

struct nd_heap_block {
	uint32_t parent; /* its block, which comes before it; ND_HEAP_NONE of the root's */
	uint32_t node;	 /* the object, or the largest of several */
	uint32_t count;	 /* of objects */
	uint32_t small;	 /* objects right below that have no block; 0 also when nobody looked */
	uint64_t self;	 /* bytes of these objects */
	uint64_t bytes;	 /* with all that they dominate */
};

struct nd_heap_outline {
	struct nd_heap_block *block; /* the root's is the first */
	uint32_t count;
};

/*
 * Make it, of the whole heap, or with `since` of only what was not there in that snapshot: sizes
 * and counts are then of new objects. 0, or -ENOMEM with `err` set.
 */
int nd_heap_outline_make(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			 const struct nd_heap_census *since, struct nd_heap_outline *ret,
			 struct nd_err *err);
void nd_heap_outline_fini(struct nd_heap_outline *outline);

#endif /* NODIAG_ANALYZER_HEAP_OUTLINE_H */
