/* SPDX-License-Identifier: Apache-2.0 */

/* What grew between snapshots, where it gathers, and the way there in words. */

#include "analyzer/heap/diff.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/duplicates.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/retainers.h"
#include "analyzer/heap/suspects.h"
#include "common/intern.h"
#include "heap_build.h"

/* What a leaked object has. */
#define LEAK_BYTES (1u << 20)

/*
 * A program whose module has a variable, a bus with a list of listeners of which there are more and
 * more: server.js:12 bus._events.request. Nodes from LEAKS on are these.
 */
enum { ROOT, GLOBAL, FUNCTION, CONTEXT, SHARED, SCRIPT, BUS, EVENTS, LIST, SLOTS, LEAKS };
#define LEAKS_MAX  16
#define EDGES_MAX  (11 + LEAKS_MAX)
#define LIST_ID	   17
#define LEAK_ID(i) (101 + 2 * (i))

static struct nd_heap *make_program(uint32_t leaks, uint32_t slots_id)
{
	struct build_node nodes[LEAKS + LEAKS_MAX] = {
		[ROOT] = {ND_HEAP_SYNTHETIC, "", 1, 0},
		[GLOBAL] = {ND_HEAP_OBJECT, "global", 3, 16},
		[FUNCTION] = {ND_HEAP_CLOSURE, "handle", 5, 16},
		[CONTEXT] = {ND_HEAP_OBJECT, "system / Context", 7, 16},
		[SHARED] = {ND_HEAP_CODE, "handle", 9, 16},
		[SCRIPT] = {ND_HEAP_CODE, "/srv/app/server.js", 11, 16},
		[BUS] = {ND_HEAP_OBJECT, "EventEmitter", 13, 16},
		[EVENTS] = {ND_HEAP_OBJECT, "Object", 15, 16},
		[LIST] = {ND_HEAP_OBJECT, "Array", LIST_ID, 16},
		[SLOTS] = {ND_HEAP_ARRAY, "", slots_id, 1000},
	};
	struct build_edge edges[EDGES_MAX] = {
		{ROOT, E_SHORTCUT, "global", 0, GLOBAL},
		{GLOBAL, E_PROPERTY, "handle", 0, FUNCTION},
		{FUNCTION, E_INTERNAL, "context", 0, CONTEXT},
		{FUNCTION, E_INTERNAL, "shared", 0, SHARED},
		{CONTEXT, E_CONTEXT, "bus", 0, BUS},
		{SHARED, E_INTERNAL, "script", 0, SCRIPT},
		{BUS, E_PROPERTY, "_events", 0, EVENTS},
		{EVENTS, E_PROPERTY, "request", 0, LIST},
		{LIST, E_INTERNAL, "elements", 0, SLOTS},
	};
	static const char *const indexes[LEAKS_MAX] = {"0",  "1",  "2",	 "3", "4",  "5",
						       "6",  "7",  "8",	 "9", "10", "11",
						       "12", "13", "14", "15"};
	static const uint32_t location[][4] = {{FUNCTION, 4, 11, 0}};
	const struct build build = {nodes, LEAKS + leaks, edges, 9 + leaks, location, 1};
	uint32_t i;

	for (i = 0; i < leaks; i++) {
		nodes[LEAKS + i] =
			(struct build_node){ND_HEAP_OBJECT, "Leak", LEAK_ID(i), LEAK_BYTES};
		edges[9 + i] = (struct build_edge){SLOTS, E_INTERNAL, indexes[i], 0, LEAKS + i};
	}
	return build_heap(&build);
}

struct compared {
	struct nd_intern *names;
	struct nd_heap_census census[3];
	struct nd_heap *heap;
	struct nd_heap_analysis analysis;
	struct nd_heap_paths paths;
	struct nd_heap_series series;
	struct nd_heap_diff diff;
	struct nd_heap_suspects suspects;
};

