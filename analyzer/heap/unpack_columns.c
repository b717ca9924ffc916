/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/unpack_columns.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/stored.h"
#include "common/err.h"
#include "proto/limits.h"

/* The first room of a column; it doubles. */
#define FIRST_VALUES (1u << 16)

/* Where the values of a column go. */
struct place {
	void **column;
	size_t size; /* bytes of a value */
};

static struct place find_stored(struct nd_heap_stored *s, int column)
{
	const struct place places[] = {
		{(void **)&s->charged, sizeof(*s->charged)},
		{(void **)&s->dominator, sizeof(*s->dominator)},
		{(void **)&s->retained, sizeof(*s->retained)},
		{(void **)&s->distance, sizeof(*s->distance)},
		{(void **)&s->before, sizeof(*s->before)},
		{(void **)&s->class_of, sizeof(*s->class_of)},
		{(void **)&s->name_size, sizeof(*s->name_size)},
		{(void **)&s->name_bytes, sizeof(*s->name_bytes)},
		{(void **)&s->is_located, sizeof(*s->is_located)},
		{(void **)&s->script, sizeof(*s->script)},
		{(void **)&s->line, sizeof(*s->line)},
		{(void **)&s->column, sizeof(*s->column)},
		{(void **)&s->count, sizeof(*s->count)},
		{(void **)&s->class_distance, sizeof(*s->class_distance)},
		{(void **)&s->self, sizeof(*s->self)},
		{(void **)&s->class_retained, sizeof(*s->class_retained)},
	};

	return places[column - ND_HEAP_FIRST_ANALYSED];
}

static struct place find_place(struct nd_heap_unpacked *u)
{
	struct nd_heap *h = u->heap;

	switch (u->column) {
	case ND_HEAP_NODE_TYPES_COLUMN:
		return (struct place){(void **)&h->type, sizeof(*h->type)};
	case ND_HEAP_NODE_NAMES:
		return (struct place){(void **)&h->name, sizeof(*h->name)};
	case ND_HEAP_NODE_IDS:
		return (struct place){(void **)&h->id, sizeof(*h->id)};
	case ND_HEAP_NODE_SIZES:
		return (struct place){(void **)&h->self_size, sizeof(*h->self_size)};
	case ND_HEAP_NODE_EDGES:
		return (struct place){(void **)&h->first_edge, sizeof(*h->first_edge)};
	case ND_HEAP_NODE_DETACHED:
		return (struct place){(void **)&h->detachedness, sizeof(*h->detachedness)};
	case ND_HEAP_EDGE_TYPES_COLUMN:
	case ND_HEAP_EDGE_NODES:
		return (struct place){(void **)&h->edge, sizeof(*h->edge)};
	case ND_HEAP_EDGE_NAMES:
		return (struct place){(void **)&h->edge_name, sizeof(*h->edge_name)};
	case ND_HEAP_LOCATION_NODES:
	case ND_HEAP_LOCATION_SCRIPTS:
	case ND_HEAP_LOCATION_LINES:
	case ND_HEAP_LOCATION_COLUMNS:
		return (struct place){(void **)&h->location, sizeof(*h->location)};
	case ND_HEAP_STRING_SIZES:
		return (struct place){(void **)&h->string_start, sizeof(*h->string_start)};
	case ND_HEAP_STRING_BYTES:
		return (struct place){(void **)&h->string_bytes, sizeof(*h->string_bytes)};
	default:
		return find_stored(u->stored, u->column);
	}
}

static uint64_t size_of(const struct nd_heap_unpacked *u)
{
	return nd_heap_column_size((enum nd_heap_column)u->column, u->head, u->analysis_head);
}

