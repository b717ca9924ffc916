/* SPDX-License-Identifier: Apache-2.0 */

/* The different ways to an object, and objects by what they are. */

#include "analyzer/heap/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analyzer/heap/query.h"
#include "heap_known.h"

/*
 * An app holds an item by a cache, by a longer chain, and by a second way that shares the cache; a
 * weak reference and the stack do not count; and global holds another one by two properties.
 */
static const struct build_node nodes[] = {
	{ND_HEAP_SYNTHETIC, "", 1, 0},
	{ND_HEAP_OBJECT, "global", 3, 10},
	{ND_HEAP_OBJECT, "App", 5, 20},
	{ND_HEAP_OBJECT, "Cache", 7, 30},
	{ND_HEAP_OBJECT, "Queue", 9, 40},
	{ND_HEAP_OBJECT, "Job", 11, 50},
	{ND_HEAP_OBJECT, "Item", 13, 60},
	{ND_HEAP_OBJECT, "Entry", 15, 70},
	{ND_HEAP_SYNTHETIC, "(Stack roots)", 17, 0},
	{ND_HEAP_STRING, "text", 19, 80},
	{ND_HEAP_OBJECT, "Item", 21, 90},
};
static const struct build_edge edges[] = {
	{0, E_SHORTCUT, "global", 0, 1}, {0, E_ELEMENT, NULL, 1, 8},
	{1, E_PROPERTY, "app", 0, 2},	 {1, E_PROPERTY, "one", 0, 10},
	{1, E_PROPERTY, "two", 0, 10},	 {2, E_PROPERTY, "cache", 0, 3},
	{2, E_PROPERTY, "queue", 0, 4},	 {2, E_WEAK, "weak", 0, 6},
	{3, E_PROPERTY, "item", 0, 6},	 {3, E_PROPERTY, "entry", 0, 7},
	{4, E_PROPERTY, "job", 0, 5},	 {5, E_PROPERTY, "item", 0, 6},
	{6, E_PROPERTY, "text", 0, 9},	 {7, E_PROPERTY, "item", 0, 6},
};
static const struct build build = {nodes, COUNT(nodes), edges, COUNT(edges), NULL, 0};

static void check_route(const struct nd_heap_route *route, const uint32_t *wanted, uint32_t count)
{
	uint32_t i;

	assert_int_equal(route->count, count);
	for (i = 0; i < count; i++)
		assert_int_equal(route->step[i].node, wanted[i]);
	assert_int_equal(route->step[0].edge, ND_HEAP_NONE);
}

static void test_routes(void **state)
{
	static const uint32_t first[] = {2, 3, 6}, second[] = {2, 4, 5, 6}, only[] = {1, 10};
	struct nd_heap_routes routes;
	struct known k;

	analyse(&k, &build);
	assert_int_equal(nd_heap_find_routes(&k.paths, 6, 10, &routes), 0);
	assert_int_equal(routes.gate, 2);
	assert_int_equal(routes.count, 2);
	assert_false(routes.has_more);
	check_route(&routes.route[0], first, 3);
	check_route(&routes.route[1], second, 4);
	nd_heap_routes_fini(&routes);
	assert_int_equal(nd_heap_find_routes(&k.paths, 6, 1, &routes), 0);
	assert_int_equal(routes.count, 1);
	assert_true(routes.has_more);
	nd_heap_routes_fini(&routes);
	assert_int_equal(nd_heap_find_routes(&k.paths, 10, 10, &routes), 0);
	assert_int_equal(routes.count, 1);
	check_route(&routes.route[0], only, 2);
	nd_heap_routes_fini(&routes);
	assert_int_equal(nd_heap_find_routes(&k.paths, 0, 10, &routes), 0);
	assert_int_equal(routes.count, 0);
	forget(&k);
}

static void check_matches(const struct known *k, const struct nd_heap_query *query,
			  const uint32_t *wanted, uint32_t count)
{
	struct nd_heap_matches m;
	uint32_t i;

	assert_int_equal(nd_heap_find_matches(k->heap, &k->a, query, &m), 0);
	assert_int_equal(m.count, count);
	assert_int_equal(m.node_count, count < query->limit ? count : query->limit);
	for (i = 0; i < count && i < m.node_count; i++)
		assert_int_equal(m.node[i], wanted[i]);
	nd_heap_matches_fini(&m);
}

static void test_queries(void **state)
{
	static const uint32_t items[] = {6, 10}, below[] = {9, 6, 7, 5, 4, 3}, near[] = {1, 2, 10},
			      strings[] = {9}, large[] = {10, 9};
	struct nd_heap_query any = {
		.type = -1, .max_distance = -1, .retained_by = ND_HEAP_NONE, .limit = 10};
	struct nd_heap_query query = any;
	struct nd_heap_matches m;
	struct known k;

	analyse(&k, &build);
	query.class = "Item";
	check_matches(&k, &query, items, 2);
	query.limit = 1;
	check_matches(&k, &query, items, 2);
	query = any;
	query.retained_by = 2;
	query.order = ND_HEAP_BY_SELF;
	assert_int_equal(nd_heap_find_matches(k.heap, &k.a, &query, &m), 0);
	assert_int_equal(m.self, 80 + 60 + 70 + 50 + 40 + 30);
	assert_int_equal(m.retained, m.self);
	assert_int_equal(m.node[0], below[0]);
	assert_int_equal(m.node[5], below[5]);
	nd_heap_matches_fini(&m);
	query = any;
	query.max_distance = 2;
	query.order = ND_HEAP_BY_ID;
	check_matches(&k, &query, near, 3);
	query = any;
	query.type = ND_HEAP_STRING;
	check_matches(&k, &query, strings, 1);
	query = any;
	query.min_self = 80;
	check_matches(&k, &query, large, 2);
	query.min_retained = 90;
	check_matches(&k, &query, large, 1);
	forget(&k);
}

/* With the list and without it, a way has the same edges: of two between two nodes the first. */
static void test_listed_edges(void **state)
{
	struct nd_heap_step found[ND_HEAP_STEPS_MAX], listed[ND_HEAP_STEPS_MAX];
	struct nd_heap_paths own;
	uint32_t node, count;
	struct known k;

	analyse(&k, &build);
	assert_int_equal(nd_heap_paths_init(&own, k.heap, &k.a), 0);
	assert_int_equal(nd_heap_paths_list_edges(&own), 0);
	for (node = 0; node < COUNT(nodes); node++) {
		count = nd_heap_find_way(&k.paths, node, found);
		assert_int_equal(nd_heap_find_way(&own, node, listed), count);
		assert_memory_equal(found, listed, count * sizeof(*found));
	}
	assert_int_equal(nd_heap_find_way(&own, 10, listed), 3);
	assert_int_equal(listed[2].edge, 3);
	nd_heap_paths_fini(&own);
	forget(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_listed_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
