/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The page about a heap, or about several that are compared. heap_page_data.h describes the data.
 */

#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/diff.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/summary.h"
#include "analyzer/heap/suspects.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/heap_page_data.h"
#include "analyzer/render/heap_page_keepers.h"
#include "analyzer/render/heap_page_map.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/page.h"
#include "common/buf.h"

/* Of the tables whose rows are long, or say little after the first hundred. */
#define OBJECT_ROWS    200
#define DUPLICATE_ROWS 500

/* Columns of a string in the table of strings. */
#define STRING_COLUMNS 200

#define COLUMNS(list) (list), (uint32_t)(sizeof(list) / sizeof((list)[0]))

struct answer {
	const struct nd_heap_summary *summary; /* NULL in a comparison */
	const struct nd_heap_comparison *comparison;
	const struct nd_heap_paths *paths;
	const struct nd_heap_suspects *suspects;
	const struct nd_heap_outline *outline;
	const char *name;
};

static void add_file(struct nd_heap_page *page, const char *name, uint64_t bytes)
{
	nd_heap_page_comma(page);
	nd_json_add_field(page->json, "{\"name\":", name);
	nd_buf_addf(page->json, ",\"bytes\":%" PRIu64 "}", bytes);
}

static void add_summary_head(struct nd_heap_page *page, const struct answer *answer)
{
	const struct nd_heap_summary *s = answer->summary;
	int kind;

	nd_buf_add_str(page->json, "\"kind\":\"summary\",\"files\":[");
	add_file(page, answer->name, s->bytes);
	nd_buf_addf(page->json, "],\"objects\":%" PRIu32 ",\"bytes\":%" PRIu64, s->objects,
		    s->bytes);
	nd_buf_addf(page->json, ",\"native\":%" PRIu64 ",\"kinds\":[",
		    s->paths->heap->extra_native_bytes);
	for (kind = 0; kind < ND_HEAP_NODE_TYPES; kind++) {
		if (!s->kind[kind].count)
			continue;
		nd_heap_page_comma(page);
		nd_buf_addf(page->json, "[\"%s\",%" PRIu32 ",%" PRIu64 "]",
			    nd_heap_node_type_name((enum nd_heap_node_type)kind),
			    s->kind[kind].count, s->kind[kind].bytes);
	}
	nd_buf_add_char(page->json, ']');
}

static void add_diff_head(struct nd_heap_page *page, const struct answer *answer)
{
	const struct nd_heap_comparison *c = answer->comparison;
	uint32_t i;

	nd_buf_add_str(page->json, "\"kind\":\"diff\",\"files\":[");
	for (i = 0; i <= c->series->count; i++)
		add_file(page, c->names[i], nd_heap_series_bytes(c->series, i));
	nd_buf_addf(
		page->json, "],\"new\":%" PRIu64 ",\"grown\":%" PRId64 ",\"mixed\":%s,\"ways\":%s",
		c->suspects->bytes, c->diff->grown,
		nd_heap_diff_is_mixed(c->diff) ? "true" : "false", c->by_ways ? "true" : "false");
}

static void add_path(struct nd_heap_page *page, uint32_t node)
{
	struct nd_heap_step steps[ND_HEAP_STEPS_MAX];
	uint32_t count = nd_heap_find_way(page->text.paths, node, steps), i;

	nd_buf_add_str(page->json, ",\"path\":[");
	for (i = 0; i < count; i++) {
		nd_buf_add_str(page->json, i ? ",[" : "[");
		if (steps[i].edge != ND_HEAP_NONE)
			nd_heap_text_edge(&page->text, steps[i].edge);
		nd_heap_page_add_words(page);
		nd_heap_text_object(&page->text, steps[i].node);
		nd_heap_page_add_words(page);
		nd_heap_page_add_number(page, page->text.paths->analysis->retained[steps[i].node]);
		nd_buf_add_char(page->json, ']');
	}
	nd_buf_add_char(page->json, ']');
}

static void add_suspect(struct nd_heap_page *page, const struct nd_heap_suspect *suspect,
			uint32_t steps)
{
	const struct nd_heap_paths *paths = page->text.paths;
	uint32_t i;

	nd_heap_page_comma(page);
	nd_heap_text_way(&page->text, suspect->point);
	nd_heap_page_add_field(page, "{\"way\":");
	nd_heap_text_class(&page->text, &paths->analysis->classes, suspect->class);
	nd_heap_page_add_field(page, ",\"class\":");
	nd_heap_text_object(&page->text, suspect->point);
	nd_heap_page_add_field(page, ",\"holder\":");
	nd_heap_text_object(&page->text, suspect->example);
	nd_heap_page_add_field(page, ",\"example\":");
	nd_buf_addf(page->json, ",\"bytes\":%" PRIu64 ",\"count\":%" PRIu32, suspect->bytes,
		    suspect->count);
	nd_buf_addf(page->json, ",\"others\":%" PRIu32 ",\"id\":%" PRIu32 ",\"steps\":[",
		    suspect->others, paths->heap->id[suspect->point]);
	for (i = 0; i < steps; i++)
		nd_heap_page_add_number(page, suspect->step_bytes[i]);
	nd_buf_add_char(page->json, ']');
	add_path(page, suspect->point);
	nd_buf_add_char(page->json, '}');
}

