/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/deferred.h"
#include "analyzer/heap/stored.h"

static const char *const node_types[ND_HEAP_NODE_TYPES] = {
	[ND_HEAP_HIDDEN] = "hidden",
	[ND_HEAP_ARRAY] = "array",
	[ND_HEAP_STRING] = "string",
	[ND_HEAP_OBJECT] = "object",
	[ND_HEAP_CODE] = "code",
	[ND_HEAP_CLOSURE] = "closure",
	[ND_HEAP_REGEXP] = "regexp",
	[ND_HEAP_NUMBER] = "number",
	[ND_HEAP_NATIVE] = "native",
	[ND_HEAP_SYNTHETIC] = "synthetic",
	[ND_HEAP_CONS_STRING] = "concatenated string",
	[ND_HEAP_SLICED_STRING] = "sliced string",
	[ND_HEAP_SYMBOL] = "symbol",
	[ND_HEAP_BIGINT] = "bigint",
	[ND_HEAP_OBJECT_SHAPE] = "object shape",
	[ND_HEAP_WASM_OBJECT] = "wasm object",
	[ND_HEAP_OTHER] = "other",
};

static const char *const edge_types[ND_HEAP_EDGE_TYPES] = {
	[ND_HEAP_EDGE_CONTEXT] = "context",   [ND_HEAP_EDGE_ELEMENT] = "element",
	[ND_HEAP_EDGE_PROPERTY] = "property", [ND_HEAP_EDGE_INTERNAL] = "internal",
	[ND_HEAP_EDGE_HIDDEN] = "hidden",     [ND_HEAP_EDGE_SHORTCUT] = "shortcut",
	[ND_HEAP_EDGE_WEAK] = "weak",	      [ND_HEAP_EDGE_OTHER] = "other",
};

void nd_heap_free(struct nd_heap *heap)
{
	if (!heap)
		return;
	free(heap->type);
	free(heap->detachedness);
	free(heap->name);
	free(heap->id);
	free(heap->self_size);
	free(heap->first_edge);
	free(heap->edge);
	free(heap->edge_name);
	free(heap->location);
	free(heap->string_bytes);
	free(heap->string_start);
	nd_heap_deferred_free(heap->deferred);
	nd_heap_stored_free(heap->stored);
	free(heap);
}

const char *nd_heap_node_type_name(enum nd_heap_node_type type)
{
	return node_types[type];
}

const char *nd_heap_edge_type_name(enum nd_heap_edge_type type)
{
	return edge_types[type];
}

static int find(const char *const *names, int count, const char *name)
{
	int i;

	for (i = 0; i < count - 1; i++)
		if (!strcmp(names[i], name))
			break;
	return i;
}

enum nd_heap_node_type nd_heap_find_node_type(const char *name)
{
	return (enum nd_heap_node_type)find(node_types, ND_HEAP_NODE_TYPES, name);
}

enum nd_heap_edge_type nd_heap_find_edge_type(const char *name)
{
	return (enum nd_heap_edge_type)find(edge_types, ND_HEAP_EDGE_TYPES, name);
}

uint32_t nd_heap_find_id(const struct nd_heap *heap, uint32_t id)
{
	uint32_t node;

	for (node = 0; node < heap->node_count; node++)
		if (heap->id[node] == id)
			return node;
	return ND_HEAP_NONE;
}

uint32_t nd_heap_find_string(const struct nd_heap *heap, const char *text)
{
	size_t size = strlen(text) + 1;
	uint32_t i;

	for (i = 0; i < heap->string_count; i++)
		if (heap->string_start[i + 1] - heap->string_start[i] == size &&
		    !memcmp(nd_heap_string(heap, i), text, size))
			return i;
	return ND_HEAP_NONE;
}

uint32_t nd_heap_find_owner(const struct nd_heap *heap, uint32_t edge)
{
	uint32_t low = 0, high = heap->node_count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (heap->first_edge[middle] <= edge)
			low = middle;
		else
			high = middle;
	}
	return low;
}

void nd_heap_need_edges(const struct nd_heap *heap, uint32_t node)
{
	if (heap->deferred)
		nd_heap_deferred_unpack(heap->deferred, heap->first_edge[node],
					heap->first_edge[node + 1]);
}

void nd_heap_need_all_edges(const struct nd_heap *heap)
{
	if (heap->deferred)
		nd_heap_deferred_unpack(heap->deferred, 0, heap->edge_count);
}

uint32_t nd_heap_follow(const struct nd_heap *heap, uint32_t node, uint32_t name)
{
	uint32_t e;

	nd_heap_need_edges(heap, node);
	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++)
		if (nd_heap_edge_type(heap, e) == ND_HEAP_EDGE_INTERNAL &&
		    heap->edge_name[e] == name)
			return nd_heap_edge_to(heap, e);
	return ND_HEAP_NONE;
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

int nd_heap_sort_locations(struct nd_heap *heap)
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

static int compare_location(const void *key, const void *element)
{
	uint32_t node = *(const uint32_t *)key;
	const struct nd_heap_location *location = element;

	return node < location->node ? -1 : node > location->node;
}

const struct nd_heap_location *nd_heap_find_location(const struct nd_heap *heap, uint32_t node)
{
	if (!heap->location_count)
		return NULL;
	return bsearch(&node, heap->location, heap->location_count, sizeof(*heap->location),
		       compare_location);
}
