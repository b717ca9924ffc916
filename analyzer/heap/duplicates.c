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

/*
 * V8's table has each text once, cut to a length. So nearly all nodes of one string have one size;
 * what has another one is kept apart, for it is another text that begins alike.
 */
struct counts {
	uint64_t *size; /* of each string, that of its first node */
	uint32_t *count;
	struct nd_set others;
	uint32_t *other_count;
};

static int compare(const void *a, const void *b)
{
	const struct nd_heap_duplicate *x = a, *y = b;
	uint64_t left = nd_heap_duplicate_waste(x), right = nd_heap_duplicate_waste(y);

	if (left != right)
		return left < right ? 1 : -1;
	if (x->string != y->string)
		return x->string < y->string ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

static int count_other(struct counts *c, uint64_t size, uint32_t string)
{
	const struct text text = {size, string, 0};
	uint32_t before = c->others.count, *list, id;

	if (nd_set_add(&c->others, &text, UINT32_MAX, &id))
		return -ENOMEM;
	if (c->others.count > before) {
		list = nd_array_grow(c->other_count, before, sizeof(*list));
		if (!list)
			return -ENOMEM;
		c->other_count = list;
		list[id] = 0;
	}
	c->other_count[id]++;
	return 0;
}

static int count_texts(const struct nd_heap *heap, struct counts *c)
{
	uint32_t node, string;
	uint64_t size;
	int ret = 0;

	c->size = malloc(((size_t)heap->string_count + 1) * sizeof(*c->size));
	c->count = calloc((size_t)heap->string_count + 1, sizeof(*c->count));
	if (!c->size || !c->count)
		return -ENOMEM;
	for (node = 0; node < heap->node_count && !ret; node++) {
		size = heap->self_size[node];
		if (heap->type[node] != ND_HEAP_STRING || !size)
			continue;
		string = heap->name[node];
		if (!c->count[string])
			c->size[string] = size;
		if (c->size[string] == size)
			c->count[string]++;
		else
			ret = count_other(c, size, string);
	}
	return ret;
}

static uint32_t count_repeated(const uint32_t *count, uint32_t texts)
{
	uint32_t repeated = 0, i;

	for (i = 0; i < texts; i++)
		repeated += count[i] > 1;
	return repeated;
}

/* Those that are there several times; NULL when out of memory. */
static struct nd_heap_duplicate *list_repeated(const struct nd_heap *heap, const struct counts *c,
					       uint32_t *ret_count)
{
	uint32_t count = count_repeated(c->count, heap->string_count) +
			 count_repeated(c->other_count, c->others.count),
		 found = 0, i;
	struct nd_heap_duplicate *list = malloc(((size_t)count + 1) * sizeof(*list));
	const struct text *text = (const struct text *)c->others.records;

	for (i = 0; list && i < heap->string_count; i++)
		if (c->count[i] > 1)
			list[found++] = (struct nd_heap_duplicate){i, c->count[i], c->size[i]};
	for (i = 0; list && i < c->others.count; i++, text++)
		if (c->other_count[i] > 1)
			list[found++] = (struct nd_heap_duplicate){text->string, c->other_count[i],
								   text->size};
	*ret_count = found;
	return list;
}

int nd_heap_find_duplicates(const struct nd_heap *heap, uint32_t max,
			    struct nd_heap_duplicate **ret, uint32_t *ret_count,
			    uint64_t *ret_waste)
{
	struct counts c = {.others.size = sizeof(struct text)};
	struct nd_heap_duplicate *list = NULL;
	uint32_t found = 0, i;

	if (!count_texts(heap, &c))
		list = list_repeated(heap, &c, &found);
	free(c.size);
	free(c.count);
	free(c.other_count);
	nd_set_fini(&c.others);
	if (!list)
		return -ENOMEM;
	*ret_waste = 0;
	for (i = 0; i < found; i++)
		*ret_waste += nd_heap_duplicate_waste(&list[i]);
	qsort(list, found, sizeof(*list), compare);
	*ret = list;
	*ret_count = found < max ? found : max;
	return 0;
}
