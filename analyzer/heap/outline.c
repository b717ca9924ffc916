/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/outline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/heap.h"
#include "common/err.h"

/* Objects of one kind below one block, while that is looked into. */
struct group {
	struct nd_heap_block block;
	uint32_t first; /* of its objects, chained by `next` */
	uint32_t kind;
};

struct maker {
	const struct nd_heap *heap;
	const struct nd_heap_analysis *a;
	uint64_t *fresh; /* by node, new bytes of all that it dominates; NULL: all counts */
	uint8_t *is_new; /* a bit for each node; NULL: all counts */
	uint64_t least;
	uint64_t least_single;

	struct nd_heap_block *block;
	uint32_t *first; /* of the objects of each block */
	uint32_t count;
	uint32_t *next;		  /* by node, another one of its block or group, or ND_HEAP_NONE */
	uint32_t *heap_of_blocks; /* those not looked into yet, as a binary heap by size */
	uint32_t waiting;

	struct group *group;
	uint32_t groups;
	uint32_t group_cap;
	uint32_t *group_of; /* by kind, a group + 1 */
};

static uint64_t bytes_of(const struct maker *m, uint32_t node)
{
	return m->fresh ? m->fresh[node] : m->a->retained[node];
}

static uint64_t self_of(const struct maker *m, uint32_t node)
{
	return m->is_new && !nd_heap_bit(m->is_new, node) ? 0 : m->heap->self_size[node];
}

static uint32_t kind_of(const struct maker *m, uint32_t node)
{
	const struct nd_heap *heap = m->heap;

	if (heap->type[node] == ND_HEAP_CLOSURE)
		return m->a->classes.keys.count + heap->name[node];
	return m->a->class_of[node];
}

