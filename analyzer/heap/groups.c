/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/groups.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"

/* On the way down the tree of dominators: which groups are above, and by which nodes. */
struct descent {
	const struct nd_heap *heap;
	const uint32_t *group_of;
	const uint64_t *retained_by;
	uint8_t *is_open;
	uint8_t *opened;
	uint64_t *retained;
};

static void enter(struct descent *d, uint32_t node)
{
	uint32_t group = d->group_of[node];

	if (group == ND_HEAP_NONE || !d->heap->self_size[node] || d->is_open[group])
		return;
	d->retained[group] += d->retained_by[node];
	d->is_open[group] = 1;
	nd_heap_set_bit(d->opened, node);
}

static void descend(struct descent *d, const struct nd_heap_analysis *a)
{
	uint32_t root = d->heap->root, node = root;

	enter(d, node);
	for (;;) {
		if (a->child[node] != ND_HEAP_NONE) {
			node = a->child[node];
			enter(d, node);
			continue;
		}
		for (;; node = a->dominator[node]) {
			if (nd_heap_bit(d->opened, node))
				d->is_open[d->group_of[node]] = 0;
			if (node == root)
				return;
			if (a->sibling[node] != ND_HEAP_NONE)
				break;
		}
		node = a->sibling[node];
		enter(d, node);
	}
}

int nd_heap_sum_retained(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			 const uint32_t *group_of, uint32_t groups, uint64_t *retained)
{
	struct descent d = {
		.heap = heap,
		.group_of = group_of,
		.retained_by = analysis->retained,
		.is_open = calloc((size_t)groups + 1, 1),
		.opened = calloc(heap->node_count / 8 + 1, 1),
		.retained = retained,
	};
	int ret = d.is_open && d.opened ? 0 : -ENOMEM;

	assert(analysis->sibling);
	if (!ret)
		descend(&d, analysis);
	free(d.is_open);
	free(d.opened);
	return ret;
}

int nd_heap_sum_groups(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
		       const uint32_t *group_of, uint32_t groups, struct nd_heap_group **ret)
{
	struct nd_heap_group *list = calloc((size_t)groups + 1, sizeof(*list)), *group;
	uint64_t *retained = calloc((size_t)groups + 1, sizeof(*retained));
	int code = list && retained ? 0 : -ENOMEM;
	uint32_t node, i;

	for (node = 0; node < heap->node_count && !code; node++) {
		if (group_of[node] == ND_HEAP_NONE)
			continue;
		group = &list[group_of[node]];
		if (!group->count++)
			group->example = node;
		group->self += heap->self_size[node];
	}
	if (!code && groups)
		code = nd_heap_sum_retained(heap, analysis, group_of, groups, retained);
	for (i = 0; i < groups && !code; i++)
		list[i].retained = retained[i];
	free(retained);
	if (code)
		free(list);
	else
		*ret = list;
	return code;
}

static int compare(const void *a, const void *b)
{
	const struct nd_heap_group *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return x->example < y->example ? -1 : x->example > y->example;
}

void nd_heap_sort_groups(struct nd_heap_group *groups, uint32_t count)
{
	qsort(groups, count, sizeof(*groups), compare);
}
