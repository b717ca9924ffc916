/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/collections.h"
#include "analyzer/heap/diff.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/outline.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/query.h"
#include "analyzer/heap/reader.h"
#include "analyzer/heap/retainers.h"
#include "analyzer/heap/routes.h"
#include "analyzer/heap/summary.h"
#include "analyzer/heap/suspects.h"
#include "analyzer/render/heap.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/intern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces of 1, 2, 3 ... bytes, so that all states are met at their ends. */
static struct nd_heap *read_heap(const uint8_t *data, size_t size)
{
	struct nd_heap_reader *reader = nd_heap_reader_new();
	struct nd_heap *heap = NULL;
	size_t at, part = 0;
	int ret = reader ? 0 : -1;

	for (at = 0; at < size && !ret; at += part) {
		part = part + 1 < size - at ? part + 1 : size - at;
		ret = nd_heap_reader_feed(reader, data + at, part, NULL);
	}
	if (!ret && nd_heap_reader_finish(reader, &heap, NULL))
		heap = NULL;
	nd_heap_reader_free(reader);
	return heap;
}

/* The page of a comparison, which has the parts of a summary's too but for its tables. */
static void draw(const struct nd_heap_comparison *c, struct nd_buf *out)
{
	const struct nd_heap_series *series = c->series;
	struct nd_heap_outline outline;

	if (nd_heap_outline_make(series->heap, series->analysis, NULL, &outline, NULL))
		return;
	nd_render_heap_diff_html(c, &outline, out);
	nd_heap_outline_fini(&outline);
}

static void search(struct nd_heap_paths *paths, uint32_t node, struct nd_buf *out)
{
	struct nd_heap_query query = {
		.type = -1, .max_distance = 5, .retained_by = paths->heap->root, .limit = 5};
	struct nd_heap_matches matches;
	struct nd_heap_routes routes;

	if (!nd_heap_find_matches(paths->heap, paths->analysis, &query, &matches)) {
		nd_render_heap_matches(paths, &matches, false, out);
		nd_heap_matches_fini(&matches);
	}
	if (!nd_heap_find_routes(paths, node, 5, &routes)) {
		nd_render_heap_routes(paths, node, &routes, false, out);
		nd_render_heap_routes_json(paths, node, &routes, out);
		nd_heap_routes_fini(&routes);
	}
	nd_render_heap_object(paths, node, 5, false, out);
	nd_render_heap_object_json(paths, paths->heap->root, 5, out);
}

static void render(struct nd_heap_paths *paths, const struct nd_heap_series *series,
		   struct nd_heap_census *census, const struct nd_heap_collections *collections)
{
	char name[] = "a", *names[] = {name, name};
	struct nd_heap_suspects suspects;
	struct nd_heap_summary summary;
	struct nd_heap_diff diff;
	struct nd_buf out;

	nd_buf_init(&out, 1u << 24);
	if (!nd_heap_summarize(paths, collections, 5, &summary, NULL)) {
		nd_render_heap_summary(&summary, name, true, &out);
		nd_render_heap_summary_json(&summary, name, &out);
		nd_heap_summary_fini(&summary);
	}
	/* It was compared with itself: who matches it anew finds the same. */
	if (!nd_heap_census_match(census, paths->heap, paths->heap, NULL) &&
	    !nd_heap_compare(series, &diff, NULL)) {
		struct nd_heap_comparison c = {series, &diff, &suspects, paths, names, 5, false};

		if (!nd_heap_find_growth(series, &diff, &suspects, NULL)) {
			nd_render_heap_diff(&c, false, &out);
			nd_render_heap_diff_json(&c, &out);
			draw(&c, &out);
		}
		nd_heap_diff_fini(&diff);
	}
	search(paths, paths->heap->node_count - 1, &out);
	nd_render_heap_retainers(paths, paths->heap->node_count - 1, 5, false, &out);
	nd_render_heap_retainers_json(paths, paths->heap->root, 5, &out);
	nd_buf_fini(&out);
}

/* The heap compared with itself, in all its parts. */
static void use_heap(struct nd_heap *heap, struct nd_heap_census *census, struct nd_intern *names)
{
	struct nd_heap_analysis analysis;
	struct nd_heap_paths paths;
	struct nd_heap_collections collections;
	struct nd_heap_series series = {.census = census, .count = 1, .heap = heap};

	if (nd_heap_find_collections(heap, &collections))
		return;
	if (nd_heap_analyse(heap, names, &analysis, NULL)) {
		nd_heap_collections_fini(&collections);
		return;
	}
	series.analysis = &analysis;
	if (!nd_heap_find_sums(heap, &analysis, NULL) &&
	    !nd_heap_census_class(census, &analysis.interfaces, names) &&
	    !nd_heap_paths_init(&paths, heap, &analysis)) {
		render(&paths, &series, census, &collections);
		nd_heap_paths_fini(&paths);
	}
	nd_heap_analysis_fini(&analysis);
	nd_heap_collections_fini(&collections);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nd_heap *heap = read_heap(data, size);
	struct nd_intern *names = heap ? nd_intern_new() : NULL;
	struct nd_heap_census census;

	if (names && !nd_heap_census_take(heap, names, &census, NULL)) {
		use_heap(heap, &census, names);
		nd_heap_census_fini(&census);
	}
	nd_intern_free(names);
	nd_heap_free(heap);
	return 0;
}
