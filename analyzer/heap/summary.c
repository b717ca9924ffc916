/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/summary.h"

#include <errno.h>
#include <stdlib.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/path.h"
#include "common/array.h"
#include "common/err.h"

/* Something with its size, to be put in order. */
struct ranked {
	uint64_t bytes;
	uint32_t index;
};

static int compare(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The first `limit` indexes in order; the caller frees them. */
static uint32_t *rank(struct ranked *list, uint32_t count, uint32_t limit, uint32_t *ret_count)
{
	uint32_t *indexes, i;

	if (count)
		qsort(list, count, sizeof(*list), compare);
	if (limit > count)
		limit = count;
	indexes = malloc(((size_t)limit + 1) * sizeof(*indexes));
	for (i = 0; indexes && i < limit; i++)
		indexes[i] = list[i].index;
	*ret_count = limit;
	return indexes;
}

static void count_kinds(struct nd_heap_summary *s)
{
	const struct nd_heap *heap = s->paths->heap;
	uint32_t node;

	for (node = 0; node < heap->node_count; node++) {
		if (!heap->self_size[node])
			continue;
		s->objects++;
		s->bytes += heap->self_size[node];
		s->kind[heap->type[node]].count++;
		s->kind[heap->type[node]].bytes += heap->self_size[node];
	}
}

static int rank_classes(struct nd_heap_summary *s, uint32_t limit)
{
	const struct nd_heap_analysis *a = s->paths->analysis;
	uint32_t i, count = a->classes.keys.count;
	struct ranked *list = malloc(((size_t)count + 1) * sizeof(*list));

	for (i = 0; list && i < count; i++)
		if (a->class[i].count)
			list[s->classes++] = (struct ranked){a->class[i].retained, i};
	if (list)
		s->class = rank(list, s->classes, limit, &s->class_count);
	free(list);
	return s->class ? 0 : -ENOMEM;
}

static int rank_objects(struct nd_heap_summary *s, uint32_t limit)
{
	const struct nd_heap_analysis *a = s->paths->analysis;
	const struct nd_heap *heap = s->paths->heap;
	struct ranked *list = NULL, *more;
	uint32_t node, count = 0;

	for (node = 0; node < heap->node_count; node++) {
		if (nd_heap_is_top(a, node) || !nd_heap_is_top(a, a->dominator[node]))
			continue;
		more = nd_array_grow(list, count, sizeof(*list));
		if (!more)
			break;
		list = more;
		list[count++] = (struct ranked){a->retained[node], node};
	}
	if (node == heap->node_count)
		s->object = rank(list, count, limit, &s->object_count);
	free(list);
	return s->object ? 0 : -ENOMEM;
}

static int rank_buffers(struct nd_heap_summary *s, uint32_t limit)
{
	const struct nd_heap *heap = s->paths->heap;
	uint32_t name = nd_heap_find_string(heap, "system / JSArrayBufferData"), node, count = 0;
	struct ranked *list = NULL, *more;

	for (node = 0; node < heap->node_count; node++) {
		if (heap->name[node] != name || heap->type[node] != ND_HEAP_NATIVE)
			continue;
		s->buffers.count++;
		s->buffers.bytes += heap->self_size[node];
		if (heap->self_size[node] < ND_HEAP_BUFFER_BIG)
			continue;
		more = nd_array_grow(list, count, sizeof(*list));
		if (!more)
			break;
		list = more;
		list[count++] = (struct ranked){heap->self_size[node], node};
	}
	if (node == heap->node_count)
		s->buffer = rank(list, count, limit, &s->buffer_count);
	free(list);
	return s->buffer ? 0 : -ENOMEM;
}

int nd_heap_summarize(const struct nd_heap_paths *paths,
		      const struct nd_heap_collections *collections, uint32_t limit,
		      struct nd_heap_summary *ret, struct nd_err *err)
{
	struct nd_heap_summary s = {.paths = paths, .collections = collections, .limit = limit};
	int code;

	count_kinds(&s);
	code = rank_classes(&s, limit);
	if (!code)
		code = rank_objects(&s, limit);
	if (!code)
		code = rank_buffers(&s, limit);
	if (!code)
		code = nd_heap_find_duplicates(paths->heap, limit, &s.duplicate, &s.duplicate_count,
					       &s.waste);
	if (!code)
		code = nd_heap_find_keepers(paths, &s.keepers);
	if (!code)
		code = nd_heap_find_modules(paths, &s.modules);
	if (!code)
		code = nd_heap_find_gatherers(paths->heap, paths->analysis, &s.suspects, err);
	if (!code) {
		*ret = s;
		return 0;
	}
	nd_heap_summary_fini(&s);
	return nd_err_set(err, code, "out of memory for the summary");
}

static void cut(uint32_t *count, uint32_t limit)
{
	if (*count > limit)
		*count = limit;
}

void nd_heap_summary_cut(struct nd_heap_summary *s, uint32_t limit)
{
	cut(&s->class_count, limit);
	cut(&s->object_count, limit);
	cut(&s->duplicate_count, limit);
	cut(&s->buffer_count, limit);
	s->limit = limit;
}

void nd_heap_summary_fini(struct nd_heap_summary *s)
{
	free(s->class);
	free(s->object);
	free(s->duplicate);
	free(s->buffer);
	nd_heap_keepers_fini(&s->keepers);
	nd_heap_modules_fini(&s->modules);
	*s = (struct nd_heap_summary){0};
}
