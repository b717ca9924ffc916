/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/sizes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/pages.h"

/* Nobody yet, and more than one; all else is a node. */
#define UNOWNED UINT32_MAX
#define SHARED	(UINT32_MAX - 1)

static bool has_user_root(const struct nd_heap *heap)
{
	uint32_t e;

	for (e = heap->first_edge[heap->root]; e < heap->first_edge[heap->root + 1]; e++)
		if (nd_heap_is_user_root(heap, nd_heap_edge_to(heap, e)))
			return true;
	return false;
}

static bool can_be_owned(const struct nd_heap *heap, uint32_t node, uint32_t external)
{
	return heap->type[node] == ND_HEAP_HIDDEN || heap->type[node] == ND_HEAP_ARRAY ||
	       (heap->type[node] == ND_HEAP_NATIVE && heap->name[node] == external);
}

/*
 * What a node's edges lead to has its owner, and so on. A node is on the stack once when it gets an
 * owner, and once more when it turns out shared.
 */
static void hand_on(const struct nd_heap *heap, uint32_t node, uint32_t *owner, uint32_t *stack)
{
	uint64_t count = 0;
	uint32_t to, e;

	stack[count++] = node;
	while (count) {
		node = stack[--count];
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
			to = nd_heap_edge_to(heap, e);
			if (nd_heap_edge_type(heap, e) == ND_HEAP_EDGE_WEAK || owner[to] == to ||
			    owner[to] == owner[node] || owner[to] == SHARED)
				continue;
			owner[to] = owner[to] == UNOWNED ? owner[node] : SHARED;
			stack[count++] = to;
		}
	}
}

static void find_owners(const struct nd_heap *heap, uint32_t *owner, uint32_t *stack)
{
	uint32_t external = nd_heap_find_string(heap, "system / ExternalStringData"), node;

	for (node = 0; node < heap->node_count; node++)
		owner[node] = can_be_owned(heap, node, external) ? UNOWNED : node;
	/* From the last one on, as DevTools does, whose stack has all of them. */
	for (node = heap->node_count; node-- > 0;)
		if (owner[node] == node)
			hand_on(heap, node, owner, stack);
}

int nd_heap_charge_owners(struct nd_heap *heap)
{
	uint32_t *owner, *stack, node, to;

	if (!has_user_root(heap))
		return 0;
	owner = malloc(heap->node_count * sizeof(*owner));
	stack = malloc(2 * (size_t)heap->node_count * sizeof(*stack));
	if (!owner || !stack) {
		free(owner);
		free(stack);
		return -ENOMEM;
	}
	nd_pages_populate(owner, heap->node_count * sizeof(*owner));
	find_owners(heap, owner, stack);
	for (node = 0; node < heap->node_count; node++) {
		to = owner[node];
		if (to == UNOWNED || to == SHARED || to == node || to == heap->root ||
		    heap->type[to] == ND_HEAP_SYNTHETIC)
			continue;
		heap->self_size[to] += heap->self_size[node];
		heap->self_size[node] = 0;
	}
	free(owner);
	free(stack);
	return 0;
}
