/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/query.h"

#include <inttypes.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/heap_json.h"
#include "analyzer/render/heap_text.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

int nd_render_heap_matches(const struct nd_heap_paths *paths, const struct nd_heap_matches *matches,
			   bool colour, struct nd_buf *out)
{
	const struct nd_heap_text t = {paths, colour, out};
	uint32_t i, node;

	nd_heap_text_count(&t, matches->count, 0);
	nd_buf_add_str(out, matches->count == 1 ? " object of " : " objects of ");
	nd_heap_text_bytes(&t, matches->self, 0);
	nd_buf_add_str(out, matches->count == 1 ? ", which retains " : ", which retain ");
	nd_heap_text_bytes(&t, matches->retained, 0);
	nd_buf_add_char(out, '\n');
	if (matches->node_count)
		nd_heap_text_styled(&t, ND_TERMINAL_BOLD,
				    "       self    retained  object, and the way to it\n");
	for (i = 0; i < matches->node_count; i++) {
		node = matches->node[i];
		nd_heap_text_bytes(&t, paths->heap->self_size[node], 11);
		nd_heap_text_bytes(&t, paths->analysis->retained[node], 12);
		nd_buf_add_str(out, "  ");
		nd_heap_text_object(&t, node);
		nd_buf_add_str(out, ": ");
		nd_heap_text_way(&t, node);
		nd_buf_add_char(out, '\n');
	}
	if (matches->count > matches->node_count)
		nd_buf_addf(out, "and %" PRIu32 " more\n", matches->count - matches->node_count);
	return nd_buf_error(out);
}

int nd_render_heap_matches_json(const struct nd_heap_paths *paths,
				const struct nd_heap_matches *matches, struct nd_buf *out)
{
	uint32_t i;

	nd_buf_addf(out, "{\"format\":\"nodiag-heap-query\",\"version\":%d", VERSION);
	nd_buf_addf(out, ",\"count\":%" PRIu32 ",\"self_bytes\":%" PRIu64, matches->count,
		    matches->self);
	nd_buf_addf(out, ",\"retained_bytes\":%" PRIu64 ",\n\"objects\":[", matches->retained);
	for (i = 0; i < matches->node_count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		nd_heap_json_object(paths, matches->node[i], true, out);
	}
	nd_buf_add_str(out, "]}\n");
	return nd_buf_error(out);
}
