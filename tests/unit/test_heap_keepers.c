/* SPDX-License-Identifier: Apache-2.0 */

/* Who keeps a heap, and what of it is of no use: functions, scopes, modules, collections. */

#include "analyzer/heap/functions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzer/heap/collections.h"
#include "analyzer/heap/modules.h"
#include "heap_known.h"

/*
 * Two handlers of one place with a scope each, which hold 100 bytes; a third whose scope a
 * generator holds too; a package's function that holds 1,000; and what the program and the package
 * share.
 */
static const struct build_node nodes[] = {
	{ND_HEAP_SYNTHETIC, "", 1, 0},						   /* 0 */
	{ND_HEAP_OBJECT, "global", 3, 10},					   /* 1 */
	{ND_HEAP_CLOSURE, "handle", 5, 20},					   /* 2 */
	{ND_HEAP_CLOSURE, "handle", 7, 20},					   /* 3 */
	{ND_HEAP_CLOSURE, "later", 9, 20},					   /* 4 */
	{ND_HEAP_CLOSURE, "get", 11, 20},					   /* 5 */
	{ND_HEAP_OBJECT, "system / Context", 13, 30},				   /* 6 */
	{ND_HEAP_OBJECT, "system / Context", 15, 30},				   /* 7 */
	{ND_HEAP_OBJECT, "system / Context", 17, 30},				   /* 8 */
	{ND_HEAP_OBJECT, "Session", 19, 100},					   /* 9 */
	{ND_HEAP_OBJECT, "Session", 21, 100},					   /* 10 */
	{ND_HEAP_OBJECT, "Generator", 23, 5},					   /* 11 */
	{ND_HEAP_CODE, "handle", 25, 40},					   /* 12 */
	{ND_HEAP_CODE, "get", 27, 40},						   /* 13 */
	{ND_HEAP_CODE, "/app/server.js", 29, 3},				   /* 14 */
	{ND_HEAP_CODE, "/app/node_modules/a/node_modules/@x/lru/index.js", 31, 3}, /* 15 */
	{ND_HEAP_OBJECT, "Cache", 33, 1000},					   /* 16 */
	{ND_HEAP_OBJECT, "Shared", 35, 7},					   /* 17 */
};
static const struct build_edge edges[] = {
	{0, E_SHORTCUT, "global", 0, 1},   {1, E_PROPERTY, "a", 0, 2},
	{1, E_PROPERTY, "b", 0, 3},	   {1, E_PROPERTY, "c", 0, 4},
	{1, E_PROPERTY, "d", 0, 5},	   {1, E_PROPERTY, "g", 0, 11},
	{2, E_INTERNAL, "shared", 0, 12},  {2, E_INTERNAL, "context", 0, 6},
	{3, E_INTERNAL, "shared", 0, 12},  {3, E_INTERNAL, "context", 0, 7},
	{4, E_INTERNAL, "shared", 0, 12},  {4, E_INTERNAL, "context", 0, 8},
	{5, E_INTERNAL, "shared", 0, 13},  {5, E_PROPERTY, "cache", 0, 16},
	{5, E_PROPERTY, "s", 0, 17},	   {6, E_CONTEXT, "session", 0, 9},
	{7, E_CONTEXT, "session", 0, 10},  {8, E_CONTEXT, "shared", 0, 17},
	{11, E_INTERNAL, "context", 0, 8}, {12, E_INTERNAL, "script", 0, 14},
	{13, E_INTERNAL, "script", 0, 15},
};
static const uint32_t locations[][4] = {{2, 1, 9, 4}, {3, 1, 9, 4}, {4, 1, 20, 4}, {5, 2, 0, 0}};
static const struct build build = {nodes, COUNT(nodes), edges, COUNT(edges), locations, 4};