static void sift_up(struct maker *m, uint32_t at)
{
	uint32_t *heap = m->heap_of_blocks, block = heap[at];

	for (; at && m->block[heap[(at - 1) / 2]].bytes < m->block[block].bytes; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = block;
}

static uint32_t take_largest(struct maker *m)
{
	uint32_t *heap = m->heap_of_blocks, largest = heap[0], last = heap[--m->waiting];
	uint32_t at = 0, child;

	while ((child = 2 * at + 1) < m->waiting) {
		if (child + 1 < m->waiting &&
		    m->block[heap[child + 1]].bytes > m->block[heap[child]].bytes)
			child++;
		if (m->block[heap[child]].bytes <= m->block[last].bytes)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return largest;
}

/* Whether there was room for it. */
static bool add_block(struct maker *m, const struct nd_heap_block *block, uint32_t first)
{
	if (m->count == ND_HEAP_OUTLINE_MAX)
		return false;
	m->block[m->count] = *block;
	m->first[m->count] = first;
	m->heap_of_blocks[m->waiting] = m->count++;
	sift_up(m, m->waiting++);
	return true;
}

static int add_to_group(struct maker *m, uint32_t node)
{
	uint32_t kind = kind_of(m, node);
	struct group *group;

	if (!m->group_of[kind]) {
		if (m->groups == m->group_cap) {
			group = reallocarray(m->group, (size_t)m->group_cap * 2 + 64,
					     sizeof(*group));
			if (!group)
				return -ENOMEM;
			m->group = group;
			m->group_cap = m->group_cap * 2 + 64;
		}
		m->group[m->groups] = (struct group){
			.block = {.node = node}, .first = ND_HEAP_NONE, .kind = kind};
		m->group_of[kind] = ++m->groups;
	}
	group = &m->group[m->group_of[kind] - 1];
	group->block.count++;
	group->block.self += self_of(m, node);
	group->block.bytes += bytes_of(m, node);
	if (bytes_of(m, node) > bytes_of(m, group->block.node))
		group->block.node = node;
	m->next[node] = group->first;
	group->first = node;
	return 0;
}

/* Blocks for what the objects of a block dominate, the large ones by themselves. */
static int look_into(struct maker *m, uint32_t block)
{
	const struct nd_heap_analysis *a = m->a;
	uint32_t node, child, i;

	m->groups = 0;
	for (node = m->first[block]; node != ND_HEAP_NONE; node = m->next[node]) {
		for (child = a->child[node]; child != ND_HEAP_NONE; child = a->sibling[child]) {
			struct nd_heap_block single = {
				block, child, 1, 0, self_of(m, child), bytes_of(m, child)};

			if (!single.bytes)
				continue;
			if (single.bytes >= m->least_single) {
				m->next[child] = ND_HEAP_NONE;
				m->block[block].small += !add_block(m, &single, child);
			} else if (add_to_group(m, child)) {
				return -ENOMEM;
			}
		}
	}
	for (i = 0; i < m->groups; i++) {
		struct group *group = &m->group[i];

		group->block.parent = block;
		m->group_of[group->kind] = 0;
		if (group->block.bytes < m->least || !add_block(m, &group->block, group->first))
			m->block[block].small += group->block.count;
	}
	return 0;
}

static int find_fresh(struct maker *m, const struct nd_heap_census *since)
{
	const struct nd_heap_analysis *a = m->a;
	uint32_t node, root = m->heap->root;

	m->fresh = calloc(m->heap->node_count, sizeof(*m->fresh));
	m->is_new = calloc(m->heap->node_count / 8 + 1, 1);
	if (!m->fresh || !m->is_new)
		return -ENOMEM;
	for (node = 0; node < m->heap->node_count; node++)
		if (nd_heap_census_find(since, m->heap->id[node]) == ND_HEAP_NONE)
			nd_heap_set_bit(m->is_new, node);
	for (node = nd_heap_first_leaf(a, root); node != root; node = nd_heap_next_up(a, node)) {
		m->fresh[node] += self_of(m, node);
		m->fresh[a->dominator[node]] += m->fresh[node];
	}
	m->fresh[root] += self_of(m, root);
	return 0;
}

static int make(struct maker *m)
{
	uint32_t root = m->heap->root;
	struct nd_heap_block all = {ND_HEAP_NONE, root, 1, 0, self_of(m, root), bytes_of(m, root)};
	size_t kinds = (size_t)m->a->classes.keys.count + m->heap->string_count;

	m->least = all.bytes / ND_HEAP_OUTLINE_PART;
	m->least_single = all.bytes / ND_HEAP_OUTLINE_PART_SINGLE;
	m->block = malloc(ND_HEAP_OUTLINE_MAX * sizeof(*m->block));
	m->first = malloc(ND_HEAP_OUTLINE_MAX * sizeof(*m->first));
	m->heap_of_blocks = malloc(ND_HEAP_OUTLINE_MAX * sizeof(*m->heap_of_blocks));
	m->next = malloc(m->heap->node_count * sizeof(*m->next));
	m->group_of = calloc(kinds, sizeof(*m->group_of));
	if (!m->block || !m->first || !m->heap_of_blocks || !m->next || !m->group_of)
		return -ENOMEM;
	m->next[root] = ND_HEAP_NONE;
	add_block(m, &all, root);
	while (m->waiting && m->count < ND_HEAP_OUTLINE_MAX)
		if (look_into(m, take_largest(m)))
			return -ENOMEM;
	return 0;
}

int nd_heap_outline_make(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			 const struct nd_heap_census *since, struct nd_heap_outline *ret,
			 struct nd_err *err)
{
	struct maker m = {.heap = heap, .a = analysis};
	int code = since ? find_fresh(&m, since) : 0;

	if (!code)
		code = make(&m);
	free(m.fresh);
	free(m.is_new);
	free(m.first);
	free(m.heap_of_blocks);
	free(m.next);
	free(m.group);
	free(m.group_of);
	if (code) {
		free(m.block);
		return nd_err_set(err, code, "out of memory for the tree of dominators");
	}
	*ret = (struct nd_heap_outline){m.block, m.count};
	return 0;
}

void nd_heap_outline_fini(struct nd_heap_outline *outline)
{
	free(outline->block);
	*outline = (struct nd_heap_outline){0};
}
