/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/path.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "common/buf.h"

/* Parts of a path that tell files apart: every package has an index.js. */
#define PLACE_PARTS 2

/* How V8 writes the name of a property that is a symbol, up to its end, ">". */
#define SYMBOL "<symbol "

void nd_heap_paths_fini(struct nd_heap_paths *paths)
{
	free(paths->way_edge);
	paths->way_edge = NULL;
}

int nd_heap_paths_init(struct nd_heap_paths *paths, const struct nd_heap *heap,
		       struct nd_heap_analysis *analysis)
{
	*paths = (struct nd_heap_paths){.heap = heap, .analysis = analysis};
	return nd_heap_find_scopes(heap, analysis, NULL);
}

const char *nd_heap_script_name(const struct nd_heap_paths *paths, uint32_t script)
{
	uint32_t string = nd_heap_scopes_find_script(&paths->analysis->scopes, script);
	const char *name = string == ND_HEAP_NONE ? "" : nd_heap_string(paths->heap, string);

	return *name ? name : NULL;
}

void nd_heap_add_place(const struct nd_heap_paths *paths, uint32_t script, uint32_t line,
		       struct nd_buf *out)
{
	const char *name = nd_heap_script_name(paths, script), *at;
	int parts = 0;

	if (!name) {
		nd_buf_addf(out, "script %" PRIu32 ":%" PRIu32, script, line + 1);
		return;
	}
	/* "node:internal/timers" is whole. */
	for (at = name + strlen(name); strncmp(name, "node:", 5) != 0 && at > name; at--)
		if (at[-1] == '/' && ++parts == PLACE_PARTS)
			break;
	nd_buf_addf(out, "%s:%" PRIu32, parts == PLACE_PARTS ? at : name, line + 1);
}

/* How much an edge says of why it is there. */
static int rank(enum nd_heap_edge_type type)
{
	switch (type) {
	case ND_HEAP_EDGE_PROPERTY:
		return 6;
	case ND_HEAP_EDGE_CONTEXT:
		return 5;
	case ND_HEAP_EDGE_ELEMENT:
		return 4;
	case ND_HEAP_EDGE_INTERNAL:
		return 3;
	case ND_HEAP_EDGE_HIDDEN:
		return 2;
	case ND_HEAP_EDGE_WEAK:
		return 0;
	default:
		return 1;
	}
}

uint32_t nd_heap_find_edge(const struct nd_heap *heap, uint32_t from, uint32_t to)
{
	uint32_t found = ND_HEAP_NONE, e;
	int best = 0, r;

	nd_heap_need_edges(heap, from);
	for (e = heap->first_edge[from]; e < heap->first_edge[from + 1]; e++) {
		if (nd_heap_edge_to(heap, e) != to)
			continue;
		r = rank(nd_heap_edge_type(heap, e));
		if (r > best) {
			best = r;
			found = e;
		}
	}
	return found;
}

/* Of the nodes whose ways come by `from`, the best edge that leads there. */
static void list_edges_of(const struct nd_heap_paths *paths, uint32_t from, uint32_t *best)
{
	const struct nd_heap *heap = paths->heap;
	uint32_t e, to;
	int r;

	for (e = heap->first_edge[from]; e < heap->first_edge[from + 1]; e++) {
		to = nd_heap_edge_to(heap, e);
		r = rank(nd_heap_edge_type(heap, e));
		if (paths->analysis->before[to] == from && r &&
		    (best[to] == ND_HEAP_NONE || r > rank(nd_heap_edge_type(heap, best[to]))))
			best[to] = e;
	}
}

int nd_heap_paths_list_edges(struct nd_heap_paths *paths)
{
	uint32_t count = paths->heap->node_count, node;

	if (paths->way_edge)
		return 0;
	paths->way_edge = malloc(count * sizeof(*paths->way_edge));
	if (!paths->way_edge)
		return -ENOMEM;
	nd_heap_need_all_edges(paths->heap);
	memset(paths->way_edge, 0xff, count * sizeof(*paths->way_edge));
	for (node = 0; node < count; node++)
		list_edges_of(paths, node, paths->way_edge);
	return 0;
}

/* The edge by which a node's way comes to it. */
static uint32_t find_way_edge(const struct nd_heap_paths *paths, uint32_t node)
{
	uint32_t before = paths->analysis->before[node];

	if (before == ND_HEAP_NONE)
		return ND_HEAP_NONE;
	return paths->way_edge ? paths->way_edge[node]
			       : nd_heap_find_edge(paths->heap, before, node);
}

uint32_t nd_heap_find_way(const struct nd_heap_paths *paths, uint32_t node,
			  struct nd_heap_step steps[ND_HEAP_STEPS_MAX])
{
	const uint32_t *before = paths->analysis->before;
	uint32_t count = 1, at = node, i;

