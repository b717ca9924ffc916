/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/suspects.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/err.h"

/* One object has most of what gathers, and is gone into, with so many hundredths of it. */
#define MOST 60

/* Of what is new, and of a whole heap, a suspect has at least so many hundredths. */
#define GROWTH_MIN 5
#define HEAP_MIN   10

/* Less than that is what V8 and Node.js themselves do: code, caches, their own modules. */
#define GROWTH_BYTES_MIN (256u << 10)
#define HEAP_BYTES_MIN	 (2u << 20)

/* The objects that one place holds, while it is looked into. */
struct list {
	uint32_t *node;
	uint32_t count;
	uint32_t cap;
};

struct finder {
	const struct nd_heap *heap;
	const struct nd_heap_analysis *a;
	const struct nd_heap_series *series; /* NULL: a single snapshot */
	const uint8_t *fresh;		     /* a bit for each node that is new; NULL: none is */

	/*
	 * By node, what it is charged with. In a series, a new object has what is new of all that
	 * it dominates, and so have the lists that are looked into.
	 */
	uint64_t *charge;
	uint32_t *class_count;
	uint64_t *class_bytes;
	struct list list;
};

static int list_add(struct list *list, uint32_t node)
{
	uint32_t *more;

	if (list->count == list->cap) {
		more = reallocarray(list->node, (size_t)list->cap * 2 + 64, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->node = more;
		list->cap = list->cap * 2 + 64;
	}
	list->node[list->count++] = node;
	return 0;
}

static bool is_fresh(const struct finder *f, uint32_t node)
{
	return f->fresh && nd_heap_bit(f->fresh, node);
}

/* Whether an object was not there in a snapshot. */
static bool is_new(const struct finder *f, uint32_t node, uint32_t snapshot)
{
	return nd_heap_census_find(&f->series->census[snapshot], f->heap->id[node]) == ND_HEAP_NONE;
}

/* What an object stands for, together with what it dominates. */
static uint64_t weight(const struct finder *f, uint32_t node)
{
	return f->series ? f->charge[node] : f->a->retained[node];
}

/*
 * Who is charged with a new object: its dominator, or, where several ways lead to it and only the
 * top dominates them all, the first one on the shortest way back that was there before.
 * ND_HEAP_NONE for an object that is charged together with its dominator.
 */
static uint32_t find_holder(const struct finder *f, uint32_t node)
{
	uint32_t holder = f->a->dominator[node];

	if (!is_fresh(f, node) || node == f->heap->root || is_fresh(f, holder))
		return ND_HEAP_NONE;
	if (!nd_heap_is_top(f->a, holder))
		return holder;
	do
		node = f->a->before[node];
	while (node != ND_HEAP_NONE && is_fresh(f, node));
	return node == ND_HEAP_NONE ? holder : node;
}

/* Add up what is new, from the leaves of the tree of dominators to where it meets what is old. */
static void sum_fresh(struct finder *f)
{
	const struct nd_heap_analysis *a = f->a;
	uint32_t root = f->heap->root, node;

	for (node = nd_heap_first_leaf(a, root); node != root; node = nd_heap_next_up(a, node)) {
		if (!is_fresh(f, node))
			continue;
		f->charge[node] += f->heap->self_size[node];
		if (is_fresh(f, a->dominator[node]))
			f->charge[a->dominator[node]] += f->charge[node];
	}
}

/* The nodes with the largest charges, the largest first. */
static uint32_t find_largest(const struct finder *f, uint64_t min,
			     uint32_t largest[ND_HEAP_SUSPECTS_MAX])
{
	uint32_t count = 0, node, i;

	for (node = 0; node < f->heap->node_count; node++) {
		if (f->charge[node] < min || is_fresh(f, node) ||
		    (count == ND_HEAP_SUSPECTS_MAX &&
		     f->charge[node] <= f->charge[largest[count - 1]]))
			continue;
		if (count < ND_HEAP_SUSPECTS_MAX)
			count++;
		for (i = count - 1; i && f->charge[largest[i - 1]] < f->charge[node]; i--)
			largest[i] = largest[i - 1];
		largest[i] = node;
	}
	return count;
}

static uint32_t find_heaviest(const struct finder *f)
{
	uint32_t heaviest = f->list.node[0], i;

	for (i = 1; i < f->list.count; i++)
		if (weight(f, f->list.node[i]) > weight(f, heaviest))
			heaviest = f->list.node[i];
	return heaviest;
}

/* Make the list that of what a node dominates immediately. */
static int list_children(struct finder *f, uint32_t node)
{
	uint32_t child;

	f->list.count = 0;
	for (child = f->a->child[node]; child != ND_HEAP_NONE; child = f->a->sibling[child])
		if ((!f->series || is_fresh(f, child)) && weight(f, child) &&
		    list_add(&f->list, child))
			return -ENOMEM;
	return 0;
}

/* Go down for as long as one object of the list has most of it and holds others. */
static int go_down(struct finder *f, struct nd_heap_suspect *suspect)
{
	uint32_t heaviest;
	uint64_t bytes;

	while (f->list.count) {
		heaviest = find_heaviest(f);
		bytes = weight(f, heaviest);
		if (bytes < suspect->bytes / 100 * MOST ||
		    bytes - f->heap->self_size[heaviest] < bytes / 100 * MOST)
			return 0;
		suspect->point = heaviest;
		if (list_children(f, heaviest))
			return -ENOMEM;
	}
	return 0;
}

/* What most of the list is. */
static void describe(struct finder *f, struct nd_heap_suspect *suspect)
{
	const uint32_t *class_of = f->a->class_of;
	uint32_t i, node, class;

	for (i = 0; i < f->list.count; i++) {
		node = f->list.node[i];
		f->class_count[class_of[node]]++;
		f->class_bytes[class_of[node]] += weight(f, node);
	}
	suspect->class = class_of[f->list.node[0]];
	for (i = 0; i < f->list.count; i++) {
		class = class_of[f->list.node[i]];
		if (f->class_bytes[class] > f->class_bytes[suspect->class])
			suspect->class = class;
	}
	suspect->count = f->class_count[suspect->class];
	suspect->class_bytes = f->class_bytes[suspect->class];
	suspect->others = f->list.count - suspect->count;
	for (i = 0; i < f->list.count; i++) {
		node = f->list.node[i];
		if (class_of[node] == suspect->class)
			suspect->example = node;
		f->class_count[class_of[node]] = 0;
		f->class_bytes[class_of[node]] = 0;
	}
}

/* Charge each object of the list to the snapshot that it is new since. */
static void add_steps(const struct finder *f, struct nd_heap_suspect *suspect)
{
	uint32_t i, snapshot;

	for (i = 0; i < f->list.count; i++) {
		for (snapshot = f->series->count; snapshot > 0; snapshot--)
			if (is_new(f, f->list.node[i], snapshot - 1))
				break;
		if (snapshot)
			suspect->step_bytes[snapshot - 1] += weight(f, f->list.node[i]);
	}
}

/* Whether it got some between any two snapshots, one per cent of all at least. */
static bool grew_each_time(const struct finder *f, const struct nd_heap_suspect *suspect)
{
	uint32_t i;

	for (i = 0; i < f->series->count; i++)
		if (suspect->step_bytes[i] <= suspect->bytes / 100)
			return false;
	return true;
}

static bool is_kept(const struct finder *f, const struct nd_heap_suspect *suspect)
{
	const char *class = nd_heap_class_name(&f->a->classes, suspect->class);

	if (!f->series)
		return true;
	if (nd_heap_is_ignored(f->series, class))
		return false;
	return f->series->count == 1 || grew_each_time(f, suspect);
}

/* Look into the holders with the largest charges. `holder` is that of each node. */
static int look_into(struct finder *f, const uint32_t *holder, uint64_t min,
		     struct nd_heap_suspects *ret)
{
	uint32_t largest[ND_HEAP_SUSPECTS_MAX], count, node, i;
	struct nd_heap_suspect *suspect;

	count = find_largest(f, min, largest);
	for (i = 0; i < count; i++) {
		suspect = &ret->suspect[ret->count];
		*suspect = (struct nd_heap_suspect){
			.point = largest[i],
			.bytes = f->charge[largest[i]],
		};
		f->list.count = 0;
		for (node = 0; node < f->heap->node_count; node++)
			if (holder[node] == largest[i] && weight(f, node) &&
			    list_add(&f->list, node))
				return -ENOMEM;
		if (go_down(f, suspect))
			return -ENOMEM;
		if (!f->list.count)
			continue;
		if (f->series)
			add_steps(f, suspect);
		describe(f, suspect);
		ret->count += is_kept(f, suspect);
	}
	return 0;
}

static uint64_t least(uint64_t bytes, unsigned int hundredths, uint64_t min)
{
	return bytes / 100 * hundredths > min ? bytes / 100 * hundredths : min;
}

static int find_growth(struct finder *f, uint32_t *holder, struct nd_heap_suspects *ret)
{
	uint32_t node;

	sum_fresh(f);
	for (node = 0; node < f->heap->node_count; node++) {
		holder[node] = find_holder(f, node);
		if (holder[node] == ND_HEAP_NONE)
			continue;
		f->charge[holder[node]] += f->charge[node];
		ret->bytes += f->charge[node];
	}
	return look_into(f, holder, least(ret->bytes, GROWTH_MIN, GROWTH_BYTES_MIN), ret);
}

/*
 * What only the top dominates: by itself where it is large, else together with what is next to it
 * on the way.
 */
static int find_gatherers(struct finder *f, uint32_t *holder, struct nd_heap_suspects *ret)
{
	uint64_t min;
	uint32_t node;

	ret->bytes = f->a->retained[f->heap->root];
	min = least(ret->bytes, HEAP_MIN, HEAP_BYTES_MIN);
	for (node = 0; node < f->heap->node_count; node++) {
		holder[node] = ND_HEAP_NONE;
		if (nd_heap_is_top(f->a, node) || !nd_heap_is_top(f->a, f->a->dominator[node]))
			continue;
		holder[node] = f->a->before[node];
		if (f->a->retained[node] >= min || holder[node] == ND_HEAP_NONE ||
		    nd_heap_is_top(f->a, holder[node]))
			holder[node] = node;
		f->charge[holder[node]] += f->a->retained[node];
	}
	return look_into(f, holder, min, ret);
}

static int run(struct finder *f,
	       int (*find)(struct finder *, uint32_t *, struct nd_heap_suspects *),
	       struct nd_heap_suspects *ret, struct nd_err *err)
{
	size_t classes = (size_t)f->a->classes.keys.count + 1;
	uint32_t *holder = malloc(f->heap->node_count * sizeof(*holder));
	struct nd_heap_suspects suspects = {0};
	int code = -ENOMEM;

	assert(f->a->sibling);
	f->charge = calloc(f->heap->node_count, sizeof(*f->charge));
	f->class_count = calloc(classes, sizeof(*f->class_count));
	f->class_bytes = calloc(classes, sizeof(*f->class_bytes));
	if (holder && f->charge && f->class_count && f->class_bytes)
		code = find(f, holder, &suspects);
	free(holder);
	free(f->charge);
	free(f->class_count);
	free(f->class_bytes);
	free(f->list.node);
	if (code)
		return nd_err_set(err, code, "out of memory for the leak suspects");
	*ret = suspects;
	return 0;
}

int nd_heap_find_growth(const struct nd_heap_series *series, const struct nd_heap_diff *diff,
			struct nd_heap_suspects *ret, struct nd_err *err)
{
	struct finder f = {
		.heap = series->heap,
		.a = series->analysis,
		.series = series,
		.fresh = diff->fresh,
	};

	return run(&f, find_growth, ret, err);
}

int nd_heap_find_gatherers(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			   struct nd_heap_suspects *ret, struct nd_err *err)
{
	struct finder f = {.heap = heap, .a = analysis};

	return run(&f, find_gatherers, ret, err);
}
