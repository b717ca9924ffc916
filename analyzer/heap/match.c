/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/match.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/intern.h"

/* One of the two heaps, with its strings by a number that both share. */
struct side {
	const struct nd_heap *heap;
	uint32_t *text;
};

struct match {
	struct side before;
	struct side after;
	uint32_t *twin; /* by node of `after` */
	uint8_t *taken; /* a bit for each node of `before` */
	uint32_t *queue;
	uint32_t queued;

	/* References of one object before, by their names, as edge + 1; 0 is free. */
	uint32_t *slot;
	size_t slots;	   /* a power of two */
	uint32_t slots_of; /* the object, or ND_HEAP_NONE */
};

static int share_texts(struct side *side, struct nd_intern *texts)
{
	const struct nd_heap *heap = side->heap;
	uint32_t i;
	int ret = 0;

	side->text = malloc(((size_t)heap->string_count + 1) * sizeof(*side->text));
	if (!side->text)
		return -1;
	for (i = 0; i < heap->string_count && !ret; i++)
		ret = nd_intern_add(texts, nd_heap_string(heap, i), strlen(nd_heap_string(heap, i)),
				    &side->text[i]);
	return ret;
}

/* The name of a reference: a number, or a text by its number. */
static uint32_t get_name(const struct side *side, uint32_t edge)
{
	uint32_t name = side->heap->edge_name[edge];

	return nd_heap_edge_is_numbered(nd_heap_edge_type(side->heap, edge)) ? name
									     : side->text[name];
}

static bool is_named_alike(const struct side *a, uint32_t edge_a, const struct side *b,
			   uint32_t edge_b)
{
	return nd_heap_edge_type(a->heap, edge_a) == nd_heap_edge_type(b->heap, edge_b) &&
	       get_name(a, edge_a) == get_name(b, edge_b);
}

/* The upper bits count too, since elements may lie apart by powers of two: fmix32 of MurmurHash3.
 */
static uint32_t hash_edge(const struct side *side, uint32_t edge)
{
	uint32_t hash = get_name(side, edge) * 8 + nd_heap_edge_type(side->heap, edge);

	hash = (hash ^ hash >> 16) * 0x85ebca6bu;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
	return hash ^ hash >> 16;
}

/* Put all references of an object before into the table; of those with one name, the first. */
static int fill_slots(struct match *m, uint32_t node)
{
	const struct nd_heap *heap = m->before.heap;
	uint32_t first = heap->first_edge[node], end = heap->first_edge[node + 1], edge, *more;
	size_t need = 16, at;

	while (need < 2 * (size_t)(end - first))
		need *= 2;
	if (need > m->slots) {
		more = reallocarray(m->slot, need, sizeof(*more));
		if (!more)
			return -1;
		m->slot = more;
	}
	m->slots = need;
	memset(m->slot, 0, need * sizeof(*m->slot));
	for (edge = first; edge < end; edge++) {
		at = hash_edge(&m->before, edge) & (need - 1);
		while (m->slot[at] &&
		       !is_named_alike(&m->before, m->slot[at] - 1, &m->before, edge))
			at = (at + 1) & (need - 1);
		if (!m->slot[at])
			m->slot[at] = edge + 1;
	}
	m->slots_of = node;
	return 0;
}

/* The reference of an object before that is named as one of its twin, or ND_HEAP_NONE. */
static uint32_t find_edge(const struct match *m, uint32_t after)
{
	size_t at = hash_edge(&m->after, after) & (m->slots - 1);

	assert(m->slot);
	for (; m->slot[at]; at = (at + 1) & (m->slots - 1))
		if (is_named_alike(&m->before, m->slot[at] - 1, &m->after, after))
			return m->slot[at] - 1;
	return ND_HEAP_NONE;
}

static bool is_alike(const struct match *m, uint32_t before, uint32_t after)
{
	const struct side *old = &m->before, *new = &m->after;

	return old->heap->type[before] == new->heap->type[after] &&
	       old->text[old->heap->name[before]] == new->text[new->heap->name[after]];
}

static void pair(struct match *m, uint32_t before, uint32_t after)
{
	if (m->twin[after] != ND_HEAP_NONE || nd_heap_bit(m->taken, before) ||
	    !is_alike(m, before, after))
		return;
	m->twin[after] = before;
	nd_heap_set_bit(m->taken, before);
	m->queue[m->queued++] = after;
}

/*
 * Most objects refer to as much as before and in the same order, so the next reference of the one
 * is tried first for the next one of the other.
 */
static int follow(struct match *m, uint32_t after)
{
	const struct nd_heap *old = m->before.heap, *new = m->after.heap;
	uint32_t node = m->twin[after], next = old->first_edge[node], edge, found;
	uint32_t end = old->first_edge[node + 1];

	for (edge = new->first_edge[after]; edge < new->first_edge[after + 1]; edge++) {
		found = next;
		if (next == end || !is_named_alike(&m->before, next, &m->after, edge)) {
			if (m->slots_of != node && fill_slots(m, node))
				return -1;
			found = find_edge(m, edge);
		}
		if (found == ND_HEAP_NONE)
			continue;
		pair(m, nd_heap_edge_to(old, found), nd_heap_edge_to(new, edge));
		next = found + 1;
	}
	return 0;
}

static int init(struct match *m)
{
	struct nd_intern *texts = nd_intern_new();
	uint32_t count = m->after.heap->node_count;
	int ret =
		texts && !share_texts(&m->before, texts) && !share_texts(&m->after, texts) ? 0 : -1;

	nd_intern_free(texts);
	m->slots_of = ND_HEAP_NONE;
	m->twin = malloc(((size_t)count + 1) * sizeof(*m->twin));
	m->queue = calloc((size_t)count + 1, sizeof(*m->queue));
	m->taken = calloc(m->before.heap->node_count / 8 + 1, 1);
	if (ret || !m->twin || !m->queue || !m->taken)
		return -1;
	/* ND_HEAP_NONE, each. */
	memset(m->twin, 0xff, count * sizeof(*m->twin));
	return 0;
}

uint32_t *nd_heap_match(const struct nd_heap *before, const struct nd_heap *after)
{
	struct match m = {.before.heap = before, .after.heap = after};
	int ret = init(&m);
	uint32_t i;

	if (!ret)
		pair(&m, before->root, after->root);
	for (i = 0; i < m.queued && !ret; i++)
		ret = follow(&m, m.queue[i]);
	free(m.before.text);
	free(m.after.text);
	free(m.queue);
	free(m.taken);
	free(m.slot);
	if (!ret)
		return m.twin;
	free(m.twin);
	return NULL;
}
