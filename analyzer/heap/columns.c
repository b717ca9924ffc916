/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/columns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/numbers.h"
#include "common/err.h"
#include "common/pages.h"
#include "proto/limits.h"

#define FIRST_RECORDS (1u << 14)

static int no_memory(struct nd_err *err)
{
	return nd_err_set(err, -ENOMEM, "out of memory for the snapshot");
}

/* A number that cannot be, of the record whose first number is the `first`. */
static int out_of_range(const struct nd_heap_numbers *numbers, uint32_t first, int field,
			const char *what, struct nd_err *err)
{
	return nd_err_set(err, -EBADMSG, "%s out of range before byte %" PRIu64, what,
			  numbers->offset[first + (uint32_t)field]);
}

static int partial(const struct nd_heap_numbers *numbers, const char *what, struct nd_err *err)
{
	return nd_err_set(err, -EBADMSG, "the %s end in the middle of one, before byte %" PRIu64,
			  what, numbers->offset[numbers->count - 1]);
}

static int too_many(const struct nd_heap_numbers *numbers, const char *what, uint32_t count,
		    struct nd_err *err)
{
	return nd_err_set(err, -EBADMSG, "more %s than the %u of its head, before byte %" PRIu64,
			  what, count, numbers->offset[numbers->count - 1]);
}

static int grow(void **column, size_t old, size_t count, size_t size)
{
	char *bytes = reallocarray(*column, count, size);

	if (!bytes)
		return -ENOMEM;
	nd_pages_populate(bytes + old * size, (count - old) * size);
	*column = bytes;
	return 0;
}

/* Twice as many as before, until there is room for `need`, and not more than `max`. */
static uint32_t next_cap(uint32_t cap, uint32_t need, uint32_t max)
{
	uint64_t next = cap ? cap : FIRST_RECORDS;

	while (next < need)
		next *= 2;
	return next < max ? (uint32_t)next : max;
}

static int reserve_nodes(struct nd_heap_columns *c, uint32_t need, struct nd_err *err)
{
	struct nd_heap *heap = c->heap;
	uint32_t old = c->node_cap, cap;

	if (need <= old)
		return 0;
	cap = next_cap(old, need, c->meta.node_count);
	if (grow((void **)&heap->type, old, cap, sizeof(*heap->type)) ||
	    grow((void **)&heap->name, old, cap, sizeof(*heap->name)) ||
	    grow((void **)&heap->id, old, cap, sizeof(*heap->id)) ||
	    grow((void **)&heap->self_size, old, cap, sizeof(*heap->self_size)) ||
	    grow((void **)&heap->first_edge, old, (size_t)cap + 1, sizeof(*heap->first_edge)))
		return no_memory(err);
	if (heap->detachedness) {
		if (grow((void **)&heap->detachedness, old, cap, 1))
			return no_memory(err);
		memset(heap->detachedness + old, 0, cap - old);
	}
	c->node_cap = cap;
	return 0;
}

/* Hardly any snapshot of a server says anything of pages: there is no column until one does. */
static int set_detachedness(struct nd_heap_columns *c, uint32_t node, uint8_t state,
			    struct nd_err *err)
{
	if (!state)
		return 0;
	if (!c->heap->detachedness)
		c->heap->detachedness = calloc(c->node_cap, 1);
	if (!c->heap->detachedness)
		return no_memory(err);
	c->heap->detachedness[node] = state;
	return 0;
}

/*
 * Strings come last, so of all that are named only the largest is kept. Taking the larger one
 * without a branch costs less than guessing one.
 */
static void name_string(struct nd_heap_columns *c, uint32_t string, uint64_t offset)
{
	bool is_larger = string > c->string_max;

	c->string_max = is_larger ? string : c->string_max;
	c->string_offset = is_larger ? offset : c->string_offset;
}

