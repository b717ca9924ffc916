/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap show and nodiag heap paths: one object, what it holds and all that holds it. */

#include <errno.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/routes.h"
#include "analyzer/render/heap.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "common/buf.h"
#include "proto/limits.h"

int heap_answer_show(struct heap *heap, char **words)
{
	struct nd_buf out;
	uint32_t node = ND_HEAP_NONE;
	int ret;

	heap->defers_edges = true;
	ret = heap_analyse(heap, words[0]);
	if (!ret)
		ret = heap_find_object(heap, words[0], words[1], &node);
	if (ret)
		return ret;
	nd_buf_init(&out, ND_OUTPUT_MAX);
	if (heap->format == HEAP_FORMAT_JSON)
		ret = nd_render_heap_object_json(&heap->paths, node, heap->limit, &out);
	else
		ret = nd_render_heap_object(&heap->paths, node, heap->limit,
					    term_has_colour(heap->colour), &out);
	ret = heap_print(heap, ret, &out);
	nd_buf_fini(&out);
	return ret;
}

/* The object of a class that retains most stands for it. */
static int find_largest(struct heap *heap, const char *path, const char *class, uint32_t *ret_node)
{
	const struct nd_heap_analysis *a = &heap->analysis;
	uint32_t node, found = ND_HEAP_NONE;

	for (node = 0; node < heap->snapshot->node_count; node++)
		if (heap->snapshot->self_size[node] &&
		    (found == ND_HEAP_NONE || a->retained[node] > a->retained[found]) &&
		    !strcmp(nd_heap_class_name(&a->classes, a->class_of[node]), class))
			found = node;
	if (found == ND_HEAP_NONE)
		return heap_set_no_class(heap, path, class);
	*ret_node = found;
	return EXIT_DONE;
}

int heap_answer_paths(struct heap *heap, char **words)
{
	struct nd_heap_routes routes;
	struct nd_buf out;
	uint32_t node = ND_HEAP_NONE;
	int ret = heap_analyse(heap, words[0]);

	if (!ret && words[1][0] == '@')
		ret = heap_find_object(heap, words[0], words[1], &node);
	else if (!ret)
		ret = find_largest(heap, words[0], words[1], &node);
	if (ret)
		return ret;
	if (nd_heap_find_routes(&heap->paths, node, heap->limit, &routes)) {
		nd_err_set(&heap->err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	nd_buf_init(&out, ND_OUTPUT_MAX);
	if (heap->format == HEAP_FORMAT_JSON)
		ret = nd_render_heap_routes_json(&heap->paths, node, &routes, &out);
	else
		ret = nd_render_heap_routes(&heap->paths, node, &routes,
					    term_has_colour(heap->colour), &out);
	ret = heap_print(heap, ret, &out);
	nd_buf_fini(&out);
	nd_heap_routes_fini(&routes);
	return ret;
}