static void add_suspects(struct nd_heap_page *page, const struct answer *answer)
{
	const struct nd_heap_comparison *c = answer->comparison;
	uint32_t i, steps = c && c->series->count > 1 ? c->series->count : 0;

	nd_buf_addf(page->json, ",\"suspectsOf\":%" PRIu64 ",\n\"suspects\":[",
		    answer->suspects->bytes);
	for (i = 0; i < answer->suspects->count; i++)
		add_suspect(page, &answer->suspects->suspect[i], steps);
	nd_buf_add_char(page->json, ']');
}

/* The classes that retain most. */
static void add_classes(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column columns[] = {
		{"Retained", "share", "what would be free without all objects of the class"},
		{"Self", "share", "of the objects themselves"},
		{"Objects", "count", "objects that have a size of their own"},
		{"Distance", "distance", "steps from the roots to the nearest of them"},
		{"Class", "text", "name of the constructor, or kind, or properties"},
		{"Constructor at", "code", "file and line, where they are known"},
	};
	const struct nd_heap_page_table table = {"classes", "Classes", NULL, s->bytes,
						 COLUMNS(columns)};
	const struct nd_heap_analysis *a = s->paths->analysis;
	uint64_t bytes = s->bytes;
	uint32_t objects = s->objects, i;

	nd_heap_page_begin_table(page, &table);
	for (i = 0; i < s->class_count && i < ND_HEAP_PAGE_ROWS; i++) {
		const struct nd_heap_class *class = &a->class[s->class[i]];

		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, class->retained);
		nd_heap_page_add_number(page, class->self);
		nd_heap_page_add_number(page, class->count);
		nd_heap_page_add_growth(page, class->distance);
		nd_heap_page_add_class(page, &a->classes, s->class[i]);
		bytes -= class->self;
		objects -= class->count;
	}
	if (i < s->classes) {
		nd_heap_text_count(&page->text, s->classes - i, 0);
		nd_buf_add_str(&page->words, " classes that retain less are not here: ");
		nd_heap_text_count(&page->text, objects, 0);
		nd_buf_add_str(&page->words, " objects, ");
		nd_heap_text_bytes(&page->text, bytes, 0);
		nd_buf_add_str(&page->words, " of their own.");
	}
	nd_heap_page_end_table(page);
}

static void add_objects(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column columns[] = {
		{"Retained", "share", "what would be free without it"},
		{"Object", "object", "what it is, and its id"},
		{"Way", "code", "a shortest way to it, as an expression"},
	};
	const struct nd_heap_page_table table = {"objects", "Largest objects",
						 "Those that no other object has for itself alone.",
						 s->bytes, COLUMNS(columns)};
	uint32_t i;

	nd_heap_page_begin_table(page, &table);
	for (i = 0; i < s->object_count && i < OBJECT_ROWS; i++) {
		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, s->paths->analysis->retained[s->object[i]]);
		nd_heap_text_object(&page->text, s->object[i]);
		nd_heap_page_add_words(page);
		nd_heap_text_way(&page->text, s->object[i]);
		nd_heap_page_add_words(page);
	}
	if (i < s->object_count)
		nd_buf_addf(&page->words, "Those that retain less than these %d are not here.",
			    OBJECT_ROWS);
	nd_heap_page_end_table(page);
}

static void add_duplicates(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column columns[] = {
		{"Waste", "share", "what one copy instead of all would save"},
		{"Copies", "count", "how many times it is there"},
		{"Each", "bytes", "the size of one of them"},
		{"String", "code", "its text, or the start of it"},
	};
	const struct nd_heap_page_table table = {
		"strings", "Duplicate strings",
		"V8 writes the first 1,024 characters: longer ones of one length may still differ.",
		s->bytes, COLUMNS(columns)};
	uint64_t waste = s->waste;
	uint32_t i;

	nd_heap_page_begin_table(page, &table);
	for (i = 0; i < s->duplicate_count && i < DUPLICATE_ROWS; i++) {
		const struct nd_heap_duplicate *duplicate = &s->duplicate[i];

		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, nd_heap_duplicate_waste(duplicate));
		nd_heap_page_add_number(page, duplicate->count);
		nd_heap_page_add_number(page, duplicate->size);
		nd_buf_add_char(&page->words, '"');
		nd_heap_text_foreign(&page->text, nd_heap_string(s->paths->heap, duplicate->string),
				     STRING_COLUMNS);
		nd_buf_add_char(&page->words, '"');
		nd_heap_page_add_words(page);
		waste -= nd_heap_duplicate_waste(duplicate);
	}
	if (waste) {
		nd_buf_add_str(&page->words, "Strings that waste less are not here: ");
		nd_heap_text_bytes(&page->text, waste, 0);
		nd_buf_add_str(&page->words, " together.");
	}
	nd_heap_page_end_table(page);
}

