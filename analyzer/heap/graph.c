/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/graph.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/intern.h"

#define PAIR_START " / part of key ("
#define PAIR_TABLE " pair in WeakMap (table @"

/* The id of the map in the text of a pair, behind its number; false when it is none. */
static bool read_pair(const char *text, size_t len, uint32_t *ret_table)
{
	static const size_t start_len = sizeof(PAIR_START) - 1, table_len = sizeof(PAIR_TABLE) - 1;
	uint64_t table = 0;
	size_t digits;

	if (len < start_len + table_len || memcmp(text, PAIR_START, start_len) != 0 ||
	    text[len - 1] != ')')
		return false;
	for (digits = len - 1; isdigit((unsigned char)text[digits - 1]);)
		digits--;
	if (digits == len - 1 || len - 1 - digits > 10 || digits < table_len ||
	    memcmp(text + digits - table_len, PAIR_TABLE, table_len) != 0)
		return false;
	for (; text[digits] != ')'; digits++)
		table = table * 10 + (uint64_t)(text[digits] - '0');
	*ret_table = (uint32_t)table;
	return table <= UINT32_MAX;
}

static int add_pair(struct nd_heap_pairs *pairs, struct nd_intern *texts, const char *text,
		    size_t len, uint32_t table, uint32_t *ret_pair)
{
	uint32_t *tables;
	uint32_t id;

	if (nd_intern_add(texts, text, len, &id))
		return -ENOMEM;
	/* Ids count up from 1, since 0 is the empty text. */
	if (id > pairs->count) {
		tables = nd_array_grow(pairs->table, pairs->count, sizeof(*tables));
		if (!tables)
			return -ENOMEM;
		pairs->table = tables;
		pairs->table[pairs->count++] = table;
	}
	*ret_pair = id;
	return 0;
}

static int find_pairs(struct nd_heap_pairs *pairs, const struct nd_heap *heap,
		      struct nd_intern *texts)
{
	const char *text;
	uint32_t i, table;
	size_t digits;

	for (i = 0; i < heap->string_count; i++) {
		text = nd_heap_string(heap, i);
		if (!isdigit((unsigned char)*text))
			continue;
		digits = strspn(text, "0123456789");
		if (read_pair(text + digits, strlen(text + digits), &table) &&
		    add_pair(pairs, texts, text + digits, strlen(text + digits), table,
			     &pairs->of_string[i]))
			return -ENOMEM;
	}
	return 0;
}

int nd_heap_pairs_init(struct nd_heap_pairs *pairs, const struct nd_heap *heap)
{
	struct nd_intern *texts = nd_intern_new();
	int ret = -ENOMEM;

	*pairs = (struct nd_heap_pairs){0};
	pairs->of_string = calloc((size_t)heap->string_count + 1, sizeof(*pairs->of_string));
	if (texts && pairs->of_string)
		ret = find_pairs(pairs, heap, texts);
	nd_intern_free(texts);
	if (ret)
		nd_heap_pairs_fini(pairs);
	return ret;
}

void nd_heap_pairs_fini(struct nd_heap_pairs *pairs)
{
	free(pairs->of_string);
	free(pairs->table);
	*pairs = (struct nd_heap_pairs){0};
}

bool nd_heap_is_user_root(const struct nd_heap *heap, uint32_t node)
{
	return heap->type[node] != ND_HEAP_SYNTHETIC ||
	       !strcmp(nd_heap_name(heap, node), "(Document DOM trees)");
}

/* Where the user's objects begin: behind shortcuts of the root, and the trees of pages. */
static bool is_entry(const struct nd_heap *heap, uint32_t edge)
{
	enum nd_heap_edge_type type = nd_heap_edge_type(heap, edge);
	uint32_t to = nd_heap_edge_to(heap, edge);

	if (type == ND_HEAP_EDGE_SHORTCUT)
		return true;
	return type == ND_HEAP_EDGE_ELEMENT && heap->type[to] == ND_HEAP_SYNTHETIC &&
	       nd_heap_is_user_root(heap, to);
}

/* Mark what the user's objects reach; `stack` has room for all nodes. */
static void mark_owned(const struct nd_heap *heap, uint8_t *owned, uint32_t *stack)
{
	uint32_t count = 0, e, node, to;

	for (e = heap->first_edge[heap->root]; e < heap->first_edge[heap->root + 1]; e++) {
		to = nd_heap_edge_to(heap, e);
		if (!is_entry(heap, e) || nd_heap_bit(owned, to))
			continue;
		nd_heap_set_bit(owned, to);
		stack[count++] = to;
	}
	while (count) {
		node = stack[--count];
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
			to = nd_heap_edge_to(heap, e);
			if (nd_heap_edge_type(heap, e) == ND_HEAP_EDGE_WEAK ||
			    nd_heap_bit(owned, to))
				continue;
			nd_heap_set_bit(owned, to);
			stack[count++] = to;
		}
	}
}

static uint8_t *find_owned(const struct nd_heap *heap)
{
	uint8_t *owned = calloc(heap->node_count / 8 + 1, 1);
	uint32_t *stack = malloc(heap->node_count * sizeof(*stack));

	if (owned && stack) {
		mark_owned(heap, owned, stack);
	} else {
		free(owned);
		owned = NULL;
	}
	free(stack);
	return owned;
}

static bool is_essential(const struct nd_heap *heap, const struct nd_heap_pairs *pairs,
			 const uint8_t *owned, uint32_t node, uint32_t edge)
{
	enum nd_heap_edge_type type = nd_heap_edge_type(heap, edge);
	uint32_t to = nd_heap_edge_to(heap, edge), pair;

	if (type == ND_HEAP_EDGE_WEAK || to == node)
		return false;
	pair = nd_heap_pair_of(pairs, heap, edge);
	if (pair && pairs->table[pair - 1] == heap->id[node])
		return false;
	if (node == heap->root)
		return true;
	return type != ND_HEAP_EDGE_SHORTCUT &&
	       (!nd_heap_bit(owned, to) || nd_heap_bit(owned, node));
}

uint8_t *nd_heap_find_essential(const struct nd_heap *heap, const struct nd_heap_pairs *pairs)
{
	uint8_t *owned = find_owned(heap);
	uint8_t *essential = owned ? calloc(heap->edge_count / 8 + 1, 1) : NULL;
	uint32_t node, e;

	for (node = 0; essential && node < heap->node_count; node++)
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++)
			if (is_essential(heap, pairs, owned, node, e))
				nd_heap_set_bit(essential, e);
	free(owned);
	return essential;
}
