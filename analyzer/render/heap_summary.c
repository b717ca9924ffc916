/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/summary.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/heap_json.h"
#include "analyzer/render/heap_keepers.h"
#include "analyzer/render/heap_text.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"

#define TIMES "\xc3\x97"

/* Columns of a string in the table of strings. */
#define STRING_COLUMNS 60

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

static void add_kinds(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	const char *separator = "  ";
	int kind;

	for (kind = 0; kind < ND_HEAP_NODE_TYPES; kind++) {
		if (s->kind[kind].bytes < s->bytes / 100)
			continue;
		nd_buf_addf(t->out, "%s%s ", separator,
			    nd_heap_node_type_name((enum nd_heap_node_type)kind));
		nd_heap_text_bytes(t, s->kind[kind].bytes, 0);
		separator = ", ";
	}
	nd_buf_add_char(t->out, '\n');
}

static void add_suspects(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	const struct nd_heap_suspect *suspect;
	uint32_t i;

	if (!s->suspects.count)
		return;
	nd_heap_text_styled(t, ND_TERMINAL_BOLD, "\nwhere memory gathers\n");
	for (i = 0; i < s->suspects.count; i++) {
		suspect = &s->suspects.suspect[i];
		nd_heap_text_bytes(t, suspect->bytes, 10);
		nd_buf_add_str(t->out, "  ");
		nd_heap_text_share(t, suspect->bytes, s->bytes);
		nd_buf_add_str(t->out, "  ");
		nd_heap_text_way(t, suspect->point);
		nd_buf_addf(t->out, "\n%22s", "");
		nd_heap_text_count(t, suspect->count, 0);
		nd_buf_add_str(t->out, " " TIMES " ");
		nd_heap_text_class(t, &s->paths->analysis->classes, suspect->class);
		nd_buf_add_str(t->out, " in ");
		nd_heap_text_object(t, suspect->point);
		nd_buf_add_char(t->out, '\n');
	}
}

static void add_classes(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	const struct nd_heap_analysis *a = s->paths->analysis;
	const struct nd_heap_class *class;
	uint32_t i;

	nd_heap_text_styled(t, ND_TERMINAL_BOLD,
			    "\n    objects        self    retained          class\n");
	for (i = 0; i < s->class_count; i++) {
		class = &a->class[s->class[i]];
		nd_heap_text_count(t, class->count, 11);
		nd_heap_text_bytes(t, class->self, 12);
		nd_heap_text_bytes(t, class->retained, 12);
		nd_heap_text_share(t, class->retained, s->bytes);
		nd_buf_add_str(t->out, "  ");
		nd_heap_text_class(t, &a->classes, s->class[i]);
		nd_buf_add_char(t->out, '\n');
	}
}

static void add_objects(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	const struct nd_heap_analysis *a = s->paths->analysis;
	uint32_t i;

	nd_heap_text_styled(t, ND_TERMINAL_BOLD,
			    "\n   retained          object, and the way to it\n");
	for (i = 0; i < s->object_count; i++) {
		nd_heap_text_bytes(t, a->retained[s->object[i]], 11);
		nd_heap_text_share(t, a->retained[s->object[i]], s->bytes);
		nd_buf_add_str(t->out, "  ");
		nd_heap_text_object(t, s->object[i]);
		nd_buf_add_str(t->out, ": ");
		nd_heap_text_way(t, s->object[i]);
		nd_buf_add_char(t->out, '\n');
	}
}

static void add_duplicates(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	uint32_t i;

	if (!s->duplicate_count)
		return;
	nd_buf_add_str(t->out, "\nstrings that are there several times waste ");
	nd_heap_text_bytes(t, s->waste, 0);
	nd_heap_text_styled(t, ND_TERMINAL_BOLD, "\n      waste      copies  string\n");
	for (i = 0; i < s->duplicate_count; i++) {
		nd_heap_text_bytes(t, nd_heap_duplicate_waste(&s->duplicate[i]), 11);
		nd_heap_text_count(t, s->duplicate[i].count, 12);
		nd_buf_add_str(t->out, "  \"");
		nd_heap_text_foreign(t, nd_heap_string(s->paths->heap, s->duplicate[i].string),
				     STRING_COLUMNS);
		nd_buf_add_str(t->out, "\"\n");
	}
}

