/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/routes.h"

#include <errno.h>
#include <stdlib.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/distances.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/array.h"

struct search {
	const struct nd_heap_paths *paths;
	uint8_t *essential; /* a bit for each edge */
	uint8_t *banned;    /* a bit for each node: it is on an earlier way */
	uint8_t *reached;
	uint32_t *by;	 /* the edge by which a node was reached */
	uint32_t *queue; /* in the order of their distance from the gate */
	uint32_t gate;
	uint32_t target;
	bool shuns_passing;
};

static bool may_pass(const struct search *s, uint32_t edge)
{
	const struct nd_heap *heap = s->paths->heap;
	uint32_t to = nd_heap_edge_to(heap, edge);

	if (nd_heap_bit(s->reached, to) || nd_heap_bit(s->banned, to) ||
	    !nd_heap_bit(s->essential, edge))
		return false;
	return to == s->target || !s->shuns_passing || !nd_heap_is_passing_root(heap, to);
}

/* Go on from the gate, the nearest first, until the target is there. */
static bool search(struct search *s)
{
	const struct nd_heap *heap = s->paths->heap;
	uint32_t head = 0, tail = 0, node, to, e, i;

	for (i = 0; i <= heap->node_count / 8; i++)
		s->reached[i] = 0;
	nd_heap_set_bit(s->reached, s->gate);
	s->queue[tail++] = s->gate;
	while (head < tail) {
		node = s->queue[head++];
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
			if (!may_pass(s, e))
				continue;
			to = nd_heap_edge_to(heap, e);
			nd_heap_set_bit(s->reached, to);
			s->by[to] = e;
			if (to == s->target)
				return true;
			s->queue[tail++] = to;
		}
	}
	return false;
}

/* What refers to the target itself does so once, even if it may be on several ways. */
static void spend(struct search *s, uint32_t from)
{
	const struct nd_heap *heap = s->paths->heap;
	uint32_t e;

	for (e = heap->first_edge[from]; e < heap->first_edge[from + 1]; e++)
		if (nd_heap_edge_to(heap, e) == s->target)
			s->essential[e >> 3] &= (uint8_t) ~(1 << (e & 7));
}

/* Of several edges between two nodes, the one that says most is told. */
static int add_route(struct search *s, struct nd_heap_routes *routes)
{
	const struct nd_heap *heap = s->paths->heap;
	struct nd_heap_route *list = nd_array_grow(routes->route, routes->count, sizeof(*list));
	struct nd_heap_route route = {.count = 1};
	uint32_t node, i, from;

	if (!list)
		return -ENOMEM;
	routes->route = list;
	for (node = s->target; node != s->gate; node = nd_heap_find_owner(heap, s->by[node]))
		route.count++;
	route.step = malloc(route.count * sizeof(*route.step));
	if (!route.step)
		return -ENOMEM;
	for (i = route.count - 1, node = s->target; i > 0; i--, node = from) {
		from = nd_heap_find_owner(heap, s->by[node]);
		route.step[i] = (struct nd_heap_step){nd_heap_find_edge(heap, from, node), node};
		if (node != s->target && !nd_heap_is_top(s->paths->analysis, node))
			nd_heap_set_bit(s->banned, node);
	}
	route.step[0] = (struct nd_heap_step){ND_HEAP_NONE, s->gate};
	spend(s, nd_heap_find_owner(heap, s->by[s->target]));
	list[routes->count++] = route;
	return 0;
}

static bool find_next(struct search *s)
{
	if (search(s))
		return true;
	if (!s->shuns_passing)
		return false;
	s->shuns_passing = false;
	return search(s);
}

static int find_all(struct search *s, uint32_t limit, struct nd_heap_routes *routes)
{
	bool found = find_next(s);
	int ret = 0;

	while (found && routes->count < limit && !ret) {
		ret = add_route(s, routes);
		/* What only the stack holds besides is no other way. */
		found = !ret && search(s);
	}
	routes->has_more = found;
	return ret;
}

static uint8_t *find_essential(const struct nd_heap *heap)
{
	struct nd_heap_pairs pairs;
	uint8_t *essential;

	if (nd_heap_pairs_init(&pairs, heap))
		return NULL;
	essential = nd_heap_find_essential(heap, &pairs);
	nd_heap_pairs_fini(&pairs);
	return essential;
}

int nd_heap_find_routes(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			struct nd_heap_routes *ret)
{
	const struct nd_heap *heap = paths->heap;
	size_t bytes = heap->node_count / 8 + 1, size = heap->node_count * sizeof(uint32_t);
	struct search s = {
		.paths = paths,
		.essential = find_essential(heap),
		.banned = calloc(bytes, 1),
		.reached = calloc(bytes, 1),
		.by = malloc(size),
		.queue = malloc(size),
		.gate = paths->analysis->dominator[node],
		.target = node,
		.shuns_passing = true,
	};
	struct nd_heap_routes routes = {.gate = s.gate};
	int code = s.essential && s.banned && s.reached && s.by && s.queue ? 0 : -ENOMEM;

	if (!code && node != heap->root)
		code = find_all(&s, limit, &routes);
	free(s.essential);
	free(s.banned);
	free(s.reached);
	free(s.by);
	free(s.queue);
	if (code)
		nd_heap_routes_fini(&routes);
	else
		*ret = routes;
	return code;
}

void nd_heap_routes_fini(struct nd_heap_routes *routes)
{
	uint32_t i;

	for (i = 0; i < routes->count; i++)
		free(routes->route[i].step);
	free(routes->route);
	*routes = (struct nd_heap_routes){0};
}
