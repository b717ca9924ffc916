/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "common/err.h"

bool nd_heap_is_ignored(const struct nd_heap_series *series, const char *class)
{
	uint32_t i;

	for (i = 0; i < series->ignore_count; i++)
		if (!strcmp(series->ignore[i], class))
			return true;
	return false;
}

uint64_t nd_heap_series_bytes(const struct nd_heap_series *series, uint32_t snapshot)
{
	return snapshot < series->count ? series->census[snapshot].bytes
					: series->analysis->retained[series->heap->root];
}

bool nd_heap_is_told(const struct nd_heap_series *series, const struct nd_heap_diff *diff,
		     const struct nd_heap_delta *delta)
{
	if ((!delta->added && !delta->removed) || (series->count > 1 && delta->is_steady))
		return false;
	return !nd_heap_is_ignored(series, nd_heap_class_name(&diff->classes, delta->class));
}

void nd_heap_diff_fini(struct nd_heap_diff *diff)
{
	nd_heap_classes_fini(&diff->classes);
	free(diff->delta);
	free(diff->fresh);
	diff->delta = NULL;
	diff->fresh = NULL;
}

/* The classes of one snapshot among those of all; the caller frees the list. */
static uint32_t *join(struct nd_heap_diff *diff, const struct nd_heap_classes *classes)
{
	uint32_t *joined = malloc(((size_t)classes->keys.count + 1) * sizeof(*joined)), i;

	for (i = 0; joined && i < classes->keys.count; i++) {
		if (!nd_heap_classes_copy(&diff->classes, classes, i, &joined[i]))
			continue;
		free(joined);
		return NULL;
	}
	return joined;
}

/* A class that has no more bytes in a snapshot than it had in the one before is steady. */
static void mark_steady(struct nd_heap_diff *diff, uint64_t *bytes, const uint64_t *before)
{
	uint32_t i;

	for (i = 0; i < diff->count; i++)
		if (bytes[i] <= before[i])
			diff->delta[i].is_steady = true;
}

static void add_census(uint64_t *bytes, const struct nd_heap_census *census, const uint32_t *joined)
{
	uint32_t i;

	for (i = 0; i < census->count; i++)
		bytes[joined[census->class_of[i]]] += census->size[i];
}

static void remove_first(struct nd_heap_diff *diff, const struct nd_heap_census *first,
			 const uint32_t *joined)
{
	struct nd_heap_delta *delta;
	uint32_t i;

	for (i = 0; i < first->count; i++) {
		if (!first->size[i])
			continue;
		delta = &diff->delta[joined[first->class_of[i]]];
		delta->removed++;
		delta->removed_bytes += first->size[i];
	}
}

/* What was removed and is there again was not; all else is added. */
static void add_last(struct nd_heap_diff *diff, const struct nd_heap_series *series,
		     const uint32_t *joined_first, const uint32_t *joined_last)
{
	const struct nd_heap_census *first = &series->census[0];
	const struct nd_heap *heap = series->heap;
	struct nd_heap_delta *delta;
	uint32_t node, class, old;

	for (node = 0; node < heap->node_count; node++) {
		old = nd_heap_census_find(first, heap->id[node]);
		if (old == ND_HEAP_NONE)
			nd_heap_set_bit(diff->fresh, node);
		if (!heap->self_size[node])
			continue;
		class = joined_last[series->analysis->class_of[node]];
		delta = &diff->delta[class];
		delta->bytes += heap->self_size[node];
		diff->matched += old != ND_HEAP_NONE;
		diff->reclassed +=
			old != ND_HEAP_NONE && joined_first[first->class_of[old]] != class;
		if (old != ND_HEAP_NONE && first->size[old] &&
		    joined_first[first->class_of[old]] == class) {
			delta->removed--;
			delta->removed_bytes -= first->size[old];
		} else {
			delta->added++;
			delta->added_bytes += heap->self_size[node];
		}
	}
}

static int compare_delta(const void *a, const void *b)
{
	const struct nd_heap_delta *x = a, *y = b;
	int64_t left = nd_heap_delta_bytes(x), right = nd_heap_delta_bytes(y);

	if (left != right)
		return left < right ? 1 : -1;
	return x->class < y->class ? -1 : x->class > y->class;
}

static void sum_up(struct nd_heap_diff *diff, const struct nd_heap_series *series)
{
	const struct nd_heap_delta *delta;
	uint32_t i;

	for (i = 0; i < diff->count; i++) {
		delta = &diff->delta[i];
		if (nd_heap_is_ignored(series, nd_heap_class_name(&diff->classes, delta->class)) ||
		    (series->count > 1 && delta->is_steady))
			continue;
		diff->grown += nd_heap_delta_bytes(delta);
	}
	qsort(diff->delta, diff->count, sizeof(*diff->delta), compare_delta);
}

/* Over all snapshots, one after the other. `bytes` are two lists, which take turns. */
static void go_through(struct nd_heap_diff *diff, const struct nd_heap_series *series,
		       uint32_t *const *joined, uint64_t *bytes)
{
	uint64_t *now = bytes, *before = bytes + diff->count, *swap;
	uint32_t i, class;

	for (i = 0; i < series->count; i++) {
		memset(now, 0, diff->count * sizeof(*now));
		add_census(now, &series->census[i], joined[i]);
		if (i)
			mark_steady(diff, now, before);
		swap = before;
		before = now;
		now = swap;
	}
	remove_first(diff, &series->census[0], joined[0]);
	add_last(diff, series, joined[0], joined[series->count]);
	for (class = 0; class < diff->count; class ++)
		now[class] = diff->delta[class].bytes;
	mark_steady(diff, now, before);
	sum_up(diff, series);
}

static int join_all(struct nd_heap_diff *diff, const struct nd_heap_series *series,
		    uint32_t **joined)
{
	uint32_t i;

	for (i = 0; i <= series->count; i++) {
		joined[i] = join(diff, i < series->count ? &series->census[i].classes
							 : &series->analysis->classes);
		if (!joined[i])
			return -ENOMEM;
	}
	return 0;
}

int nd_heap_compare(const struct nd_heap_series *series, struct nd_heap_diff *ret,
		    struct nd_err *err)
{
	struct nd_heap_diff diff = {0};
	uint32_t **joined = calloc((size_t)series->count + 1, sizeof(*joined)), i;
	uint64_t *bytes = NULL;
	int code = joined ? nd_heap_classes_init(&diff.classes) : -ENOMEM;

	if (!code)
		code = join_all(&diff, series, joined);
	if (!code) {
		diff.count = diff.classes.keys.count;
		diff.delta = calloc((size_t)diff.count + 1, sizeof(*diff.delta));
		diff.fresh = calloc(series->heap->node_count / 8 + 1, 1);
		bytes = calloc(2 * (size_t)diff.count + 1, sizeof(*bytes));
		for (i = 0; diff.delta && i < diff.count; i++)
			diff.delta[i].class = i;
		if (diff.delta && diff.fresh && bytes)
			go_through(&diff, series, joined, bytes);
		else
			code = -ENOMEM;
	}
	for (i = 0; joined && i <= series->count; i++)
		free(joined[i]);
	free(joined);
	free(bytes);
	if (!code) {
		*ret = diff;
		return 0;
	}
	nd_heap_diff_fini(&diff);
	return nd_err_set(err, code, "out of memory for the comparison");
}