/* Room for what comes, and, behind all, for one more: where the last edge or string ends. */
static int reserve(struct nd_heap_unpacked *u, uint32_t count)
{
	struct place place = find_place(u);
	uint64_t cap = u->cap ? u->cap : FIRST_VALUES, need = u->done + count, total = size_of(u);
	void *bytes;

	/* Types of edges, and nodes of locations, have made room for what comes later. */
	if (u->column == ND_HEAP_EDGE_NODES ||
	    (u->column > ND_HEAP_LOCATION_NODES && u->column <= ND_HEAP_LOCATION_COLUMNS))
		return 0;
	if (need <= u->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	if (cap > total)
		cap = total;
	bytes = reallocarray(*place.column, (size_t)cap + 1, place.size);
	if (!bytes)
		return -ENOMEM;
	*place.column = bytes;
	u->cap = cap;
	return 0;
}

/* Columns without values have no part, and are there. */
static int skip_empty(struct nd_heap_unpacked *u, int end)
{
	while (u->column < end && !size_of(u)) {
		if (u->column == ND_HEAP_NODE_DETACHED) {
			u->column++;
			continue;
		}
		if (reserve(u, 0) || (!*find_place(u).column &&
				      !(*find_place(u).column = calloc(1, find_place(u).size))))
			return -ENOMEM;
		u->column++;
	}
	return 0;
}

int nd_heap_unpacked_begin(struct nd_heap_unpacked *u, struct nd_err *err)
{
	u->column = 0;
	if (skip_empty(u, ND_HEAP_FIRST_ANALYSED))
		return nd_err_set(err, -ENOMEM, "out of memory for the snapshot");
	return 0;
}

int nd_heap_unpacked_begin_analysis(struct nd_heap_unpacked *u, struct nd_err *err)
{
	u->stored = calloc(1, sizeof(*u->stored));
	if (!u->stored || skip_empty(u, ND_HEAP_COLUMNS))
		return nd_err_set(err, -ENOMEM, "out of memory for the snapshot");
	u->stored->class_count = (uint32_t)u->analysis_head[ND_HEAP_HEAD_CLASSES];
	u->stored->class_bytes = u->analysis_head[ND_HEAP_HEAD_CLASS_BYTES];
	return 0;
}

/* Put values together from their planes. */
static void join_planes(uint64_t *values, const uint8_t *planes, uint32_t count, uint32_t width)
{
	uint32_t i, plane;

	memset(values, 0, count * sizeof(*values));
	for (plane = 0; plane < width; plane++, planes += count)
		for (i = 0; i < count; i++)
			values[i] |= (uint64_t)planes[i] << (8 * plane);
}

/* Values must be less than this. */
static uint64_t limit_of(const struct nd_heap_unpacked *u)
{
	switch (u->column) {
	case ND_HEAP_NODE_TYPES_COLUMN:
		return ND_HEAP_NODE_TYPES;
	case ND_HEAP_NODE_NAMES:
		return u->head[ND_HEAP_HEAD_STRINGS];
	case ND_HEAP_NODE_DETACHED:
		return UINT8_MAX + 1;
	case ND_HEAP_NODE_EDGES:
		return u->head[ND_HEAP_HEAD_EDGES] + 1;
	case ND_HEAP_EDGE_TYPES_COLUMN:
		return ND_HEAP_EDGE_TYPES;
	case ND_HEAP_EDGE_NODES:
	case ND_HEAP_LOCATION_NODES:
	case ND_HEAP_DOMINATORS:
		return u->head[ND_HEAP_HEAD_NODES];
	case ND_HEAP_STRING_SIZES:
		return u->head[ND_HEAP_HEAD_STRING_BYTES] + 1;
	case ND_HEAP_NODE_SIZES:
	case ND_HEAP_CHARGED:
	case ND_HEAP_RETAINED:
	case ND_HEAP_CLASS_SELF:
	case ND_HEAP_CLASS_RETAINED:
		return ND_HEAP_BYTES_MAX + 1;
	case ND_HEAP_CLASS_OF:
		return u->analysis_head[ND_HEAP_HEAD_CLASSES];
	case ND_HEAP_CLASS_NAME_SIZES:
		return u->analysis_head[ND_HEAP_HEAD_CLASS_BYTES] + 1;
	case ND_HEAP_CLASS_LOCATED:
		return 2;
	default:
		return UINT64_C(1) << 32;
	}
}

/* Differences to the value before become values, and what is counted where it begins. */
static void add_up(struct nd_heap_unpacked *u, uint32_t count)
{
	uint64_t *v = u->values, value;
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (u->column == ND_HEAP_NODE_IDS) {
			u->sum += (uint64_t)nd_heap_unzigzag(v[i]);
			v[i] = u->sum;
		} else if (u->column == ND_HEAP_LOCATION_NODES) {
			u->sum += v[i];
			v[i] = u->sum;
		} else {
			value = v[i];
			v[i] = u->sum;
			u->sum += value;
		}
	}
}

