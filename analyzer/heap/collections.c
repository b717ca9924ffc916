/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/collections.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "common/array.h"

/* Less room is not worth a line. */
#define SLACK_MIN 1024

/* Words of a collection itself: map, properties, elements, and its table or length. */
#define OBJECT_WORDS 4

/* Words before what a store holds, and those of a table's counts. */
#define HEAD_WORDS  2
#define COUNT_WORDS 3

/* Of V8's smallest table. */
#define BUCKETS_MIN 2

static const char *const names[ND_HEAP_COLLECTION_KINDS] = {
	[ND_HEAP_COLLECTION_ARRAY] = "Array",
	[ND_HEAP_COLLECTION_MAP] = "Map",
	[ND_HEAP_COLLECTION_SET] = "Set",
	[ND_HEAP_COLLECTION_OBJECT] = "Object",
};

struct finder {
	const struct nd_heap *heap;
	struct nd_heap_collections found;
	uint32_t name[ND_HEAP_COLLECTION_KINDS]; /* strings of the heap, as all of these */
	uint32_t elements;
	uint32_t properties;
	uint32_t table;
	uint32_t map;
	uint32_t descriptors;
	uint32_t proto;
};

/* What is stored, in words. */
struct store {
	uint64_t word; /* bytes */
	uint32_t used;
	uint32_t capacity;
	uint32_t entry; /* words of each */
	uint64_t bytes;
};

const char *nd_heap_collection_name(enum nd_heap_collection_kind kind)
{
	return names[kind];
}

static int add_slack(struct finder *f, enum nd_heap_collection_kind kind, uint32_t node,
		     const struct store *store)
{
	struct nd_heap_collections *found = &f->found;
	uint64_t bytes = (uint64_t)(store->capacity - store->used) * store->entry * store->word;
	struct nd_heap_slack *list;

	found->kind[kind].measured++;
	found->kind[kind].slack_bytes += bytes;
	if (bytes < SLACK_MIN)
		return 0;
	list = nd_array_grow(found->slack, found->slack_count, sizeof(*list));
	if (!list)
		return -ENOMEM;
	found->slack = list;
	list[found->slack_count++] =
		(struct nd_heap_slack){node, store->used, store->capacity, bytes};
	return 0;
}

static void add_empty(struct finder *f, enum nd_heap_collection_kind kind, uint64_t bytes)
{
	f->found.kind[kind].empty++;
	f->found.kind[kind].empty_bytes += bytes;
}

/* An array's last element is an edge of the array itself. */
static int look_at_array(struct finder *f, uint32_t node)
{
	const struct nd_heap *heap = f->heap;
	struct store store = {.word = heap->self_size[node] / OBJECT_WORDS, .entry = 1};
	uint32_t elements = nd_heap_follow(heap, node, f->elements), e;
	uint64_t words;

	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++)
		if (nd_heap_edge_type(heap, e) == ND_HEAP_EDGE_ELEMENT &&
		    heap->edge_name[e] >= store.used)
			store.used = heap->edge_name[e] + 1;
	if (elements == ND_HEAP_NONE) {
		if (!store.used)
			add_empty(f, ND_HEAP_COLLECTION_ARRAY, heap->self_size[node]);
		return 0;
	}
	words = heap->self_size[elements] / store.word;
	/* What is sparse has a table of another kind. */
	if (!store.used || words < HEAD_WORDS || words - HEAD_WORDS > UINT32_MAX ||
	    store.used > words - HEAD_WORDS)
		return 0;
	store.capacity = (uint32_t)(words - HEAD_WORDS);
	return add_slack(f, ND_HEAP_COLLECTION_ARRAY, node, &store);
}

/* The number that an edge of a store is named by; false when it has another name. */
static bool read_index(const struct nd_heap *heap, uint32_t edge, uint64_t *ret)
{
	const char *text;

	if (nd_heap_edge_type(heap, edge) != ND_HEAP_EDGE_INTERNAL)
		return false;
	text = nd_heap_string(heap, heap->edge_name[edge]);
	for (*ret = 0; isdigit((unsigned char)*text) && *ret < UINT32_MAX; text++)
		*ret = *ret * 10 + (uint64_t)(*text - '0');
	return !*text;
}

