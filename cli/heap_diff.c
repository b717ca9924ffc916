/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap diff: what grew between snapshots. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/census.h"
#include "analyzer/heap/diff.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/suspects.h"
#include "analyzer/render/heap.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "cli/heap_file.h"
#include "cli/heap_page.h"
#include "common/buf.h"
#include "common/pages.h"
#include "proto/limits.h"

/* Of all snapshots but the last one only a census is kept. */
static int take_census(struct heap *heap, char **files, uint32_t count)
{
	struct nd_heap *snapshot;
	int ret;

	heap->census = calloc(count, sizeof(*heap->census));
	if (!heap->census) {
		nd_err_set(&heap->err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	for (; heap->census_count < count; heap->census_count++) {
		ret = heap_file_read(files[heap->census_count], false, &snapshot, &heap->err);
		if (ret)
			return heap_status_of(ret);
		ret = nd_heap_census_take(snapshot, heap->names, &heap->census[heap->census_count],
					  &heap->err);
		nd_heap_free(snapshot);
		if (ret)
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* The comparison with one snapshot of the series, and whether that has other ids. */
static int compare_one(struct heap *heap, const struct nd_heap_series *series, uint32_t i,
		       struct nd_heap_diff *ret_diff, bool *ret_are_mixed)
{
	struct nd_heap_series two = *series;
	int ret;

	two.census = &series->census[i];
	two.count = 1;
	ret = nd_heap_compare(&two, ret_diff, &heap->err);
	*ret_are_mixed = !ret && nd_heap_diff_is_mixed(ret_diff);
	return ret;
}

/* Objects are found again by their ways, for which their file must be read once more. */
static int match(struct heap *heap, const char *file, const struct nd_heap_series *series,
		 uint32_t i)
{
	struct nd_heap *before;
	int ret = heap_file_read(file, false, &before, &heap->err);

	if (ret)
		return ret;
	ret = nd_heap_census_match(&heap->census[i], before, series->heap, &heap->err);
	nd_heap_free(before);
	return ret;
}

/* Where ids are of no use, ways are, unless the snapshot came by a pipe, and is gone. */
static int compare(struct heap *heap, char **files, const struct nd_heap_series *series,
		   struct nd_heap_diff *ret_diff, bool *ret_by_ways)
{
	struct nd_heap_diff diff;
	bool are_mixed;
	uint32_t i;
	int ret;

	for (i = 0; i < series->count; i++) {
		ret = compare_one(heap, series, i, &diff, &are_mixed);
		if (ret)
			return ret;
		are_mixed &= strcmp(files[i], "-") != 0;
		/* Of two snapshots, this is the comparison already. */
		if (series->count == 1 && !are_mixed) {
			*ret_diff = diff;
			return 0;
		}
		nd_heap_diff_fini(&diff);
		ret = are_mixed ? match(heap, files[i], series, i) : 0;
		if (ret)
			return ret;
		*ret_by_ways |= are_mixed;
	}
	return nd_heap_compare(series, ret_diff, &heap->err);
}

static int check_growth(const struct heap *heap, int64_t grown)
{
	if (!heap->fail_text || grown <= 0 || (uint64_t)grown <= heap->fail_bytes)
		return EXIT_DONE;
	term_note("the heap grew by %.1f MiB, over --fail-if %s", (double)grown / (1 << 20),
		  heap->fail_text);
	return EXIT_THRESHOLD;
}

static int print_diff(struct heap *heap, const struct nd_heap_comparison *comparison)
{
	struct nd_buf text;
	int ret;

	if (heap_page_is_printed(heap))
		return EXIT_DONE;
	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (heap->format == HEAP_FORMAT_JSON)
		ret = nd_render_heap_diff_json(comparison, &text);
	else
		ret = nd_render_heap_diff(comparison, term_has_colour(heap->colour), &text);
	ret = heap_print(heap, ret, &text);
	nd_buf_fini(&text);
	return ret;
}

static int answer(struct heap *heap, char **files, const struct nd_heap_series *series)
{
	struct nd_heap_suspects suspects;
	struct nd_heap_diff diff;
	struct nd_heap_comparison comparison = {
		.series = series,
		.diff = &diff,
		.suspects = &suspects,
		.paths = &heap->paths,
		.names = files,
		.limit = heap->limit,
	};
	int ret;

	if (compare(heap, files, series, &diff, &comparison.by_ways))
		return EXIT_FAILED;
	if (nd_heap_diff_is_mixed(&diff))
		term_note("the same ids are of other objects in '%s' and '%s', and the objects are "
			  "others, too: what is new cannot be told",
			  files[0], files[series->count]);
	else if (comparison.by_ways)
		term_note("the snapshots do not share their ids: objects are the same where the "
			  "same way leads to them");
	ret = nd_heap_find_growth(series, &diff, &suspects, &heap->err) ? EXIT_FAILED : EXIT_DONE;
	if (!ret && heap->format == HEAP_FORMAT_HTML &&
	    heap_page_write_diff(&heap->page, &comparison, &heap->err))
		ret = EXIT_FAILED;
	if (!ret)
		ret = print_diff(heap, &comparison);
	if (!ret)
		ret = heap_tell_page(heap);
	if (!ret)
		ret = check_growth(heap, diff.grown);
	nd_heap_diff_fini(&diff);
	return ret;
}

int heap_answer_diff(struct heap *heap, char **files)
{
	uint32_t count = (uint32_t)heap->arguments.count - 2, i;
	struct nd_heap_series series;
	int ret = heap_claim_page(heap);

	/* One heap is read after the other, and their lists are of about one size. */
	nd_pages_keep();
	heap->skips_distances =
		heap->format == HEAP_FORMAT_USUAL || heap->format == HEAP_FORMAT_TEXT;
	if (!ret)
		ret = take_census(heap, files, count);
	if (!ret)
		ret = heap_analyse(heap, files[count]);
	if (!ret &&
	    (nd_heap_find_tree(heap->snapshot, &heap->analysis, &heap->err) ||
	     nd_heap_find_interfaces(heap->snapshot, heap->names, &heap->analysis, &heap->err)))
		ret = EXIT_FAILED;
	for (i = 0; i < count && !ret; i++)
		if (nd_heap_census_class(&heap->census[i], &heap->analysis.interfaces,
					 heap->names)) {
			nd_err_set(&heap->err, -ENOMEM, "out of memory");
			ret = EXIT_FAILED;
		}
	if (ret)
		return ret;
	series = (struct nd_heap_series){
		.census = heap->census,
		.count = count,
		.heap = heap->snapshot,
		.analysis = &heap->analysis,
		.ignore = heap->ignore,
		.ignore_count = heap->ignore_count,
	};
	return answer(heap, files, &series);
}
