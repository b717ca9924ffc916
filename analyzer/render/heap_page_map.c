/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/heap_page_map.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/outline.h"
#include "analyzer/heap/path.h"
#include "analyzer/render/heap_page_data.h"
#include "analyzer/render/json_text.h"
#include "common/intern.h"

/*
 * Of an object with more references, which one leads to a block is not looked for: that would take
 * as long for each of its blocks, and it is a list anyway.
 */
#define EDGES_MAX 65536

struct map {
	struct nd_heap_page *page;
	const struct nd_heap *heap;
	const struct nd_heap_block *block;
	uint32_t count;
	struct nd_intern *strings;
	uint32_t *name;
	uint32_t *by;
};

static int intern_words(struct map *map, uint32_t *ret_id)
{
	struct nd_buf *words = &map->page->words;
	int ret = nd_buf_error(words);

	if (!ret)
		ret = nd_intern_add(map->strings, words->data, words->len, ret_id);
	nd_buf_reset(words);
	return ret;
}

/* An object by itself, several by their class, but functions by their name. */
static int name_block(struct map *map, uint32_t i)
{
	const struct nd_heap_block *block = &map->block[i];
	const struct nd_heap_text *text = &map->page->text;
	const struct nd_heap_analysis *a = text->paths->analysis;

	if (block->count == 1 || map->heap->type[block->node] == ND_HEAP_CLOSURE)
		nd_heap_text_what(text, block->node);
	else
		nd_heap_text_class(text, &a->classes, a->class_of[block->node]);
	return intern_words(map, &map->name[i]);
}

/* V8's own references have numbers where nobody gave them a name. */
static bool is_number(const struct nd_heap *heap, uint32_t edge)
{
	return nd_heap_edge_type(heap, edge) == ND_HEAP_EDGE_INTERNAL &&
	       isdigit((unsigned char)*nd_heap_string(heap, heap->edge_name[edge]));
}

static int name_reference(struct map *map, uint32_t i)
{
	const struct nd_heap_block *block = &map->block[i];
	const struct nd_heap *heap = map->heap;
	uint32_t from, edge;

	if (block->parent == ND_HEAP_NONE || block->count > 1 ||
	    map->block[block->parent].count > 1)
		return 0;
	from = map->block[block->parent].node;
	/* The references of V8's roots have numbers. */
	if (heap->type[from] == ND_HEAP_SYNTHETIC ||
	    heap->first_edge[from + 1] - heap->first_edge[from] > EDGES_MAX)
		return 0;
	edge = nd_heap_find_edge(heap, from, block->node);
	if (edge == ND_HEAP_NONE || is_number(heap, edge))
		return 0;
	nd_heap_text_edge(&map->page->text, edge);
	return intern_words(map, &map->by[i]);
}

static uint64_t parent_of(const struct map *map, uint32_t i)
{
	return i ? map->block[i].parent : map->count;
}

static uint64_t self_of(const struct map *map, uint32_t i)
{
	return map->block[i].self;
}

static uint64_t bytes_of(const struct map *map, uint32_t i)
{
	return map->block[i].bytes;
}

static uint64_t count_of(const struct map *map, uint32_t i)
{
	return map->block[i].count;
}

static uint64_t small_of(const struct map *map, uint32_t i)
{
	return map->block[i].small;
}

static uint64_t name_of(const struct map *map, uint32_t i)
{
	return map->name[i];
}

static uint64_t by_of(const struct map *map, uint32_t i)
{
	return map->by[i];
}

static uint64_t kind_of(const struct map *map, uint32_t i)
{
	return map->heap->type[map->block[i].node];
}

static uint64_t id_of(const struct map *map, uint32_t i)
{
	return map->heap->id[map->block[i].node];
}

static const struct column {
	const char *name;
	uint64_t (*get)(const struct map *map, uint32_t i);
} columns[] = {
	{"parent", parent_of}, {"self", self_of},   {"bytes", bytes_of},
	{"count", count_of},   {"small", small_of}, {"name", name_of},
	{"by", by_of},	       {"kind", kind_of},   {"id", id_of},
};

static int add_columns(const struct map *map)
{
	struct nd_buf *json = map->page->json;
	uint32_t i, row;

	nd_buf_add_char(json, '{');
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		nd_buf_addf(json, "\"%s\":[", columns[i].name);
		for (row = 0; row < map->count; row++)
			nd_heap_page_add_number(map->page, columns[i].get(map, row));
		nd_buf_add_str(json, "],\n");
	}
	nd_buf_add_str(json, "\"kinds\":[");
	for (i = 0; i < ND_HEAP_NODE_TYPES; i++) {
		nd_heap_page_comma(map->page);
		nd_json_add_string(json, nd_heap_node_type_name((enum nd_heap_node_type)i));
	}
	nd_buf_add_str(json, "],\n\"strings\":[");
	for (i = 0; i < nd_intern_count(map->strings); i++) {
		nd_heap_page_comma(map->page);
		nd_json_add_string(json, nd_intern_get(map->strings, i));
	}
	return nd_buf_add_str(json, "]}");
}

int nd_heap_page_add_map(struct nd_heap_page *page, const struct nd_heap_outline *outline)
{
	struct map map = {
		.page = page,
		.heap = page->text.paths->heap,
		.block = outline->block,
		.count = outline->count,
		.strings = nd_intern_new(),
		.name = calloc((size_t)outline->count + 1, sizeof(*map.name)),
		.by = calloc((size_t)outline->count + 1, sizeof(*map.by)),
	};
	int ret = map.strings && map.name && map.by ? 0 : -ENOMEM;
	uint32_t i;

	for (i = 0; i < map.count && !ret; i++) {
		ret = name_block(&map, i);
		if (!ret)
			ret = name_reference(&map, i);
	}
	if (!ret)
		ret = add_columns(&map);
	nd_intern_free(map.strings);
	free(map.name);
	free(map.by);
	return ret;
}