static void test_closures(void **state)
{
	struct nd_heap_keepers keepers;
	struct nd_heap_table table;
	struct known k;

	analyse(&k, &build);
	assert_int_equal(nd_heap_find_keepers(&k.paths, &keepers), 0);
	table = keepers.closures;
	assert_int_equal(table.count, 3);
	assert_int_equal(table.objects, 4);
	assert_int_equal(table.self, 80);
	/* The package's holds the cache, its shared part and its script. */
	assert_int_equal(table.row[0].example, 5);
	assert_int_equal(table.row[0].retained, 20 + 1000 + 40 + 3);
	assert_int_equal(table.row[1].example, 2);
	assert_int_equal(table.row[1].count, 2);
	assert_int_equal(table.row[1].self, 40);
	assert_int_equal(table.row[1].retained, 2 * (20 + 30 + 100));
	nd_heap_keepers_fini(&keepers);
	forget(&k);
}

static void test_detached_scopes(void **state)
{
	struct nd_heap_keepers keepers;
	struct nd_heap_table table;
	struct known k;

	analyse(&k, &build);
	assert_int_equal(nd_heap_find_keepers(&k.paths, &keepers), 0);
	table = keepers.scopes;
	assert_int_equal(table.count, 1);
	assert_int_equal(table.row[0].count, 2);
	assert_int_equal(table.row[0].self, 60);
	assert_int_equal(table.row[0].retained, 260);
	assert_int_equal(nd_heap_find_scope_function(&k.paths, table.row[0].example), 2);
	nd_heap_keepers_fini(&keepers);
	forget(&k);
}

static void check_module(const struct nd_heap_modules *m, uint32_t i, const char *name,
			 enum nd_heap_module_kind kind, uint64_t bytes)
{
	assert_string_equal(nd_intern_get(m->names, m->module[i].name), name);
	assert_int_equal(m->module[i].kind, kind);
	assert_int_equal(m->module[i].bytes, bytes);
}

/* All bytes are somebody's; what two modules share is nobody's. */
static void test_modules(void **state)
{
	struct nd_heap_modules m;
	struct known k;

	analyse(&k, &build);
	assert_int_equal(nd_heap_find_modules(&k.paths, &m), 0);
	assert_int_equal(m.count, 3);
	check_module(&m, 0, "@x/lru", ND_HEAP_MODULE_PACKAGE, 20 + 1000 + 40 + 3);
	check_module(&m, 1, "/app/server.js", ND_HEAP_MODULE_FILE,
		     3 * (20 + 30) + 2 * 100 + 40 + 3);
	check_module(&m, 2, "", ND_HEAP_MODULE_NONE, 10 + 5 + 7);
	assert_null(nd_heap_module_kind_name(m.module[2].kind));
	nd_heap_modules_fini(&m);
	forget(&k);
}

/* A node that the snapshot calls detached, 2, with a native child, which is so too. */
static void test_detached_nodes(void **state)
{
	static const char text[] =
		BUILD_HEAD "\"node_count\":4,\"edge_count\":3,\"trace_function_count\":0},"
			   "\"nodes\":[9,0,1,0,2,0, 8,1,2,50,1,2, 8,2,4,20,0,0, 8,3,6,5,0,1],"
			   "\"edges\":[1,1,6,1,2,18,2,4,12],\"locations\":[],"
			   "\"strings\":[\"\",\"<div id=a>\",\"Text\",\"<p>\",\"firstChild\"]}";
	struct nd_heap_keepers keepers;
	struct nd_heap_table table;
	struct known k;

	assert_int_equal(build_read(text, sizeof(text) - 1, 50, &k.heap, NULL), 0);
	k.names = nd_intern_new();
	assert_int_equal(nd_heap_analyse(k.heap, k.names, &k.a, NULL), 0);
	assert_int_equal(nd_heap_find_sums(k.heap, &k.a, NULL), 0);
	assert_int_equal(nd_heap_paths_init(&k.paths, k.heap, &k.a), 0);
	assert_int_equal(nd_heap_find_keepers(&k.paths, &keepers), 0);
	table = keepers.detached;
	assert_int_equal(table.objects, 2);
	assert_int_equal(table.self, 70);
	assert_int_equal(table.count, 2);
	assert_int_equal(table.row[0].retained, 70);
	assert_string_equal(nd_heap_class_name(&k.a.classes, k.a.class_of[table.row[0].example]),
			    "Detached <div>");
	nd_heap_keepers_fini(&keepers);
	forget(&k);
}

