/* SPDX-License-Identifier: Apache-2.0 */

/* The largest blocks of the tree of dominators: who stands alone, who together, who is left out. */

#include "analyzer/heap/outline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "common/intern.h"
#include "heap_build.h"

#define MIB 1048576u

/*
 * A list of many things: two large ones, listeners of two names, each with an object of its own,
 * and crumbs that are too small for a block.
 */
enum { ROOT, GLOBAL, LIST, LARGE, OTHER_LARGE, REST };
#define LISTENERS 300
#define CRUMBS	  5
#define NODES	  (REST + 2 * LISTENERS + CRUMBS)

/* Every third listener is an onError. */
#define ERRORS	     (LISTENERS / 3)
#define LISTENER(i)  (REST + 2 * (i))
#define HELD(i)	     (REST + 2 * (i) + 1)
#define CRUMB(i)     (REST + 2 * LISTENERS + (i))
#define HELD_BYTES   1000u
#define BIGGEST	     17 /* of the listeners */
#define ALL_LISTENED (LISTENERS * (64 + HELD_BYTES) + 1)

struct program {
	struct nd_intern *names;
	struct nd_heap *heap;
	struct nd_heap_analysis analysis;
	struct nd_heap_outline outline;
};

static struct nd_heap *make_list(uint32_t listeners)
{
	struct build_node nodes[NODES] = {
		[ROOT] = {ND_HEAP_SYNTHETIC, "", 1, 0},
		[GLOBAL] = {ND_HEAP_OBJECT, "global", 3, 16},
		[LIST] = {ND_HEAP_OBJECT, "Array", 5, 16},
		[LARGE] = {ND_HEAP_OBJECT, "Cache", 7, 20 * MIB},
		[OTHER_LARGE] = {ND_HEAP_OBJECT, "Cache", 9, 10 * MIB},
	};
	struct build_edge edges[NODES - 1] = {
		{ROOT, ND_HEAP_EDGE_SHORTCUT, "1", 0, GLOBAL},
		{GLOBAL, ND_HEAP_EDGE_PROPERTY, "list", 0, LIST},
	};
	uint32_t count = 2, i;

	for (i = LARGE; i < NODES; i++)
		if (i < REST || i >= CRUMB(0) || (i - REST) % 2 == 0)
			edges[count++] =
				(struct build_edge){LIST, ND_HEAP_EDGE_ELEMENT, NULL, i, i};
	for (i = 0; i < LISTENERS; i++) {
		nodes[LISTENER(i)] = (struct build_node){
			ND_HEAP_CLOSURE, i % 3 ? "onRequest" : "onError", 101 + 4 * i, 64};
		nodes[HELD(i)] = (struct build_node){ND_HEAP_OBJECT, "Session", 103 + 4 * i,
						     HELD_BYTES + (i == BIGGEST)};
		edges[count++] = (struct build_edge){LISTENER(i), ND_HEAP_EDGE_INTERNAL, "context",
						     0, HELD(i)};
	}
	for (i = 0; i < CRUMBS; i++)
		nodes[CRUMB(i)] = (struct build_node){ND_HEAP_OBJECT, "Crumb", 9001 + 2 * i, 8};
	if (listeners < LISTENERS)
		for (i = listeners; i < LISTENERS; i++)
			nodes[LISTENER(i)].id += 100000;
	return build_heap(&(struct build){nodes, NODES, edges, count, NULL, 0});
}

static void open_program(struct program *p, const struct nd_heap_census *since)
{
	*p = (struct program){.names = nd_intern_new(), .heap = make_list(LISTENERS)};
	assert_int_equal(nd_heap_analyse(p->heap, p->names, &p->analysis, NULL), 0);
	assert_int_equal(nd_heap_find_sums(p->heap, &p->analysis, NULL), 0);
	assert_int_equal(nd_heap_outline_make(p->heap, &p->analysis, since, &p->outline, NULL), 0);
}

static void close_program(struct program *p)
{
	nd_heap_outline_fini(&p->outline);
	nd_heap_analysis_fini(&p->analysis);
	nd_heap_free(p->heap);
	nd_intern_free(p->names);
}

/* The block whose object, or largest object, that is; -1 when there is none. */
static int find_block(const struct program *p, uint32_t node)
{
	uint32_t i;

	for (i = 0; i < p->outline.count; i++)
		if (p->outline.block[i].node == node)
			return (int)i;
	return -1;
}

static void check(const struct program *p, uint32_t node, uint32_t count, uint64_t self,
		  uint64_t bytes)
{
	int i = find_block(p, node);

	assert_true(i >= 0);
	assert_int_equal(p->outline.block[i].count, count);
	assert_int_equal(p->outline.block[i].self, self);
	assert_int_equal(p->outline.block[i].bytes, bytes);
}

static void test_large_ones_stand_alone(void **state)
{
	struct program p;

	open_program(&p, NULL);
	assert_int_equal(p.outline.block[0].node, ROOT);
	assert_int_equal(p.outline.block[0].parent, ND_HEAP_NONE);
	assert_int_equal(p.outline.block[0].bytes, p.analysis.retained[ROOT]);
	check(&p, LARGE, 1, 20 * MIB, 20 * MIB);
	check(&p, OTHER_LARGE, 1, 10 * MIB, 10 * MIB);
	assert_int_equal(p.outline.block[find_block(&p, LARGE)].parent,
			 (uint32_t)find_block(&p, LIST));
	close_program(&p);
}