/* Programs with so many leaks, the last of them analysed; 0 ends the list. */
static void compare(struct compared *c, const uint32_t *leaks, const char *const *ignore)
{
	struct nd_heap *heap;
	uint32_t i;

	*c = (struct compared){.names = nd_intern_new()};
	for (i = 0; leaks[i + 1]; i++) {
		heap = make_program(leaks[i], 19);
		assert_int_equal(nd_heap_census_take(heap, c->names, &c->census[i], NULL), 0);
		nd_heap_free(heap);
	}
	/* The list's elements have moved. */
	c->heap = make_program(leaks[i], 4294967293u);
	assert_int_equal(nd_heap_analyse(c->heap, c->names, &c->analysis, NULL), 0);
	assert_int_equal(nd_heap_find_sums(c->heap, &c->analysis, NULL), 0);
	assert_int_equal(nd_heap_paths_init(&c->paths, c->heap, &c->analysis), 0);
	c->series = (struct nd_heap_series){c->census,	  i,	  c->heap,
					    &c->analysis, ignore, ignore ? 1 : 0};
	while (i--)
		assert_int_equal(
			nd_heap_census_class(&c->census[i], &c->analysis.interfaces, c->names), 0);
	assert_int_equal(nd_heap_compare(&c->series, &c->diff, NULL), 0);
	assert_int_equal(nd_heap_find_growth(&c->series, &c->diff, &c->suspects, NULL), 0);
}

static void forget(struct compared *c)
{
	uint32_t i;

	for (i = 0; i < c->series.count; i++)
		nd_heap_census_fini(&c->census[i]);
	nd_heap_diff_fini(&c->diff);
	nd_heap_paths_fini(&c->paths);
	nd_heap_analysis_fini(&c->analysis);
	nd_heap_free(c->heap);
	nd_intern_free(c->names);
}

static void check_words(const struct compared *c, uint32_t node, const char *words)
{
	struct nd_buf text;

	nd_buf_init(&text, 1000);
	nd_heap_add_words(&c->paths, node, false, &text);
	assert_string_equal(text.data, words);
	nd_buf_fini(&text);
}

static void test_a_leak(void **state)
{
	static const uint32_t leaks[] = {2, 10, 0};
	const struct nd_heap_suspect *suspect;
	const struct nd_heap_delta *delta;
	struct compared c;

	compare(&c, leaks, NULL);
	assert_int_equal(c.suspects.count, 1);
	suspect = &c.suspects.suspect[0];
	/* The old list got new elements; what is new of all that they have is charged. */
	assert_int_equal(suspect->point, SLOTS);
	assert_string_equal(nd_heap_class_name(&c.analysis.classes, suspect->class), "Leak");
	assert_int_equal(suspect->count, 8);
	assert_int_equal(suspect->others, 0);
	assert_int_equal(suspect->bytes, 8 * LEAK_BYTES);
	assert_int_equal(suspect->step_bytes[0], 8 * LEAK_BYTES);
	check_words(&c, suspect->point, "app/server.js:12 bus._events.request");

	delta = &c.diff.delta[0];
	assert_string_equal(nd_heap_class_name(&c.diff.classes, delta->class), "Leak");
	assert_int_equal(delta->added, 8);
	assert_int_equal(delta->removed, 0);
	assert_int_equal(nd_heap_delta_bytes(delta), 8 * LEAK_BYTES);
	assert_int_equal(c.diff.grown, 8 * LEAK_BYTES);
	assert_false(nd_heap_diff_is_mixed(&c.diff));
	forget(&c);
}

/* Each child that takes a snapshot gives out ids anew: ways lead to what was there before. */
static void test_other_ids(void **state)
{
	static const uint32_t leaks[] = {2, 10, 0};
	struct nd_heap *before = make_program(2, 19);
	struct compared c;
	uint32_t i;

	compare(&c, leaks, NULL);
	for (i = 0; i < c.heap->node_count; i++)
		c.heap->id[i] = 2 * (c.heap->node_count - i) + 1;
	nd_heap_diff_fini(&c.diff);
	assert_int_equal(nd_heap_compare(&c.series, &c.diff, NULL), 0);
	assert_true(nd_heap_diff_is_mixed(&c.diff));
	nd_heap_diff_fini(&c.diff);

	assert_int_equal(nd_heap_census_match(&c.census[0], before, c.heap, NULL), 0);
	assert_int_equal(nd_heap_compare(&c.series, &c.diff, NULL), 0);
	assert_false(nd_heap_diff_is_mixed(&c.diff));
	/* All but the root and the list's elements, which have no size of their own. */
	assert_int_equal(c.diff.matched, before->node_count - 2);
	assert_int_equal(c.diff.delta[0].added, 8);
	assert_int_equal(c.diff.delta[0].removed, 0);
	assert_int_equal(nd_heap_find_growth(&c.series, &c.diff, &c.suspects, NULL), 0);
	assert_int_equal(c.suspects.count, 1);
	assert_int_equal(c.suspects.suspect[0].point, SLOTS);
	assert_int_equal(c.suspects.suspect[0].bytes, 8 * LEAK_BYTES);
	nd_heap_free(before);
	forget(&c);
}

