/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/distances.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/pages.h"

/* A breadth-first search, and what it must know of the heap's names. */
struct search {
	const struct nd_heap *heap;
	const struct nd_heap_pairs *pairs;
	uint8_t *seen_once;   /* a bit for each pair */
	uint8_t *seen_before; /* the same when the user's roots were done */
	uint8_t *reached;     /* a bit for each node, of the search for lasting ways */
	int32_t *distance;
	uint32_t *before;
	uint32_t *queue;
	uint32_t head;
	uint32_t tail;
	uint32_t native_context;
	uint32_t sloppy_map;
	uint32_t descriptors;
};

/* The number that an edge's name is or begins with; false when it does not. */
static bool read_index(const struct nd_heap *heap, uint32_t edge, uint32_t *ret_index)
{
	const char *text;
	uint32_t index = 0;

	*ret_index = heap->edge_name[edge];
	if (nd_heap_edge_is_numbered(nd_heap_edge_type(heap, edge)))
		return true;
	text = nd_heap_string(heap, heap->edge_name[edge]);
	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		index = index * 10 + (uint32_t)(*text - '0');
	*ret_index = index;
	return true;
}

/*
 * Ways that say nothing of why an object is alive: a map that all functions share, and from
 * descriptors of properties to their names and their types, of which there are three slots each
 * behind the first two. The value of a pair is reached when both its key and its map are.
 */
static bool is_passable(struct search *s, uint32_t node, uint32_t edge)
{
	const struct nd_heap *heap = s->heap;
	enum nd_heap_edge_type type = nd_heap_edge_type(heap, edge);
	uint32_t index, pair;

	if (heap->type[node] == ND_HEAP_HIDDEN && heap->name[node] == s->native_context &&
	    !nd_heap_edge_is_numbered(type) && heap->edge_name[edge] == s->sloppy_map)
		return false;
	if (heap->type[node] == ND_HEAP_ARRAY && heap->name[node] == s->descriptors)
		return !read_index(heap, edge, &index) || index < 2 || index % 3 != 1;
	pair = nd_heap_pair_of(s->pairs, heap, edge);
	if (!pair)
		return true;
	pair--;
	s->seen_once[pair >> 3] ^= (uint8_t)(1 << (pair & 7));
	return !nd_heap_bit(s->seen_once, pair);
}

static void visit(struct search *s, uint32_t node, uint32_t before, int32_t distance)
{
	s->distance[node] = distance;
	s->before[node] = before;
	s->queue[s->tail++] = node;
}

static void search(struct search *s)
{
	const struct nd_heap *heap = s->heap;
	uint32_t node, to, e;

	while (s->head < s->tail) {
		node = s->queue[s->head++];
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
			to = nd_heap_edge_to(heap, e);
			if (nd_heap_edge_type(heap, e) != ND_HEAP_EDGE_WEAK &&
			    s->distance[to] == ND_HEAP_DISTANCE_NONE && is_passable(s, node, e))
				visit(s, to, node, s->distance[node] + 1);
		}
	}
}

/* First from the user's roots, then from the root to all that is left. */
static void search_all(struct search *s)
{
	const struct nd_heap *heap = s->heap;
	uint32_t e, to;
	bool has_roots;

	for (e = heap->first_edge[heap->root]; e < heap->first_edge[heap->root + 1]; e++) {
		to = nd_heap_edge_to(heap, e);
		if (nd_heap_is_user_root(heap, to) && s->distance[to] == ND_HEAP_DISTANCE_NONE)
			visit(s, to, heap->root, 1);
	}
	has_roots = s->tail > 0;
	search(s);
	memcpy(s->seen_before, s->seen_once, s->pairs->count / 8 + 1);
	s->head = 0;
	s->tail = 0;
	visit(s, heap->root, ND_HEAP_NONE, has_roots ? ND_HEAP_DISTANCE_SYSTEM : 0);
	search(s);
}

/*
 * Roots with what is there only while the snapshot is taken, the better ones first: what is on the
 * stack, what V8's own code holds, and, by edges of the strong roots named "12 / IdentityMapBase",
 * any object that the snapshot took a note of.
 */
static const char *const passing_roots[] = {"(Stack roots)", "(Handle scope)", "(Strong roots)"};

#define PASSING_ROOTS (sizeof(passing_roots) / sizeof(passing_roots[0]))

bool nd_heap_is_passing_root(const struct nd_heap *heap, uint32_t node)
{
	size_t i;

	for (i = 0; i < PASSING_ROOTS && heap->type[node] == ND_HEAP_SYNTHETIC; i++)
		if (!strcmp(nd_heap_name(heap, node), passing_roots[i]))
			return true;
	return false;
}

