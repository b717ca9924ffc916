/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/stored.h"
#include "analyzer/heap/unpack_columns.h"

bool nd_heap_unpacked_is_narrow(const struct nd_heap_unpacked *u)
{
	switch (u->column) {
	case ND_HEAP_NODE_TYPES_COLUMN:
	case ND_HEAP_NODE_NAMES:
	case ND_HEAP_NODE_EDGES:
	case ND_HEAP_EDGE_TYPES_COLUMN:
	case ND_HEAP_EDGE_NAMES:
	case ND_HEAP_EDGE_NODES:
	case ND_HEAP_DOMINATORS:
	case ND_HEAP_DISTANCES:
	case ND_HEAP_BEFORE:
	case ND_HEAP_CLASS_OF:
		return true;
	default:
		return false;
	}
}

/* Each value is written once, in loops that the compiler makes wide ones of. */
void nd_heap_unpacked_join(uint32_t *values, uint32_t count, const uint8_t *planes, size_t stride,
			   uint32_t width)
{
	const uint8_t *a = planes, *b = a + stride, *c = b + stride, *d = c + stride;
	uint32_t i;

	if (width == 0)
		memset(values, 0, count * sizeof(*values));
	else if (width == 1)
		for (i = 0; i < count; i++)
			values[i] = a[i];
	else if (width == 2)
		for (i = 0; i < count; i++)
			values[i] = a[i] | (uint32_t)b[i] << 8;
	else if (width == 3)
		for (i = 0; i < count; i++)
			values[i] = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16;
	else
		for (i = 0; i < count; i++)
			values[i] = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 |
				    (uint32_t)d[i] << 24;
}

static uint32_t unzigzag(uint32_t value)
{
	return value >> 1 ^ -(value & 1);
}

/* What wraps around is caught at the end of the column, where the sum must be that of the head. */
static void find_first_edges(struct nd_heap_unpacked *u, uint32_t *v, uint32_t count)
{
	uint64_t sum = u->sum;
	uint32_t i, edges;

	for (i = 0; i < count; i++) {
		edges = v[i];
		v[i] = (uint32_t)sum;
		sum += edges;
	}
	u->sum = sum;
}

static void add_edge_origin(struct nd_heap_unpacked *u, uint32_t *v, uint32_t count)
{
	const uint32_t *first_edge = u->heap->first_edge;
	uint32_t i, at = (uint32_t)u->done, from = u->from;

	for (i = 0; i < count; i++) {
		while (first_edge[from + 1] <= at + i)
			from++;
		v[i] = from + unzigzag(v[i]);
	}
	u->from = from;
}

static void unpack_before(const struct nd_heap_unpacked *u, uint32_t *v, uint32_t count)
{
	const uint32_t *dominator = u->stored->dominator + u->done;
	uint32_t i, node = (uint32_t)u->done;

	for (i = 0; i < count; i++, node++)
		if (!v[i])
			v[i] = dominator[i];
		else if (v[i] == 1)
			v[i] = ND_HEAP_NONE;
		else
			v[i] = node + unzigzag(v[i] - 2);
}

/* Differences become values. What wraps around is caught where it is out of range. */
static void unpack(struct nd_heap_unpacked *u, uint32_t *v, uint32_t count)
{
	uint32_t i;

	switch (u->column) {
	case ND_HEAP_NODE_EDGES:
		find_first_edges(u, v, count);
		break;
	case ND_HEAP_EDGE_NODES:
		add_edge_origin(u, v, count);
		break;
	case ND_HEAP_DOMINATORS:
		for (i = 0; i < count; i++)
			v[i] = (uint32_t)u->done + i + unzigzag(v[i]);
		break;
	case ND_HEAP_DISTANCES:
		for (i = 0; i < count; i++)
			v[i] = unzigzag(v[i]);
		break;
	case ND_HEAP_BEFORE:
		unpack_before(u, v, count);
		break;
	default:
		break;
	}
}

/* Those of edges depend on what the edge is. */
static bool are_edge_names(const struct nd_heap_unpacked *u, const uint32_t *v, uint32_t count)
{
	uint32_t i, strings = (uint32_t)u->head[ND_HEAP_HEAD_STRINGS];

	for (i = 0; i < count; i++)
		if (v[i] >= strings &&
		    !nd_heap_edge_is_numbered(nd_heap_edge_type(u->heap, (uint32_t)u->done + i)))
			return false;
	return true;
}

/* Whether the values of such a column may be; behind a way's first node there is none. */
static bool are_allowed(const struct nd_heap_unpacked *u, const uint32_t *v, uint32_t count)
{
	uint64_t limit = nd_heap_unpacked_limit(u);
	uint32_t i, max = 0;

	if (u->column == ND_HEAP_EDGE_NAMES)
		return are_edge_names(u, v, count);
	if (u->column == ND_HEAP_BEFORE)
		for (i = 0; i < count; i++)
			max = v[i] > max && v[i] != ND_HEAP_NONE ? v[i] : max;
	else
		for (i = 0; i < count; i++)
			max = v[i] > max ? v[i] : max;
	return max < limit;
}

/* Whether values are made where they go to; the others are on the stack first. */
static bool is_in_place(const struct nd_heap_unpacked *u)
{
	return u->column != ND_HEAP_NODE_TYPES_COLUMN && u->column != ND_HEAP_EDGE_NODES;
}

static void store(struct nd_heap_unpacked *u, uint32_t *v, uint32_t count)
{
	uint32_t i;

	if (u->column == ND_HEAP_NODE_TYPES_COLUMN)
		for (i = 0; i < count; i++)
			u->heap->type[u->done + i] = (uint8_t)v[i];
	else if (u->column == ND_HEAP_EDGE_NODES)
		for (i = 0; i < count; i++)
			u->heap->edge[u->done + i] |= v[i];
	else if (u->column == ND_HEAP_EDGE_TYPES_COLUMN)
		for (i = 0; i < count; i++)
			v[i] <<= ND_HEAP_TO_BITS;
}

bool nd_heap_unpacked_add_narrow(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
				 uint32_t width, uint32_t count)
{
	uint32_t own[ND_HEAP_VALUES], *v = own;

	if (is_in_place(u))
		v = (uint32_t *)*nd_heap_unpacked_place(u).column + u->done;
	nd_heap_unpacked_join(v, count, planes, stride, width);
	unpack(u, v, count);
	if (!are_allowed(u, v, count))
		return false;
	store(u, v, count);
	u->done += count;
	return true;
}