int nd_render_heap_summary(const struct nd_heap_summary *s, const char *name, bool colour,
			   struct nd_buf *out)
{
	const struct nd_heap_text t = {s->paths, colour, out};

	nd_heap_text_styled(&t, ND_TERMINAL_BOLD, name);
	nd_buf_add_str(out, ": ");
	nd_heap_text_count(&t, s->objects, 0);
	nd_buf_add_str(out, " objects, ");
	nd_heap_text_bytes(&t, s->bytes, 0);
	if (s->paths->heap->extra_native_bytes) {
		nd_buf_add_str(out, "; native memory beside ");
		nd_heap_text_bytes(&t, s->paths->heap->extra_native_bytes, 0);
	}
	nd_buf_add_char(out, '\n');
	add_kinds(&t, s);
	add_suspects(&t, s);
	add_classes(&t, s);
	add_objects(&t, s);
	add_duplicates(&t, s);
	nd_heap_text_keepers(&t, s);
	return nd_buf_error(out);
}

static void add_json_kinds(const struct nd_heap_summary *s, struct nd_buf *out)
{
	const char *separator = "\n";
	int kind;

	nd_buf_add_str(out, ",\n\"kinds\":[");
	for (kind = 0; kind < ND_HEAP_NODE_TYPES; kind++) {
		if (!s->kind[kind].count)
			continue;
		nd_buf_addf(out, "%s{\"kind\":\"%s\",\"count\":%" PRIu32 ",\"bytes\":%" PRIu64 "}",
			    separator, nd_heap_node_type_name((enum nd_heap_node_type)kind),
			    s->kind[kind].count, s->kind[kind].bytes);
		separator = ",\n";
	}
}

static void add_json_classes(const struct nd_heap_summary *s, struct nd_buf *out)
{
	const struct nd_heap_analysis *a = s->paths->analysis;
	const struct nd_heap_class *class;
	uint32_t i;

	nd_buf_add_str(out, "],\n\"classes\":[");
	for (i = 0; i < s->class_count; i++) {
		class = &a->class[s->class[i]];
		nd_buf_add_str(out, i ? ",\n{" : "\n{");
		nd_heap_json_class(s->paths, &a->classes, s->class[i], out);
		nd_buf_addf(out, ",\"count\":%" PRIu32 ",\"self_bytes\":%" PRIu64, class->count,
			    class->self);
		nd_buf_addf(out, ",\"retained_bytes\":%" PRIu64 ",\"distance\":%" PRId32 "}",
			    class->retained, class->distance);
	}
}

static void add_json_objects(const struct nd_heap_summary *s, struct nd_buf *out)
{
	uint32_t i;

	nd_buf_add_str(out, "],\n\"objects\":[");
	for (i = 0; i < s->object_count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		nd_heap_json_object(s->paths, s->object[i], true, out);
	}
	nd_buf_addf(out, "],\n\"duplicate_bytes\":%" PRIu64 ",\n\"duplicates\":[", s->waste);
	for (i = 0; i < s->duplicate_count; i++) {
		nd_buf_add_str(out, i ? ",\n{" : "\n{");
		nd_json_add_field(
			out, "\"string\":", nd_heap_string(s->paths->heap, s->duplicate[i].string));
		nd_buf_addf(out, ",\"count\":%" PRIu32 ",\"bytes\":%" PRIu64 "}",
			    s->duplicate[i].count, s->duplicate[i].size);
	}
}

int nd_render_heap_summary_json(const struct nd_heap_summary *s, const char *name,
				struct nd_buf *out)
{
	nd_buf_addf(out, "{\"format\":\"nodiag-heap-summary\",\"version\":%d", VERSION);
	nd_json_add_field(out, ",\"file\":", name);
	nd_buf_addf(out, ",\"count\":%" PRIu32 ",\"bytes\":%" PRIu64, s->objects, s->bytes);
	nd_buf_addf(out, ",\"native_bytes\":%" PRIu64, s->paths->heap->extra_native_bytes);
	add_json_kinds(s, out);
	nd_buf_add_str(out, "],\n\"suspects\":[");
	nd_heap_json_suspects(s->paths, &s->suspects, 0, out);
	add_json_classes(s, out);
	add_json_objects(s, out);
	nd_buf_add_char(out, ']');
	nd_heap_json_keepers(s, out);
	nd_buf_add_str(out, "}\n");
	return nd_buf_error(out);
}
