/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_CENSUS_H
#define NODIAG_ANALYZER_HEAP_CENSUS_H

/*
 * What a later snapshot is compared with: of each object its id, class and size. The graph, nine
 * tenths of a heap, is not needed for that.
 */

#include <stdint.h>

#include "analyzer/heap/classes.h"
#include "analyzer/heap/shapes.h"
#include "common/set.h"

struct nd_err;
struct nd_heap;
struct nd_heap_interfaces;
struct nd_intern;

struct nd_heap_census {
	uint32_t count;
	uint64_t bytes;
	uint64_t *size;	    /* as after nd_heap_charge_owners() */
	uint32_t *class_of; /* or a shape, until nd_heap_census_class() */
	struct nd_heap_classes classes;
	struct nd_heap_shapes shapes;

	/*
	 * Objects by id, as index + 1. V8's ids are dense, odd for its objects and even for native
	 * ones, so that half an id is a place in a list; what is beyond that is in a set.
	 */
	uint32_t *dense[2];
	uint32_t dense_count[2];
	struct nd_set sparse;
	uint32_t *sparse_index;
};

/*
 * Take it of a heap, whose self sizes are changed by the way. `names` are those of properties,
 * shared by all heaps that are compared. 0, or -ENOMEM with `err` set.
 */
int nd_heap_census_take(struct nd_heap *heap, struct nd_intern *names, struct nd_heap_census *ret,
			struct nd_err *err);
void nd_heap_census_fini(struct nd_heap_census *census);

/* Class plain objects by the interfaces of another heap, as DevTools does. Once. 0 or -ENOMEM. */
int nd_heap_census_class(struct nd_heap_census *census, const struct nd_heap_interfaces *interfaces,
			 struct nd_intern *names);

/*
 * From now on go by the ids of a later heap, whose numbers are not those of the one that this was
 * taken of, `before`; see match.h. 0, or -ENOMEM with `err` set.
 */
int nd_heap_census_match(struct nd_heap_census *census, const struct nd_heap *before,
			 const struct nd_heap *after, struct nd_err *err);

/* The object of an id, or ND_HEAP_NONE. */
uint32_t nd_heap_census_find(const struct nd_heap_census *census, uint32_t id);

#endif /* NODIAG_ANALYZER_HEAP_CENSUS_H */
