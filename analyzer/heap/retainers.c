/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/retainers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "common/array.h"
#include "common/buf.h"
#include "common/intern.h"

/* A way in words: 64 steps, each with a name of at most 1,024 characters of V8's. */
#define WORDS_MAX (256u << 10)

struct found {
	struct nd_heap_retainer retainer;
	int32_t distance;
};

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return x->retainer.edge < y->retainer.edge ? -1 : x->retainer.edge > y->retainer.edge;
}

static int gather(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
		  uint32_t node, struct found **ret, uint32_t *ret_count)
{
	uint32_t count = 0, from, e;
	struct found *list = NULL, *more;

	for (from = 0; from < heap->node_count; from++)
		for (e = heap->first_edge[from]; e < heap->first_edge[from + 1]; e++) {
			if (nd_heap_edge_to(heap, e) != node || from == heap->root ||
			    nd_heap_edge_type(heap, e) == ND_HEAP_EDGE_WEAK)
				continue;
			more = nd_array_grow(list, count, sizeof(*list));
			if (!more) {
				free(list);
				return -ENOMEM;
			}
			list = more;
			list[count++] = (struct found){{from, e}, analysis->distance[from]};
		}
	*ret = list;
	*ret_count = count;
	return 0;
}

int nd_heap_find_retainers(const struct nd_heap *heap, const struct nd_heap_analysis *analysis,
			   uint32_t node, struct nd_heap_retainer **ret, uint32_t *ret_count)
{
	struct nd_heap_retainer *list;
	struct found *found;
	uint32_t count, i;

	if (gather(heap, analysis, node, &found, &count))
		return -ENOMEM;
	list = malloc(((size_t)count + 1) * sizeof(*list));
	if (list && count)
		qsort(found, count, sizeof(*found), compare_found);
	for (i = 0; list && i < count; i++)
		list[i] = found[i].retainer;
	free(found);
	if (!list)
		return -ENOMEM;
	*ret = list;
	*ret_count = count;
	return 0;
}

void nd_heap_ways_fini(struct nd_heap_ways *ways)
{
	uint32_t i;

	for (i = 0; i < ways->count; i++)
		free(ways->way[i].words);
	free(ways->way);
	*ways = (struct nd_heap_ways){0};
}

/* The way of these words, which is added when new. Ids count from 1, for 0 is the empty text. */
static struct nd_heap_way *find_way(struct nd_heap_ways *ways, struct nd_intern *texts,
				    const struct nd_buf *words)
{
	struct nd_heap_way *way;
	uint32_t count = ways->count, id;

	if (nd_intern_add(texts, words->data, words->len, &id))
		return NULL;
	if (id < count)
		return &ways->way[id];
	way = nd_array_grow(ways->way, count, sizeof(*way));
	if (!way)
		return NULL;
	ways->way = way;
	way = &ways->way[count];
	*way = (struct nd_heap_way){.words = strdup(nd_intern_get(texts, id))};
	if (!way->words)
		return NULL;
	ways->count++;
	return way;
}

static int add_object(const struct nd_heap_paths *paths, struct nd_heap_ways *ways,
		      struct nd_intern *texts, struct nd_buf *words, uint32_t node)
{
	const struct nd_heap_analysis *a = paths->analysis;
	struct nd_heap_way *way;
	uint32_t above = a->dominator[node];

	nd_buf_reset(words);
	nd_heap_add_words(paths, node, true, words);
	way = find_way(ways, texts, words);
	if (!way)
		return -ENOMEM;
	if (!way->count++)
		way->example = node;
	way->self += paths->heap->self_size[node];
	if (above == node || a->class_of[above] != a->class_of[node])
		way->retained += a->retained[node];
	return 0;
}

static int compare_way(const void *a, const void *b)
{
	const struct nd_heap_way *x = a, *y = b;

	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return x->example < y->example ? -1 : x->example > y->example;
}

int nd_heap_find_ways(struct nd_heap_paths *paths, const char *class, struct nd_heap_ways *ret)
{
	const struct nd_heap_analysis *a = paths->analysis;
	struct nd_intern *texts = nd_intern_new();
	struct nd_heap_ways ways = {0};
	struct nd_buf words;
	uint32_t node;
	int code = texts ? nd_heap_paths_list_edges(paths) : -ENOMEM;

	nd_buf_init(&words, WORDS_MAX);
	/* The empty text has the first id, so it is the first way, and goes if nobody has it. */
	if (!code && !find_way(&ways, texts, &words))
		code = -ENOMEM;
	for (node = 0; node < paths->heap->node_count && !code; node++)
		if (paths->heap->self_size[node] &&
		    !strcmp(nd_heap_class_name(&a->classes, a->class_of[node]), class))
			code = add_object(paths, &ways, texts, &words, node);
	nd_buf_fini(&words);
	nd_intern_free(texts);
	if (!code) {
		qsort(ways.way, ways.count, sizeof(*ways.way), compare_way);
		while (ways.count && !ways.way[ways.count - 1].count)
			free(ways.way[--ways.count].words);
		if (!ways.count)
			code = -ENOENT;
	}
	if (code)
		nd_heap_ways_fini(&ways);
	else
		*ret = ways;
	return code;
}
