/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/query.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"

struct match {
	uint64_t key; /* the least first */
	uint32_t node;
};

/* Which nodes are below some others in the tree of dominators, found as far as it is asked. */
struct ancestry {
	const uint32_t *dominator;
	uint32_t root;
	uint8_t *above;	   /* a bit for each of those others */
	uint8_t *is_known; /* a bit for each node whose answer is in `is_below` */
	uint8_t *is_below;
};

struct asking {
	const struct nd_heap *heap;
	const struct nd_heap_analysis *analysis;
	const struct nd_heap_query *query;
	uint8_t *is_wanted; /* classes of that name; NULL: all are */
	bool asks_below;    /* only for those that `retained_by` dominates */
	struct ancestry holder;
};

static int ancestry_init(struct ancestry *y, const struct nd_heap *heap,
			 const struct nd_heap_analysis *a)
{
	size_t bytes = heap->node_count / 8 + 1;

	*y = (struct ancestry){
		.dominator = a->dominator,
		.root = heap->root,
		.above = calloc(bytes, 1),
		.is_known = calloc(bytes, 1),
		.is_below = calloc(bytes, 1),
	};
	return y->above && y->is_known && y->is_below ? 0 : -ENOMEM;
}

static void ancestry_fini(struct ancestry *y)
{
	free(y->above);
	free(y->is_known);
	free(y->is_below);
}

/* Up to where it is known, or the root; all on the way have the same answer. */
static bool is_below(struct ancestry *y, uint32_t node)
{
	uint32_t end = node, at;
	bool below = false;

	while (end != y->root && !nd_heap_bit(y->is_known, end)) {
		end = y->dominator[end];
		if (nd_heap_bit(y->above, end)) {
			below = true;
			break;
		}
	}
	if (nd_heap_bit(y->is_known, end) && !below)
		below = nd_heap_bit(y->is_below, end);
	for (at = node; at != end; at = y->dominator[at]) {
		nd_heap_set_bit(y->is_known, at);
		if (below)
			nd_heap_set_bit(y->is_below, at);
	}
	return below;
}

static int find_classes(struct asking *q)
{
	const struct nd_heap_classes *classes = &q->analysis->classes;
	uint32_t i;

	if (!q->query->class)
		return 0;
	q->is_wanted = calloc((size_t)classes->keys.count + 1, 1);
	for (i = 0; q->is_wanted && i < classes->keys.count; i++)
		q->is_wanted[i] = !strcmp(nd_heap_class_name(classes, i), q->query->class);
	return q->is_wanted ? 0 : -ENOMEM;
}

static int find_holder(struct asking *q)
{
	q->asks_below = q->query->retained_by != ND_HEAP_NONE;
	if (!q->asks_below)
		return 0;
	if (ancestry_init(&q->holder, q->heap, q->analysis))
		return -ENOMEM;
	nd_heap_set_bit(q->holder.above, q->query->retained_by);
	return 0;
}

static bool is_match(struct asking *q, uint32_t node)
{
	const struct nd_heap_query *query = q->query;
	const struct nd_heap_analysis *a = q->analysis;
	uint64_t self = q->heap->self_size[node];

	return self && self >= query->min_self && a->retained[node] >= query->min_retained &&
	       (query->type < 0 || q->heap->type[node] == query->type) &&
	       (query->max_distance < 0 ||
		(a->distance[node] >= 0 && a->distance[node] <= query->max_distance)) &&
	       (!q->is_wanted || q->is_wanted[a->class_of[node]]) &&
	       (!q->asks_below || is_below(&q->holder, node));
}

static uint64_t key_of(const struct asking *q, uint32_t node)
{
	switch (q->query->order) {
	case ND_HEAP_BY_SELF:
		return UINT64_MAX - q->heap->self_size[node];
	case ND_HEAP_BY_DISTANCE:
		return (uint32_t)q->analysis->distance[node];
	case ND_HEAP_BY_ID:
		return q->heap->id[node];
	default:
		return UINT64_MAX - q->analysis->retained[node];
	}
}

static int compare(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* Of all that match, those that are shown; and what all of them are together. */
static int gather(const struct asking *q, struct ancestry *matches, struct nd_heap_matches *m)
{
	struct match *list = malloc(((size_t)m->count + 1) * sizeof(*list));
	uint32_t node, count = 0;

	if (!list)
		return -ENOMEM;
	for (node = 0; node < q->heap->node_count; node++) {
		if (!nd_heap_bit(matches->above, node))
			continue;
		list[count++] = (struct match){key_of(q, node), node};
		if (!is_below(matches, node))
			m->retained += q->analysis->retained[node];
	}
	qsort(list, count, sizeof(*list), compare);
	m->node_count = count < q->query->limit ? count : q->query->limit;
	m->node = malloc(((size_t)m->node_count + 1) * sizeof(*m->node));
	for (node = 0; m->node && node < m->node_count; node++)
		m->node[node] = list[node].node;
	free(list);
	return m->node ? 0 : -ENOMEM;
}

static int match_all(struct asking *q, struct nd_heap_matches *m)
{
	struct ancestry matches;
	uint32_t node;
	int ret = ancestry_init(&matches, q->heap, q->analysis);

	for (node = 0; node < q->heap->node_count && !ret; node++) {
		if (!is_match(q, node))
			continue;
		nd_heap_set_bit(matches.above, node);
		m->count++;
		m->self += q->heap->self_size[node];
	}
	if (!ret)
		ret = gather(q, &matches, m);
	ancestry_fini(&matches);
	return ret;
}

int nd_heap_find_matches(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			 const struct nd_heap_query *query, struct nd_heap_matches *ret)
{
	struct asking q = {.heap = heap, .analysis = analysis, .query = query};
	struct nd_heap_matches m = {0};
	int code = find_classes(&q);

	if (!code)
		code = find_holder(&q);
	if (!code)
		code = match_all(&q, &m);
	free(q.is_wanted);
	ancestry_fini(&q.holder);
	if (!code)
		*ret = m;
	return code;
}

void nd_heap_matches_fini(struct nd_heap_matches *matches)
{
	free(matches->node);
	*matches = (struct nd_heap_matches){0};
}
