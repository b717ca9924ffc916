/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/shapes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "common/intern.h"

#define FIRST_SLOTS 1024
#define FIRST_POOL  4096

static uint32_t hash(const uint32_t *names, uint32_t len)
{
	uint64_t value = UINT64_C(0x9e3779b97f4a7c15) + len;
	uint32_t i;

	for (i = 0; i < len; i++) {
		value = (value ^ names[i]) * UINT64_C(0xff51afd7ed558ccd);
		value ^= value >> 32;
	}
	return (uint32_t)value;
}

static bool is_shape(const struct nd_heap_shapes *s, uint32_t id, const uint32_t *names,
		     uint32_t len)
{
	const struct nd_heap_shape *shape = &s->shape[id];
	const uint32_t *list = s->pool + shape->start;
	uint32_t i = 0;

	if (shape->len != len)
		return false;
	while (i < len && list[i] == names[i])
		i++;
	return i == len;
}

/* The slot of a list, or the free one where it belongs. At least half of them are free. */
static uint32_t *find_slot(const struct nd_heap_shapes *s, const uint32_t *names, uint32_t len)
{
	uint32_t at = hash(names, len), id;

	for (;; at++) {
		at &= s->slot_count - 1;
		id = s->slots[at];
		if (!id || is_shape(s, id - 1, names, len))
			return &s->slots[at];
	}
}

static int grow_slots(struct nd_heap_shapes *s)
{
	uint32_t count = s->slot_count ? s->slot_count * 2 : FIRST_SLOTS, i;
	uint32_t *slots = calloc(count, sizeof(*slots));
	struct nd_heap_shape *shape = reallocarray(s->shape, count / 2, sizeof(*shape));

	if (shape)
		s->shape = shape;
	if (!slots || !shape) {
		free(slots);
		return -ENOMEM;
	}
	free(s->slots);
	s->slots = slots;
	s->slot_count = count;
	for (i = 0; i < s->count; i++)
		*find_slot(s, s->pool + shape[i].start, shape[i].len) = i + 1;
	return 0;
}

static int reserve_pool(struct nd_heap_shapes *s, uint32_t len)
{
	size_t cap = s->pool_cap ? s->pool_cap : FIRST_POOL;
	uint32_t *pool;

	while (cap - s->pool_len < len)
		cap *= 2;
	if (s->pool && cap == s->pool_cap)
		return 0;
	pool = reallocarray(s->pool, cap, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	s->pool = pool;
	s->pool_cap = cap;
	return 0;
}

static int add(struct nd_heap_shapes *s, const uint32_t *names, uint32_t len, uint32_t *ret_id)
{
	uint32_t *slot;

	if (s->count == s->slot_count / 2 && grow_slots(s))
		return -ENOMEM;
	slot = find_slot(s, names, len);
	if (!*slot) {
		if (reserve_pool(s, len))
			return -ENOMEM;
		if (len)
			memcpy(s->pool + s->pool_len, names, len * sizeof(*names));
		s->shape[s->count] = (struct nd_heap_shape){.start = s->pool_len, .len = len};
		s->pool_len += len;
		*slot = ++s->count;
	}
	*ret_id = *slot - 1;
	return 0;
}

int nd_heap_shapes_add(struct nd_heap_shapes *s, const uint32_t *names, uint32_t len,
		       uint32_t *ret_id)
{
	if ((!s->count || !is_shape(s, s->last, names, len)) && add(s, names, len, &s->last))
		return -ENOMEM;
	s->shape[s->last].count++;
	*ret_id = s->last;
	return 0;
}

void nd_heap_shapes_fini(struct nd_heap_shapes *s)
{
	free(s->pool);
	free(s->shape);
	free(s->slots);
	*s = (struct nd_heap_shapes){0};
}

/* From strings of the heap to names, each looked up once, and the properties of one object. */
struct finder {
	const struct nd_heap *heap;
	struct nd_intern *names;
	uint32_t *name_of; /* by string; id + 1 */
	uint32_t *list;
	uint32_t len;
	uint32_t cap;
};

static int add_property(struct finder *f, uint32_t string)
{
	const char *text = nd_heap_string(f->heap, string);
	uint32_t *list, id;

	if (!f->name_of[string]) {
		if (nd_intern_add(f->names, text, strlen(text), &id))
			return -ENOMEM;
		f->name_of[string] = id + 1;
	}
	if (f->len == f->cap) {
		list = reallocarray(f->list, (size_t)f->cap * 2 + 64, sizeof(*list));
		if (!list)
			return -ENOMEM;
		f->list = list;
		f->cap = f->cap * 2 + 64;
	}
	f->list[f->len++] = f->name_of[string] - 1;
	return 0;
}

static int find_shape(struct finder *f, uint32_t node, struct nd_heap_shapes *shapes,
		      uint32_t *ret_id)
{
	const struct nd_heap *heap = f->heap;
	uint32_t e;

	f->len = 0;
	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++)
		if (nd_heap_edge_type(heap, e) == ND_HEAP_EDGE_PROPERTY &&
		    add_property(f, heap->edge_name[e]))
			return -ENOMEM;
	return nd_heap_shapes_add(shapes, f->list, f->len, ret_id);
}

int nd_heap_find_shapes(const struct nd_heap *heap, struct nd_intern *names,
			struct nd_heap_shapes *shapes, uint32_t *class_of)
{
	uint32_t object = nd_heap_find_string(heap, "Object"), node, id;
	struct finder f = {
		.heap = heap,
		.names = names,
		.name_of = calloc((size_t)heap->string_count + 1, sizeof(*f.name_of)),
	};
	int ret = f.name_of ? 0 : -ENOMEM;

	for (node = 0; node < heap->node_count && !ret; node++) {
		if (heap->type[node] != ND_HEAP_OBJECT || heap->name[node] != object)
			continue;
		ret = find_shape(&f, node, shapes, &id);
		if (!ret)
			class_of[node] = id | ND_HEAP_SHAPE_BIT;
	}
	free(f.name_of);
	free(f.list);
	return ret;
}
