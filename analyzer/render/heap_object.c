/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/heap_json.h"
#include "analyzer/render/heap_text.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

/* Whether an edge is what somebody wrote: a property, an element or a variable. */
static bool is_own(const struct nd_heap *heap, uint32_t edge)
{
	enum nd_heap_edge_type type = nd_heap_edge_type(heap, edge);

	return type == ND_HEAP_EDGE_PROPERTY || type == ND_HEAP_EDGE_ELEMENT ||
	       type == ND_HEAP_EDGE_CONTEXT;
}

static void add_field(const struct nd_heap_text *t, uint32_t edge)
{
	uint32_t to = nd_heap_edge_to(t->paths->heap, edge);

	nd_heap_text_bytes(t, t->paths->analysis->retained[to], 11);
	nd_buf_add_str(t->out, "  ");
	nd_heap_text_edge(t, edge);
	nd_buf_add_str(t->out, " = ");
	nd_heap_text_object(t, to);
	nd_buf_add_char(t->out, '\n');
}

static void add_fields(const struct nd_heap_text *t, uint32_t node, bool own, uint32_t limit)
{
	const struct nd_heap *heap = t->paths->heap;
	uint32_t e, count = 0;

	nd_heap_need_edges(heap, node);
	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
		if (is_own(heap, e) != own)
			continue;
		if (!count)
			nd_heap_text_styled(t, ND_TERMINAL_BOLD,
					    own ? "\n   retained  field\n"
						: "\n   retained  V8's own\n");
		if (count++ < limit)
			add_field(t, e);
	}
	if (count > limit)
		nd_buf_addf(t->out, "  and %" PRIu32 " more\n", count - limit);
}

int nd_render_heap_object(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			  bool colour, struct nd_buf *out)
{
	const struct nd_heap_text t = {paths, colour, out};
	const struct nd_heap_analysis *a = paths->analysis;

	nd_heap_text_head(&t, node);
	nd_buf_addf(out, "  %s, class ",
		    nd_heap_node_type_name((enum nd_heap_node_type)paths->heap->type[node]));
	nd_heap_text_class(&t, &a->classes, a->class_of[node]);
	nd_buf_add_str(out, "; held by ");
	nd_heap_text_object(&t, a->dominator[node]);
	nd_buf_add_char(out, '\n');
	add_fields(&t, node, true, limit);
	add_fields(&t, node, false, limit);
	return nd_buf_error(out);
}

static uint32_t add_json_fields(const struct nd_heap_paths *paths, uint32_t node, bool own,
				uint32_t limit, struct nd_buf *out)
{
	const struct nd_heap *heap = paths->heap;
	uint32_t e, count = 0;

	nd_heap_need_edges(heap, node);
	nd_buf_add_char(out, '[');
	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
		if (is_own(heap, e) != own || count++ >= limit)
			continue;
		nd_buf_add_str(out, count > 1 ? ",\n{" : "\n{");
		nd_heap_json_edge(heap, e, out);
		nd_buf_add_str(out, ",\"object\":");
		nd_heap_json_object(paths, nd_heap_edge_to(heap, e), false, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_char(out, ']');
	return count;
}

int nd_render_heap_object_json(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			       struct nd_buf *out)
{
	uint32_t fields, internals;

	nd_buf_addf(out,
		    "{\"format\":\"nodiag-heap-object\",\"version\":%d,\n\"object\":", VERSION);
	nd_heap_json_object(paths, node, true, out);
	nd_buf_add_str(out, ",\n\"dominator\":");
	nd_heap_json_object(paths, paths->analysis->dominator[node], true, out);
	nd_buf_add_str(out, ",\n\"fields\":");
	fields = add_json_fields(paths, node, true, limit, out);
	nd_buf_addf(out, ",\n\"field_count\":%" PRIu32 ",\n\"internals\":", fields);
	internals = add_json_fields(paths, node, false, limit, out);
	nd_buf_addf(out, ",\n\"internal_count\":%" PRIu32 "}\n", internals);
	return nd_buf_error(out);
}
