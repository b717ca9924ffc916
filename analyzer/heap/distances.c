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
	uint8_t *seen_once; /* a bit for each pair */
	uint8_t *reached;   /* a bit for each node */
	int32_t *distance;  /* NULL: not asked for */
	uint32_t *before;   /* NULL: not asked for */
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
	nd_heap_set_bit(s->reached, node);
	if (s->before)
		s->before[node] = before;
	if (s->distance)
		s->distance[node] = distance;
	s->queue[s->tail++] = node;
}

/* All that the edges of a node lead to for the first time. */
static void go_on(struct search *s, uint32_t node)
{
	const struct nd_heap *heap = s->heap;
	int32_t distance = s->distance ? s->distance[node] + 1 : 0;
	uint32_t to, e;

	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
		to = nd_heap_edge_to(heap, e);
		if (nd_heap_edge_type(heap, e) != ND_HEAP_EDGE_WEAK &&
		    !nd_heap_bit(s->reached, to) && is_passable(s, node, e))
			visit(s, to, node, distance);
	}
}

/* Nodes ahead in the queue whose edges are asked for now: about as long as memory takes. */
#define AHEAD 8

/* The next node of the queue. They are anywhere in memory, which is told which ones will come. */
static uint32_t take(struct search *s)
{
	const struct nd_heap *heap = s->heap;
	uint32_t later = s->head + 2 * AHEAD, soon = s->head + AHEAD;

	if (later < s->tail)
		__builtin_prefetch(&heap->first_edge[s->queue[later]]);
	if (soon < s->tail)
		__builtin_prefetch(&heap->edge[heap->first_edge[s->queue[soon]]]);
	return s->queue[s->head++];
}

/* From the user's roots. Whether there are any. */
static bool search_user_roots(struct search *s)
{
	const struct nd_heap *heap = s->heap;
	uint32_t e, to;
	bool has_roots;

	for (e = heap->first_edge[heap->root]; e < heap->first_edge[heap->root + 1]; e++) {
		to = nd_heap_edge_to(heap, e);
		if (nd_heap_is_user_root(heap, to) && !nd_heap_bit(s->reached, to))
			visit(s, to, heap->root, 1);
	}
	has_roots = s->tail > 0;
	while (s->head < s->tail)
		go_on(s, take(s));
	return has_roots;
}

/* The root may have been reached, and is visited again. */
static void visit_root(struct search *s, int32_t distance)
{
	s->head = 0;
	s->tail = 0;
	visit(s, s->heap->root, ND_HEAP_NONE, distance);
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

static void drain(struct search *s, uint32_t passing[PASSING_ROOTS])
{
	uint32_t node;

	while (s->head < s->tail) {
		node = take(s);
		if (!put_off(s->heap, node, passing))
			go_on(s, node);
	}
}

/* To all that no user's root reaches: by roots that pass only where there are no others. */
static void search_lasting(struct search *s)
{
	uint32_t passing[PASSING_ROOTS] = {ND_HEAP_NONE, ND_HEAP_NONE, ND_HEAP_NONE};
	size_t i;

	visit_root(s, 0);
	drain(s, passing);
	for (i = 0; i < PASSING_ROOTS; i++) {
		if (passing[i] == ND_HEAP_NONE)
			continue;
		go_on(s, passing[i]);
		drain(s, passing);
	}
}

static int begin(struct search *s)
{
	const struct nd_heap *heap = s->heap;

	s->queue = malloc(heap->node_count * sizeof(*s->queue));
	s->seen_once = calloc(s->pairs->count / 8 + 1, 1);
	s->reached = calloc(heap->node_count / 8 + 1, 1);
	if (!s->queue || !s->seen_once || !s->reached)
		return -ENOMEM;
	nd_pages_populate(s->queue, heap->node_count * sizeof(*s->queue));
	s->native_context = nd_heap_find_string(heap, "system / NativeContext");
	s->sloppy_map = nd_heap_find_string(heap, "sloppy_function_map");
	s->descriptors = nd_heap_find_string(heap, "(map descriptors)");
	return 0;
}

static void end(struct search *s)
{
	free(s->queue);
	free(s->seen_once);
	free(s->reached);
}

uint32_t *nd_heap_list_before(const struct nd_heap *heap, const struct nd_heap_pairs *pairs)
{
	size_t size = heap->node_count * sizeof(uint32_t);
	struct search s = {.heap = heap, .pairs = pairs, .before = malloc(size)};

	if (s.before && !begin(&s)) {
		nd_pages_populate(s.before, size);
		memset(s.before, 0xff, size); /* ND_HEAP_NONE */
		search_user_roots(&s);
		search_lasting(&s);
	} else {
		free(s.before);
		s.before = NULL;
	}
	end(&s);
	return s.before;
}

int32_t *nd_heap_list_distances(const struct nd_heap *heap, const struct nd_heap_pairs *pairs)
{
	size_t size = heap->node_count * sizeof(int32_t);
	struct search s = {.heap = heap, .pairs = pairs, .distance = malloc(size)};
	uint32_t i;

	if (s.distance && !begin(&s)) {
		nd_pages_populate(s.distance, size);
		for (i = 0; i < heap->node_count; i++)
			s.distance[i] = ND_HEAP_DISTANCE_NONE;
		visit_root(&s, search_user_roots(&s) ? ND_HEAP_DISTANCE_SYSTEM : 0);
		while (s.head < s.tail)
			go_on(&s, take(&s));
	} else {
		free(s.distance);
		s.distance = NULL;
	}
	end(&s);
	return s.distance;
}
