/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/dominators.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/pages.h"

/* A node on the way down, and the edge to look at next. */
struct visit {
	uint32_t node;
	uint32_t edge;
};

/*
 * Nodes are numbered from 1 in the order in which a depth-first search finds them; all lists below
 * but `number` go by these numbers. 0 is none.
 */
struct flow {
	const struct nd_heap *heap;
	const uint8_t *essential;
	uint32_t *number; /* by node */
	uint32_t *node;
	uint32_t *parent;
	uint32_t count;	   /* numbered so far */
	uint32_t reached;  /* of these, from the root */
	uint32_t searched; /* of these, by a search; the others hang at the root */

	uint32_t *first_from; /* where the predecessors of a number begin, count + 2 of them */
	uint32_t *from;

	/*
	 * A number that is linked, as all that are not less than `linked` are, has the best label
	 * on its way up, and its ancestor in `parent`. Before it is, the label is the first of its
	 * bucket: numbers whose semidominator it is, chained by `dominator`, which they get when
	 * they leave.
	 */
	uint32_t *semi;
	uint32_t *label;
	uint32_t *dominator;
	uint32_t *path;

	/*
	 * Of the search. Since fresh memory costs more than used one, `semi` and `label` are in its
	 * place afterwards, as `dominator` is in that of `number`.
	 */
	struct visit *stack;
};

static uint32_t add_number(struct flow *f, uint32_t node, uint32_t parent)
{
	f->number[node] = ++f->count;
	f->node[f->count] = node;
	f->parent[f->count] = parent;
	return f->count;
}

/*
 * The next node that has no number yet, behind an essential edge. Each edge is met once, and
 * counted for the number behind the one that it leads to.
 */
static bool find_next(struct flow *f, struct visit *visit, uint32_t *ret_to)
{
	uint32_t end = f->heap->first_edge[visit->node + 1], e, to, number;

	for (e = visit->edge; e < end; e++) {
		if (!nd_heap_bit(f->essential, e))
			continue;
		to = nd_heap_edge_to(f->heap, e);
		number = f->number[to];
		if (number) {
			f->first_from[number + 1]++;
			continue;
		}
		visit->edge = e + 1;
		*ret_to = to;
		return true;
	}
	return false;
}

static void search(struct flow *f, uint32_t node, uint32_t parent)
{
	struct visit *stack = f->stack;
	uint32_t depth = 1, to;

	stack[0] = (struct visit){node, f->heap->first_edge[node]};
	add_number(f, node, parent);
	while (depth) {
		if (!find_next(f, &stack[depth - 1], &to)) {
			depth--;
			continue;
		}
		f->first_from[add_number(f, to, f->number[stack[depth - 1].node]) + 1]++;
		stack[depth++] = (struct visit){to, f->heap->first_edge[to]};
	}
}

static void mark_targets(const struct flow *f, uint8_t *is_target)
{
	uint32_t e;

	for (e = 0; e < f->heap->edge_count; e++)
		if (nd_heap_bit(f->essential, e))
			nd_heap_set_bit(is_target, nd_heap_edge_to(f->heap, e));
}

/* What the root does not reach counts as its own: trees of orphans, then circles of them. */
static void search_orphans(struct flow *f, uint8_t *is_target)
{
	uint32_t nodes = f->heap->node_count, i;

	if (f->count == nodes) {
		f->searched = f->count;
		return;
	}
	mark_targets(f, is_target);
	for (i = 0; i < nodes; i++)
		if (!f->number[i] && !nd_heap_bit(is_target, i))
			search(f, i, 1);
	f->searched = f->count;
	for (i = 0; i < nodes; i++)
		if (!f->number[i])
			add_number(f, i, 1);
}

static int number_nodes(struct flow *f)
{
	uint32_t nodes = f->heap->node_count;
	uint8_t *is_target = calloc(nodes / 8 + 1, 1);
	int ret = -ENOMEM;

	f->stack = malloc(((size_t)nodes + 1) * sizeof(*f->stack));
	f->first_from = calloc((size_t)nodes + 2, sizeof(*f->first_from));
	if (f->stack && f->first_from && is_target) {
		nd_pages_populate(f->first_from, nodes * sizeof(*f->first_from));
		search(f, f->heap->root, 0);
		f->reached = f->count;
		search_orphans(f, is_target);
		ret = 0;
	}
	free(is_target);
	return ret;
}

/*
 * Turn the edges of all that was searched around, by a counting sort. In the order of the file, not
 * of the search, for so are the edges in memory.
 */
static int find_predecessors(struct flow *f)
{
	const struct nd_heap *heap = f->heap;
	uint32_t *first = f->first_from, i, e, node;

	for (i = 1; i <= f->count + 1; i++)
		first[i] += first[i - 1];
	f->from = malloc(((size_t)first[f->count + 1] + 1) * sizeof(*f->from));
	if (!f->from)
		return -ENOMEM;
	nd_pages_populate(f->from, first[f->count + 1] * sizeof(*f->from));
	for (node = 0; node < heap->node_count; node++)
		for (i = f->number[node], e = heap->first_edge[node];
		     i <= f->searched && e < heap->first_edge[node + 1]; e++)
			if (nd_heap_bit(f->essential, e))
				f->from[first[f->number[nd_heap_edge_to(heap, e)]]++] = i;
	/* Each has moved on to where the next one began. */
	memmove(first + 1, first, ((size_t)f->count + 1) * sizeof(*first));
	return 0;
}

