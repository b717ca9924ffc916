/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_H
#define NODIAG_ANALYZER_RENDER_HEAP_H

/*
 * Answers about heaps, for a person and, as JSON of docs/format-json.md, for programs. They append
 * to a buffer, and return 0, -ENOMEM or -EFBIG, as those of analyzer/render/render.h.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_buf;
struct nd_heap_diff;
struct nd_heap_matches;
struct nd_heap_outline;
struct nd_heap_paths;
struct nd_heap_routes;
struct nd_heap_series;
struct nd_heap_summary;
struct nd_heap_suspects;
struct nd_heap_ways;

/* A single snapshot, in the file `name`. */
int nd_render_heap_summary(const struct nd_heap_summary *summary, const char *name, bool colour,
			   struct nd_buf *out);
int nd_render_heap_summary_json(const struct nd_heap_summary *summary, const char *name,
				struct nd_buf *out);

/* Several snapshots compared. */
struct nd_heap_comparison {
	const struct nd_heap_series *series;
	const struct nd_heap_diff *diff;
	const struct nd_heap_suspects *suspects;
	const struct nd_heap_paths *paths; /* of the last one */
	char *const *names;		   /* of the files, one more than the series has */
	uint32_t limit;			   /* of classes */
	bool by_ways; /* some were compared by ways, as they do not share their ids; match.h */
};

int nd_render_heap_diff(const struct nd_heap_comparison *comparison, bool colour,
			struct nd_buf *out);
int nd_render_heap_diff_json(const struct nd_heap_comparison *comparison, struct nd_buf *out);

/*
 * The same as pages for a browser, with a map of the outline, which is that of the summary's heap,
 * or of what is new since the first snapshot. Of a summary, all rows that it has are shown, up to
 * ND_HEAP_PAGE_ROWS; of classes that are compared as well.
 */
#define ND_HEAP_PAGE_ROWS 5000

int nd_render_heap_summary_html(const struct nd_heap_summary *summary,
				const struct nd_heap_outline *outline, const char *name,
				struct nd_buf *out);
int nd_render_heap_diff_html(const struct nd_heap_comparison *comparison,
			     const struct nd_heap_outline *outline, struct nd_buf *out);

/* Who keeps an object alive: its shortest way, and at most `limit` of those that refer to it. */
int nd_render_heap_retainers(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			     bool colour, struct nd_buf *out);
int nd_render_heap_retainers_json(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
				  struct nd_buf *out);

/* The ways to the objects of a class, at most `limit` of them. */
int nd_render_heap_ways(const struct nd_heap_paths *paths, const char *class,
			const struct nd_heap_ways *ways, uint32_t limit, bool colour,
			struct nd_buf *out);
int nd_render_heap_ways_json(const struct nd_heap_paths *paths, const char *class,
			     const struct nd_heap_ways *ways, uint32_t limit, struct nd_buf *out);

/* What an object refers to, at most `limit` of the program's and as many of V8's own. */
int nd_render_heap_object(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			  bool colour, struct nd_buf *out);
int nd_render_heap_object_json(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			       struct nd_buf *out);

/* The different ways to an object. */
int nd_render_heap_routes(const struct nd_heap_paths *paths, uint32_t node,
			  const struct nd_heap_routes *routes, bool colour, struct nd_buf *out);
int nd_render_heap_routes_json(const struct nd_heap_paths *paths, uint32_t node,
			       const struct nd_heap_routes *routes, struct nd_buf *out);

/* What a query found. */
int nd_render_heap_matches(const struct nd_heap_paths *paths, const struct nd_heap_matches *matches,
			   bool colour, struct nd_buf *out);
int nd_render_heap_matches_json(const struct nd_heap_paths *paths,
				const struct nd_heap_matches *matches, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_H */
