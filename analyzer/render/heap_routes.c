/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/routes.h"

#include <inttypes.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/heap_json.h"
#include "analyzer/render/heap_text.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"
#include "proto/limits.h"

#define WAY_COLUMNS 160

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

/* In words, a way begins where the shortest one to its gate ends. */
static void add_words(const struct nd_heap_paths *paths, const struct nd_heap_route *route,
		      struct nd_buf *words)
{
	struct nd_buf own;

	nd_buf_init(&own, ND_OUTPUT_MAX);
	nd_heap_add_step_words(paths, route->step, route->count, false, &own);
	/* A variable, or a root, starts anew. */
	if (own.data[0] == '.' || own.data[0] == '[' || !own.len)
		nd_heap_add_words(paths, route->step[0].node, false, words);
	nd_buf_add(words, own.data, own.len);
	nd_buf_fini(&own);
}

static void add_route(const struct nd_heap_text *t, const struct nd_heap_route *route,
		      uint32_t number)
{
	struct nd_buf words;

	nd_buf_init(&words, ND_OUTPUT_MAX);
	add_words(t->paths, route, &words);
	nd_buf_addf(t->out, "\n%" PRIu32 ". ", number);
	nd_heap_text_foreign(t, words.len ? words.data : "(no name on the way)", WAY_COLUMNS);
	nd_buf_add_char(t->out, '\n');
	nd_heap_text_steps(t, route->step + 1, route->count - 1);
	nd_buf_fini(&words);
}

int nd_render_heap_routes(const struct nd_heap_paths *paths, uint32_t node,
			  const struct nd_heap_routes *routes, bool colour, struct nd_buf *out)
{
	const struct nd_heap_text t = {paths, colour, out};
	struct nd_heap_step steps[ND_HEAP_STEPS_MAX];
	uint32_t i;

	nd_heap_text_head(&t, node);
	if (!routes->count) {
		nd_buf_add_str(out, "nothing keeps it alive but the root\n");
		return nd_buf_error(out);
	}
	nd_heap_text_styled(&t, ND_TERMINAL_BOLD, "\nall ways go through the last of these\n");
	nd_heap_text_steps(&t, steps, nd_heap_find_way(paths, routes->gate, steps));
	nd_heap_text_styled(&t, ND_TERMINAL_BOLD,
			    "\nfrom there on, no object is on two of these\n");
	for (i = 0; i < routes->count; i++)
		add_route(&t, &routes->route[i], i + 1);
	if (routes->has_more)
		nd_buf_add_str(out, "\nand more\n");
	return nd_buf_error(out);
}

static void add_json_route(const struct nd_heap_paths *paths, const struct nd_heap_route *route,
			   struct nd_buf *out)
{
	struct nd_buf words;

	nd_buf_init(&words, ND_OUTPUT_MAX);
	add_words(paths, route, &words);
	nd_json_add_field(out, "{\"path\":", words.data);
	nd_buf_add_str(out, ",\"way\":");
	nd_heap_json_steps(paths, route->step, route->count, out);
	nd_buf_add_char(out, '}');
	nd_buf_fini(&words);
}

int nd_render_heap_routes_json(const struct nd_heap_paths *paths, uint32_t node,
			       const struct nd_heap_routes *routes, struct nd_buf *out)
{
	uint32_t i;

	nd_buf_addf(out, "{\"format\":\"nodiag-heap-paths\",\"version\":%d,\n\"object\":", VERSION);
	nd_heap_json_object(paths, node, true, out);
	nd_buf_add_str(out, ",\n\"dominator\":");
	nd_heap_json_object(paths, routes->gate, true, out);
	nd_buf_add_str(out, ",\n\"way\":");
	nd_heap_json_way(paths, routes->gate, out);
	nd_buf_addf(out, ",\n\"count\":%" PRIu32 ",\"has_more\":%s,\n\"paths\":[", routes->count,
		    routes->has_more ? "true" : "false");
	for (i = 0; i < routes->count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_json_route(paths, &routes->route[i], out);
	}
	nd_buf_add_str(out, "]}\n");
	return nd_buf_error(out);
}