/* What classes gained, of all snapshots from the first to the last. */
static void add_deltas(struct nd_heap_page *page, const struct nd_heap_comparison *c)
{
	static const struct nd_heap_page_column columns[] = {
		{"Growth", "growth", "bytes of their own, from the first snapshot to the last"},
		{"Added", "count", "objects that are new"},
		{"Removed", "count", "objects that are gone"},
		{"Added bytes", "bytes", "of the objects that are new"},
		{"Freed bytes", "bytes", "of the objects that are gone"},
		{"Now", "bytes", "of all its objects in the last snapshot"},
		{"Class", "text", "name of the constructor, or kind, or properties"},
		{"Constructor at", "code", "file and line, where they are known"},
	};
	const struct nd_heap_page_table table = {
		"classes", c->series->count > 1 ? "Classes that grew each time" : "Classes", NULL,
		0, COLUMNS(columns)};
	uint32_t i, shown = 0, more = 0;
	int64_t bytes = 0;

	nd_heap_page_begin_table(page, &table);
	for (i = 0; i < c->diff->count; i++) {
		const struct nd_heap_delta *delta = &c->diff->delta[i];

		if (!nd_heap_is_told(c->series, c->diff, delta))
			continue;
		if (shown == ND_HEAP_PAGE_ROWS) {
			more++;
			bytes += nd_heap_delta_bytes(delta);
			continue;
		}
		shown++;
		nd_heap_page_begin_row(page);
		nd_heap_page_add_growth(page, nd_heap_delta_bytes(delta));
		nd_heap_page_add_number(page, delta->added);
		nd_heap_page_add_number(page, delta->removed);
		nd_heap_page_add_number(page, delta->added_bytes);
		nd_heap_page_add_number(page, delta->removed_bytes);
		nd_heap_page_add_number(page, delta->bytes);
		nd_heap_page_add_class(page, &c->diff->classes, delta->class);
	}
	if (more) {
		nd_heap_text_count(&page->text, more, 0);
		nd_buf_add_str(&page->words, " classes that grew less are not here: ");
		nd_heap_text_growth(&page->text, bytes, 0);
		nd_buf_add_str(&page->words, " together.");
	}
	nd_heap_page_end_table(page);
}

static int add_json(struct nd_heap_page *page, const struct answer *answer)
{
	int ret;

	nd_buf_add_char(page->json, '{');
	if (answer->summary)
		add_summary_head(page, answer);
	else
		add_diff_head(page, answer);
	add_suspects(page, answer);
	nd_buf_add_str(page->json, ",\n\"tables\":[");
	if (answer->summary) {
		add_classes(page, answer->summary);
		add_objects(page, answer->summary);
		nd_heap_page_add_keepers(page, answer->summary);
		add_duplicates(page, answer->summary);
	} else {
		add_deltas(page, answer->comparison);
	}
	nd_buf_add_str(page->json, "],\n\"map\":");
	ret = nd_heap_page_add_map(page, answer->outline);
	nd_buf_add_char(page->json, '}');
	return ret ? ret : nd_buf_error(page->json);
}

static int add_data(const void *arg, struct nd_buf *out)
{
	const struct answer *answer = arg;
	struct nd_heap_page page;
	struct nd_buf json;
	int ret;

	nd_buf_init(&json, out->max);
	nd_heap_page_init(&page, answer->paths, &json);
	ret = add_json(&page, answer);
	if (!ret)
		ret = nd_page_add_json(out, &json);
	nd_heap_page_fini(&page);
	nd_buf_fini(&json);
	return ret;
}

int nd_render_heap_summary_html(const struct nd_heap_summary *summary,
				const struct nd_heap_outline *outline, const char *name,
				struct nd_buf *out)
{
	const struct answer answer = {
		.summary = summary,
		.paths = summary->paths,
		.suspects = &summary->suspects,
		.outline = outline,
		.name = name,
	};

	return nd_page_add(ND_PAGE_HEAP, add_data, &answer, out);
}

int nd_render_heap_diff_html(const struct nd_heap_comparison *comparison,
			     const struct nd_heap_outline *outline, struct nd_buf *out)
{
	const struct answer answer = {
		.comparison = comparison,
		.paths = comparison->paths,
		.suspects = comparison->suspects,
		.outline = outline,
	};

	return nd_page_add(ND_PAGE_HEAP, add_data, &answer, out);
}