/* Put it off, if it is one of these. */
static bool put_off(const struct nd_heap *heap, uint32_t node, uint32_t passing[PASSING_ROOTS])
{
	size_t i;

	if (heap->type[node] != ND_HEAP_SYNTHETIC)
		return false;
	for (i = 0; i < PASSING_ROOTS; i++)
		if (passing[i] == ND_HEAP_NONE &&
		    !strcmp(nd_heap_name(heap, node), passing_roots[i])) {
			passing[i] = node;
			return true;
		}
	return false;
}

static void go_on(struct search *s, uint32_t node)
{
	const struct nd_heap *heap = s->heap;
	uint32_t e, to;

	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
		to = nd_heap_edge_to(heap, e);
		if (nd_heap_edge_type(heap, e) == ND_HEAP_EDGE_WEAK ||
		    nd_heap_bit(s->reached, to) || !is_passable(s, node, e))
			continue;
		nd_heap_set_bit(s->reached, to);
		s->before[to] = node;
		s->queue[s->tail++] = to;
	}
}

static void drain(struct search *s, uint32_t passing[PASSING_ROOTS])
{
	uint32_t node;

	while (s->head < s->tail) {
		node = s->queue[s->head++];
		if (!put_off(s->heap, node, passing))
			go_on(s, node);
	}
}

/*
 * Find the ways from the root once more, for those that no user's root reaches: by roots that pass
 * only where there are no others. Distances stay.
 */
static void search_lasting(struct search *s)
{
	const struct nd_heap *heap = s->heap;
	uint32_t passing[PASSING_ROOTS] = {ND_HEAP_NONE, ND_HEAP_NONE, ND_HEAP_NONE}, node;
	size_t i;

	for (node = 0; node < heap->node_count && s->distance[heap->root]; node++)
		if (s->distance[node] >= 0 && s->distance[node] < ND_HEAP_DISTANCE_SYSTEM)
			nd_heap_set_bit(s->reached, node);
	nd_heap_set_bit(s->reached, heap->root);
	s->queue[0] = heap->root;
	s->head = 0;
	s->tail = 1;
	drain(s, passing);
	for (i = 0; i < PASSING_ROOTS; i++) {
		if (passing[i] == ND_HEAP_NONE)
			continue;
		go_on(s, passing[i]);
		drain(s, passing);
	}
}

static int run(struct search *s)
{
	const struct nd_heap *heap = s->heap;
	size_t pair_bytes = s->pairs->count / 8 + 1;
	uint32_t i;

	/* The root may be reached, and is then visited again. */
	s->queue = malloc(((size_t)heap->node_count + 1) * sizeof(*s->queue));
	s->seen_once = calloc(pair_bytes, 1);
	s->seen_before = malloc(pair_bytes);
	s->reached = calloc(heap->node_count / 8 + 1, 1);
	if (!s->distance || !s->before || !s->queue || !s->seen_once || !s->seen_before ||
	    !s->reached)
		return -ENOMEM;
	nd_pages_populate(s->distance, heap->node_count * sizeof(*s->distance));
	nd_pages_populate(s->before, heap->node_count * sizeof(*s->before));
	nd_pages_populate(s->queue, heap->node_count * sizeof(*s->queue));
	for (i = 0; i < heap->node_count; i++) {
		s->distance[i] = ND_HEAP_DISTANCE_NONE;
		s->before[i] = ND_HEAP_NONE;
	}
	s->native_context = nd_heap_find_string(heap, "system / NativeContext");
	s->sloppy_map = nd_heap_find_string(heap, "sloppy_function_map");
	s->descriptors = nd_heap_find_string(heap, "(map descriptors)");
	search_all(s);
	memcpy(s->seen_once, s->seen_before, pair_bytes);
	search_lasting(s);
	return 0;
}

int nd_heap_find_distances(const struct nd_heap *heap, const struct nd_heap_pairs *pairs,
			   int32_t **ret_distance, uint32_t **ret_before)
{
	struct search s = {
		.heap = heap,
		.pairs = pairs,
		.distance = malloc(heap->node_count * sizeof(*s.distance)),
		.before = malloc(heap->node_count * sizeof(*s.before)),
	};
	int ret = run(&s);

	free(s.queue);
	free(s.seen_once);
	free(s.seen_before);
	free(s.reached);
	if (ret) {
		free(s.distance);
		free(s.before);
		return ret;
	}
	*ret_distance = s.distance;
	*ret_before = s.before;
	return 0;
}
