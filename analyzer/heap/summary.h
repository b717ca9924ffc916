/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_SUMMARY_H
#define NODIAG_ANALYZER_HEAP_SUMMARY_H

/* What a single snapshot says: totals, and the largest of everything. */

#include <stdint.h>

#include "analyzer/heap/duplicates.h"
#include "analyzer/heap/functions.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/modules.h"
#include "analyzer/heap/suspects.h"

struct nd_heap_collections;
struct nd_heap_paths;

/* A buffer has its own line from here on: 64 KiB. */
#define ND_HEAP_BUFFER_BIG (UINT64_C(64) << 10)

struct nd_heap_kind {
	uint32_t count;
	uint64_t bytes;
};

/* The lists are cut to what was asked for; the counts of all are beside. */
struct nd_heap_summary {
	const struct nd_heap_paths *paths;	       /* borrowed */
	const struct nd_heap_collections *collections; /* likewise */
	uint32_t limit;
	uint32_t objects; /* that have a size of their own */
	uint64_t bytes;
	struct nd_heap_kind kind[ND_HEAP_NODE_TYPES];
	uint32_t *class; /* by what they retain, the most first */
	uint32_t class_count;
	uint32_t classes;
	uint32_t *object; /* likewise, of those that nothing but the whole program dominates */
	uint32_t object_count;
	struct nd_heap_duplicate *duplicate;
	uint32_t duplicate_count;
	uint64_t waste;
	struct nd_heap_suspects suspects;
	struct nd_heap_keepers keepers; /* these are not cut */
	struct nd_heap_modules modules;
	struct nd_heap_kind buffers; /* what ArrayBuffers and Buffers hold outside of the heap */
	uint32_t *buffer;	     /* the big ones, the largest first */
	uint32_t buffer_count;
};

/*
 * Lists have `limit` elements at most, but for what is said. The collections were found before the
 * heap was analysed. 0, or -ENOMEM with `err` set.
 */
int nd_heap_summarize(const struct nd_heap_paths *paths,
		      const struct nd_heap_collections *collections, uint32_t limit,
		      struct nd_heap_summary *ret, struct nd_err *err);

/* Leave `limit` elements of each list. */
void nd_heap_summary_cut(struct nd_heap_summary *summary, uint32_t limit);

void nd_heap_summary_fini(struct nd_heap_summary *summary);

#endif /* NODIAG_ANALYZER_HEAP_SUMMARY_H */
