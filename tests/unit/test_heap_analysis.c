/* SPDX-License-Identifier: Apache-2.0 */

/* Dominators, sizes, distances and classes, by DevTools' rules. */

#include "analyzer/heap/analysis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzer/heap/distances.h"
#include "analyzer/heap/dominators.h"
#include "heap_known.h"

static const char *class_name(const struct known *k, uint32_t node)
{
	return nd_heap_class_name(&k->a.classes, k->a.class_of[node]);
}

/*
 * The root, its (GC roots), and global; a diamond below it; what only (GC roots) reach; an orphan
 * with a child, and a circle that nothing reaches.
 */
static void test_graph(void **state)
{
	static const struct build_node nodes[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},	    {ND_HEAP_SYNTHETIC, "(GC roots)", 3, 0},
		{ND_HEAP_OBJECT, "global", 5, 10},  {ND_HEAP_OBJECT, "A", 7, 20},
		{ND_HEAP_OBJECT, "B", 9, 30},	    {ND_HEAP_OBJECT, "C", 11, 40},
		{ND_HEAP_OBJECT, "V8", 13, 50},	    {ND_HEAP_OBJECT, "Orphan", 15, 60},
		{ND_HEAP_OBJECT, "Child", 17, 70},  {ND_HEAP_OBJECT, "Circle", 19, 80},
		{ND_HEAP_OBJECT, "Circle", 21, 90},
	};
	static const struct build_edge edges[] = {
		{0, E_ELEMENT, NULL, 1, 1},  {0, E_SHORTCUT, "global", 0, 2},
		{1, E_ELEMENT, NULL, 1, 6},  {1, E_ELEMENT, NULL, 2, 5},
		{2, E_PROPERTY, "a", 0, 3},  {2, E_PROPERTY, "b", 0, 4},
		{2, E_PROPERTY, "me", 0, 2}, {3, E_PROPERTY, "c", 0, 5},
		{4, E_PROPERTY, "c", 0, 5},  {5, E_WEAK, "w", 0, 8},
		{7, E_PROPERTY, "x", 0, 8},  {9, E_PROPERTY, "y", 0, 10},
		{10, E_PROPERTY, "y", 0, 9},
	};
	static const uint32_t dominators[] = {0, 0, 0, 2, 2, 2, 1, 0, 7, 0, 0};
	static const uint64_t retained[] = {450, 50, 100, 20, 30, 40, 50, 130, 70, 80, 90};
	static const int32_t distances[] = {100000000, 100000001, 1,  2,  2, 3,
					    100000002, -5,	  -5, -5, -5};
	const struct build build = {nodes, COUNT(nodes), edges, COUNT(edges), NULL, 0};
	struct known k;
	uint32_t i;

	analyse(&k, &build);
	for (i = 0; i < COUNT(nodes); i++) {
		assert_int_equal(k.a.dominator[i], dominators[i]);
		assert_int_equal(k.a.retained[i], retained[i]);
		assert_int_equal(k.a.distance[i], distances[i]);
	}
	assert_int_equal(k.a.before[5], 3);
	assert_int_equal(k.a.before[2], 0);
	assert_int_equal(k.a.before[7], ND_HEAP_NONE);
	/* Both of the circle are top, and each is counted. */
	i = k.a.class_of[9];
	assert_int_equal(k.a.class[i].count, 2);
	assert_int_equal(k.a.class[i].retained, 170);
	forget(&k);
}

/* A weak map's value lives by its key, and is as far as both. */
static void test_weak_map(void **state)
{
	static const struct build_node nodes[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},	   {ND_HEAP_OBJECT, "global", 3, 1},
		{ND_HEAP_OBJECT, "WeakMap", 5, 1}, {ND_HEAP_ARRAY, "(table)", 7, 1},
		{ND_HEAP_OBJECT, "Key", 9, 1},	   {ND_HEAP_OBJECT, "Value", 11, 100},
	};
