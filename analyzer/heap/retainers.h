/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_RETAINERS_H
#define NODIAG_ANALYZER_HEAP_RETAINERS_H

/* Who keeps an object alive, and who the objects of a class. */

#include <stdint.h>

struct nd_heap;
struct nd_heap_analysis;
struct nd_heap_paths;

struct nd_heap_retainer {
	uint32_t node;
	uint32_t edge; /* of `node`, to the object */
};

/*
 * All that refer to an object, but weakly or from the root, the nearest to the root first. The
 * caller frees the list. 0 or -ENOMEM.
 */
int nd_heap_find_retainers(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			   uint32_t node, struct nd_heap_retainer **ret, uint32_t *ret_count);

/* Objects whose shortest ways are the same in words, but for the numbers of elements. */
struct nd_heap_way {
	char *words;
	uint32_t example;
	uint32_t count;
	uint64_t self;	   /* bytes */
	uint64_t retained; /* by those that no other one of the class dominates immediately */
};

struct nd_heap_ways {
	struct nd_heap_way *way; /* what retains most first */
	uint32_t count;
};

/*
 * The ways to all objects whose class has that name, with the list of edges that takes. 0, -ENOENT
 * when there is none, -ENOMEM.
 */
int nd_heap_find_ways(struct nd_heap_paths *paths, const char *class, struct nd_heap_ways *ret);
void nd_heap_ways_fini(struct nd_heap_ways *ways);

#endif /* NODIAG_ANALYZER_HEAP_RETAINERS_H */
