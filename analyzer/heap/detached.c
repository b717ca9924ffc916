/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/detached.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"

/* As the snapshot writes them; 0 says nothing. */
enum { ATTACHED = 1, DETACHED = 2 };

struct spread {
	const struct nd_heap *heap;
	uint8_t *visited;
	uint8_t *attached;
	uint8_t *detached;
	uint32_t *stack[DETACHED + 1];
	uint32_t count[DETACHED + 1];
};

static void visit(struct spread *s, uint32_t node, int state)
{
	if (nd_heap_bit(s->visited, node))
		return;
	nd_heap_set_bit(s->visited, node);
	if (s->heap->type[node] != ND_HEAP_NATIVE)
		return;
	nd_heap_set_bit(state == ATTACHED ? s->attached : s->detached, node);
	s->stack[state][s->count[state]++] = node;
}

static void spread(struct spread *s, int state)
{
	const struct nd_heap *heap = s->heap;
	enum nd_heap_edge_type type;
	uint32_t node, e;

	while (s->count[state]) {
		node = s->stack[state][--s->count[state]];
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
			type = nd_heap_edge_type(heap, e);
			if (type != ND_HEAP_EDGE_HIDDEN && type != ND_HEAP_EDGE_WEAK &&
			    type != ND_HEAP_EDGE_OTHER)
				visit(s, nd_heap_edge_to(heap, e), state);
		}
	}
}

static void spread_all(struct spread *s)
{
	const struct nd_heap *heap = s->heap;
	uint32_t node;
	uint8_t state;

	for (node = 0; node < heap->node_count; node++) {
		state = heap->detachedness[node];
		if (state == ATTACHED || state == DETACHED)
			visit(s, node, state);
	}
	spread(s, ATTACHED);
	spread(s, DETACHED);
}

int nd_heap_find_detached(const struct nd_heap *heap, uint8_t **ret_bits)
{
	size_t bytes = heap->node_count / 8 + 1, size = heap->node_count * sizeof(uint32_t);
	struct spread s = {.heap = heap};
	int ret = 0;

	*ret_bits = NULL;
	if (!heap->detachedness)
		return 0;
	s.visited = calloc(1, bytes);
	s.attached = calloc(1, bytes);
	s.detached = calloc(1, bytes);
	s.stack[ATTACHED] = malloc(size);
	s.stack[DETACHED] = malloc(size);
	if (s.visited && s.attached && s.detached && s.stack[ATTACHED] && s.stack[DETACHED]) {
		spread_all(&s);
		*ret_bits = s.detached;
	} else {
		free(s.detached);
		ret = -ENOMEM;
	}
	free(s.visited);
	free(s.attached);
	free(s.stack[ATTACHED]);
	free(s.stack[DETACHED]);
	return ret;
}