/* Set the capacity and what is used of a table; false when it is none of V8's. */
static bool measure_table(const struct nd_heap *heap, uint32_t table, struct store *store)
{
	uint64_t words = heap->self_size[table] / store->word, buckets, start, index;
	uint32_t e;

	if (words < HEAD_WORDS + COUNT_WORDS || words > UINT32_MAX)
		return false;
	words -= HEAD_WORDS + COUNT_WORDS;
	buckets = words / (1 + 2 * store->entry);
	if (buckets < BUCKETS_MIN || (buckets & (buckets - 1)) ||
	    buckets * (1 + 2 * store->entry) != words)
		return false;
	store->capacity = (uint32_t)(2 * buckets);
	start = COUNT_WORDS + buckets;
	for (e = heap->first_edge[table]; e < heap->first_edge[table + 1]; e++) {
		if (!read_index(heap, e, &index) || index < start)
			continue;
		index = (index - start) / store->entry;
		if (index >= store->capacity)
			return false;
		if (index >= store->used)
			store->used = (uint32_t)index + 1;
	}
	return true;
}

static int look_at_table(struct finder *f, enum nd_heap_collection_kind kind, uint32_t node)
{
	const struct nd_heap *heap = f->heap;
	struct store store = {
		.word = heap->self_size[node] / OBJECT_WORDS,
		.entry = kind == ND_HEAP_COLLECTION_MAP ? 3 : 2,
	};
	uint32_t table = nd_heap_follow(heap, node, f->table);

	if (table == ND_HEAP_NONE || !measure_table(heap, table, &store))
		return 0;
	if (store.used)
		return add_slack(f, kind, node, &store);
	if (store.capacity == 2 * BUCKETS_MIN)
		add_empty(f, kind, heap->self_size[node] + heap->self_size[table]);
	return 0;
}

static void look_at_object(struct finder *f, uint32_t node)
{
	const struct nd_heap *heap = f->heap;
	enum nd_heap_edge_type type;
	uint32_t e, map = ND_HEAP_NONE;

	for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
		type = nd_heap_edge_type(heap, e);
		if (type == ND_HEAP_EDGE_ELEMENT)
			return;
		if (type == ND_HEAP_EDGE_PROPERTY && heap->edge_name[e] != f->proto)
			return;
		if (type != ND_HEAP_EDGE_INTERNAL)
			continue;
		if (heap->edge_name[e] == f->elements || heap->edge_name[e] == f->properties)
			return;
		if (heap->edge_name[e] == f->map)
			map = nd_heap_edge_to(heap, e);
	}
	if (map != ND_HEAP_NONE && nd_heap_follow(heap, map, f->descriptors) == ND_HEAP_NONE)
		add_empty(f, ND_HEAP_COLLECTION_OBJECT, heap->self_size[node]);
}

static int look_at(struct finder *f, uint32_t node)
{
	int kind = 0;

	while (kind < ND_HEAP_COLLECTION_KINDS && f->heap->name[node] != f->name[kind])
		kind++;
	if (kind == ND_HEAP_COLLECTION_KINDS)
		return 0;
	f->found.kind[kind].count++;
	if (kind == ND_HEAP_COLLECTION_OBJECT) {
		look_at_object(f, node);
		return 0;
	}
	/* A class of the program with such a name may have any size. */
	if (f->heap->self_size[node] / OBJECT_WORDS != 4 &&
	    f->heap->self_size[node] / OBJECT_WORDS != 8)
		return 0;
	return kind == ND_HEAP_COLLECTION_ARRAY
		       ? look_at_array(f, node)
		       : look_at_table(f, (enum nd_heap_collection_kind)kind, node);
}

static int compare(const void *a, const void *b)
{
	const struct nd_heap_slack *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static void find_names(struct finder *f)
{
	int kind;

	for (kind = 0; kind < ND_HEAP_COLLECTION_KINDS; kind++)
		f->name[kind] = nd_heap_find_string(f->heap, names[kind]);
	f->elements = nd_heap_find_string(f->heap, "elements");
	f->properties = nd_heap_find_string(f->heap, "properties");
	f->table = nd_heap_find_string(f->heap, "table");
	f->map = nd_heap_find_string(f->heap, "map");
	f->descriptors = nd_heap_find_string(f->heap, "descriptors");
	f->proto = nd_heap_find_string(f->heap, "__proto__");
}

int nd_heap_find_collections(const struct nd_heap *heap, struct nd_heap_collections *ret)
{
	struct finder f = {.heap = heap};
	uint32_t node;
	int code = 0;

	find_names(&f);
	for (node = 0; node < heap->node_count && !code; node++)
		if (heap->type[node] == ND_HEAP_OBJECT)
			code = look_at(&f, node);
	if (code) {
		nd_heap_collections_fini(&f.found);
		return code;
	}
	if (f.found.slack_count)
		qsort(f.found.slack, f.found.slack_count, sizeof(*f.found.slack), compare);
	*ret = f.found;
	return 0;
}

void nd_heap_collections_fini(struct nd_heap_collections *collections)
{
	free(collections->slack);
	*collections = (struct nd_heap_collections){0};
}