/*
 * Empty: an Array without a store, a Map whose table is small, a plain object without properties.
 * Not empty: an array whose elements are numbers, an object with such properties. With room: an
 * Array that uses 2 of 202, a Set that uses 3 of 1,024, and a Map of V8 with words of 4 bytes.
 */
static void test_collections(void **state)
{
	static const struct build_node all[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},
		{ND_HEAP_OBJECT, "Array", 3, 32},
		{ND_HEAP_OBJECT, "Map", 5, 32},
		{ND_HEAP_ARRAY, "", 7, 152},
		{ND_HEAP_OBJECT, "Object", 9, 56},
		{ND_HEAP_HIDDEN, "system / Map", 11, 72},
		{ND_HEAP_OBJECT, "Object", 13, 40},
		{ND_HEAP_HIDDEN, "system / Map", 15, 72},
		{ND_HEAP_HIDDEN, "d", 17, 72},
		{ND_HEAP_OBJECT, "Array", 19, 32},
		{ND_HEAP_ARRAY, "", 21, 16 + 8 * 202},
		{ND_HEAP_OBJECT, "Set", 23, 32},
		{ND_HEAP_ARRAY, "", 25, 16 + 8 * (3 + 512 * 5)},
		{ND_HEAP_OBJECT, "Map", 27, 16},
		{ND_HEAP_ARRAY, "", 29, 8 + 4 * (3 + 512 * 7)},
		{ND_HEAP_OBJECT, "x", 31, 1},
		{ND_HEAP_OBJECT, "Array", 33, 32},
		{ND_HEAP_ARRAY, "", 35, 800},
	};
	static const struct build_edge links[] = {
		{2, E_INTERNAL, "table", 0, 3},	     {4, E_INTERNAL, "map", 0, 5},
		{6, E_INTERNAL, "map", 0, 7},	     {7, E_INTERNAL, "descriptors", 0, 8},
		{9, E_ELEMENT, NULL, 0, 15},	     {9, E_ELEMENT, NULL, 1, 15},
		{9, E_INTERNAL, "elements", 0, 10},  {11, E_INTERNAL, "table", 0, 12},
		{12, E_INTERNAL, "515", 0, 15},	     {12, E_INTERNAL, "519", 0, 15},
		{13, E_INTERNAL, "table", 0, 14},    {14, E_INTERNAL, "516", 0, 15},
		{16, E_INTERNAL, "elements", 0, 17},
	};
	const struct build b = {all, COUNT(all), links, COUNT(links), NULL, 0};
	struct nd_heap *heap = build_heap(&b);
	struct nd_heap_collections c;

	assert_int_equal(nd_heap_find_collections(heap, &c), 0);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_ARRAY].count, 3);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_ARRAY].empty, 1);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_ARRAY].empty_bytes, 32);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_ARRAY].measured, 1);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_MAP].empty, 1);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_MAP].empty_bytes, 184);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_OBJECT].count, 2);
	assert_int_equal(c.kind[ND_HEAP_COLLECTION_OBJECT].empty, 1);
	assert_int_equal(c.slack_count, 3);
	assert_int_equal(c.slack[0].node, 11);
	assert_int_equal(c.slack[0].used, 3);
	assert_int_equal(c.slack[0].capacity, 1024);
	assert_int_equal(c.slack[0].bytes, 1021 * 16);
	assert_int_equal(c.slack[1].node, 13);
	assert_int_equal(c.slack[1].bytes, 1023 * 12);
	assert_int_equal(c.slack[2].node, 9);
	assert_int_equal(c.slack[2].bytes, 200 * 8);
	nd_heap_collections_fini(&c);
	nd_heap_free(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closures),    cmocka_unit_test(test_detached_scopes),
		cmocka_unit_test(test_modules),	    cmocka_unit_test(test_detached_nodes),
		cmocka_unit_test(test_collections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