	while (before[at] != ND_HEAP_NONE && count < ND_HEAP_STEPS_MAX) {
		at = before[at];
		count++;
	}
	for (i = count, at = node; i-- > 0; at = before[at]) {
		steps[i].node = at;
		steps[i].edge = find_way_edge(paths, at);
	}
	return count;
}

static bool is_identifier(const char *text)
{
	if (isdigit((unsigned char)*text) || !*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && *text != '_' && *text != '$' &&
		    (unsigned char)*text < 0x80)
			return false;
	return true;
}

void nd_heap_add_edge(const struct nd_heap *heap, uint32_t edge, struct nd_buf *out)
{
	enum nd_heap_edge_type type = nd_heap_edge_type(heap, edge);
	const char *name;

	if (nd_heap_edge_is_numbered(type)) {
		nd_buf_addf(out, "[%" PRIu32 "]", heap->edge_name[edge]);
		return;
	}
	name = nd_heap_string(heap, heap->edge_name[edge]);
	if (type != ND_HEAP_EDGE_PROPERTY)
		nd_buf_add_str(out, name);
	else if (is_identifier(name))
		nd_buf_addf(out, ".%s", name);
	else if (!strncmp(name, SYMBOL, sizeof(SYMBOL) - 1) && name[strlen(name) - 1] == '>')
		nd_buf_addf(out, "[Symbol(%.*s)]", (int)(strlen(name) - sizeof(SYMBOL)),
			    name + sizeof(SYMBOL) - 1);
	else
		nd_buf_addf(out, "[\"%s\"]", name);
}

/* An expression in the making. */
struct words {
	const struct nd_heap_paths *paths;
	bool is_general;
	uint32_t closure; /* the last function on the way, while its variables may come */
	size_t start;	  /* of the expression in `out` */
	struct nd_buf *out;
};

/*
 * A variable: what was before is only how V8 gets there. The function is the one on the way, or
 * another one of that scope.
 */
static void begin_variable(struct words *w, uint32_t scope, uint32_t edge)
{
	const struct nd_heap_paths *paths = w->paths;
	const struct nd_heap_location *location;
	uint32_t function = w->closure;

	if (function == ND_HEAP_NONE)
		function = nd_heap_scopes_find_function(&paths->analysis->scopes, scope);
	location = nd_heap_find_location(paths->heap, function);
	w->out->len = w->start;
	if (location) {
		nd_heap_add_place(paths, location->script, location->line, w->out);
		nd_buf_add_char(w->out, ' ');
	}
	nd_heap_add_edge(paths->heap, edge, w->out);
}

static void add_step(struct words *w, uint32_t from, const struct nd_heap_step *step)
{
	const struct nd_heap *heap = w->paths->heap;
	enum nd_heap_edge_type type = nd_heap_edge_type(heap, step->edge);

	if (heap->type[from] == ND_HEAP_CLOSURE)
		w->closure = from;
	if (type == ND_HEAP_EDGE_CONTEXT) {
		begin_variable(w, from, step->edge);
	} else if (heap->type[step->node] == ND_HEAP_SYNTHETIC) {
		w->out->len = w->start;
		nd_buf_add_str(w->out, nd_heap_name(heap, step->node));
	} else if (type == ND_HEAP_EDGE_ELEMENT && w->is_general) {
		nd_buf_add_str(w->out, "[*]");
	} else if (type == ND_HEAP_EDGE_PROPERTY || type == ND_HEAP_EDGE_ELEMENT) {
		if (w->out->len == w->start && heap->type[from] == ND_HEAP_OBJECT &&
		    nd_heap_is_top(w->paths->analysis, from))
			nd_buf_add_str(w->out, "global");
		nd_heap_add_edge(heap, step->edge, w->out);
	} else {
		return;
	}
	if (type != ND_HEAP_EDGE_CONTEXT)
		w->closure = ND_HEAP_NONE;
}

void nd_heap_add_step_words(const struct nd_heap_paths *paths, const struct nd_heap_step *steps,
			    uint32_t count, bool is_general, struct nd_buf *out)
{
	struct words w = {
		.paths = paths,
		.is_general = is_general,
		.closure = ND_HEAP_NONE,
		.start = out->len,
		.out = out,
	};
	uint32_t i;

	for (i = 1; i < count; i++)
		if (steps[i].edge != ND_HEAP_NONE)
			add_step(&w, steps[i - 1].node, &steps[i]);
}

void nd_heap_add_words(const struct nd_heap_paths *paths, uint32_t node, bool is_general,
		       struct nd_buf *out)
{
	struct nd_heap_step steps[ND_HEAP_STEPS_MAX];
	uint32_t count = nd_heap_find_way(paths, node, steps);

	nd_heap_add_step_words(paths, steps, count, is_general, out);
}
