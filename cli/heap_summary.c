/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap summary: what takes the memory, in one snapshot. */

#include "analyzer/heap/summary.h"
#include "analyzer/render/heap.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "common/buf.h"
#include "proto/limits.h"

int heap_answer_summary(struct heap *heap, char **files)
{
	struct nd_heap_summary summary;
	struct nd_buf text;
	int ret;

	heap->wants_collections = true;
	ret = heap_analyse(heap, files[0]);
	if (ret)
		return ret;
	if (nd_heap_summarize(&heap->paths, &heap->collections, heap->limit, &summary, &heap->err))
		return EXIT_FAILED;
	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (heap->json)
		ret = nd_render_heap_summary_json(&summary, files[0], &text);
	else
		ret = nd_render_heap_summary(&summary, files[0], term_has_colour(heap->colour),
					     &text);
	ret = heap_print(heap, ret, &text);
	nd_buf_fini(&text);
	nd_heap_summary_fini(&summary);
	return ret;
}
