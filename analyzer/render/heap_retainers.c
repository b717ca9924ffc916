/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/retainers.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/heap_json.h"
#include "analyzer/render/heap_text.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"

/* Of the ways of a class. */
#define WAY_COLUMNS 160

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

static void add_way(const struct nd_heap_text *t, uint32_t node)
{
	struct nd_heap_step steps[ND_HEAP_STEPS_MAX];
	uint32_t count = nd_heap_find_way(t->paths, node, steps);

	nd_heap_text_styled(t, ND_TERMINAL_BOLD, "\nshortest way from the root\n");
	nd_heap_text_steps(t, steps, count);
}

int nd_render_heap_retainers(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			     bool colour, struct nd_buf *out)
{
	const struct nd_heap_text t = {paths, colour, out};
	struct nd_heap_retainer *list;
	uint32_t count, i;

	if (nd_heap_find_retainers(paths->heap, paths->analysis, node, &list, &count))
		return -ENOMEM;
	nd_heap_text_head(&t, node);
	add_way(&t, node);
	nd_heap_text_styled(&t, ND_TERMINAL_BOLD,
			    "\nwhat refers to it, the nearest to the root first\n");
	for (i = 0; i < count && i < limit; i++) {
		nd_buf_add_str(out, "  ");
		nd_heap_text_edge(&t, list[i].edge);
		nd_buf_add_str(out, " of ");
		nd_heap_text_object(&t, list[i].node);
		nd_buf_add_str(out, ": ");
		nd_heap_text_way(&t, list[i].node);
		nd_buf_add_char(out, '\n');
	}
	if (count > limit)
		nd_buf_addf(out, "  and %" PRIu32 " more\n", count - limit);
	free(list);
	return nd_buf_error(out);
}

int nd_render_heap_retainers_json(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
				  struct nd_buf *out)
{
	struct nd_heap_retainer *list;
	uint32_t count, i;

	if (nd_heap_find_retainers(paths->heap, paths->analysis, node, &list, &count))
		return -ENOMEM;
	nd_buf_addf(out,
		    "{\"format\":\"nodiag-heap-retainers\",\"version\":%d,\n\"object\":", VERSION);
	nd_heap_json_object(paths, node, true, out);
	nd_buf_add_str(out, ",\n\"way\":");
	nd_heap_json_way(paths, node, out);
	nd_buf_addf(out, ",\n\"count\":%" PRIu32 ",\n\"retainers\":[", count);
	for (i = 0; i < count && i < limit; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		nd_buf_add_char(out, '{');
		nd_heap_json_edge(paths->heap, list[i].edge, out);
		nd_buf_add_str(out, ",\"object\":");
		nd_heap_json_object(paths, list[i].node, true, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "]}\n");
	free(list);
	return nd_buf_error(out);
}

int nd_render_heap_ways(const struct nd_heap_paths *paths, const char *class,
			const struct nd_heap_ways *ways, uint32_t limit, bool colour,
			struct nd_buf *out)
{
	const struct nd_heap_text t = {paths, colour, out};
	const struct nd_heap_way *way;
	uint32_t i;

	nd_heap_text_styled(&t, ND_TERMINAL_BOLD,
			    "    objects        self    retained  shortest way to ");
	nd_heap_text_styled(&t, ND_TERMINAL_BOLD, class);
	nd_buf_add_char(out, '\n');
	for (i = 0; i < ways->count && i < limit; i++) {
		way = &ways->way[i];
		nd_heap_text_count(&t, way->count, 11);
		nd_heap_text_bytes(&t, way->self, 12);
		nd_heap_text_bytes(&t, way->retained, 12);
		nd_buf_add_str(out, "  ");
		nd_heap_text_foreign(&t, *way->words ? way->words : "(no name on the way)",
				     WAY_COLUMNS);
		nd_buf_add_str(out, ", such as ");
		nd_heap_text_object(&t, way->example);
		nd_buf_add_char(out, '\n');
	}
	if (ways->count > limit)
		nd_buf_addf(out, "and %" PRIu32 " more\n", ways->count - limit);
	return nd_buf_error(out);
}

int nd_render_heap_ways_json(const struct nd_heap_paths *paths, const char *class,
			     const struct nd_heap_ways *ways, uint32_t limit, struct nd_buf *out)
{
	const struct nd_heap_way *way;
	uint32_t i;

	nd_buf_addf(out, "{\"format\":\"nodiag-heap-ways\",\"version\":%d", VERSION);
	nd_json_add_field(out, ",\"class\":", class);
	nd_buf_addf(out, ",\n\"count\":%" PRIu32 ",\n\"ways\":[", ways->count);
	for (i = 0; i < ways->count && i < limit; i++) {
		way = &ways->way[i];
		nd_buf_add_str(out, i ? ",\n{" : "\n{");
		nd_json_add_field(out, "\"path\":", way->words);
		nd_buf_addf(out, ",\"count\":%" PRIu32 ",\"self_bytes\":%" PRIu64, way->count,
			    way->self);
		nd_buf_addf(out, ",\"retained_bytes\":%" PRIu64 ",\"example\":", way->retained);
		nd_heap_json_object(paths, way->example, false, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "]}\n");
	return nd_buf_error(out);
}