/* Nodes are written as far as they are from the node that they are of. */
static void unpack_nodes(struct nd_heap_unpacked *u, uint32_t count)
{
	const struct nd_heap *heap = u->heap;
	uint64_t *v = u->values, from;
	uint32_t i;

	for (i = 0; i < count; i++) {
		from = u->done + i;
		if (u->column == ND_HEAP_EDGE_NODES) {
			while (heap->first_edge[u->from + 1] <= from)
				u->from++;
			from = u->from;
		}
		v[i] = from + (uint64_t)nd_heap_unzigzag(v[i]);
	}
}

static void unpack_before(struct nd_heap_unpacked *u, uint32_t count)
{
	uint64_t *v = u->values, node;
	uint32_t i;

	for (i = 0, node = u->done; i < count; i++, node++) {
		if (!v[i])
			v[i] = u->stored->dominator[node];
		else if (v[i] == 1)
			v[i] = ND_HEAP_NONE;
		else
			v[i] = node + (uint64_t)nd_heap_unzigzag(v[i] - 2);
	}
}

/* Whether they are as `before` may be: a node or none. */
static bool is_before(const struct nd_heap_unpacked *u, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (u->values[i] >= u->head[ND_HEAP_HEAD_NODES] && u->values[i] != ND_HEAP_NONE)
			return false;
	return true;
}

static void unpack_sizes(struct nd_heap_unpacked *u, uint32_t count)
{
	uint64_t *v = u->values;
	uint32_t i;

	for (i = 0; i < count; i++)
		if (u->column == ND_HEAP_CHARGED)
			v[i] = (uint64_t)nd_heap_unzigzag(v[i]) + u->heap->self_size[u->done + i];
		else
			v[i] += u->stored->charged[u->done + i];
}

static bool unpack_distances(struct nd_heap_unpacked *u, uint32_t count)
{
	uint64_t *v = u->values;
	int64_t value;
	uint32_t i;

	for (i = 0; i < count; i++) {
		value = nd_heap_unzigzag(v[i]);
		if (value < INT32_MIN || value > INT32_MAX)
			return false;
		v[i] = (uint32_t)value;
	}
	return true;
}

/* The numbers of elements are anything; other names are strings. */
static bool are_names(const struct nd_heap_unpacked *u, uint32_t count)
{
	uint64_t strings = u->head[ND_HEAP_HEAD_STRINGS];
	enum nd_heap_edge_type type;
	uint32_t i;

	for (i = 0; i < count; i++) {
		type = nd_heap_edge_type(u->heap, (uint32_t)u->done + i);
		if (u->values[i] > UINT32_MAX ||
		    (u->values[i] >= strings && !nd_heap_edge_is_numbered(type)))
			return false;
	}
	return true;
}

/* Sizes may not add up to more than is allowed; each text has at least its NUL. */
static bool is_within(struct nd_heap_unpacked *u, uint32_t count, uint64_t min, uint64_t max)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (u->values[i] < min || u->values[i] > max)
			return false;
		u->sum += u->values[i];
		if (u->sum > max)
			return false;
	}
	return true;
}