static void test_small_ones_of_a_kind_stand_together(void **state)
{
	uint32_t most = LISTENERS - ERRORS;
	struct program p;
	int requests, held;

	open_program(&p, NULL);
	/* The largest one stands for all of its name. */
	check(&p, LISTENER(BIGGEST), most, most * 64, most * (64 + HELD_BYTES) + 1);
	requests = find_block(&p, LISTENER(BIGGEST));
	held = find_block(&p, HELD(BIGGEST));
	check(&p, HELD(BIGGEST), most, most * HELD_BYTES + 1, most * HELD_BYTES + 1);
	assert_int_equal(p.outline.block[held].parent, (uint32_t)requests);
	/* ROOT, GLOBAL, LIST, two large ones, and each name with what it holds. */
	assert_int_equal(p.outline.count, 9);
	close_program(&p);
}

static void test_crumbs_are_counted(void **state)
{
	struct program p;

	open_program(&p, NULL);
	assert_int_equal(find_block(&p, CRUMB(0)), -1);
	assert_int_equal(p.outline.block[find_block(&p, LIST)].small, CRUMBS);
	assert_int_equal(p.outline.block[find_block(&p, LARGE)].small, 0);
	close_program(&p);
}

static void test_parents_come_before(void **state)
{
	struct program p;
	uint32_t i;

	open_program(&p, NULL);
	for (i = 1; i < p.outline.count; i++) {
		const struct nd_heap_block *block = &p.outline.block[i];

		assert_true(block->parent < i);
		assert_true(block->bytes <= p.outline.block[block->parent].bytes);
		assert_true(block->self <= block->bytes);
	}
	close_program(&p);
}

/* Of the last snapshot, only the listeners have ids that the first does not have. */
static void test_only_what_is_new(void **state)
{
	struct nd_intern *names = nd_intern_new();
	struct nd_heap *first = make_list(LISTENERS - ERRORS);
	struct nd_heap_census census;
	struct program p;

	assert_int_equal(nd_heap_census_take(first, names, &census, NULL), 0);
	nd_heap_free(first);
	open_program(&p, &census);
	/* What the listeners hold is old, so that only they themselves count. */
	assert_int_equal(p.outline.block[0].bytes, ERRORS * 64);
	assert_int_equal(find_block(&p, LARGE), -1);
	assert_int_equal(p.outline.block[find_block(&p, LIST)].bytes, ERRORS * 64);
	assert_int_equal(p.outline.block[find_block(&p, LIST)].self, 0);
	close_program(&p);
	nd_heap_census_fini(&census);
	nd_intern_free(names);
}

static void test_nothing_is_new(void **state)
{
	struct nd_intern *names = nd_intern_new();
	struct nd_heap *first = make_list(LISTENERS);
	struct nd_heap_census census;
	struct program p;

	assert_int_equal(nd_heap_census_take(first, names, &census, NULL), 0);
	nd_heap_free(first);
	open_program(&p, &census);
	assert_int_equal(p.outline.count, 1);
	assert_int_equal(p.outline.block[0].bytes, 0);
	close_program(&p);
	nd_heap_census_fini(&census);
	nd_intern_free(names);
}

/* A chain of objects of one size each, longer than the outline may be. */
static void test_there_is_a_limit(void **state)
{
	static struct build_node nodes[30001];
	static struct build_edge edges[30000];
	uint32_t count = sizeof(edges) / sizeof(edges[0]), i;
	struct nd_heap_analysis analysis;
	struct nd_heap_outline outline;
	struct nd_intern *names = nd_intern_new();
	struct nd_heap *heap;

	for (i = 0; i <= count; i++)
		nodes[i] = (struct build_node){i ? ND_HEAP_OBJECT : ND_HEAP_SYNTHETIC,
					       i ? "Link" : "", 2 * i + 1, i ? 100 : 0};
	for (i = 0; i < count; i++)
		edges[i] = (struct build_edge){i, i ? ND_HEAP_EDGE_PROPERTY : ND_HEAP_EDGE_SHORTCUT,
					       "next", 0, i + 1};
	heap = build_heap(&(struct build){nodes, count + 1, edges, count, NULL, 0});
	assert_int_equal(nd_heap_analyse(heap, names, &analysis, NULL), 0);
	assert_int_equal(nd_heap_find_sums(heap, &analysis, NULL), 0);
	assert_int_equal(nd_heap_outline_make(heap, &analysis, NULL, &outline, NULL), 0);
	assert_int_equal(outline.count, ND_HEAP_OUTLINE_MAX);
	/* The largest are there: a chain from the root on. */
	for (i = 1; i < outline.count; i++)
		assert_int_equal(outline.block[i].node, i);
	assert_int_equal(outline.block[outline.count - 1].small, 0);
	nd_heap_outline_fini(&outline);
	nd_heap_analysis_fini(&analysis);
	nd_heap_free(heap);
	nd_intern_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_ones_stand_alone),
		cmocka_unit_test(test_small_ones_of_a_kind_stand_together),
		cmocka_unit_test(test_crumbs_are_counted),
		cmocka_unit_test(test_parents_come_before),
		cmocka_unit_test(test_only_what_is_new),
		cmocka_unit_test(test_nothing_is_new),
		cmocka_unit_test(test_there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
