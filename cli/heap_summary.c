/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap summary: what takes the memory, in one snapshot or in a running process. */

#include "analyzer/heap/summary.h"
#include "analyzer/render/heap.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "cli/heap_live.h"
#include "cli/heap_page.h"
#include "cli/target.h"
#include "common/buf.h"
#include "proto/limits.h"

static int look(struct heap *heap, char **words)
{
	const struct heap_live_options live = {heap->format == HEAP_FORMAT_JSON,
					       term_has_colour(heap->colour)};
	struct nd_buf text;
	pid_t pid;
	int ret = heap_find_process(heap, "nodiag heap summary --live", words, &pid);

	if (ret)
		return ret;
	nd_buf_init(&text, ND_OUTPUT_MAX);
	ret = heap_live_look(pid, &live, &text, &heap->err);
	ret = ret ? target_fail(pid, ret, &heap->err) : heap_print(heap, 0, &text);
	nd_buf_fini(&text);
	return ret;
}

static int print_summary(struct heap *heap, const struct nd_heap_summary *summary, const char *name)
{
	struct nd_buf text;
	int ret;

	if (heap_page_is_printed(heap))
		return EXIT_DONE;
	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (heap->format == HEAP_FORMAT_JSON)
		ret = nd_render_heap_summary_json(summary, name, &text);
	else
		ret = nd_render_heap_summary(summary, name, term_has_colour(heap->colour), &text);
	ret = heap_print(heap, ret, &text);
	nd_buf_fini(&text);
	return ret;
}

int heap_answer_summary(struct heap *heap, char **files)
{
	struct nd_heap_summary summary;
	bool has_page = heap->format == HEAP_FORMAT_HTML;
	uint32_t limit = heap->limit;
	int ret;

	if (heap->is_live)
		return look(heap, files);
	heap->wants_collections = true;
	ret = heap_claim_page(heap);
	if (!ret)
		ret = heap_analyse(heap, files[0]);
	if (!ret && nd_heap_find_sums(heap->snapshot, &heap->analysis, &heap->err))
		ret = EXIT_FAILED;
	if (ret)
		return ret;
	if (has_page && limit < ND_HEAP_PAGE_ROWS)
		limit = ND_HEAP_PAGE_ROWS;
	if (nd_heap_summarize(&heap->paths, &heap->collections, limit, &summary, &heap->err))
		return EXIT_FAILED;
	if (has_page && heap_page_write_summary(&heap->page, &summary, files[0], &heap->err))
		ret = EXIT_FAILED;
	nd_heap_summary_cut(&summary, heap->limit);
	if (!ret)
		ret = print_summary(heap, &summary, files[0]);
	if (!ret)
		ret = heap_tell_page(heap);
	nd_heap_summary_fini(&summary);
	return ret;
}
