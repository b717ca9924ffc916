/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_DIFF_H
#define NODIAG_ANALYZER_HEAP_DIFF_H

/*
 * How the classes of a heap changed from one snapshot to a later one, or over several: as DevTools'
 * comparison, an object is the same where its id and its class are.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/heap/classes.h"

struct nd_err;
struct nd_heap;
struct nd_heap_analysis;
struct nd_heap_census;

/* From the first snapshot to the last one. Objects without a size of their own do not count. */
struct nd_heap_delta {
	uint32_t class;
	uint32_t added;
	uint32_t removed;
	uint64_t added_bytes;
	uint64_t removed_bytes;
	uint64_t bytes; /* of the whole class, in the last one */
	bool is_steady; /* it did not grow from each snapshot to the next */
};

struct nd_heap_diff {
	struct nd_heap_classes classes; /* of all snapshots */
	struct nd_heap_delta *delta;	/* one for each class, what grew most first */
	uint32_t count;
	uint8_t *fresh; /* a bit for each node of the last one that is not in the first one */
	int64_t grown;	/* bytes of those that are not ignored; of several snapshots, not steady */
	uint32_t matched;   /* objects of the last one whose id the first one has */
	uint32_t reclassed; /* of these, those that have another class there */
};

/*
 * Whether the snapshots do not share their ids, as where two children or two processes gave them
 * out. Where they do, hardly an object has another class than before.
 */
static inline bool nd_heap_diff_is_mixed(const struct nd_heap_diff *diff)
{
	return diff->reclassed > diff->matched / 100;
}

static inline int64_t nd_heap_delta_bytes(const struct nd_heap_delta *delta)
{
	return (int64_t)delta->added_bytes - (int64_t)delta->removed_bytes;
}

/* Snapshots to compare: all but the last as a census, classed by the last one's interfaces. */
struct nd_heap_series {
	const struct nd_heap_census *census;
	uint32_t count;
	const struct nd_heap *heap;
	const struct nd_heap_analysis *analysis;
	const char *const *ignore; /* names of classes that are left out */
	uint32_t ignore_count;
};

/* Whether a class is left out. */
bool nd_heap_is_ignored(const struct nd_heap_series *series, const char *class);

/* Bytes of a snapshot, counted from the first one; the last is number `count`. */
uint64_t nd_heap_series_bytes(const struct nd_heap_series *series, uint32_t snapshot);

/* Whether a class is worth telling: it changed, and of several snapshots grew each time. */
bool nd_heap_is_told(const struct nd_heap_series *series, const struct nd_heap_diff *diff,
		     const struct nd_heap_delta *delta);

/* Compare. 0, or -ENOMEM with `err` set. */
int nd_heap_compare(const struct nd_heap_series *series, struct nd_heap_diff *ret,
		    struct nd_err *err);
void nd_heap_diff_fini(struct nd_heap_diff *diff);

#endif /* NODIAG_ANALYZER_HEAP_DIFF_H */
