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
#include "common/pages.h"
#include "common/set.h"

/* Groups of all kinds are summed up together, for that is a walk through the whole heap. */
enum kind { CLOSURE, SCOPE, DETACHED, KINDS };

/* Where a function is, by V8's script, line and column, or in place of the script a class. */
struct key {
	uint32_t kind;
	uint32_t script;
	uint32_t line;
	uint32_t column;
};

/* Nodes on their way into groups. */
struct grouping {
	const struct nd_heap_paths *paths;
	struct nd_set keys; /* a group is the id of its key */
	uint32_t *group_of;

	/* The last one, for nodes come in rows of one group. */
	struct key last;
	uint32_t last_group; /* ND_HEAP_NONE: there is none */
};

static int add(struct grouping *g, uint32_t node, const struct key *key)
{
	if (g->last_group == ND_HEAP_NONE || memcmp(&g->last, key, sizeof(*key)) != 0) {
		if (nd_set_add(&g->keys, key, UINT32_MAX, &g->last_group))
			return -ENOMEM;
		g->last = *key;
	}
	g->group_of[node] = g->last_group;
	return 0;
}

static int add_placed(struct grouping *g, enum kind kind, uint32_t node,
		      const struct nd_heap_location *location)
{
	const struct key key = {kind, location->script, location->line, location->column};

	return add(g, node, &key);
}

static int add_closures(struct grouping *g)
{
	const struct nd_heap *heap = g->paths->heap;
	const struct nd_heap_location *location;
	uint32_t i;
	int code = 0;

	for (i = 0; i < heap->location_count && !code; i++) {
		location = &heap->location[i];
		if (heap->type[location->node] == ND_HEAP_CLOSURE)
			code = add_placed(g, CLOSURE, location->node, location);
	}
	return code;
}

uint32_t nd_heap_find_scope_function(const struct nd_heap_paths *paths, uint32_t scope)
{
	return nd_heap_scopes_find_function(&paths->analysis->scopes, scope);
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

static int add_scopes_but(struct grouping *g, const uint8_t *is_held)
{
	const struct nd_heap_scopes *scopes = &g->paths->analysis->scopes;
	const struct nd_heap_location *location;
	uint32_t i;
	int code = 0;

	for (i = 0; i < scopes->scope_count && !code; i++) {
		location = nd_heap_find_location(g->paths->heap, scopes->function[i]);
		if (location && !nd_heap_bit(is_held, scopes->scope[i]))
			code = add_placed(g, SCOPE, scopes->scope[i], location);
	}
	return code;
}

static int add_scopes(struct grouping *g)
{
	size_t bytes = g->paths->heap->node_count / 8 + 1;
	uint8_t *is_scope = calloc(bytes, 1), *is_held = calloc(bytes, 1);
	int code = -ENOMEM;

	if (is_scope && is_held) {
		find_held(g->paths->heap, is_scope, is_held);
		code = add_scopes_but(g, is_held);
	}
	free(is_scope);
	free(is_held);
	return code;
}

static int add_detached(struct grouping *g)
{
	const struct nd_heap *heap = g->paths->heap;
	struct key key = {.kind = DETACHED};
	uint8_t *is_detached;
	uint32_t node;
	int code = nd_heap_find_detached(heap, &is_detached);

	for (node = 0; is_detached && node < heap->node_count && !code; node++) {
		key.script = g->paths->analysis->class_of[node];
		if (nd_heap_bit(is_detached, node))
			code = add(g, node, &key);
	}
	free(is_detached);
	return code;
}

static int split(const struct grouping *g, const struct nd_heap_group *groups, enum kind kind,
		 struct nd_heap_table *ret)
{
	const struct key *keys = (const struct key *)g->keys.records;
	struct nd_heap_table table = {
		.row = malloc(((size_t)g->keys.count + 1) * sizeof(*table.row))};
	uint32_t i;

	if (!table.row)
		return -ENOMEM;
	for (i = 0; i < g->keys.count; i++) {
		if (keys[i].kind != (uint32_t)kind)
			continue;
		table.row[table.count++] = groups[i];
		table.objects += groups[i].count;
		table.self += groups[i].self;
	}
	nd_heap_sort_groups(table.row, table.count);
	*ret = table;
	return 0;
}

static int gather(struct grouping *g, struct nd_heap_keepers *keepers)
{
	struct nd_heap_group *groups = NULL;
	int code = add_closures(g);

	if (!code)
		code = add_scopes(g);
	if (!code)
		code = add_detached(g);
	if (!code)
		code = nd_heap_sum_groups(g->paths->heap, g->paths->analysis, g->group_of,
					  g->keys.count, &groups);
	if (!code)
		code = split(g, groups, CLOSURE, &keepers->closures);
	if (!code)
		code = split(g, groups, SCOPE, &keepers->scopes);
	if (!code)
		code = split(g, groups, DETACHED, &keepers->detached);
	free(groups);
	return code;
}

int nd_heap_find_keepers(const struct nd_heap_paths *paths, struct nd_heap_keepers *ret)
{
	size_t size = paths->heap->node_count * sizeof(uint32_t);
	struct grouping g = {
		.paths = paths,
		.keys.size = sizeof(struct key),
		.group_of = malloc(size),
		.last_group = ND_HEAP_NONE,
	};
	struct nd_heap_keepers keepers = {0};
	int code = -ENOMEM;

	if (g.group_of) {
		nd_pages_populate(g.group_of, size);
		memset(g.group_of, 0xff, size);
		code = gather(&g, &keepers);
	}
	nd_set_fini(&g.keys);
	free(g.group_of);
	if (code)
		nd_heap_keepers_fini(&keepers);
	else
		*ret = keepers;
	return code;
}

void nd_heap_keepers_fini(struct nd_heap_keepers *keepers)
{
	free(keepers->closures.row);
	free(keepers->scopes.row);
	free(keepers->detached.row);
	*keepers = (struct nd_heap_keepers){0};
}
