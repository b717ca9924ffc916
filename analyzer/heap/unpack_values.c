/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/stored.h"
#include "analyzer/heap/unpack_columns.h"
#include "proto/limits.h"

/* As nd_heap_unpacked_join(), of more planes. */
static void join(uint64_t *values, uint32_t count, const uint8_t *planes, size_t stride,
		 uint32_t width)
{
	uint32_t low[ND_HEAP_VALUES], i, plane;

	nd_heap_unpacked_join(low, count, planes, stride, width < 4 ? width : 4);
	for (i = 0; i < count; i++)
		values[i] = low[i];
	for (plane = 4; plane < width; plane++)
		for (i = 0; i < count; i++)
			values[i] |= (uint64_t)planes[plane * stride + i] << (8 * plane);
}

uint64_t nd_heap_unpacked_limit(const struct nd_heap_unpacked *u)
{
	switch (u->column) {
	case ND_HEAP_NODE_TYPES_COLUMN:
		return ND_HEAP_NODE_TYPES;
	case ND_HEAP_NODE_NAMES:
	case ND_HEAP_SCRIPT_NAMES:
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
	case ND_HEAP_BEFORE:
	case ND_HEAP_SCOPES:
	case ND_HEAP_SCOPE_FUNCTIONS:
		return u->head[ND_HEAP_HEAD_NODES];
	case ND_HEAP_STRING_SIZES:
		return u->head[ND_HEAP_HEAD_STRING_BYTES] + 1;
	case ND_HEAP_NODE_SIZES:
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
		} else if (u->column != ND_HEAP_STRING_SIZES) {
			u->sum += v[i];
			v[i] = u->sum;
		} else {
			value = v[i];
			v[i] = u->sum;
			u->sum += value;
		}
	}
}

static void add_scopes(struct nd_heap_unpacked *u, uint32_t count)
{
	const uint32_t *scope = u->stored->scopes.scope + u->done;
	uint32_t i;

	for (i = 0; i < count; i++)
		u->values[i] = scope[i] + (uint64_t)nd_heap_unzigzag(u->values[i]);
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

/*
 * Sizes may not add up to more than is allowed. ND_HEAP_VALUES of the largest are 2^64, which is 0
 * again, and fewer overflow nothing.
 */
static bool add_sizes(const uint64_t *sizes, uint32_t count, uint64_t max, uint64_t *sum)
{
	uint64_t all = 0, here = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		all |= sizes[i];
		here += sizes[i];
	}
	if (all > ND_HEAP_BYTES_MAX || (all && !here) || here > max || *sum + here > max)
		return false;
	*sum += here;
	return true;
}

/* Each text has at least its NUL. */
static bool are_text_sizes(const struct nd_heap_unpacked *u, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (!u->values[i])
			return false;
	return true;
}

static bool unpack(struct nd_heap_unpacked *u, uint32_t count)
{
	switch (u->column) {
	case ND_HEAP_NODE_IDS:
	case ND_HEAP_LOCATION_NODES:
	case ND_HEAP_SCOPES:
	case ND_HEAP_STRING_SIZES:
		add_up(u, count);
		return true;
	case ND_HEAP_NODE_SIZES:
		return add_sizes(u->values, count, ND_HEAP_BYTES_MAX, &u->sum);
	case ND_HEAP_CLASS_NAME_SIZES:
		return are_text_sizes(u, count) &&
		       add_sizes(u->values, count, u->analysis_head[ND_HEAP_HEAD_CLASS_BYTES],
				 &u->sum);
	case ND_HEAP_CLASS_DISTANCES:
		return unpack_distances(u, count);
	case ND_HEAP_SCOPE_FUNCTIONS:
		add_scopes(u, count);
		return true;
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

static bool add_wide(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
		     uint32_t width, uint32_t count)
{
	join(u->values, count, planes, stride, width);
	if (!unpack(u, count) || !are_below(u->values, count, nd_heap_unpacked_limit(u)))
		return false;
	store(u, count);
	u->done += count;
	return true;
}

bool nd_heap_unpacked_add_values(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
				 uint32_t width, uint32_t count)
{
	return (nd_heap_unpacked_is_narrow(u) ? nd_heap_unpacked_add_narrow
					      : add_wide)(u, planes, stride, width, count);
}

/* Of a few nodes. False when a size is out of range, or their sum. */
static bool charge(const uint64_t *change, uint32_t count, uint64_t *self_size, uint64_t *retained,
		   uint64_t *sum)
{
	uint64_t all = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		self_size[i] += (uint64_t)nd_heap_unzigzag(change[i]);
		retained[i] += self_size[i];
		all |= retained[i];
	}
	return all <= ND_HEAP_BYTES_MAX && add_sizes(self_size, count, ND_HEAP_BYTES_MAX, sum);
}

bool nd_heap_unpacked_charge(const struct nd_heap_stored *stored, struct nd_heap *heap)
{
	const uint8_t *part = (const uint8_t *)stored->charges.data,
		      *end = part + stored->charges.len;
	uint64_t values[ND_HEAP_VALUES], sum = 0;
	uint32_t node = 0, total, at, count;

	for (; part < end; part += ND_HEAP_CHUNK_HEAD + (size_t)part[1] * total) {
		memcpy(&total, part + 4, sizeof(total));
		total = le32toh(total);
		for (at = 0; at < total; at += count, node += count) {
			count = total - at < ND_HEAP_VALUES ? total - at : ND_HEAP_VALUES;
			join(values, count, part + ND_HEAP_CHUNK_HEAD + at, total, part[1]);
			if (!charge(values, count, heap->self_size + node, stored->retained + node,
				    &sum))
				return false;
		}
	}
	return true;
}
