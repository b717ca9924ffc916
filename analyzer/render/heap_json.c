/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/heap_json.h"

#include <assert.h>
#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/suspects.h"
#include "analyzer/render/json_text.h"
#include "common/buf.h"
#include "proto/limits.h"

static void add_place(const struct nd_heap_paths *paths, bool is_located, uint32_t script,
		      uint32_t line, uint32_t column, struct nd_buf *out)
{
	nd_json_add_field(out,
			  ",\"file\":", is_located ? nd_heap_script_name(paths, script) : NULL);
	if (is_located)
		nd_buf_addf(out, ",\"line\":%" PRIu32 ",\"column\":%" PRIu32, line + 1, column + 1);
	else
		nd_buf_add_str(out, ",\"line\":0,\"column\":0");
}

void nd_heap_json_class(const struct nd_heap_paths *paths, const struct nd_heap_classes *classes,
			uint32_t class, struct nd_buf *out)
{
	const struct nd_heap_class_key *key = nd_heap_class_key(classes, class);

	nd_json_add_field(out, "\"class\":", nd_heap_class_name(classes, class));
	add_place(paths, key->is_located, key->script, key->line, key->column, out);
}

static void add_words(const struct nd_heap_paths *paths, uint32_t node, struct nd_buf *out)
{
	struct nd_buf words;

	nd_buf_init(&words, ND_OUTPUT_MAX);
	nd_heap_add_words(paths, node, false, &words);
	nd_json_add_field(out, ",\"path\":", words.data);
	nd_buf_fini(&words);
}

void nd_heap_json_object(const struct nd_heap_paths *paths, uint32_t node, bool has_way,
			 struct nd_buf *out)
{
	const struct nd_heap *heap = paths->heap;
	const struct nd_heap_analysis *a = paths->analysis;
	const struct nd_heap_location *location = nd_heap_find_location(heap, node);

	assert(a->distance);
	nd_buf_addf(out, "{\"id\":%" PRIu32 ",\"kind\":\"%s\"", heap->id[node],
		    nd_heap_node_type_name((enum nd_heap_node_type)heap->type[node]));
	nd_json_add_field(out, ",\"name\":", nd_heap_name(heap, node));
	nd_json_add_field(out, ",\"class\":", nd_heap_class_name(&a->classes, a->class_of[node]));
	add_place(paths, location, location ? location->script : 0, location ? location->line : 0,
		  location ? location->column : 0, out);
	nd_buf_addf(out, ",\"self_bytes\":%" PRIu64 ",\"retained_bytes\":%" PRIu64,
		    heap->self_size[node], a->retained[node]);
	nd_buf_addf(out, ",\"distance\":%" PRId32, a->distance[node]);
	if (has_way)
		add_words(paths, node, out);
	nd_buf_add_char(out, '}');
}

void nd_heap_json_suspects(const struct nd_heap_paths *paths,
			   const struct nd_heap_suspects *suspects, uint32_t steps,
			   struct nd_buf *out)
{
	const struct nd_heap_suspect *suspect;
	uint32_t i, step;

	for (i = 0; i < suspects->count; i++) {
		suspect = &suspects->suspect[i];
		nd_buf_addf(out, "%s{\"bytes\":%" PRIu64, i ? ",\n" : "\n", suspect->bytes);
		nd_buf_addf(out, ",\"share\":%.4f",
			    suspects->bytes ? (double)suspect->bytes / (double)suspects->bytes : 0);
		nd_buf_addf(out, ",\"count\":%" PRIu32 ",\"others\":%" PRIu32, suspect->count,
			    suspect->others);
		nd_buf_addf(out, ",\"class_bytes\":%" PRIu64 ",", suspect->class_bytes);
		nd_heap_json_class(paths, &paths->analysis->classes, suspect->class, out);
		add_words(paths, suspect->point, out);
		if (steps)
			nd_buf_add_str(out, ",\"step_bytes\":[");
		for (step = 0; step < steps; step++)
			nd_buf_addf(out, "%s%" PRIu64, step ? "," : "", suspect->step_bytes[step]);
		nd_buf_add_str(out, steps ? "],\"holder\":" : ",\"holder\":");
		nd_heap_json_object(paths, suspect->point, false, out);
		nd_buf_add_str(out, ",\"example\":");
		nd_heap_json_object(paths, suspect->example, false, out);
		nd_buf_add_str(out, ",\"way\":");
		nd_heap_json_way(paths, suspect->point, out);
		nd_buf_add_char(out, '}');
	}
}

void nd_heap_json_edge(const struct nd_heap *heap, uint32_t edge, struct nd_buf *out)
{
	enum nd_heap_edge_type type;

	if (edge == ND_HEAP_NONE) {
		nd_buf_add_str(out, "\"edge\":null,\"edge_name\":null");
		return;
	}
	type = nd_heap_edge_type(heap, edge);
	nd_buf_addf(out, "\"edge\":\"%s\",\"edge_name\":", nd_heap_edge_type_name(type));
	if (nd_heap_edge_is_numbered(type))
		nd_buf_addf(out, "%" PRIu32, heap->edge_name[edge]);
	else
		nd_json_add_string(out, nd_heap_string(heap, heap->edge_name[edge]));
}

void nd_heap_json_steps(const struct nd_heap_paths *paths, const struct nd_heap_step *steps,
			uint32_t count, struct nd_buf *out)
{
	uint32_t i;

	nd_buf_add_char(out, '[');
	for (i = 0; i < count; i++) {
		nd_buf_add_str(out, i ? ",{" : "{");
		nd_heap_json_edge(paths->heap, steps[i].edge, out);
		nd_buf_add_str(out, ",\"object\":");
		nd_heap_json_object(paths, steps[i].node, false, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_char(out, ']');
}

void nd_heap_json_way(const struct nd_heap_paths *paths, uint32_t node, struct nd_buf *out)
{
	struct nd_heap_step steps[ND_HEAP_STEPS_MAX];
	uint32_t count = nd_heap_find_way(paths, node, steps);

	nd_heap_json_steps(paths, steps, count, out);
}
