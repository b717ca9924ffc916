/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_QUERY_H
#define NODIAG_ANALYZER_HEAP_QUERY_H

/* The objects of a heap that are as somebody wants them. */

#include <stdint.h>

struct nd_heap;
struct nd_heap_analysis;

enum nd_heap_order { ND_HEAP_BY_RETAINED, ND_HEAP_BY_SELF, ND_HEAP_BY_DISTANCE, ND_HEAP_BY_ID };

/* All must be true. */
struct nd_heap_query {
	const char *class;	  /* the name of its class, or NULL */
	int type;		  /* enum nd_heap_node_type, or -1 */
	uint64_t min_self;	  /* bytes */
	uint64_t min_retained;	  /* bytes */
	int32_t max_distance;	  /* from the root; negative: any */
	uint32_t retained_by;	  /* a node that dominates it, or ND_HEAP_NONE */
	enum nd_heap_order order; /* the largest first; by distance and id, the least */
	uint32_t limit;
};

struct nd_heap_matches {
	uint32_t *node; /* at most `limit`, in order */
	uint32_t node_count;
	uint32_t count;	   /* of all that match */
	uint64_t self;	   /* bytes, of these */
	uint64_t retained; /* by all of these together */
};

/* Objects without a size of their own do not match. 0 or -ENOMEM. */
int nd_heap_find_matches(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			 const struct nd_heap_query *query, struct nd_heap_matches *ret);
void nd_heap_matches_fini(struct nd_heap_matches *matches);

#endif /* NODIAG_ANALYZER_HEAP_QUERY_H */