/* Which number of a node cannot be. */
static int bad_node(const struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
		    uint32_t at, struct nd_err *err)
{
	const uint64_t *v = (const uint64_t *)&numbers->value[at];
	const struct nd_heap_meta *meta = &c->meta;

	if (v[meta->node_type] >= meta->node_types)
		return out_of_range(numbers, at, meta->node_type, "a node's type", err);
	if (v[meta->node_name] >= ND_HEAP_STRINGS_MAX)
		return out_of_range(numbers, at, meta->node_name, "a node's name", err);
	if (v[meta->node_id] > UINT32_MAX)
		return out_of_range(numbers, at, meta->node_id, "a node's id", err);
	if (v[meta->node_size] > ND_HEAP_BYTES_MAX - c->self_size)
		return out_of_range(numbers, at, meta->node_size, "a node's size", err);
	return out_of_range(numbers, at, meta->node_edges, "a node's edge count", err);
}

static int add_node(struct nd_heap_columns *c, const struct nd_heap_numbers *numbers, uint32_t at,
		    struct nd_err *err)
{
	const uint64_t *v = (const uint64_t *)&numbers->value[at]; /* negative ones are huge */
	const struct nd_heap_meta *meta = &c->meta;
	struct nd_heap *heap = c->heap;
	uint32_t node = heap->node_count;

	if (v[meta->node_type] >= meta->node_types || v[meta->node_name] >= ND_HEAP_STRINGS_MAX ||
	    v[meta->node_id] > UINT32_MAX ||
	    v[meta->node_size] > ND_HEAP_BYTES_MAX - c->self_size ||
	    v[meta->node_edges] > meta->edge_count - c->edges)
		return bad_node(c, numbers, at, err);
	heap->type[node] = meta->node_type_of[v[meta->node_type]];
	heap->name[node] = (uint32_t)v[meta->node_name];
	heap->id[node] = (uint32_t)v[meta->node_id];
	heap->self_size[node] = v[meta->node_size];
	heap->first_edge[node] = (uint32_t)c->edges;
	heap->node_count++;
	c->edges += v[meta->node_edges];
	c->self_size += v[meta->node_size];
	name_string(c, heap->name[node], numbers->offset[at + (uint32_t)meta->node_name]);
	if (meta->node_detachedness < 0)
		return 0;
	return set_detachedness(c, node, (uint8_t)v[meta->node_detachedness], err);
}

int nd_heap_columns_take_nodes(void *arg, const struct nd_heap_numbers *numbers, struct nd_err *err)
{
	struct nd_heap_columns *c = arg;
	uint32_t fields = c->meta.node_fields, i;
	int ret;

	if (numbers->count % fields)
		return partial(numbers, "nodes", err);
	if (numbers->count / fields > c->meta.node_count - c->heap->node_count)
		return too_many(numbers, "nodes", c->meta.node_count, err);
	ret = reserve_nodes(c, c->heap->node_count + numbers->count / fields, err);
	for (i = 0; i < numbers->count && !ret; i += fields)
		ret = add_node(c, numbers, i, err);
	return ret;
}

static int reserve_edges(struct nd_heap_columns *c, uint32_t need, struct nd_err *err)
{
	struct nd_heap *heap = c->heap;
	uint32_t old = c->edge_cap, cap;

	if (need <= old)
		return 0;
	cap = next_cap(old, need, c->meta.edge_count);
	if (grow((void **)&heap->edge, old, cap, sizeof(*heap->edge)) ||
	    grow((void **)&heap->edge_name, old, cap, sizeof(*heap->edge_name)))
		return no_memory(err);
	c->edge_cap = cap;
	return 0;
}

/* What an edge is, from its numbers. */
struct edge {
	uint64_t type; /* the file's */
	uint64_t to;   /* an index of the file, a multiple of the fields of a node */
	int64_t name;
	bool is_numbered;
};

static struct edge get_edge(const struct nd_heap_meta *meta, const int64_t *v)
{
	uint64_t type = (uint64_t)v[meta->edge_type];

