/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/detached.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "common/set.h"

/* Where a function is; V8 writes its script, line and column. */
struct place {
	uint32_t script;
	uint32_t line;
	uint32_t column;
};

/* Nodes on their way into groups. */
struct grouping {
	const struct nd_heap_paths *paths;
	struct nd_set keys; /* a group is the id of its key */
	uint32_t *group_of;
};

static int begin(struct grouping *g, const struct nd_heap_paths *paths, size_t key_size)
{
	size_t size = paths->heap->node_count * sizeof(*g->group_of);

	*g = (struct grouping){.paths = paths, .keys.size = key_size, .group_of = malloc(size)};
	if (!g->group_of)
		return -ENOMEM;
	memset(g->group_of, 0xff, size);
	return 0;
}

static int add(struct grouping *g, uint32_t node, const void *key)
{
	return nd_set_add(&g->keys, key, UINT32_MAX, &g->group_of[node]) ? -ENOMEM : 0;
}

static int add_placed(struct grouping *g, uint32_t node, const struct nd_heap_location *location)
{
	const struct place place = {location->script, location->line, location->column};

	return add(g, node, &place);
}

/* Sum the groups up, unless there was an error before, and forget them. */
static int end(struct grouping *g, int code, struct nd_heap_table *ret)
{
	struct nd_heap_table table = {.count = g->keys.count};
	uint32_t i;

	if (!code)
		code = nd_heap_sum_groups(g->paths->heap, g->paths->analysis, g->group_of,
					  table.count, &table.row);
	nd_set_fini(&g->keys);
	free(g->group_of);
	if (code)
		return code;
	for (i = 0; i < table.count; i++) {
		table.objects += table.row[i].count;
		table.self += table.row[i].self;
	}
	nd_heap_sort_groups(table.row, table.count);
	*ret = table;
	return 0;
}

int nd_heap_find_closures(const struct nd_heap_paths *paths, struct nd_heap_table *ret)
{
	const struct nd_heap *heap = paths->heap;
	const struct nd_heap_location *location;
	struct grouping g;
	int code = begin(&g, paths, sizeof(struct place));
	uint32_t i;

	for (i = 0; i < heap->location_count && !code; i++) {
		location = &heap->location[i];
		if (heap->type[location->node] == ND_HEAP_CLOSURE)
			code = add_placed(&g, location->node, location);
	}
	return end(&g, code, ret);
}

uint32_t nd_heap_find_scope_function(const struct nd_heap_paths *paths, uint32_t scope)
{
	uint32_t id;

	return nd_set_find(&paths->scopes, &scope, &id) ? paths->function[id] : ND_HEAP_NONE;
}

/* A bit for each scope, and one for each that something else than functions and scopes holds. */
static void find_held(const struct nd_heap *heap, uint8_t *is_scope, uint8_t *is_held)
{
	uint32_t name = nd_heap_find_string(heap, "system / Context"), node, to, e;

	for (node = 0; node < heap->node_count; node++)
		if (heap->name[node] == name)
			nd_heap_set_bit(is_scope, node);
	for (node = 0; node < heap->node_count; node++) {
		if (heap->type[node] == ND_HEAP_CLOSURE || nd_heap_bit(is_scope, node))
			continue;
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
			to = nd_heap_edge_to(heap, e);
			if (nd_heap_bit(is_scope, to) &&
			    nd_heap_edge_type(heap, e) != ND_HEAP_EDGE_WEAK)
				nd_heap_set_bit(is_held, to);
		}
	}
}

static int add_scopes(struct grouping *g, const uint8_t *is_held)
{
	const struct nd_heap_paths *paths = g->paths;
	const struct nd_heap_location *location;
	uint32_t i, scope;
	int code = 0;

	for (i = 0; i < paths->scopes.count && !code; i++) {
		scope = ((const uint32_t *)paths->scopes.records)[i];
		location = nd_heap_find_location(paths->heap, paths->function[i]);
		if (location && !nd_heap_bit(is_held, scope))
			code = add_placed(g, scope, location);
	}
	return code;
}

int nd_heap_find_detached_scopes(const struct nd_heap_paths *paths, struct nd_heap_table *ret)
{
	size_t bytes = paths->heap->node_count / 8 + 1;
	uint8_t *is_scope = calloc(bytes, 1), *is_held = calloc(bytes, 1);
	struct grouping g;
	int code = begin(&g, paths, sizeof(struct place));

	if (!is_scope || !is_held)
		code = -ENOMEM;
	if (!code) {
		find_held(paths->heap, is_scope, is_held);
		code = add_scopes(&g, is_held);
	}
	free(is_scope);
	free(is_held);
	return end(&g, code, ret);
}

int nd_heap_find_detached_nodes(const struct nd_heap_paths *paths, struct nd_heap_table *ret)
{
	const struct nd_heap *heap = paths->heap;
	uint8_t *is_detached = NULL;
	struct grouping g;
	int code = begin(&g, paths, sizeof(uint32_t));
	uint32_t node;

	if (!code)
		code = nd_heap_find_detached(heap, &is_detached);
	for (node = 0; is_detached && node < heap->node_count && !code; node++)
		if (nd_heap_bit(is_detached, node))
			code = add(&g, node, &paths->analysis->class_of[node]);
	free(is_detached);
	return end(&g, code, ret);
}
