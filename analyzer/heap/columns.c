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

/* The shortest number, and its comma. */
#define NUMBER_BYTES_MIN 2

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

/*
 * Room for all `max` records that the head promises, of so many fields, where as much text is to
 * come; else for twice as many as before, until there is room for `need`. Of 0 fields are those of
 * which there are `max` at most.
 */
static uint32_t next_cap(const struct nd_heap_columns *c, uint32_t fields, uint32_t cap,
			 uint32_t need, uint32_t max)
{
	uint64_t next = cap ? cap : FIRST_RECORDS;

	if (fields && c->text_bytes / (NUMBER_BYTES_MIN * fields) >= max)
		return max;
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
	cap = next_cap(c, c->meta.node_fields, old, need, c->meta.node_count);
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
	if (!c->heap->detachedness)
		c->heap->detachedness = calloc(c->node_cap, 1);
	if (!c->heap->detachedness)
		return no_memory(err);
	c->heap->detachedness[node] = state;
	return 0;
}

/* Strings come last, so of all that are named only the largest is kept, and whereabouts it was. */
static void name_strings(struct nd_heap_columns *c, uint32_t max,
			 const struct nd_heap_numbers *numbers)
{
	if (max <= c->string_max)
		return;
	c->string_max = max;
	c->string_offset = numbers->offset[numbers->count - 1];
}

/* Which number of a node cannot be. */
static int bad_node(const struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
		    uint32_t at, uint64_t sum, struct nd_err *err)
{
	const uint64_t *v = (const uint64_t *)&numbers->value[at];
	const struct nd_heap_meta *meta = &c->meta;

	if (v[meta->node_type] >= meta->node_types)
		return out_of_range(numbers, at, meta->node_type, "a node's type", err);
	if (v[meta->node_name] >= ND_HEAP_STRINGS_MAX)
		return out_of_range(numbers, at, meta->node_name, "a node's name", err);
	if (v[meta->node_id] > UINT32_MAX)
		return out_of_range(numbers, at, meta->node_id, "a node's id", err);
	if (v[meta->node_size] > ND_HEAP_BYTES_MAX - sum)
		return out_of_range(numbers, at, meta->node_size, "a node's size", err);
	return out_of_range(numbers, at, meta->node_edges, "a node's edge count", err);
}

/* The compiler cannot know that what is written is none of what is read: hence the copies. */
static int add_nodes(struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
		     struct nd_err *err)
{
	const struct nd_heap_meta *meta = &c->meta;
	const uint64_t *v = (const uint64_t *)numbers->value; /* negative ones are huge */
	const uint64_t *type = v + meta->node_type, *name = v + meta->node_name,
		       *id = v + meta->node_id, *size = v + meta->node_size,
		       *edges = v + meta->node_edges;
	const uint32_t fields = meta->node_fields, types = meta->node_types;
	const uint64_t edge_count = meta->edge_count;
	const struct nd_heap heap = *c->heap;
	uint64_t sum = c->self_size, first = c->edges;
	uint32_t i, node = heap.node_count, string_max = c->string_max;
	int ret = 0;

	for (i = 0; i < numbers->count && !ret; i += fields, node++) {
		if (type[i] >= types || name[i] >= ND_HEAP_STRINGS_MAX || id[i] > UINT32_MAX ||
		    size[i] > ND_HEAP_BYTES_MAX - sum || edges[i] > edge_count - first)
			return bad_node(c, numbers, i, sum, err);
		heap.type[node] = meta->node_type_of[type[i]];
		heap.name[node] = (uint32_t)name[i];
		heap.id[node] = (uint32_t)id[i];
		heap.self_size[node] = size[i];
		heap.first_edge[node] = (uint32_t)first;
		first += edges[i];
		sum += size[i];
		string_max = name[i] > string_max ? (uint32_t)name[i] : string_max;
		if (meta->node_detachedness >= 0 && v[i + (uint32_t)meta->node_detachedness])
			ret = set_detachedness(
				c, node, (uint8_t)v[i + (uint32_t)meta->node_detachedness], err);
	}
	name_strings(c, string_max, numbers);
	c->heap->node_count = node;
	c->edges = first;
	c->self_size = sum;
	return ret;
}

int nd_heap_columns_take_nodes(void *arg, const struct nd_heap_numbers *numbers, struct nd_err *err)
{
	struct nd_heap_columns *c = arg;
	uint32_t fields = c->meta.node_fields;

	if (numbers->count % fields)
		return partial(numbers, "nodes", err);
	if (numbers->count / fields > c->meta.node_count - c->heap->node_count)
		return too_many(numbers, "nodes", c->meta.node_count, err);
	if (reserve_nodes(c, c->heap->node_count + numbers->count / fields, err))
		return -ENOMEM;
	return add_nodes(c, numbers, err);
}