	return (struct edge){
		.type = type,
		.to = (uint64_t)v[meta->edge_to],
		.name = v[meta->edge_name],
		.is_numbered =
			type < meta->edge_types &&
			nd_heap_edge_is_numbered((enum nd_heap_edge_type)meta->edge_type_of[type]),
	};
}

/*
 * Numbers of elements are unsigned 32-bit ones, which V8 prints as signed from Node.js 24 on. Other
 * names are strings.
 */
static bool is_name(const struct edge *edge)
{
	if (edge->is_numbered)
		return edge->name >= INT32_MIN && edge->name <= UINT32_MAX;
	return edge->name >= 0 && edge->name < ND_HEAP_STRINGS_MAX;
}

/* Which number of an edge cannot be. */
static int bad_edge(const struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
		    uint32_t at, const struct edge *edge, struct nd_err *err)
{
	const struct nd_heap_meta *meta = &c->meta;

	if (edge->type >= meta->edge_types)
		return out_of_range(numbers, at, meta->edge_type, "an edge's type", err);
	if (!is_name(edge))
		return out_of_range(numbers, at, meta->edge_name, "an edge's name", err);
	return out_of_range(numbers, at, meta->edge_to, "an edge's node", err);
}

/* The node behind an index of the file; ND_HEAP_NODES_MAX where it is too large for any. */
static uint32_t node_of(uint64_t index, uint32_t node_fields, double inverse)
{
	if (index > UINT32_MAX)
		return index / node_fields < ND_HEAP_NODES_MAX ? (uint32_t)(index / node_fields)
							       : ND_HEAP_NODES_MAX;
	/* Faster than to divide, and exact where there is no remainder. */
	return (uint32_t)((double)index * inverse + 0.5);
}

/* The compiler cannot know that what is written is none of what is read: hence the copies. */
static int add_edges(struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
		     struct nd_err *err)
{
	const struct nd_heap_meta meta = c->meta;
	uint32_t *to = c->heap->edge + c->heap->edge_count, string, node, i,
		 *name = c->heap->edge_name + c->heap->edge_count, string_max = c->string_max;
	double inverse = 1.0 / meta.node_fields;
	struct edge edge;

	for (i = 0; i < numbers->count; i += meta.edge_fields) {
		edge = get_edge(&meta, &numbers->value[i]);
		node = node_of(edge.to, meta.node_fields, inverse);
		if (edge.type >= meta.edge_types || !is_name(&edge) || node >= meta.node_count ||
		    (uint64_t)node * meta.node_fields != edge.to)
			return bad_edge(c, numbers, i, &edge, err);
		*to++ = node | (uint32_t)meta.edge_type_of[edge.type] << ND_HEAP_TO_BITS;
		*name++ = (uint32_t)edge.name;
		string = edge.is_numbered ? 0 : (uint32_t)edge.name;
		string_max = string > string_max ? string : string_max;
	}
	if (string_max > c->string_max)
		name_string(c, string_max, numbers->offset[numbers->count - 1]);
	c->heap->edge_count += numbers->count / meta.edge_fields;
	return 0;
}

int nd_heap_columns_take_edges(void *arg, const struct nd_heap_numbers *numbers, struct nd_err *err)
{
	struct nd_heap_columns *c = arg;
	uint32_t fields = c->meta.edge_fields;

	if (numbers->count % fields)
		return partial(numbers, "edges", err);
	if (numbers->count / fields > c->meta.edge_count - c->heap->edge_count)
		return too_many(numbers, "edges", c->meta.edge_count, err);
	if (reserve_edges(c, c->heap->edge_count + numbers->count / fields, err))
		return -ENOMEM;
	return add_edges(c, numbers, err);
}

static int reserve_locations(struct nd_heap_columns *c, uint32_t need, struct nd_err *err)
{
	struct nd_heap *heap = c->heap;
	uint32_t old = c->location_cap, cap;

	if (need <= old)
		return 0;
	cap = next_cap(old, need, c->meta.node_count);
	if (grow((void **)&heap->location, old, cap, sizeof(*heap->location)))
		return no_memory(err);
	c->location_cap = cap;
	return 0;
}

