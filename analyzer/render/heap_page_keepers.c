/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/heap_page_keepers.h"

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/collections.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/summary.h"
#include "analyzer/render/heap_page_data.h"
#include "common/intern.h"

/* Of each table. */
#define ROWS_MAX 500

/* Columns of a module's name. */
#define NAME_COLUMNS 200

#define COLUMNS(list) (list), (uint32_t)(sizeof(list) / sizeof((list)[0]))

/* Say how many more there are. */
static void end_table(struct nd_heap_page *page, uint32_t count)
{
	if (count > ROWS_MAX) {
		nd_heap_text_count(&page->text, count - ROWS_MAX, 0);
		nd_buf_add_str(&page->words, " smaller ones are not here.");
	}
	nd_heap_page_end_table(page);
}

static void add_modules(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column columns[] = {
		{"Keeps", "share", "bytes whose nearest keeper is of the module"},
		{"Objects", "count", "how many these are"},
		{"Module", "text", "package, file of the program, or Node.js"},
		{"Kind", "text", "package or file"},
	};
	const struct nd_heap_page_table table = {"modules", "Modules",
						 "Each byte is charged once, to who keeps it.",
						 s->bytes, COLUMNS(columns)};
	uint32_t i;

	nd_heap_page_begin_table(page, &table);
	for (i = 0; i < s->modules.count && i < ROWS_MAX; i++) {
		const struct nd_heap_module *module = &s->modules.module[i];
		const char *kind = nd_heap_module_kind_name(module->kind);

		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, module->bytes);
		nd_heap_page_add_number(page, module->count);
		if (module->kind == ND_HEAP_MODULE_NONE)
			nd_buf_add_str(&page->words, "(V8, or shared by modules)");
		else if (module->kind == ND_HEAP_MODULE_NODE)
			nd_buf_add_str(&page->words, "Node.js");
		else
			nd_heap_text_foreign(&page->text,
					     nd_intern_get(s->modules.names, module->name),
					     NAME_COLUMNS);
		nd_heap_page_add_words(page);
		nd_buf_add_str(&page->words, kind ? kind : "");
		nd_heap_page_add_words(page);
	}
	end_table(page, s->modules.count);
}

/* `tell` gives the node that tells what a group is: its example, or what stands for that. */
static void add_groups(struct nd_heap_page *page, const struct nd_heap_page_table *table,
		       const struct nd_heap_table *groups,
		       uint32_t (*tell)(const struct nd_heap_paths *paths, uint32_t example))
{
	uint32_t i;

	if (!groups->count)
		return;
	nd_heap_page_begin_table(page, table);
	for (i = 0; i < groups->count && i < ROWS_MAX; i++) {
		const struct nd_heap_group *group = &groups->row[i];

		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, group->retained);
		nd_heap_page_add_number(page, group->self);
		nd_heap_page_add_number(page, group->count);
		nd_heap_text_object(&page->text, tell(page->text.paths, group->example));
		nd_heap_page_add_words(page);
	}
	end_table(page, groups->count);
}

static uint32_t tell_itself(const struct nd_heap_paths *paths, uint32_t example)
{
	(void)paths;
	return example;
}

static void add_keepers(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column closures[] = {
		{"Retained", "share", "what would be free without all of them"},
		{"Self", "bytes", "of the functions themselves"},
		{"Closures", "count", "functions made at that place"},
		{"Such as", "object", "one of them, with its place"},
	};
	static const struct nd_heap_page_column scopes[] = {
		{"Retained", "share", "what would be free without all of them"},
		{"Self", "bytes", "of the scopes themselves"},
		{"Scopes", "count", "of calls of the same function"},
		{"Kept by", "object", "a function that was made in it"},
	};
	static const struct nd_heap_page_column detached[] = {
		{"Retained", "share", "what would be free without all of them"},
		{"Self", "bytes", "of the nodes themselves"},
		{"Nodes", "count", "that are of no page any more"},
		{"Such as", "object", "one of them"},
	};
	const struct nd_heap_page_table closure_table = {
		"closures", "Functions",
		"By where they are defined; those of V8 itself are nowhere.", s->bytes,
		COLUMNS(closures)};
	const struct nd_heap_page_table scope_table = {
		"scopes", "Scopes",
		"Variables of calls that are over, kept by functions that were made in them.",
		s->bytes, COLUMNS(scopes)};
	const struct nd_heap_page_table detached_table = {"detached", "Detached nodes", NULL,
							  s->bytes, COLUMNS(detached)};

	add_groups(page, &closure_table, &s->keepers.closures, tell_itself);
	add_groups(page, &scope_table, &s->keepers.scopes, nd_heap_find_scope_function);
	add_groups(page, &detached_table, &s->keepers.detached, tell_itself);
}