/* Another process has other objects with the same ids. */
static void test_two_processes(void **state)
{
	static const char *const names[] = {"A", "B"};
	struct nd_intern *properties = nd_intern_new();
	struct nd_heap_analysis analysis;
	struct nd_heap_census census;
	struct nd_heap_diff diff;
	struct nd_heap *heap[2];
	int i;

	for (i = 0; i < 2; i++) {
		const struct build_node nodes[] = {
			{ND_HEAP_SYNTHETIC, "", 1, 0},
			{ND_HEAP_OBJECT, "Same", 3, 16},
			{ND_HEAP_OBJECT, names[i], 5, 16},
			{ND_HEAP_OBJECT, names[i], 7, 16},
		};
		const struct build build = {nodes, 4, NULL, 0, NULL, 0};

		heap[i] = build_heap(&build);
	}
	assert_int_equal(nd_heap_census_take(heap[0], properties, &census, NULL), 0);
	assert_int_equal(nd_heap_analyse(heap[1], properties, &analysis, NULL), 0);
	assert_int_equal(nd_heap_find_sums(heap[1], &analysis, NULL), 0);
	assert_int_equal(
		nd_heap_compare(&(struct nd_heap_series){&census, 1, heap[1], &analysis, NULL, 0},
				&diff, NULL),
		0);
	assert_true(nd_heap_diff_is_mixed(&diff));
	assert_int_equal(diff.matched, 3);
	assert_int_equal(diff.reclassed, 2);
	nd_heap_diff_fini(&diff);
	nd_heap_analysis_fini(&analysis);
	nd_heap_census_fini(&census);
	nd_heap_free(heap[0]);
	nd_heap_free(heap[1]);
	nd_intern_free(properties);
}

static void test_steady(void **state)
{
	static const uint32_t same[] = {4, 4, 0}, less[] = {8, 4, 0};
	struct compared c;

	compare(&c, same, NULL);
	assert_int_equal(c.diff.grown, 0);
	forget(&c);
	compare(&c, less, NULL);
	assert_int_equal(c.diff.grown, -4 * (int64_t)LEAK_BYTES);
	assert_int_equal(c.diff.delta[c.diff.count - 1].removed, 4);
	forget(&c);
}

/* Of three, only what grew each time. */
static void test_series(void **state)
{
	static const uint32_t grows[] = {2, 5, 9, 0}, once[] = {2, 9, 9, 0};
	struct compared c;

	compare(&c, grows, NULL);
	assert_int_equal(c.suspects.count, 1);
	assert_int_equal(c.suspects.suspect[0].step_bytes[0], 3 * LEAK_BYTES);
	assert_int_equal(c.suspects.suspect[0].step_bytes[1], 4 * LEAK_BYTES);
	assert_false(c.diff.delta[0].is_steady);
	assert_int_equal(c.diff.grown, 7 * LEAK_BYTES);
	forget(&c);
	compare(&c, once, NULL);
	assert_int_equal(c.suspects.count, 0);
	assert_true(c.diff.delta[0].is_steady);
	assert_int_equal(c.diff.grown, 0);
	forget(&c);
}

static void test_ignored(void **state)
{
	static const uint32_t leaks[] = {2, 10, 0};
	static const char *const ignore[] = {"Leak"};
	struct compared c;

	compare(&c, leaks, ignore);
	assert_int_equal(c.suspects.count, 0);
	assert_int_equal(c.diff.grown, 0);
	forget(&c);
}

static void test_single(void **state)
{
	static const uint32_t leaks[] = {2, 10, 0};
	struct nd_heap_suspects found;
	struct compared c;

	compare(&c, leaks, NULL);
	assert_int_equal(nd_heap_find_gatherers(c.heap, &c.analysis, &found, NULL), 0);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.suspect[0].point, SLOTS);
	assert_int_equal(found.suspect[0].count, 10);
	forget(&c);
}

