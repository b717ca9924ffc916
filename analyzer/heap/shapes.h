/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_SHAPES_H
#define NODIAG_ANALYZER_HEAP_SHAPES_H

/*
 * What plain objects look like: lists of property names, each kept once. A heap has thousands of
 * them for its millions of objects, and they are all that classing plain objects takes, so that the
 * objects of one heap can be classed by what another one has.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_heap;
struct nd_intern;

struct nd_heap_shape {
	size_t start; /* in `pool` */
	uint32_t len;
	uint32_t count; /* how many times it was added */
};

/* All zeros is an empty set; ids are in the order in which they were first added. */
struct nd_heap_shapes {
	uint32_t *pool; /* ids of names, one list after the other */
	size_t pool_len;
	size_t pool_cap;
	struct nd_heap_shape *shape;
	uint32_t count;
	uint32_t last;	 /* the id that was added last: objects come in rows of one shape */
	uint32_t *slots; /* a hash table of ids + 1 */
	uint32_t slot_count;
};

/* Count a list, which is kept when new. 0 or -ENOMEM. */
int nd_heap_shapes_add(struct nd_heap_shapes *shapes, const uint32_t *names, uint32_t len,
		       uint32_t *ret_id);
void nd_heap_shapes_fini(struct nd_heap_shapes *shapes);

/* Stands for a shape where otherwise there is a class. */
#define ND_HEAP_SHAPE_BIT (UINT32_C(1) << 31)

/*
 * Find the shape of each plain object, one whose constructor's name is "Object", and set its
 * element of `class_of` to it, with ND_HEAP_SHAPE_BIT. Names of properties are added to `names`.
 */
int nd_heap_find_shapes(const struct nd_heap *heap, struct nd_intern *names,
			struct nd_heap_shapes *shapes, uint32_t *class_of);

#endif /* NODIAG_ANALYZER_HEAP_SHAPES_H */
