/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/heap_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/render/cell.h"
#include "analyzer/render/terminal.h"
#include "analyzer/render/units.h"
#include "common/buf.h"
#include "proto/limits.h"

/* Names and ways are cut to that; nobody reads more of them. */
#define NAME_COLUMNS   80
#define STRING_COLUMNS 40
#define EDGE_COLUMNS   60
#define WAY_COLUMNS    160

void nd_heap_text_styled(const struct nd_heap_text *t, const char *sgr, const char *text)
{
	nd_terminal_begin(t->out, t->colour, sgr);
	nd_buf_add_str(t->out, text);
	nd_terminal_end(t->out, t->colour);
}

void nd_heap_text_bytes(const struct nd_heap_text *t, uint64_t bytes, size_t width)
{
	char text[ND_UNITS_MAX];

	nd_cell_add_right(t->out, nd_units_weight(bytes, "bytes", text), width);
}

void nd_heap_text_count(const struct nd_heap_text *t, uint64_t count, size_t width)
{
	char text[ND_UNITS_MAX];

	nd_cell_add_right(t->out, nd_units_weight(count, NULL, text), width);
}

void nd_heap_text_growth(const struct nd_heap_text *t, int64_t bytes, size_t width)
{
	char text[ND_UNITS_MAX], sign[ND_UNITS_MAX + 1];

	nd_units_weight((uint64_t)(bytes < 0 ? -bytes : bytes), "bytes", text);
	snprintf(sign, sizeof(sign), "%c%s", bytes < 0 ? '-' : '+', text);
	nd_cell_add_right(t->out, sign, width);
}

void nd_heap_text_share(const struct nd_heap_text *t, uint64_t part, uint64_t whole)
{
	nd_buf_addf(t->out, "%6.1f %%", whole ? 100.0 * (double)part / (double)whole : 0);
}

void nd_heap_text_foreign(const struct nd_heap_text *t, const char *text, size_t width)
{
	struct nd_buf safe;

	nd_buf_init(&safe, ND_OUTPUT_MAX);
	nd_terminal_add(&safe, text);
	nd_cell_add_cut(t->out, &safe, width);
	nd_buf_fini(&safe);
}

void nd_heap_text_place(const struct nd_heap_text *t, uint32_t script, uint32_t line)
{
	struct nd_buf place;

	nd_buf_init(&place, ND_OUTPUT_MAX);
	nd_heap_add_place(t->paths, script, line, &place);
	nd_heap_text_foreign(t, place.data, NAME_COLUMNS);
	nd_buf_fini(&place);
}

static void add_place(const struct nd_heap_text *t, uint32_t script, uint32_t line)
{
	nd_buf_add_str(t->out, " (");
	nd_heap_text_place(t, script, line);
	nd_buf_add_char(t->out, ')');
}

void nd_heap_text_class(const struct nd_heap_text *t, const struct nd_heap_classes *classes,
			uint32_t class)
{
	const struct nd_heap_class_key *key = nd_heap_class_key(classes, class);

	nd_heap_text_foreign(t, nd_heap_class_name(classes, class), NAME_COLUMNS);
	if (key->is_located)
		add_place(t, key->script, key->line);
}

void nd_heap_text_what(const struct nd_heap_text *t, uint32_t node)
{
	const struct nd_heap *heap = t->paths->heap;
	const struct nd_heap_analysis *a = t->paths->analysis;
	const struct nd_heap_location *location = nd_heap_find_location(heap, node);
	const char *name = nd_heap_name(heap, node);

	if (node == heap->root) {
		nd_buf_add_str(t->out, "(root)");
	} else if (heap->type[node] == ND_HEAP_CLOSURE) {
		nd_buf_add_str(t->out, "function ");
		nd_heap_text_foreign(t, *name ? name : "(anonymous)", NAME_COLUMNS);
		if (location)
			add_place(t, location->script, location->line);
	} else if (heap->type[node] == ND_HEAP_STRING) {
		nd_buf_add_char(t->out, '"');
		nd_heap_text_foreign(t, name, STRING_COLUMNS);
		nd_buf_add_char(t->out, '"');
	} else if (heap->type[node] == ND_HEAP_OBJECT || heap->type[node] == ND_HEAP_NATIVE) {
		nd_heap_text_class(t, &a->classes, a->class_of[node]);
	} else {
		nd_heap_text_foreign(
			t, *name ? name : nd_heap_class_name(&a->classes, a->class_of[node]),
			NAME_COLUMNS);
	}
}

void nd_heap_text_object(const struct nd_heap_text *t, uint32_t node)
{
	nd_heap_text_what(t, node);
	nd_buf_addf(t->out, " @%" PRIu32, t->paths->heap->id[node]);
}

void nd_heap_text_head(const struct nd_heap_text *t, uint32_t node)
{
	nd_heap_text_object(t, node);
	nd_buf_add_str(t->out, ": ");
	nd_heap_text_bytes(t, t->paths->heap->self_size[node], 0);
	nd_buf_add_str(t->out, ", retains ");
	nd_heap_text_bytes(t, t->paths->analysis->retained[node], 0);
	nd_buf_add_str(t->out, "\n  ");
	nd_heap_text_way(t, node);
	nd_buf_add_char(t->out, '\n');
}

void nd_heap_text_edge(const struct nd_heap_text *t, uint32_t edge)
{
	enum nd_heap_edge_type type = nd_heap_edge_type(t->paths->heap, edge);
	struct nd_buf name;

	nd_buf_init(&name, ND_OUTPUT_MAX);
	nd_heap_add_edge(t->paths->heap, edge, &name);
	nd_heap_text_foreign(t, name.data, EDGE_COLUMNS);
	nd_buf_fini(&name);
	if (type != ND_HEAP_EDGE_PROPERTY && type != ND_HEAP_EDGE_ELEMENT)
		nd_buf_addf(t->out, " (%s)", nd_heap_edge_type_name(type));
}

void nd_heap_text_steps(const struct nd_heap_text *t, const struct nd_heap_step *steps,
			uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		nd_buf_add_str(t->out, "  ");
		if (steps[i].edge != ND_HEAP_NONE) {
			nd_heap_text_edge(t, steps[i].edge);
			nd_buf_add_str(t->out, " \xe2\x86\x92 ");
		}
		nd_heap_text_object(t, steps[i].node);
		nd_buf_add_char(t->out, '\n');
	}
}

void nd_heap_text_way(const struct nd_heap_text *t, uint32_t node)
{
	struct nd_buf words;

	nd_buf_init(&words, ND_OUTPUT_MAX);
	nd_heap_add_words(t->paths, node, false, &words);
	nd_heap_text_foreign(t, words.len ? words.data : "(no name on the way)", WAY_COLUMNS);
	nd_buf_fini(&words);
}