static void add_buffers(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column columns[] = {
		{"Size", "bytes", "outside of V8's heap"},
		{"Buffer", "object", "its memory, and its id"},
		{"Way", "code", "a shortest way to it, as an expression"},
	};
	const struct nd_heap_page_table table = {"buffers", "Big buffers",
						 "Of 64 KiB or more, outside of V8's heap.", 0,
						 COLUMNS(columns)};
	uint32_t i;

	if (!s->buffer_count)
		return;
	nd_heap_page_begin_table(page, &table);
	for (i = 0; i < s->buffer_count && i < ROWS_MAX; i++) {
		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, s->paths->heap->self_size[s->buffer[i]]);
		nd_heap_text_object(&page->text, s->buffer[i]);
		nd_heap_page_add_words(page);
		nd_heap_text_way(&page->text, s->buffer[i]);
		nd_heap_page_add_words(page);
	}
	end_table(page, s->buffer_count);
}

static void add_collections(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column columns[] = {
		{"Empty have", "bytes", "those that are empty, with their tables"},
		{"Free room", "bytes", "room for elements that are not there"},
		{"All", "count", "of that class"},
		{"Empty", "count", "that have nothing in them"},
		{"Class", "text", "name of the constructor"},
	};
	const struct nd_heap_page_table table = {
		"collections", "Collections",
		"Those with nothing in them, and room for what is not there.", 0, COLUMNS(columns)};
	int kind;

	nd_heap_page_begin_table(page, &table);
	for (kind = 0; kind < ND_HEAP_COLLECTION_KINDS; kind++) {
		const struct nd_heap_collection_sum *sum = &s->collections->kind[kind];

		if (!sum->count)
			continue;
		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, sum->empty_bytes);
		nd_heap_page_add_number(page, sum->slack_bytes);
		nd_heap_page_add_number(page, sum->count);
		nd_heap_page_add_number(page, sum->empty);
		nd_buf_add_str(&page->words,
			       nd_heap_collection_name((enum nd_heap_collection_kind)kind));
		nd_heap_page_add_words(page);
	}
	nd_heap_page_end_table(page);
}

static void add_slack(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	static const struct nd_heap_page_column columns[] = {
		{"Free room", "bytes", "for elements that are not there"},
		{"Used", "count", "elements, up to the last one that the snapshot shows"},
		{"Capacity", "count", "elements that it has room for"},
		{"Collection", "object", "what it is, and its id"},
		{"Way", "code", "a shortest way to it, as an expression"},
	};
	const struct nd_heap_page_table table = {
		"slack", "Room in collections",
		"A snapshot does not show small whole numbers and the like, which may be there.", 0,
		COLUMNS(columns)};
	uint32_t i;

	if (!s->collections->slack_count)
		return;
	nd_heap_page_begin_table(page, &table);
	for (i = 0; i < s->collections->slack_count && i < ROWS_MAX; i++) {
		const struct nd_heap_slack *slack = &s->collections->slack[i];

		nd_heap_page_begin_row(page);
		nd_heap_page_add_number(page, slack->bytes);
		nd_heap_page_add_number(page, slack->used);
		nd_heap_page_add_number(page, slack->capacity);
		nd_heap_text_object(&page->text, slack->node);
		nd_heap_page_add_words(page);
		nd_heap_text_way(&page->text, slack->node);
		nd_heap_page_add_words(page);
	}
	end_table(page, s->collections->slack_count);
}

void nd_heap_page_add_keepers(struct nd_heap_page *page, const struct nd_heap_summary *s)
{
	add_modules(page, s);
	add_keepers(page, s);
	add_buffers(page, s);
	add_collections(page, s);
	add_slack(page, s);
}
