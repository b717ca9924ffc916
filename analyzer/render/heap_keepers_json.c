/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/collections.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/summary.h"
#include "analyzer/render/heap_json.h"
#include "analyzer/render/heap_keepers.h"
#include "analyzer/render/json_text.h"
#include "common/buf.h"
#include "common/intern.h"

static uint32_t rows_of(const struct nd_heap_summary *s, uint32_t count)
{
	return count < s->limit ? count : s->limit;
}

static void add_modules(const struct nd_heap_summary *s, struct nd_buf *out)
{
	const struct nd_heap_module *module;
	uint32_t i, rows = rows_of(s, s->modules.count);

	nd_buf_add_str(out, ",\n\"modules\":[");
	for (i = 0; i < rows; i++) {
		module = &s->modules.module[i];
		nd_json_add_field(out, i ? ",\n{\"module\":" : "\n{\"module\":",
				  module->kind == ND_HEAP_MODULE_NONE
					  ? NULL
					  : nd_intern_get(s->modules.names, module->name));
		nd_json_add_field(out, ",\"kind\":", nd_heap_module_kind_name(module->kind));
		nd_buf_addf(out, ",\"count\":%" PRIu32 ",\"bytes\":%" PRIu64 "}", module->count,
			    module->bytes);
	}
	nd_buf_add_char(out, ']');
}

static void add_group(const struct nd_heap_summary *s, const struct nd_heap_group *group,
		      struct nd_buf *out)
{
	nd_buf_addf(out, "{\"count\":%" PRIu32 ",\"self_bytes\":%" PRIu64, group->count,
		    group->self);
	nd_buf_addf(out, ",\"retained_bytes\":%" PRIu64 ",\"example\":", group->retained);
	nd_heap_json_object(s->paths, group->example, true, out);
}

static void begin_table(const char *name, const struct nd_heap_table *table, struct nd_buf *out)
{
	nd_buf_addf(out, ",\n\"%s\":{\"count\":%" PRIu32 ",\"self_bytes\":%" PRIu64 ",\"groups\":[",
		    name, table->objects, table->self);
}

static void add_table(const struct nd_heap_summary *s, const char *name,
		      const struct nd_heap_table *table, struct nd_buf *out)
{
	uint32_t i, rows = rows_of(s, table->count);

	begin_table(name, table, out);
	for (i = 0; i < rows; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_group(s, &table->row[i], out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "]}");
}

static void add_scopes(const struct nd_heap_summary *s, struct nd_buf *out)
{
	uint32_t i, rows = rows_of(s, s->keepers.scopes.count);

	begin_table("detached_scopes", &s->keepers.scopes, out);
	for (i = 0; i < rows; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_group(s, &s->keepers.scopes.row[i], out);
		nd_buf_add_str(out, ",\"function\":");
		nd_heap_json_object(
			s->paths,
			nd_heap_find_scope_function(s->paths, s->keepers.scopes.row[i].example),
			false, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "]}");
}

static void add_buffers(const struct nd_heap_summary *s, struct nd_buf *out)
{
	uint32_t i;

	nd_buf_addf(out,
		    ",\n\"buffers\":{\"count\":%" PRIu32 ",\"bytes\":%" PRIu64 ",\"largest\":[",
		    s->buffers.count, s->buffers.bytes);
	for (i = 0; i < s->buffer_count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		nd_heap_json_object(s->paths, s->buffer[i], true, out);
	}
	nd_buf_add_str(out, "]}");
}

static void add_slack(const struct nd_heap_summary *s, struct nd_buf *out)
{
	uint32_t i, rows = rows_of(s, s->collections->slack_count);
	const struct nd_heap_slack *slack;

	nd_buf_add_str(out, "],\n\"slack\":[");
	for (i = 0; i < rows; i++) {
		slack = &s->collections->slack[i];
		nd_buf_addf(out, "%s{\"bytes\":%" PRIu64, i ? ",\n" : "\n", slack->bytes);
		nd_buf_addf(out, ",\"used\":%" PRIu32 ",\"capacity\":%" PRIu32 ",\"object\":",
			    slack->used, slack->capacity);
		nd_heap_json_object(s->paths, slack->node, true, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_char(out, ']');
}

static void add_collections(const struct nd_heap_summary *s, struct nd_buf *out)
{
	const struct nd_heap_collection_sum *sum;
	int kind;

	nd_buf_add_str(out, ",\n\"collections\":[");
	for (kind = 0; kind < ND_HEAP_COLLECTION_KINDS; kind++) {
		sum = &s->collections->kind[kind];
		nd_buf_addf(out, "%s{\"class\":\"%s\",\"count\":%" PRIu32, kind ? ",\n" : "\n",
			    nd_heap_collection_name((enum nd_heap_collection_kind)kind),
			    sum->count);
		nd_buf_addf(out, ",\"empty\":%" PRIu32 ",\"empty_bytes\":%" PRIu64, sum->empty,
			    sum->empty_bytes);
		nd_buf_addf(out, ",\"measured\":%" PRIu32 ",\"slack_bytes\":%" PRIu64 "}",
			    sum->measured, sum->slack_bytes);
	}
	add_slack(s, out);
}

void nd_heap_json_keepers(const struct nd_heap_summary *s, struct nd_buf *out)
{
	add_modules(s, out);
	add_table(s, "closures", &s->keepers.closures, out);
	add_scopes(s, out);
	add_table(s, "detached_nodes", &s->keepers.detached, out);
	add_buffers(s, out);
	add_collections(s, out);
}