static int add_location(struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
			uint32_t at, struct nd_err *err)
{
	const uint64_t *v = (const uint64_t *)&numbers->value[at];
	const struct nd_heap_meta *meta = &c->meta;
	uint64_t node = v[meta->location_node] / meta->node_fields;

	if (node >= meta->node_count || v[meta->location_node] % meta->node_fields)
		return out_of_range(numbers, at, meta->location_node, "a location's node", err);
	/* Of a script that V8 does not know, they are -1. */
	c->heap->location[c->heap->location_count++] = (struct nd_heap_location){
		.node = (uint32_t)node,
		.script = (uint32_t)v[meta->location_script],
		.line = (uint32_t)v[meta->location_line],
		.column = (uint32_t)v[meta->location_column],
	};
	return 0;
}

int nd_heap_columns_take_locations(void *arg, const struct nd_heap_numbers *numbers,
				   struct nd_err *err)
{
	struct nd_heap_columns *c = arg;
	uint32_t fields = c->meta.location_fields, i;
	int ret;

	if (!fields || numbers->count % fields)
		return partial(numbers, "locations", err);
	if (numbers->count / fields > c->meta.node_count - c->heap->location_count)
		return too_many(numbers, "locations", c->meta.node_count, err);
	ret = reserve_locations(c, c->heap->location_count + numbers->count / fields, err);
	for (i = 0; i < numbers->count && !ret; i += fields)
		ret = add_location(c, numbers, i, err);
	return ret;
}

/* Of a node, so many at a time that what counts them stays in the first cache. */
#define SORT_BITS 11

/* One pass over the bits from `shift` on; what has the same ones stays in its order. */
static void sort_by_bits(const struct nd_heap_location *from, struct nd_heap_location *to,
			 uint32_t count, uint32_t shift)
{
	static const uint32_t mask = (1u << SORT_BITS) - 1;
	uint32_t start[1u << SORT_BITS] = {0}, i, before = 0, here;

	for (i = 0; i < count; i++)
		start[from[i].node >> shift & mask]++;
	for (i = 0; i <= mask; i++) {
		here = start[i];
		start[i] = before;
		before += here;
	}
	for (i = 0; i < count; i++)
		to[start[from[i].node >> shift & mask]++] = from[i];
}

/* Put locations in the order of their nodes: there are millions, and V8 has another one. */
static int sort_locations(struct nd_heap *heap)
{
	struct nd_heap_location *other = malloc((size_t)heap->location_count * sizeof(*other) + 1),
				*list;
	uint32_t shift;

	if (!other)
		return -ENOMEM;
	for (shift = 0; shift < 32 && heap->node_count >> shift; shift += SORT_BITS) {
		sort_by_bits(heap->location, other, heap->location_count, shift);
		list = heap->location;
		heap->location = other;
		other = list;
	}
	free(other);
	return 0;
}

int nd_heap_columns_finish(struct nd_heap_columns *c, struct nd_err *err)
{
	struct nd_heap *heap = c->heap;

	if (heap->node_count != c->meta.node_count)
		return nd_err_set(err, -EBADMSG, "it has %u nodes, and its head says %u",
				  heap->node_count, c->meta.node_count);
	if (heap->edge_count != c->meta.edge_count || c->edges != c->meta.edge_count)
		return nd_err_set(err, -EBADMSG,
				  "it has %u edges, its nodes %" PRIu64 ", and its head says %u",
				  heap->edge_count, c->edges, c->meta.edge_count);
	if (c->string_max >= heap->string_count)
		return nd_err_set(err, -EBADMSG,
				  "string %u is named before byte %" PRIu64 ", and there are %u",
				  c->string_max, c->string_offset, heap->string_count);
	heap->first_edge[heap->node_count] = heap->edge_count;
	heap->root = c->meta.root;
	heap->extra_native_bytes = c->meta.extra_native_bytes;
	if (heap->location_count && sort_locations(heap))
		return no_memory(err);
	return 0;
}