static int reserve_edges(struct nd_heap_columns *c, uint32_t need, struct nd_err *err)
{
	struct nd_heap *heap = c->heap;
	uint32_t old = c->edge_cap, cap;

	if (need <= old)
		return 0;
	cap = next_cap(c, c->meta.edge_fields, old, need, c->meta.edge_count);
	if (grow((void **)&heap->edge, old, cap, sizeof(*heap->edge)) ||
	    grow((void **)&heap->edge_name, old, cap, sizeof(*heap->edge_name)))
		return no_memory(err);
	c->edge_cap = cap;
	return 0;
}

/*
 * Numbers of elements are unsigned 32-bit ones, which V8 prints as signed from Node.js 24 on. Other
 * names are strings.
 */
static void list_edge_kinds(struct nd_heap_columns *c)
{
	enum nd_heap_edge_type type;
	uint32_t i;

	for (i = 0; i < c->meta.edge_types; i++) {
		type = (enum nd_heap_edge_type)c->meta.edge_type_of[i];
		c->edge_kind[i] = (struct nd_heap_edge_kind){
			.tag = (uint32_t)type << ND_HEAP_TO_BITS,
			.string_mask = UINT32_MAX,
			.name_range = ND_HEAP_STRINGS_MAX - 1,
		};
		if (!nd_heap_edge_is_numbered(type))
			continue;
		c->edge_kind[i].string_mask = 0;
		c->edge_kind[i].name_min = INT32_MIN;
		c->edge_kind[i].name_range = (uint64_t)UINT32_MAX - INT32_MIN;
	}
}

static bool is_name(const struct nd_heap_edge_kind *kind, int64_t name)
{
	return (uint64_t)(name - kind->name_min) <= kind->name_range;
}

/* Which number of an edge cannot be. */
static int bad_edge(const struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
		    uint32_t at, struct nd_err *err)
{
	const struct nd_heap_meta *meta = &c->meta;
	const int64_t *v = &numbers->value[at];
	uint64_t type = (uint64_t)v[meta->edge_type];

	if (type >= meta->edge_types)
		return out_of_range(numbers, at, meta->edge_type, "an edge's type", err);
	if (!is_name(&c->edge_kind[type], v[meta->edge_name]))
		return out_of_range(numbers, at, meta->edge_name, "an edge's name", err);
	return out_of_range(numbers, at, meta->edge_to, "an edge's node", err);
}

/* The node behind an index of the file; ND_HEAP_NODES_MAX where it is too large for any. */
static uint32_t node_of(uint64_t index, uint32_t node_fields, uint64_t inverse)
{
	if (index > UINT32_MAX)
		return index / node_fields < ND_HEAP_NODES_MAX ? (uint32_t)(index / node_fields)
							       : ND_HEAP_NODES_MAX;
	/* Faster than to divide, and exact where there is no remainder. */
	return (uint32_t)(index * inverse >> 32);
}

static int add_edges(struct nd_heap_columns *c, const struct nd_heap_numbers *numbers,
		     struct nd_err *err)
{
	const struct nd_heap_meta *meta = &c->meta;
	const uint32_t fields = meta->edge_fields, types = meta->edge_types,
		       node_fields = meta->node_fields, nodes = meta->node_count;
	const uint64_t inverse = (UINT64_C(1) << 32) / node_fields + 1;
	const int64_t *type = numbers->value + meta->edge_type,
		      *name = numbers->value + meta->edge_name,
		      *index = numbers->value + meta->edge_to;
	uint32_t *to = c->heap->edge + c->heap->edge_count, string, node, i,
		 *to_name = c->heap->edge_name + c->heap->edge_count, string_max = c->string_max;
	const struct nd_heap_edge_kind *kind;

	for (i = 0; i < numbers->count; i += fields) {
		if ((uint64_t)type[i] >= types)
			return bad_edge(c, numbers, i, err);
		kind = &c->edge_kind[type[i]];
		node = node_of((uint64_t)index[i], node_fields, inverse);
		if (!is_name(kind, name[i]) || node >= nodes ||
		    (uint64_t)node * node_fields != (uint64_t)index[i])
			return bad_edge(c, numbers, i, err);
		*to++ = node | kind->tag;
		*to_name++ = (uint32_t)name[i];
		string = (uint32_t)name[i] & kind->string_mask;
		string_max = string > string_max ? string : string_max;
	}
	name_strings(c, string_max, numbers);
	c->heap->edge_count += numbers->count / fields;
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
	if (!c->heap->edge_count)
		list_edge_kinds(c);
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
	cap = next_cap(c, 0, old, need, c->meta.node_count);
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
	if (heap->location_count && nd_heap_sort_locations(heap))
		return no_memory(err);
	return 0;
}
