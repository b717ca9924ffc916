/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/stored.h"
#include "analyzer/heap/unpack_columns.h"
#include "proto/limits.h"

/* Put `count` values together from their planes, each `stride` bytes behind the one before. */
static void join_planes(uint64_t *values, uint32_t count, const uint8_t *planes, size_t stride,
			uint32_t width)
{
	uint32_t i, plane;

	for (i = 0; i < count; i++)
		values[i] = width ? planes[i] : 0;
	for (plane = 1; plane < width; plane++) {
		planes += stride;
		for (i = 0; i < count; i++)
			values[i] |= (uint64_t)planes[i] << (8 * plane);
	}
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
	struct nd_heap_place place = nd_heap_unpacked_place(u);
	uint32_t i;

	if (u->column >= ND_HEAP_LOCATION_NODES && u->column <= ND_HEAP_LOCATION_COLUMNS) {
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

/* Limits are below 2^63, so that the highest bit says it, and no value is compared by itself. */
static bool are_below(const uint64_t *values, uint32_t count, uint64_t limit)
{
	uint64_t bad = 0;
	uint32_t i;

	for (i = 0; i < count; i++)
		bad |= values[i] | (limit - 1 - values[i]);
	return limit && !(bad >> 63);
}

bool nd_heap_unpacked_is_narrow(const struct nd_heap_unpacked *u)
{
	return (u->column == ND_HEAP_NODE_NAMES || u->column == ND_HEAP_EDGE_NAMES ||
		u->column == ND_HEAP_EDGE_TYPES_COLUMN || u->column == ND_HEAP_EDGE_NODES ||
		u->column == ND_HEAP_DOMINATORS || u->column == ND_HEAP_CLASS_OF);
}

/* As join_planes(), where values have 4 bytes at most. */
static void join_narrow(uint32_t *values, uint32_t count, const uint8_t *planes, size_t stride,
			uint32_t width)
{
	uint32_t i, plane;

	for (i = 0; i < count; i++)
		values[i] = width ? planes[i] : 0;
	for (plane = 1; plane < width; plane++) {
		planes += stride;
		for (i = 0; i < count; i++)
			values[i] |= (uint32_t)planes[i] << (8 * plane);
	}
}

static uint32_t unzigzag(uint32_t value)
{
	return value >> 1 ^ -(value & 1);
}

/* Add what the values are the distance to. What wraps around is caught where it is out of range. */
static void add_origin(struct nd_heap_unpacked *u, uint32_t *v, uint32_t count)
{
	const uint32_t *first_edge = u->heap->first_edge;
	uint32_t i, at = (uint32_t)u->done, from = u->from;

	if (u->column == ND_HEAP_DOMINATORS) {
		for (i = 0; i < count; i++)
			v[i] = at + i + unzigzag(v[i]);
		return;
	}
	for (i = 0; i < count; i++) {
		while (first_edge[from + 1] <= at + i)
			from++;
		v[i] = from + unzigzag(v[i]);
	}
	u->from = from;
}

/* Whether the values of such a column may be; names depend on what the edge is. */
static bool are_narrow(const struct nd_heap_unpacked *u, const uint32_t *v, uint32_t count)
{
	uint64_t limit = limit_of(u);
	uint32_t i, max = 0, strings = (uint32_t)u->head[ND_HEAP_HEAD_STRINGS];

	if (u->column != ND_HEAP_EDGE_NAMES) {
		for (i = 0; i < count; i++)
			max = v[i] > max ? v[i] : max;
		return max < limit;
	}
	for (i = 0; i < count; i++)
		if (v[i] >= strings &&
		    !nd_heap_edge_is_numbered(nd_heap_edge_type(u->heap, (uint32_t)u->done + i)))
			return false;
	return true;
}

/* The columns that are nine tenths of a file, with half the memory for what is on its way. */
static bool add_narrow(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
		       uint32_t width, uint32_t count)
{
	uint32_t v[ND_HEAP_VALUES], *to = (uint32_t *)*nd_heap_unpacked_place(u).column + u->done,
				    i;

	join_narrow(v, count, planes, stride, width);
	if (u->column == ND_HEAP_EDGE_NODES || u->column == ND_HEAP_DOMINATORS)
		add_origin(u, v, count);
	if (!are_narrow(u, v, count))
		return false;
	if (u->column == ND_HEAP_EDGE_NODES)
		for (i = 0; i < count; i++)
			to[i] |= v[i];
	else if (u->column == ND_HEAP_EDGE_TYPES_COLUMN)
		for (i = 0; i < count; i++)
			to[i] = v[i] << ND_HEAP_TO_BITS;
	else
		memcpy(to, v, count * sizeof(*to));
	u->done += count;
	return true;
}

static bool add_wide(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
		     uint32_t width, uint32_t count)
{
	join_planes(u->values, count, planes, stride, width);
	if (!unpack(u, count) ||
	    (u->column != ND_HEAP_BEFORE && !are_below(u->values, count, limit_of(u))))
		return false;
	store(u, count);
	u->done += count;
	return true;
}

bool nd_heap_unpacked_add_values(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
				 uint32_t width, uint32_t count)
{
	return (nd_heap_unpacked_is_narrow(u) ? add_narrow : add_wide)(u, planes, stride, width,
								       count);
}
