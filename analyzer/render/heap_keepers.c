/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/heap_keepers.h"

#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/collections.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/summary.h"
#include "analyzer/render/heap_text.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"
#include "common/intern.h"

/* Columns of a module's name. */
#define NAME_COLUMNS 100

static uint32_t rows_of(const struct nd_heap_summary *s, uint32_t count)
{
	uint32_t rows = (s->limit + 2) / 3;

	return count < rows ? count : rows;
}

static void add_modules(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	const struct nd_heap_module *module;
	uint32_t i, rows = rows_of(s, s->modules.count);

	nd_heap_text_styled(t, ND_TERMINAL_BOLD, "\n    objects       keeps          module\n");
	for (i = 0; i < rows; i++) {
		module = &s->modules.module[i];
		nd_heap_text_count(t, module->count, 11);
		nd_heap_text_bytes(t, module->bytes, 12);
		nd_heap_text_share(t, module->bytes, s->bytes);
		nd_buf_add_str(t->out, "  ");
		if (module->kind == ND_HEAP_MODULE_NONE)
			nd_buf_add_str(t->out, "(V8, or shared by modules)");
		else if (module->kind == ND_HEAP_MODULE_NODE)
			nd_buf_add_str(t->out, "Node.js");
		else
			nd_heap_text_foreign(t, nd_intern_get(s->modules.names, module->name),
					     NAME_COLUMNS);
		nd_buf_add_str(t->out,
			       module->kind == ND_HEAP_MODULE_PACKAGE ? " (package)\n" : "\n");
	}
}

static void add_group(const struct nd_heap_text *t, const struct nd_heap_summary *s,
		      const struct nd_heap_group *group)
{
	nd_heap_text_count(t, group->count, 11);
	nd_heap_text_bytes(t, group->self, 12);
	nd_heap_text_bytes(t, group->retained, 12);
	nd_heap_text_share(t, group->retained, s->bytes);
	nd_buf_add_str(t->out, "  ");
}

static void add_closures(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	uint32_t i, rows = rows_of(s, s->keepers.closures.count);

	if (!rows)
		return;
	nd_heap_text_styled(t, ND_TERMINAL_BOLD,
			    "\n   closures        self    retained          such as\n");
	for (i = 0; i < rows; i++) {
		add_group(t, s, &s->keepers.closures.row[i]);
		nd_heap_text_object(t, s->keepers.closures.row[i].example);
		nd_buf_add_char(t->out, '\n');
	}
}

static void add_scopes(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	uint32_t i, rows = rows_of(s, s->keepers.scopes.count);

	if (!rows)
		return;
	nd_heap_text_styled(
		t, ND_TERMINAL_BOLD,
		"\n     scopes        self    retained          of calls that are over, "
		"kept by\n");
	for (i = 0; i < rows; i++) {
		add_group(t, s, &s->keepers.scopes.row[i]);
		nd_heap_text_object(
			t, nd_heap_find_scope_function(s->paths, s->keepers.scopes.row[i].example));
		nd_buf_add_char(t->out, '\n');
	}
}

static void add_detached(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	const struct nd_heap_analysis *a = s->paths->analysis;
	uint32_t i, rows = rows_of(s, s->keepers.detached.count);

	if (!rows)
		return;
	nd_heap_text_styled(t, ND_TERMINAL_BOLD,
			    "\n      nodes        self    retained          detached\n");
	for (i = 0; i < rows; i++) {
		add_group(t, s, &s->keepers.detached.row[i]);
		nd_heap_text_class(t, &a->classes, a->class_of[s->keepers.detached.row[i].example]);
		nd_buf_add_char(t->out, '\n');
	}
}

static void add_buffers(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	uint32_t i, rows = rows_of(s, s->buffer_count);

	if (!s->buffers.count)
		return;
	nd_buf_add_char(t->out, '\n');
	nd_heap_text_count(t, s->buffers.count, 0);
	nd_buf_add_str(t->out, " buffers outside of the heap have ");
	nd_heap_text_bytes(t, s->buffers.bytes, 0);
	nd_buf_add_char(t->out, '\n');
	for (i = 0; i < rows; i++) {
		nd_heap_text_bytes(t, s->paths->heap->self_size[s->buffer[i]], 11);
		nd_buf_addf(t->out, "  @%" PRIu32 ": ", s->paths->heap->id[s->buffer[i]]);
		nd_heap_text_way(t, s->buffer[i]);
		nd_buf_add_char(t->out, '\n');
	}
}

static void add_sum(const struct nd_heap_text *t, enum nd_heap_collection_kind kind,
		    const struct nd_heap_collection_sum *sum)
{
	nd_heap_text_count(t, sum->count, 11);
	nd_heap_text_count(t, sum->empty, 12);
	nd_heap_text_bytes(t, sum->empty_bytes, 12);
	nd_heap_text_bytes(t, sum->slack_bytes, 12);
	nd_buf_addf(t->out, "  %s\n", nd_heap_collection_name(kind));
}

static void add_collections(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	const struct nd_heap_collections *c = s->collections;
	const struct nd_heap_slack *slack;
	uint32_t i, rows = rows_of(s, c->slack_count);
	int kind;

	nd_heap_text_styled(t, ND_TERMINAL_BOLD,
			    "\n        all       empty        have  free room  collections\n");
	for (kind = 0; kind < ND_HEAP_COLLECTION_KINDS; kind++)
		if (c->kind[kind].count)
			add_sum(t, (enum nd_heap_collection_kind)kind, &c->kind[kind]);
	for (i = 0; i < rows; i++) {
		slack = &c->slack[i];
		nd_heap_text_bytes(t, slack->bytes, 47);
		nd_buf_add_str(t->out, "  uses ");
		nd_heap_text_count(t, slack->used, 0);
		nd_buf_add_str(t->out, " of ");
		nd_heap_text_count(t, slack->capacity, 0);
		nd_buf_add_str(t->out, ": ");
		nd_heap_text_object(t, slack->node);
		nd_buf_add_str(t->out, ": ");
		nd_heap_text_way(t, slack->node);
		nd_buf_add_char(t->out, '\n');
	}
}

void nd_heap_text_keepers(const struct nd_heap_text *t, const struct nd_heap_summary *s)
{
	add_modules(t, s);
	add_closures(t, s);
	add_scopes(t, s);
	add_detached(t, s);
	add_buffers(t, s);
	add_collections(t, s);
}