/* The number with the least semidominator on the linked way from `v` up; shortens the way. */
static uint32_t evaluate(struct flow *f, uint32_t v, uint32_t linked)
{
	uint32_t depth = 0, at = v, up;

	if (v < linked)
		return v;
	while (f->parent[at] >= linked) {
		f->path[depth++] = at;
		at = f->parent[at];
	}
	while (depth) {
		at = f->path[--depth];
		up = f->parent[at];
		if (f->semi[f->label[up]] < f->semi[f->label[at]])
			f->label[at] = f->label[up];
		f->parent[at] = f->parent[up];
	}
	return f->label[v];
}

/* Whether a number hangs at the root without an edge. */
static bool is_orphan(const struct flow *f, uint32_t w)
{
	return w > f->searched || (w > f->reached && f->parent[w] == 1);
}

static uint32_t find_semidominator(struct flow *f, uint32_t w)
{
	uint32_t least = w, i, semi;

	if (is_orphan(f, w))
		return 1;
	for (i = f->first_from[w]; i < f->first_from[w + 1]; i++) {
		semi = f->semi[evaluate(f, f->from[i], w + 1)];
		if (semi < least)
			least = semi;
	}
	return least;
}

/*
 * What has one predecessor is dominated by it. That is most of a heap, and would only be put into a
 * bucket and taken out again.
 */
static void link_number(struct flow *f, uint32_t w)
{
	uint32_t parent = f->parent[w], semi, v, next, best;

	if (f->first_from[w + 1] - f->first_from[w] == 1 && f->from[f->first_from[w]] == parent) {
		f->semi[w] = parent;
		f->dominator[w] = parent;
	} else {
		semi = find_semidominator(f, w);
		f->semi[w] = semi;
		f->dominator[w] = f->label[semi];
		f->label[semi] = w;
	}
	f->label[w] = w;
	for (v = f->label[parent]; v; v = next) {
		next = f->dominator[v];
		best = evaluate(f, v, w);
		f->dominator[v] = f->semi[best] < f->semi[v] ? best : parent;
	}
	f->label[parent] = 0;
}

static int find(struct flow *f)
{
	size_t size = ((size_t)f->count + 1) * sizeof(uint32_t);
	uint32_t w;

	f->semi = (uint32_t *)f->stack;
	f->label = f->semi + f->count + 1;
	f->dominator = f->number;
	f->path = malloc(size);
	if (!f->path)
		return -ENOMEM;
	memset(f->label, 0, size);
	memset(f->dominator, 0, size);
	for (w = 0; w <= f->count; w++)
		f->semi[w] = w;
	for (w = f->count; w > 1; w--)
		link_number(f, w);
	f->dominator[1] = 1;
	for (w = 2; w <= f->count; w++)
		if (f->dominator[w] != f->semi[w])
			f->dominator[w] = f->dominator[f->dominator[w]];
	return 0;
}

/* A dominator's number is less than those of all that it dominates. */
static int sum_up(const struct flow *f, uint32_t **ret_dominator, uint64_t **ret_retained)
{
	uint32_t nodes = f->heap->node_count, i, node;
	uint32_t *dominator = malloc(nodes * sizeof(*dominator));
	uint64_t *retained = malloc(nodes * sizeof(*retained));

	if (!dominator || !retained) {
		free(dominator);
		free(retained);
		return -ENOMEM;
	}
	nd_pages_populate(dominator, nodes * sizeof(*dominator));
	nd_pages_populate(retained, nodes * sizeof(*retained));
	memcpy(retained, f->heap->self_size, nodes * sizeof(*retained));
	for (i = f->count; i > 0; i--) {
		node = f->node[i];
		dominator[node] = f->node[f->dominator[i]];
		if (i > 1)
			retained[dominator[node]] += retained[node];
	}
	*ret_dominator = dominator;
	*ret_retained = retained;
	return 0;
}

int nd_heap_find_dominators(const struct nd_heap *heap, const uint8_t *essential,
			    uint32_t **ret_dominator, uint64_t **ret_retained)
{
	struct flow f = {.heap = heap, .essential = essential};
	size_t size = ((size_t)heap->node_count + 1) * sizeof(uint32_t);
	int ret = -ENOMEM;

	f.number = calloc(1, size);
	f.node = malloc(size);
	f.parent = malloc(size);
	nd_pages_populate(f.number, size);
	nd_pages_populate(f.node, size);
	nd_pages_populate(f.parent, size);
	if (f.number && f.node && f.parent)
		ret = number_nodes(&f);
	if (!ret)
		ret = find_predecessors(&f);
	if (!ret)
		ret = find(&f);
	free(f.first_from);
	free(f.from);
	free(f.parent);
	free(f.stack);
	free(f.path);
	if (!ret)
		ret = sum_up(&f, ret_dominator, ret_retained);
	free(f.node);
	free(f.number);
	return ret;
}
