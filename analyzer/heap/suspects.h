/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_SUSPECTS_H
#define NODIAG_ANALYZER_HEAP_SUSPECTS_H

/*
 * Who is likely to leak: the places at which memory gathers, those with most of it first.
 *
 * Between snapshots, everything new is charged to its nearest dominator that was there before, or
 * where that is the whole program, to the nearest object on the shortest way to it that was: that
 * one survived, and got it. In a single snapshot, what only the whole program dominates is looked
 * at: by itself where it is large, else together with all that is next to the same object on their
 * shortest ways. From there the way goes down the tree of dominators for as long as one object has
 * most of it, to the point where it gathers.
 */

#include <stdint.h>

#include "analyzer/heap/diff.h"

struct nd_err;
struct nd_heap;
struct nd_heap_analysis;

/* Shown at most; more than a few is no answer. */
#define ND_HEAP_SUSPECTS_MAX 10

/* Snapshots that are compared at most. */
#define ND_HEAP_SERIES_MAX 64

struct nd_heap_suspect {
	uint32_t point;	      /* the object at which it gathers */
	uint32_t class;	      /* what most of it is, in objects that `point` holds */
	uint32_t example;     /* one of these */
	uint32_t count;	      /* of these */
	uint32_t others;      /* of other classes that `point` holds */
	uint64_t class_bytes; /* that these retain */
	uint64_t bytes;	      /* that all of them retain */
	uint64_t step_bytes[ND_HEAP_SERIES_MAX]; /* of `bytes`, since each snapshot but the last */
};

struct nd_heap_suspects {
	struct nd_heap_suspect suspect[ND_HEAP_SUSPECTS_MAX];
	uint32_t count;
	uint64_t bytes; /* of all that is new, or of the heap */
};

/*
 * Who got what is new since the first snapshot, as `diff` of the series has it; of several, only
 * those that got some each time. 0, or -ENOMEM with `err` set.
 */
int nd_heap_find_growth(const struct nd_heap_series *series, const struct nd_heap_diff *diff,
			struct nd_heap_suspects *ret, struct nd_err *err);

/* Who has much, in a single snapshot. */
int nd_heap_find_gatherers(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			   struct nd_heap_suspects *ret, struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_SUSPECTS_H */