static bool unpack(struct nd_heap_unpacked *u, uint32_t count)
{
	switch (u->column) {
	case ND_HEAP_NODE_IDS:
	case ND_HEAP_NODE_EDGES:
	case ND_HEAP_LOCATION_NODES:
	case ND_HEAP_STRING_SIZES:
		add_up(u, count);
		return true;
	case ND_HEAP_NODE_SIZES:
		return is_within(u, count, 0, ND_HEAP_BYTES_MAX);
	case ND_HEAP_CHARGED:
		unpack_sizes(u, count);
		return is_within(u, count, 0, ND_HEAP_BYTES_MAX);
	case ND_HEAP_CLASS_NAME_SIZES:
		return is_within(u, count, 1, u->analysis_head[ND_HEAP_HEAD_CLASS_BYTES]);
	case ND_HEAP_EDGE_NODES:
	case ND_HEAP_DOMINATORS:
		unpack_nodes(u, count);
		return true;
	case ND_HEAP_EDGE_NAMES:
		return are_names(u, count);
	case ND_HEAP_RETAINED:
		unpack_sizes(u, count);
		return true;
	case ND_HEAP_DISTANCES:
	case ND_HEAP_CLASS_DISTANCES:
		return unpack_distances(u, count);
	case ND_HEAP_BEFORE:
		unpack_before(u, count);
		return is_before(u, count);
	default:
		return true;
	}
}

static void store_edges(struct nd_heap_unpacked *u, uint32_t count)
{
	uint32_t *edge = u->heap->edge + u->done, i;

	for (i = 0; i < count; i++)
		if (u->column == ND_HEAP_EDGE_NODES)
			edge[i] |= (uint32_t)u->values[i];
		else
			edge[i] = (uint32_t)u->values[i] << ND_HEAP_TO_BITS;
}

static void store_locations(struct nd_heap_unpacked *u, uint32_t count)
{
	struct nd_heap_location *location = u->heap->location + u->done;
	uint32_t i;

	for (i = 0; i < count; i++)
		if (u->column == ND_HEAP_LOCATION_NODES)
			location[i].node = (uint32_t)u->values[i];
		else if (u->column == ND_HEAP_LOCATION_SCRIPTS)
			location[i].script = (uint32_t)u->values[i];
		else if (u->column == ND_HEAP_LOCATION_LINES)
			location[i].line = (uint32_t)u->values[i];
		else
			location[i].column = (uint32_t)u->values[i];
}

static void store(struct nd_heap_unpacked *u, uint32_t count)
{
	struct place place = find_place(u);
	uint32_t i;

	if (u->column == ND_HEAP_EDGE_TYPES_COLUMN || u->column == ND_HEAP_EDGE_NODES) {
		store_edges(u, count);
	} else if (u->column >= ND_HEAP_LOCATION_NODES && u->column <= ND_HEAP_LOCATION_COLUMNS) {
		store_locations(u, count);
	} else if (place.size == 1) {
		uint8_t *to = (uint8_t *)*place.column + u->done;

		for (i = 0; i < count; i++)
			to[i] = (uint8_t)u->values[i];
	} else if (place.size == 4) {
		uint32_t *to = (uint32_t *)*place.column + u->done;

		for (i = 0; i < count; i++)
			to[i] = (uint32_t)u->values[i];
	} else {
		memcpy((uint64_t *)*place.column + u->done, u->values, count * sizeof(uint64_t));
	}
}

/* Each text ends with a NUL at its end. */
static bool are_texts(const struct nd_heap_unpacked *u)
{
	const struct nd_heap *heap = u->heap;
	size_t at = 0;
	uint64_t i;

	if (u->column == ND_HEAP_STRING_BYTES) {
		for (i = 1; i <= u->head[ND_HEAP_HEAD_STRINGS]; i++)
			if (heap->string_start[i] <= heap->string_start[i - 1] ||
			    heap->string_bytes[heap->string_start[i] - 1])
				return false;
		return true;
	}
	for (i = 0; i < u->stored->class_count; i++) {
		at += u->stored->name_size[i];
		if (u->stored->name_bytes[at - 1])
			return false;
	}
	return true;
}