#define PAIR " / part of key (Key @9) -> value (Value @11) pair in WeakMap (table @7)"
	static const struct build_edge edges[] = {
		{0, E_SHORTCUT, "global", 0, 1}, {1, E_PROPERTY, "map", 0, 2},
		{1, E_PROPERTY, "key", 0, 4},	 {2, E_INTERNAL, "table", 0, 3},
		{3, E_WEAK, "0", 0, 4},		 {3, E_INTERNAL, "2" PAIR, 0, 5},
		{4, E_INTERNAL, "1" PAIR, 0, 5},
	};
	const struct build build = {nodes, COUNT(nodes), edges, COUNT(edges), NULL, 0};
	struct known k;

	analyse(&k, &build);
	assert_int_equal(k.a.dominator[5], 4);
	assert_int_equal(k.a.retained[4], 101);
	assert_int_equal(k.a.distance[4], 2);
	assert_int_equal(k.a.distance[5], 4);
	forget(&k);
}

/* Arrays and hidden nodes give their size to a single owner; shared ones keep it. */
static void test_owners(void **state)
{
	static const struct build_node nodes[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},
		{ND_HEAP_OBJECT, "global", 3, 1},
		{ND_HEAP_OBJECT, "Array", 5, 16},
		{ND_HEAP_ARRAY, "", 7, 1000},
		{ND_HEAP_HIDDEN, "system", 9, 100},
		{ND_HEAP_ARRAY, "", 11, 10000},
		{ND_HEAP_OBJECT, "Array", 13, 16},
		{ND_HEAP_NATIVE, "system / ExternalStringData", 2, 7},
		{ND_HEAP_STRING, "s", 15, 20},
	};
	static const struct build_edge edges[] = {
		{0, E_SHORTCUT, "global", 0, 1},   {1, E_PROPERTY, "x", 0, 2},
		{1, E_PROPERTY, "y", 0, 6},	   {1, E_PROPERTY, "s", 0, 8},
		{2, E_INTERNAL, "elements", 0, 3}, {2, E_INTERNAL, "shared", 0, 5},
		{3, E_INTERNAL, "more", 0, 4},	   {6, E_INTERNAL, "shared", 0, 5},
		{8, E_INTERNAL, "data", 0, 7},
	};
	static const uint64_t sizes[] = {0, 1, 1116, 0, 0, 10000, 16, 0, 27};
	const struct build build = {nodes, COUNT(nodes), edges, COUNT(edges), NULL, 0};
	struct known k;
	uint32_t i;

	analyse(&k, &build);
	for (i = 0; i < COUNT(nodes); i++)
		assert_int_equal(k.heap->self_size[i], sizes[i]);
	i = k.a.class_of[3];
	assert_string_equal(class_name(&k, 3), "(array)");
	assert_int_equal(k.a.class[i].count, 1);
	assert_int_equal(k.a.class[i].self, 10000);
	forget(&k);
}

static void test_classes(void **state)
{
	static const struct build_node nodes[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},	      {ND_HEAP_OBJECT, "global", 3, 1},
		{ND_HEAP_CLOSURE, "f", 5, 1},	      {ND_HEAP_CODE, "x", 7, 1},
		{ND_HEAP_REGEXP, "r", 9, 1},	      {ND_HEAP_STRING, "s", 11, 1},
		{ND_HEAP_NATIVE, "<div id=a>", 2, 1}, {ND_HEAP_OBJECT, "User", 13, 1},
		{ND_HEAP_OBJECT, "User", 15, 1},      {ND_HEAP_BIGINT, "b", 17, 1},
	};
	static const uint32_t locations[][4] = {{7, 3, 9, 1}, {2, 3, 10, 2}};
	static const char *const names[] = {
		"(synthetic)", "global", "Function", "(compiled code)", "RegExp", "(string)",
		"<div>",       "User",	 "User",     "(bigint)"};
	static const struct build_edge edges[] = {{0, E_SHORTCUT, "global", 0, 1}};
	const struct build build = {nodes, COUNT(nodes), edges, 1, locations, 2};
	const struct nd_heap_class_key *key;
	struct known k;
	uint32_t i;

	analyse(&k, &build);
	for (i = 0; i < COUNT(nodes); i++)
		assert_string_equal(class_name(&k, i), names[i]);
	key = nd_heap_class_key(&k.a.classes, k.a.class_of[7]);
	assert_int_equal(key->is_located, 1);
	assert_int_equal(key->line, 9);
	assert_int_not_equal(k.a.class_of[7], k.a.class_of[8]);
	forget(&k);
}

