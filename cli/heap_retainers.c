/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap retainers: what keeps an object, or those of a class, alive. */

#include <errno.h>

#include "analyzer/heap/retainers.h"
#include "analyzer/render/heap.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "common/buf.h"
#include "proto/limits.h"

static int explain_object(struct heap *heap, const char *path, const char *text)
{
	struct nd_buf out;
	uint32_t node;
	int ret = heap_find_object(heap, path, text, &node);

	if (ret)
		return ret;
	nd_buf_init(&out, ND_OUTPUT_MAX);
	if (heap->format == HEAP_FORMAT_JSON)
		ret = nd_render_heap_retainers_json(&heap->paths, node, heap->limit, &out);
	else
		ret = nd_render_heap_retainers(&heap->paths, node, heap->limit,
					       term_has_colour(heap->colour), &out);
	ret = heap_print(heap, ret, &out);
	nd_buf_fini(&out);
	return ret;
}

static int explain_class(struct heap *heap, const char *path, const char *class)
{
	struct nd_heap_ways ways;
	struct nd_buf out;
	int ret = nd_heap_find_ways(&heap->paths, class, &ways);

	if (ret == -ENOENT)
		return heap_set_no_class(heap, path, class);
	if (ret) {
		nd_err_set(&heap->err, ret, "out of memory");
		return EXIT_FAILED;
	}
	nd_buf_init(&out, ND_OUTPUT_MAX);
	if (heap->format == HEAP_FORMAT_JSON)
		ret = nd_render_heap_ways_json(&heap->paths, class, &ways, heap->limit, &out);
	else
		ret = nd_render_heap_ways(&heap->paths, class, &ways, heap->limit,
					  term_has_colour(heap->colour), &out);
	ret = heap_print(heap, ret, &out);
	nd_buf_fini(&out);
	nd_heap_ways_fini(&ways);
	return ret;
}

int heap_answer_retainers(struct heap *heap, char **words)
{
	int ret = heap_analyse(heap, words[0]);

	if (ret)
		return ret;
	return words[1][0] == '@' ? explain_object(heap, words[0], words[1])
				  : explain_class(heap, words[0], words[1]);
}