/* What can only be seen at the end of a column. */
static bool end_column(struct nd_heap_unpacked *u)
{
	struct nd_heap *heap = u->heap;

	switch (u->column) {
	case ND_HEAP_NODE_EDGES:
		heap->first_edge[u->done] = (uint32_t)u->sum;
		return u->sum == u->head[ND_HEAP_HEAD_EDGES];
	case ND_HEAP_STRING_SIZES:
		heap->string_start[u->done] = u->sum;
		return u->sum == u->head[ND_HEAP_HEAD_STRING_BYTES];
	case ND_HEAP_CLASS_NAME_SIZES:
		return u->sum == u->analysis_head[ND_HEAP_HEAD_CLASS_BYTES];
	case ND_HEAP_STRING_BYTES:
	case ND_HEAP_CLASS_NAME_BYTES:
		return are_texts(u);
	default:
		return true;
	}
}

static bool are_below(const uint64_t *values, uint32_t count, uint64_t limit)
{
	bool bad = false;
	uint32_t i;

	for (i = 0; i < count; i++)
		bad |= values[i] >= limit;
	return !bad;
}

static int next_column(struct nd_heap_unpacked *u, const char **ret_what)
{
	if (!end_column(u)) {
		*ret_what = "a column that contradicts the head";
		return -EBADMSG;
	}
	u->column++;
	u->done = 0;
	u->cap = 0;
	u->sum = 0;
	u->from = 0;
	return skip_empty(u, u->stored ? ND_HEAP_COLUMNS : ND_HEAP_FIRST_ANALYSED);
}

/* The head of a part with values: false when it is not what comes next. */
static bool read_chunk_head(const struct nd_heap_unpacked *u, const uint8_t *part, size_t len,
			    uint32_t *ret_count)
{
	uint32_t count;

	if (len < ND_HEAP_CHUNK_HEAD || part[0] != u->column || part[1] > sizeof(uint64_t) ||
	    u->column == (u->stored ? ND_HEAP_COLUMNS : ND_HEAP_FIRST_ANALYSED))
		return false;
	memcpy(&count, part + 4, sizeof(count));
	*ret_count = le32toh(count);
	return *ret_count && *ret_count <= ND_HEAP_CHUNK && *ret_count <= size_of(u) - u->done &&
	       len - ND_HEAP_CHUNK_HEAD == (size_t)part[1] * *ret_count;
}

int nd_heap_unpacked_add(struct nd_heap_unpacked *u, const uint8_t *part, size_t len,
			 const char **ret_what)
{
	uint32_t count;

	*ret_what = "a number out of range";
	if (!read_chunk_head(u, part, len, &count)) {
		*ret_what = "another column than comes next";
		return -EBADMSG;
	}
	if (reserve(u, count))
		return -ENOMEM;
	join_planes(u->values, part + ND_HEAP_CHUNK_HEAD, count, part[1]);
	if (!unpack(u, count))
		return -EBADMSG;
	if (u->column != ND_HEAP_BEFORE && !are_below(u->values, count, limit_of(u)))
		return -EBADMSG;
	store(u, count);
	u->done += count;
	return u->done < size_of(u) ? 0 : next_column(u, ret_what);
}

void nd_heap_unpacked_finish(struct nd_heap_unpacked *u)
{
	struct nd_heap *heap = u->heap;

	heap->node_count = (uint32_t)u->head[ND_HEAP_HEAD_NODES];
	heap->edge_count = (uint32_t)u->head[ND_HEAP_HEAD_EDGES];
	heap->location_count = (uint32_t)u->head[ND_HEAP_HEAD_LOCATIONS];
	heap->string_count = (uint32_t)u->head[ND_HEAP_HEAD_STRINGS];
	heap->root = (uint32_t)u->head[ND_HEAP_HEAD_ROOT];
	heap->extra_native_bytes = u->head[ND_HEAP_HEAD_NATIVE_BYTES];
	heap->stored = u->stored;
	u->stored = NULL;
}