/* Plain objects that look alike get a name; the largest interface wins, then the most popular. */
static void test_interfaces(void **state)
{
	static const struct build_node nodes[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},	   {ND_HEAP_OBJECT, "Object", 3, 1},
		{ND_HEAP_OBJECT, "Object", 5, 1},  {ND_HEAP_OBJECT, "Object", 7, 1},
		{ND_HEAP_OBJECT, "Object", 9, 1},  {ND_HEAP_OBJECT, "Object", 11, 1},
		{ND_HEAP_OBJECT, "Object", 13, 1}, {ND_HEAP_OBJECT, "Map", 15, 1},
	};
	static const struct build_edge edges[] = {
		{0, E_SHORTCUT, "o", 0, 1},   {1, E_PROPERTY, "id", 0, 7},
		{1, E_PROPERTY, "a,b", 0, 7}, {2, E_PROPERTY, "id", 0, 7},
		{2, E_PROPERTY, "a,b", 0, 7}, {2, E_PROPERTY, "__proto__", 0, 7},
		{3, E_PROPERTY, "id", 0, 7},  {4, E_PROPERTY, "id", 0, 7},
		{5, E_PROPERTY, "z", 0, 7},   {5, E_PROPERTY, "a,b", 0, 7},
		{5, E_PROPERTY, "id", 0, 7},
	};
	static const char *const names[] = {"{id, \"a,b\"}", "{id, \"a,b\"}", "{id}", "{id}",
					    "{id, \"a,b\"}", "Object",	      "Map"};
	const struct build build = {nodes, COUNT(nodes), edges, COUNT(edges), NULL, 0};
	struct known k;
	uint32_t i;

	analyse(&k, &build);
	for (i = 1; i < COUNT(nodes); i++)
		assert_string_equal(class_name(&k, i), names[i - 1]);
	forget(&k);
}

static bool is_target(const struct nd_heap *heap, uint32_t node)
{
	uint32_t e;

	for (e = 0; e < heap->edge_count; e++)
		if (nd_heap_edge_to(heap, e) == node)
			return true;
	return false;
}

/* What a node dominates is what cannot be reached without it, from the root or an orphan. */
static bool is_reached(const struct nd_heap *heap, uint32_t without, uint32_t wanted, uint8_t *seen,
		       uint32_t *stack)
{
	uint32_t count = 0, e, to;

	for (to = 0; to < heap->node_count; to++) {
		seen[to] = to != without && (to == heap->root || !is_target(heap, to));
		if (seen[to])
			stack[count++] = to;
	}
	while (count) {
		uint32_t node = stack[--count];

		if (node == wanted)
			return true;
		for (e = heap->first_edge[node]; e < heap->first_edge[node + 1]; e++) {
			to = nd_heap_edge_to(heap, e);
			if (to == without || seen[to])
				continue;
			seen[to] = 1;
			stack[count++] = to;
		}
	}
	return false;
}

static void check_dominators(const struct nd_heap *heap)
{
	uint8_t *essential = malloc(heap->edge_count / 8 + 1);
	uint8_t *seen = malloc(heap->node_count);
	uint32_t *stack = malloc(heap->node_count * sizeof(*stack));
	uint32_t *dominator, node, d, other;
	uint64_t *retained;

	memset(essential, 0xff, heap->edge_count / 8 + 1);
	assert_int_equal(nd_heap_find_dominators(heap, essential, &dominator, &retained), 0);
	for (node = 0; node < heap->node_count; node++) {
		if (!is_reached(heap, ND_HEAP_NONE, node, seen, stack) || node == heap->root)
			continue;
		/* The nearest: all others that dominate it dominate its dominator too. */
		d = dominator[node];
		if (d != heap->root)
			assert_false(is_reached(heap, d, node, seen, stack));
		for (other = 0; other < heap->node_count; other++)
			if (other != node && other != d &&
			    !is_reached(heap, other, node, seen, stack))
				assert_false(is_reached(heap, other, d, seen, stack));
	}
	free(dominator);
	free(retained);
	free(essential);
	free(seen);
	free(stack);
}