static void test_retainers(void **state)
{
	static const uint32_t leaks[] = {2, 10, 0};
	struct nd_heap_retainer *list;
	struct nd_heap_ways ways;
	struct compared c;
	uint32_t count;

	compare(&c, leaks, NULL);
	assert_int_equal(nd_heap_find_retainers(c.heap, &c.analysis, BUS, &list, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(list[0].node, CONTEXT);
	free(list);
	/* What only the root refers to has none. */
	assert_int_equal(nd_heap_find_retainers(c.heap, &c.analysis, GLOBAL, &list, &count), 0);
	assert_int_equal(count, 0);
	free(list);
	assert_int_equal(nd_heap_find_ways(&c.paths, "Leak", &ways), 0);
	assert_int_equal(ways.count, 1);
	assert_int_equal(ways.way[0].count, 10);
	assert_int_equal(ways.way[0].retained, 10 * LEAK_BYTES);
	assert_string_equal(ways.way[0].words, "app/server.js:12 bus._events.request");
	nd_heap_ways_fini(&ways);
	assert_int_equal(nd_heap_find_ways(&c.paths, "None", &ways), -ENOENT);
	forget(&c);
}

/* Ids beyond what a list by id may have, and of both parities. */
static void test_census_ids(void **state)
{
	enum { NODES = 200 };
	struct build_node nodes[NODES];
	const struct build build = {nodes, NODES, NULL, 0, NULL, 0};
	struct nd_intern *names = nd_intern_new();
	struct nd_heap_census census;
	struct nd_heap *heap;
	uint32_t i;

	for (i = 0; i < NODES; i++)
		nodes[i] = (struct build_node){ND_HEAP_OBJECT, "o",
					       i % 3 ? i * 2654435761u : i * 2 + (i & 1), i};
	heap = build_heap(&build);
	assert_int_equal(nd_heap_census_take(heap, names, &census, NULL), 0);
	assert_int_equal(census.bytes, NODES * (NODES - 1) / 2);
	for (i = 0; i < NODES; i++)
		assert_int_equal(nd_heap_census_find(&census, nodes[i].id), i);
	assert_int_equal(nd_heap_census_find(&census, 4000000000u), ND_HEAP_NONE);
	assert_int_equal(nd_heap_census_find(&census, 999), ND_HEAP_NONE);
	nd_heap_census_fini(&census);
	nd_heap_free(heap);
	nd_intern_free(names);
}

static void test_duplicates(void **state)
{
	static const struct build_node nodes[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},	  {ND_HEAP_STRING, "often", 3, 20},
		{ND_HEAP_STRING, "often", 5, 20}, {ND_HEAP_STRING, "often", 7, 20},
		{ND_HEAP_STRING, "long", 9, 50},  {ND_HEAP_STRING, "long", 11, 50},
		{ND_HEAP_STRING, "long", 13, 51}, {ND_HEAP_OBJECT, "often", 15, 20},
		{ND_HEAP_STRING, "once", 17, 99},
	};
	const struct build build = {nodes, 9, NULL, 0, NULL, 0};
	struct nd_heap *heap = build_heap(&build);
	struct nd_heap_duplicate *list;
	uint64_t waste;
	uint32_t count;

	assert_int_equal(nd_heap_find_duplicates(heap, 10, &list, &count, &waste), 0);
	assert_int_equal(count, 2);
	assert_int_equal(waste, 90);
	assert_string_equal(nd_heap_string(heap, list[0].string), "long");
	assert_int_equal(list[0].count, 2);
	assert_string_equal(nd_heap_string(heap, list[1].string), "often");
	assert_int_equal(nd_heap_duplicate_waste(&list[1]), 40);
	free(list);
	assert_int_equal(nd_heap_find_duplicates(heap, 1, &list, &count, &waste), 0);
	assert_int_equal(count, 1);
	assert_int_equal(waste, 90);
	free(list);
	nd_heap_free(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_leak),	      cmocka_unit_test(test_other_ids),
		cmocka_unit_test(test_two_processes), cmocka_unit_test(test_steady),
		cmocka_unit_test(test_series),	      cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_single),	      cmocka_unit_test(test_retainers),
		cmocka_unit_test(test_census_ids),    cmocka_unit_test(test_duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
