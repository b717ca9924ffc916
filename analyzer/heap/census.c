/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/census.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/interfaces.h"
#include "analyzer/heap/match.h"
#include "analyzer/heap/sizes.h"
#include "common/array.h"
#include "common/err.h"
#include "common/intern.h"

/* A list by id may have so many places for each object; pages never touched cost nothing. */
#define PLACES_MAX 16

static void forget_ids(struct nd_heap_census *c)
{
	free(c->dense[0]);
	free(c->dense[1]);
	nd_set_fini(&c->sparse);
	free(c->sparse_index);
	c->dense[0] = c->dense[1] = c->sparse_index = NULL;
	c->dense_count[0] = c->dense_count[1] = 0;
}

void nd_heap_census_fini(struct nd_heap_census *c)
{
	free(c->size);
	free(c->class_of);
	nd_heap_classes_fini(&c->classes);
	nd_heap_shapes_fini(&c->shapes);
	forget_ids(c);
}

/* How long the lists are to be: up to the largest id, unless that is far away. */
static void measure(const struct nd_heap *heap, struct nd_heap_census *c)
{
	uint64_t max = (uint64_t)heap->node_count * PLACES_MAX + 1024;
	uint32_t i, place, odd;

	for (i = 0; i < heap->node_count; i++) {
		odd = heap->id[i] & 1;
		place = heap->id[i] >> 1;
		if (place < max && place >= c->dense_count[odd])
			c->dense_count[odd] = place + 1;
	}
}

static int add_sparse(struct nd_heap_census *c, uint32_t id, uint32_t index)
{
	uint32_t *list, count = c->sparse.count, at;

	if (nd_set_add(&c->sparse, &id, UINT32_MAX, &at))
		return -ENOMEM;
	if (c->sparse.count > count) {
		list = nd_array_grow(c->sparse_index, count, sizeof(*list));
		if (!list)
			return -ENOMEM;
		c->sparse_index = list;
	}
	c->sparse_index[at] = index + 1;
	return 0;
}

static int add(struct nd_heap_census *c, uint32_t id, uint32_t index)
{
	uint32_t odd = id & 1, place = id >> 1;

	if (place >= c->dense_count[odd])
		return add_sparse(c, id, index);
	c->dense[odd][place] = index + 1;
	return 0;
}

/* `twin` says which object of the census each one of the heap is; NULL: they are the same. */
static int index_ids(const struct nd_heap *heap, const uint32_t *twin, struct nd_heap_census *c)
{
	uint32_t i, odd;
	int ret = 0;

	c->sparse.size = sizeof(uint32_t);
	measure(heap, c);
	for (odd = 0; odd < 2; odd++) {
		c->dense[odd] = calloc((size_t)c->dense_count[odd] + 1, sizeof(uint32_t));
		if (!c->dense[odd])
			return -ENOMEM;
	}
	for (i = 0; i < heap->node_count && !ret; i++)
		if (!twin || twin[i] != ND_HEAP_NONE)
			ret = add(c, heap->id[i], twin ? twin[i] : i);
	return ret;
}

int nd_heap_census_match(struct nd_heap_census *c, const struct nd_heap *before,
			 const struct nd_heap *after, struct nd_err *err)
{
	uint32_t *twin = nd_heap_match(before, after);
	int ret = twin ? 0 : -ENOMEM;

	if (!ret) {
		forget_ids(c);
		ret = index_ids(after, twin, c);
	}
	free(twin);
	return ret ? nd_err_set(err, ret, "out of memory for comparing by ways") : 0;
}

uint32_t nd_heap_census_find(const struct nd_heap_census *c, uint32_t id)
{
	uint32_t place = id >> 1, odd = id & 1, at;

	if (place < c->dense_count[odd])
		return c->dense[odd][place] - 1;
	return nd_set_find(&c->sparse, &id, &at) ? c->sparse_index[at] - 1 : ND_HEAP_NONE;
}

static int take(struct nd_heap *heap, struct nd_intern *names, struct nd_heap_census *c)
{
	uint32_t i;

	if (nd_heap_classes_init(&c->classes) || nd_heap_charge_owners(heap))
		return -ENOMEM;
	c->count = heap->node_count;
	c->size = malloc(c->count * sizeof(*c->size));
	c->class_of = malloc(c->count * sizeof(*c->class_of));
	if (!c->size || !c->class_of)
		return -ENOMEM;
	memcpy(c->size, heap->self_size, c->count * sizeof(*c->size));
	for (i = 0; i < c->count; i++)
		c->bytes += c->size[i];
	if (nd_heap_classify(heap, &c->classes, c->class_of) ||
	    nd_heap_find_shapes(heap, names, &c->shapes, c->class_of))
		return -ENOMEM;
	return index_ids(heap, NULL, c);
}

int nd_heap_census_take(struct nd_heap *heap, struct nd_intern *names, struct nd_heap_census *ret,
			struct nd_err *err)
{
	*ret = (struct nd_heap_census){0};
	if (!take(heap, names, ret))
		return 0;
	nd_heap_census_fini(ret);
	*ret = (struct nd_heap_census){0};
	return nd_err_set(err, -ENOMEM, "out of memory for a heap of %u objects", heap->node_count);
}

int nd_heap_census_class(struct nd_heap_census *c, const struct nd_heap_interfaces *interfaces,
			 struct nd_intern *names)
{
	uint32_t *class_of_shape, i;

	if (nd_heap_class_shapes(&c->shapes, interfaces, names, &c->classes, &class_of_shape))
		return -ENOMEM;
	for (i = 0; i < c->count; i++)
		if (c->class_of[i] & ND_HEAP_SHAPE_BIT)
			c->class_of[i] = class_of_shape[c->class_of[i] & ~ND_HEAP_SHAPE_BIT];
	free(class_of_shape);
	return 0;
}
