/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/duplicates.h"

#include <errno.h>
#include <stdlib.h>

#include "analyzer/heap/heap.h"
#include "common/array.h"
#include "common/set.h"

/* What makes strings the same. */
struct text {
	uint64_t size;
	uint32_t string;
	uint32_t unused;
};

static int compare(const void *a, const void *b)
{
	const struct nd_heap_duplicate *x = a, *y = b;
	uint64_t left = nd_heap_duplicate_waste(x), right = nd_heap_duplicate_waste(y);

	if (left != right)
		return left < right ? 1 : -1;
	return x->string < y->string ? -1 : x->string > y->string;
}

static int count_texts(const struct nd_heap *heap, struct nd_set *texts, uint32_t **ret_count)
{
	uint32_t *count = NULL, *list, node, id, before;
	struct text text;

	for (node = 0; node < heap->node_count; node++) {
		if (heap->type[node] != ND_HEAP_STRING || !heap->self_size[node])
			continue;
		text = (struct text){heap->self_size[node], heap->name[node], 0};
		before = texts->count;
		if (nd_set_add(texts, &text, UINT32_MAX, &id))
			break;
		if (texts->count > before) {
			list = nd_array_grow(count, before, sizeof(*list));
			if (!list)
				break;
			count = list;
			count[id] = 0;
		}
		count[id]++;
	}
	*ret_count = count;
	return node < heap->node_count ? -ENOMEM : 0;
}

int nd_heap_find_duplicates(const struct nd_heap *heap, uint32_t max,
			    struct nd_heap_duplicate **ret, uint32_t *ret_count,
			    uint64_t *ret_waste)
{
	struct nd_set texts = {.size = sizeof(struct text)};
	struct nd_heap_duplicate *list = NULL;
	uint32_t *count = NULL, i, found = 0;
	int code = count_texts(heap, &texts, &count);

	if (!code)
		list = malloc(((size_t)texts.count + 1) * sizeof(*list));
	if (!list)
		code = -ENOMEM;
	*ret_waste = 0;
	for (i = 0; i < texts.count && !code; i++) {
		const struct text *text = (const struct text *)texts.records + i;

		if (count[i] < 2)
			continue;
		list[found] = (struct nd_heap_duplicate){text->string, count[i], text->size};
		*ret_waste += nd_heap_duplicate_waste(&list[found++]);
	}
	free(count);
	nd_set_fini(&texts);
	if (code) {
		free(list);
		return code;
	}
	qsort(list, found, sizeof(*list), compare);
	*ret = list;
	*ret_count = found < max ? found : max;
	return 0;
}
