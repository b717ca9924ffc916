/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_query.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "analyzer/heap/distances.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/query.h"
#include "analyzer/render/heap.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "cli/units.h"
#include "common/buf.h"
#include "proto/limits.h"

static error_t parse_type(struct heap *heap, const char *arg)
{
	enum nd_heap_node_type type = nd_heap_find_node_type(arg);

	heap->query.type = (int)type;
	if (!strcmp(nd_heap_node_type_name(type), arg))
		return 0;
	nd_err_set(&heap->err, -EINVAL, "'%s' is no type of objects", arg);
	nd_err_hint(&heap->err, "object, closure, string, array, native, code, hidden, regexp, "
				"number, symbol or bigint");
	return EINVAL;
}

static error_t parse_size(struct heap *heap, const char *arg, uint64_t *ret_bytes)
{
	if (units_parse_bytes(arg, ret_bytes))
		return 0;
	nd_err_set(&heap->err, -EINVAL, "'%s' is no size", arg);
	nd_err_hint(&heap->err, "give it with its unit: 512K, 10M or 1G");
	return EINVAL;
}

static error_t parse_distance(struct heap *heap, const char *arg)
{
	uint64_t number;

	if (units_parse_number(arg, 0, ND_HEAP_DISTANCE_SYSTEM, &number)) {
		heap->query.max_distance = (int32_t)number;
		return 0;
	}
	nd_err_set(&heap->err, -EINVAL, "'%s' is no distance", arg);
	nd_err_hint(&heap->err, "give the steps from the program's roots, such as 3");
	return EINVAL;
}

static error_t parse_sort(struct heap *heap, const char *arg)
{
	static const char *const orders[] = {
		[ND_HEAP_BY_RETAINED] = "retained",
		[ND_HEAP_BY_SELF] = "self",
		[ND_HEAP_BY_DISTANCE] = "distance",
		[ND_HEAP_BY_ID] = "id",
	};
	unsigned int i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (!strcmp(orders[i], arg)) {
			heap->query.order = (enum nd_heap_order)i;
			return 0;
		}
	nd_err_set(&heap->err, -EINVAL, "'%s' is nothing to sort by", arg);
	nd_err_hint(&heap->err, "retained, self, distance or id");
	return EINVAL;
}

error_t heap_query_parse(struct heap *heap, int key, const char *arg)
{
	switch (key) {
	case HEAP_QUERY_TYPE:
		return parse_type(heap, arg);
	case HEAP_QUERY_SELF:
		return parse_size(heap, arg, &heap->query.min_self);
	case HEAP_QUERY_RETAINED:
		return parse_size(heap, arg, &heap->query.min_retained);
	case HEAP_QUERY_DISTANCE:
		return parse_distance(heap, arg);
	case HEAP_QUERY_SORT:
		return parse_sort(heap, arg);
	case HEAP_QUERY_RETAINED_BY:
		heap->retained_by = arg;
		return 0;
	default:
		heap->query.class = arg;
		return 0;
	}
}

/* So many ways are looked for one by one: no slower than to list the edges of all. */
#define WAYS_FEW 1000

static int find_matches(struct heap *heap, struct nd_heap_matches *ret)
{
	int code = nd_heap_find_matches(heap->snapshot, &heap->analysis, &heap->query, ret);

	if (code)
		return code;
	if (ret->node_count > WAYS_FEW)
		code = nd_heap_paths_list_edges(&heap->paths);
	if (code)
		nd_heap_matches_fini(ret);
	return code;
}

int heap_answer_query(struct heap *heap, char **words)
{
	struct nd_heap_matches matches;
	struct nd_buf out;
	int ret;

	heap->defers_edges = true;
	ret = heap_analyse(heap, words[0]);
	if (!ret && heap->retained_by)
		ret = heap_find_object(heap, words[0], heap->retained_by, &heap->query.retained_by);
	if (ret)
		return ret;
	heap->query.limit = heap->limit;
	if (find_matches(heap, &matches)) {
		nd_err_set(&heap->err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	nd_buf_init(&out, ND_OUTPUT_MAX);
	ret = heap->format == HEAP_FORMAT_JSON
		      ? nd_render_heap_matches_json(&heap->paths, &matches, &out)
		      : nd_render_heap_matches(&heap->paths, &matches,
					       term_has_colour(heap->colour), &out);
	ret = heap_print(heap, ret, &out);
	nd_buf_fini(&out);
	nd_heap_matches_fini(&matches);
	return ret;
}