static void test_random_graphs(void **state)
{
	enum { NODES = 24, EDGES = 44 };
	struct build_node nodes[NODES];
	struct build_edge edges[EDGES];
	struct build build = {nodes, NODES, edges, EDGES, NULL, 0};
	uint32_t random = 12345, graph, i, k;
	struct nd_heap *heap;

	for (graph = 0; graph < 60; graph++) {
		for (i = 0; i < NODES; i++)
			nodes[i] = (struct build_node){ND_HEAP_OBJECT, "o", 2 * i + 1, 1};
		for (i = 0, k = 0; i < NODES; i++)
			for (; k < (i + 1) * EDGES / NODES; k++) {
				random = random * 1103515245 + 12345;
				edges[k] = (struct build_edge){i, E_PROPERTY, "p", 0,
							       (random >> 16) % NODES};
			}
		heap = build_heap(&build);
		assert_non_null(heap);
		check_dominators(heap);
		nd_heap_free(heap);
	}
}

/* A chain, and a ladder, whose dominators a simpler algorithm finds in quadratic time. */
static void add_large(struct nd_buf *out, uint32_t nodes, bool is_ladder)
{
	uint32_t i, edges = is_ladder ? 2 * nodes - 2 : nodes - 1;

	nd_buf_addf(out, BUILD_HEAD "\"node_count\":%u,\"edge_count\":%u},\"nodes\":[", nodes,
		    edges);
	for (i = 0; i < nodes; i++)
		nd_buf_addf(out, "%s3,1,%u,1,%d,0", i ? "," : "", 2 * i + 1,
			    is_ladder ? (i ? (i + 1 < nodes ? 2 : 1) : 1) : i + 1 < nodes);
	nd_buf_add_str(out, "],\"edges\":[");
	for (i = 0; i < nodes; i++) {
		if (i + 1 < nodes)
			nd_buf_addf(out, "%s2,1,%u", i ? "," : "", 6 * (i + 1));
		if (is_ladder && i)
			nd_buf_addf(out, ",2,1,%u", 6 * (i / 2));
	}
	nd_buf_add_str(out, "],\"strings\":[\"<dummy>\",\"A\"]}");
}

static void test_large_graphs(void **state)
{
	enum { NODES = 300000 };
	struct known k = {0};
	struct nd_buf text;
	int ladder;

	for (ladder = 0; ladder < 2; ladder++) {
		nd_buf_init(&text, 1u << 28);
		add_large(&text, NODES, ladder);
		assert_int_equal(build_read(text.data, text.len, 1u << 16, &k.heap, NULL), 0);
		nd_buf_fini(&text);
		k.names = nd_intern_new();
		assert_int_equal(nd_heap_analyse(k.heap, k.names, &k.a, NULL), 0);
		assert_int_equal(nd_heap_find_sums(k.heap, &k.a, NULL), 0);
		assert_int_equal(k.a.dominator[NODES - 1], NODES - 2);
		assert_int_equal(k.a.retained[NODES / 2], NODES / 2);
		assert_int_equal(k.a.distance[NODES - 1], NODES - 1);
		assert_int_equal(k.a.class[k.a.class_of[1]].retained, NODES);
		forget(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_graph),	     cmocka_unit_test(test_weak_map),
		cmocka_unit_test(test_owners),	     cmocka_unit_test(test_classes),
		cmocka_unit_test(test_interfaces),   cmocka_unit_test(test_random_graphs),
		cmocka_unit_test(test_large_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
