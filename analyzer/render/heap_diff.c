/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/diff.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/suspects.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/heap_json.h"
#include "analyzer/render/heap_text.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"

#define RED "1;31"

#define TIMES "\xc3\x97"

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

static void add_heading(const struct nd_heap_text *t, const struct nd_heap_comparison *c)
{
	uint64_t first = nd_heap_series_bytes(c->series, 0),
		 last = nd_heap_series_bytes(c->series, c->series->count);
	uint32_t i;

	for (i = 0; i <= c->series->count; i++) {
		nd_heap_text_styled(t, ND_TERMINAL_BOLD, c->names[i]);
		nd_buf_add_str(t->out, ": ");
		nd_heap_text_bytes(t, nd_heap_series_bytes(c->series, i), 0);
		nd_buf_add_char(t->out, '\n');
	}
	nd_heap_text_growth(t, (int64_t)(last - first), 0);
	nd_buf_add_str(t->out, " from the first to the last; of the last, ");
	nd_heap_text_bytes(t, c->suspects->bytes, 0);
	nd_buf_add_str(t->out, " is new\n");
}

static void add_suspect(const struct nd_heap_text *t, const struct nd_heap_comparison *c,
			const struct nd_heap_suspect *suspect)
{
	uint32_t i;

	nd_buf_add_str(t->out, "  ");
	nd_heap_text_way(t, suspect->point);
	nd_buf_add_str(t->out, "\n      ");
	nd_heap_text_count(t, suspect->count, 0);
	nd_buf_add_str(t->out, " " TIMES " ");
	nd_heap_text_class(t, &c->paths->analysis->classes, suspect->class);
	nd_buf_add_str(t->out, ", ");
	nd_heap_text_bytes(t, suspect->bytes, 0);
	nd_buf_addf(t->out, ", %.0f %% of what is new",
		    100.0 * (double)suspect->bytes / (double)c->suspects->bytes);
	if (suspect->others)
		nd_buf_addf(t->out, ", and %" PRIu32 " other%s", suspect->others,
			    suspect->others > 1 ? "s" : "");
	nd_buf_add_str(t->out, "\n      such as ");
	nd_heap_text_object(t, suspect->example);
	nd_buf_add_str(t->out, " in ");
	nd_heap_text_object(t, suspect->point);
	for (i = 0; c->series->count > 1 && i < c->series->count; i++) {
		nd_buf_add_str(t->out, i ? ", " : "\n      step by step ");
		nd_heap_text_growth(t, (int64_t)suspect->step_bytes[i], 0);
	}
	nd_buf_add_char(t->out, '\n');
}

static void add_classes(const struct nd_heap_text *t, const struct nd_heap_comparison *c)
{
	const struct nd_heap_delta *delta;
	uint32_t i, shown = 0;

	nd_heap_text_styled(t, ND_TERMINAL_BOLD,
			    c->series->count > 1 ? "\nclasses that grew each time\n"
						 : "\nclasses\n");
	nd_heap_text_styled(t, ND_TERMINAL_DIM,
			    "      growth       added     removed         now  class\n");
	for (i = 0; i < c->diff->count && shown < c->limit; i++) {
		delta = &c->diff->delta[i];
		if (!nd_heap_is_told(c->series, c->diff, delta))
			continue;
		nd_heap_text_growth(t, nd_heap_delta_bytes(delta), 12);
		nd_heap_text_count(t, delta->added, 12);
		nd_heap_text_count(t, delta->removed, 12);
		nd_heap_text_bytes(t, delta->bytes, 12);
		nd_buf_add_str(t->out, "  ");
		nd_heap_text_class(t, &c->diff->classes, delta->class);
		nd_buf_add_char(t->out, '\n');
		shown++;
	}
}

int nd_render_heap_diff(const struct nd_heap_comparison *c, bool colour, struct nd_buf *out)
{
	const struct nd_heap_text t = {c->paths, colour, out};
	uint32_t i;

	add_heading(&t, c);
	if (c->suspects->count)
		nd_heap_text_styled(&t, RED, "\nleak suspects\n");
	else
		nd_buf_add_str(out, "\nno leak suspect\n");
	for (i = 0; i < c->suspects->count; i++)
		add_suspect(&t, c, &c->suspects->suspect[i]);
	add_classes(&t, c);
	return nd_buf_error(out);
}

static void add_json_files(const struct nd_heap_comparison *c, struct nd_buf *out)
{
	uint32_t i, count;

	nd_buf_add_str(out, ",\n\"files\":[");
	for (i = 0; i <= c->series->count; i++) {
		count = i < c->series->count ? c->series->census[i].count
					     : c->series->heap->node_count;
		nd_buf_add_str(out, i ? ",\n{" : "\n{");
		nd_json_add_field(out, "\"file\":", c->names[i]);
		nd_buf_addf(out, ",\"nodes\":%" PRIu32 ",\"bytes\":%" PRIu64 "}", count,
			    nd_heap_series_bytes(c->series, i));
	}
	nd_buf_add_char(out, ']');
}

static void add_json_classes(const struct nd_heap_comparison *c, struct nd_buf *out)
{
	const struct nd_heap_delta *delta;
	uint32_t i, shown = 0;

	nd_buf_add_str(out, ",\n\"classes\":[");
	for (i = 0; i < c->diff->count && shown < c->limit; i++) {
		delta = &c->diff->delta[i];
		if (!nd_heap_is_told(c->series, c->diff, delta))
			continue;
		nd_buf_add_str(out, shown++ ? ",\n{" : "\n{");
		nd_heap_json_class(c->paths, &c->diff->classes, delta->class, out);
		nd_buf_addf(out, ",\"added\":%" PRIu32 ",\"removed\":%" PRIu32, delta->added,
			    delta->removed);
		nd_buf_addf(out, ",\"added_bytes\":%" PRIu64 ",\"removed_bytes\":%" PRIu64,
			    delta->added_bytes, delta->removed_bytes);
		nd_buf_addf(out, ",\"bytes\":%" PRIu64 "}", delta->bytes);
	}
	nd_buf_add_char(out, ']');
}

int nd_render_heap_diff_json(const struct nd_heap_comparison *c, struct nd_buf *out)
{
	uint32_t steps = c->series->count > 1 ? c->series->count : 0;

	nd_buf_addf(out, "{\"format\":\"nodiag-heap-diff\",\"version\":%d", VERSION);
	nd_buf_addf(out, ",\"grown_bytes\":%" PRId64 ",\"new_bytes\":%" PRIu64, c->diff->grown,
		    c->suspects->bytes);
	nd_buf_addf(out, ",\"one_process\":%s,\"compared_by\":\"%s\"",
		    nd_heap_diff_is_mixed(c->diff) ? "false" : "true", c->by_ways ? "ways" : "ids");
	add_json_files(c, out);
	nd_buf_add_str(out, ",\n\"suspects\":[");
	nd_heap_json_suspects(c->paths, c->suspects, steps, out);
	nd_buf_add_char(out, ']');
	add_json_classes(c, out);
	nd_buf_add_str(out, "}\n");
	return nd_buf_error(out);
}
