/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/query.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/groups.h"
#include "analyzer/heap/heap.h"

struct match {
	uint64_t key; /* the least first */
	uint32_t node;
};

struct asking {
	const struct nd_heap *heap;
	const struct nd_heap_analysis *analysis;
	const struct nd_heap_query *query;
	uint8_t *is_wanted; /* classes of that name; NULL: all are */
	uint8_t *is_below;  /* nodes that `retained_by` dominates; NULL: all do */
};

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

/* Go through all that a node dominates, but not the node itself. */
static int find_below(struct asking *q)
{
	const struct nd_heap_analysis *a = q->analysis;
	uint32_t top = q->query->retained_by, node;

	if (top == ND_HEAP_NONE)
		return 0;
	assert(a->sibling);
	q->is_below = calloc(q->heap->node_count / 8 + 1, 1);
	if (!q->is_below)
		return -ENOMEM;
	for (node = top; node != ND_HEAP_NONE; node = nd_heap_next_down(a, top, node))
		if (node != top)
			nd_heap_set_bit(q->is_below, node);
	return 0;
}

static bool is_match(const struct asking *q, uint32_t node)
{
	const struct nd_heap_query *query = q->query;
	const struct nd_heap_analysis *a = q->analysis;
	uint64_t self = q->heap->self_size[node];

	return self && self >= query->min_self && a->retained[node] >= query->min_retained &&
	       (query->type < 0 || q->heap->type[node] == query->type) &&
	       (query->max_distance < 0 ||
		(a->distance[node] >= 0 && a->distance[node] <= query->max_distance)) &&
	       (!q->is_wanted || q->is_wanted[a->class_of[node]]) &&
	       (!q->is_below || nd_heap_bit(q->is_below, node));
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
static int gather(const struct asking *q, const uint32_t *group_of, struct nd_heap_matches *m)
{
	struct match *list = malloc(((size_t)m->count + 1) * sizeof(*list));
	uint32_t node, count = 0;

	if (!list || nd_heap_sum_retained(q->heap, q->analysis, group_of, 1, &m->retained)) {
		free(list);
		return -ENOMEM;
	}
	for (node = 0; node < q->heap->node_count; node++)
		if (group_of[node] != ND_HEAP_NONE)
			list[count++] = (struct match){key_of(q, node), node};
	qsort(list, count, sizeof(*list), compare);
	m->node_count = count < q->query->limit ? count : q->query->limit;
	m->node = malloc(((size_t)m->node_count + 1) * sizeof(*m->node));
	for (node = 0; m->node && node < m->node_count; node++)
		m->node[node] = list[node].node;
	free(list);
	return m->node ? 0 : -ENOMEM;
}

static int match_all(const struct asking *q, struct nd_heap_matches *m)
{
	uint32_t *group_of = malloc(q->heap->node_count * sizeof(*group_of)), node;
	int ret;

	if (!group_of)
		return -ENOMEM;
	for (node = 0; node < q->heap->node_count; node++) {
		group_of[node] = is_match(q, node) ? 0 : ND_HEAP_NONE;
		if (group_of[node] == ND_HEAP_NONE)
			continue;
		m->count++;
		m->self += q->heap->self_size[node];
	}
	ret = gather(q, group_of, m);
	free(group_of);
	return ret;
}

int nd_heap_find_matches(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			 const struct nd_heap_query *query, struct nd_heap_matches *ret)
{
	struct asking q = {.heap = heap, .analysis = analysis, .query = query};
	struct nd_heap_matches m = {0};
	int code = find_classes(&q);

	if (!code)
		code = find_below(&q);
	if (!code)
		code = match_all(&q, &m);
	free(q.is_wanted);
	free(q.is_below);
	if (!code)
		*ret = m;
	return code;
}

void nd_heap_matches_fini(struct nd_heap_matches *matches)
{
	free(matches->node);
	*matches = (struct nd_heap_matches){0};
}
