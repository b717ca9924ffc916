/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/trace/collections.h"
#include "proto/limits.h"
#include "tests/unit/span_build.h"

#define MS UINT64_C(1000000)
#define MB (UINT64_C(1) << 20)

/* A collection of the next millisecond, from `before` to `after` MB. */
static struct nd_event_gc make_gc(uint64_t *now_ms, uint32_t type, uint64_t before, uint64_t after)
{
	const struct nd_event_gc gc = {
		.event = {ND_EVENT_GC, 7, (*now_ms + 1) * MS},
		.start_ns = *now_ms * MS,
		.type = type,
		.used_before_bytes = before * MB,
		.used_after_bytes = after * MB,
	};

	*now_ms += 10;
	return gc;
}

static uint64_t add(struct nd_allocation *allocation, struct nd_event_gc gc)
{
	uint64_t bytes = nd_allocation_add(allocation, &gc);

	assert_int_equal(bytes % MB, 0);
	return bytes / MB;
}

static void test_young_collections_are_samples(void **state)
{
	struct nd_allocation allocation = {0};
	uint64_t now = 1;

	/* What was allocated before the first, nobody knows. */
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_SCAVENGE, 50, 40)), 0);
	assert_int_equal(allocation.since_ns, 2 * MS);
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_SCAVENGE, 56, 41)), 16);
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_MINOR_MARK_SWEEP, 50, 40)), 9);
	/* The others are none, and what was allocated before them counts with the next. */
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_INCREMENTAL, 43, 43)), 0);
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_MARK_COMPACT, 45, 10)), 0);
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_SCAVENGE, 11, 10)), 6);
	/* Some of it was freed meanwhile, as by lazy sweeping. */
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_SCAVENGE, 9, 8)), 0);
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_SCAVENGE, 12, 8)), 4);
	assert_int_equal(allocation.since_ns, 2 * MS);
}

/* Of a pause in another, the inner one is told of first. */
static void test_pauses_in_one_another(void **state)
{
	struct nd_allocation allocation = {0};
	struct nd_event_gc inner, outer;
	uint64_t now = 1;

	add(&allocation, make_gc(&now, ND_GC_SCAVENGE, 20, 10));
	inner = make_gc(&now, ND_GC_WEAK_CALLBACKS, 15, 5);
	outer = make_gc(&now, ND_GC_MARK_COMPACT, 15, 4);
	outer.start_ns = inner.start_ns - 1;
	assert_int_equal(add(&allocation, inner), 0);
	assert_int_equal(add(&allocation, outer), 0);
	assert_int_equal(add(&allocation, make_gc(&now, ND_GC_SCAVENGE, 7, 4)), 8);
}

/* Numbers without sense make no more of it. */
static void test_nonsense(void **state)
{
	struct nd_event_gc gc = {.type = UINT32_MAX, .start_ns = 5};
	struct nd_allocation allocation = {0};
	struct nd_collected sum = {0};

	gc.used_before_bytes = UINT64_MAX;
	assert_int_equal(nd_allocation_add(&allocation, &gc), 0);
	assert_int_equal(nd_allocation_add(&allocation, &gc), 0);
	nd_collected_add(&sum, &gc, 0);
	assert_int_equal(sum.total_ns, 0);
}

struct world {
	struct nd_requests *requests;
	struct nd_collections *collections;
};

static struct world make_world(void)
{
	struct world w = {.requests = nd_requests_new()};

	w.collections = nd_collections_new(w.requests);
	assert_non_null(w.collections);
	return w;
}

static void free_world(struct world *w)
{
	nd_collections_free(w->collections);
	nd_requests_free(w->requests);
}

static void hear(struct world *w, struct known known)
{
	uint8_t id[ND_SPAN_ID_SIZE];

	tell(w->requests, known);
	make_id(known.id, id);
	if (known.kind == ND_EVENT_SPAN)
		assert_int_equal(nd_collections_end_span(w->collections, id), 0);
}

/* A pause in a span, of so long, that stands for so many bytes. */
static void collect(struct world *w, uint32_t number, uint64_t took_ms, uint64_t bytes)
{
	struct nd_event_gc gc = {.event = {ND_EVENT_GC, 7, took_ms * MS}, .type = ND_GC_SCAVENGE};

	make_id(number, gc.span_id);
	assert_int_equal(nd_collections_add(w->collections, &gc, bytes), 0);
}

static void expect(struct world *w, size_t index, const char *name, struct nd_collected sum,
		   uint8_t longest)
{
	size_t count;
	const struct nd_route_collected *list = nd_collections_list(w->collections, &count);

	assert_non_null(list);
	assert_true(index < count);
	list += index;
	assert_string_equal(list->name, name);
	assert_int_equal(list->sum.count, sum.count);
	assert_int_equal(list->sum.total_ns, sum.total_ns * MS);
	assert_int_equal(list->sum.longest_ns, sum.longest_ns * MS);
	assert_int_equal(list->sum.samples, sum.samples);
	assert_int_equal(list->sum.bytes, sum.bytes);
	assert_int_equal(list->has_request, longest != 0);
	assert_int_equal(list->span_id[0], longest);
	assert_int_equal(list->trace_id[0], longest);
}

static void test_routes_are_charged(void **state)
{
	struct world w = make_world();
	size_t count;

	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = 1, .path = "/users/17"});
	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START,
				.id = 2,
				.parent = 1,
				.span_kind = ND_SPAN_CLIENT});
	collect(&w, 1, 3, 100);
	collect(&w, 2, 5, 0);
	collect(&w, 0, 40, 7);
	expect(&w, 0, "[no request]", (struct nd_collected){1, 40, 40, 1, 7}, 0);
	/* Its route is known once it is over. */
	expect(&w, 1, "GET /users/:id", (struct nd_collected){2, 8, 5, 1, 100}, 1);
	hear(&w, (struct known){.kind = ND_EVENT_SPAN, .id = 1, .route = "/users/:name"});
	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = 3, .path = "/"});
	collect(&w, 3, 50, 1);
	hear(&w, (struct known){.kind = ND_EVENT_SPAN, .id = 3, .route = "/users/:name"});
	collect(&w, 1, 1, 1);
	expect(&w, 0, "GET /users/:name", (struct nd_collected){4, 59, 50, 3, 102}, 3);
	collect(&w, 9, 1, 1);
	expect(&w, 2, "[unknown request]", (struct nd_collected){1, 1, 1, 1, 1}, 0);
	nd_collections_list(w.collections, &count);
	assert_int_equal(count, 3);
	free_world(&w);
}

/* Those that waited longest go by their path. */
static void test_too_many_wait(void **state)
{
	struct world w = make_world();
	uint32_t i;

	for (i = 1; i <= ND_COLLECTED_REQUESTS_MAX + 1; i++) {
		hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = i, .path = "/path"});
		collect(&w, i, 1, 0);
	}
	for (i = 1; i <= ND_COLLECTED_REQUESTS_MAX + 1; i++)
		hear(&w, (struct known){.kind = ND_EVENT_SPAN, .id = i, .route = "/route"});
	i = ND_COLLECTED_REQUESTS_MAX;
	expect(&w, 0, "GET /route", (struct nd_collected){i, i, 1, 0, 0}, 2);
	expect(&w, 1, "GET /path", (struct nd_collected){1, 1, 1, 0, 0}, 1);
	free_world(&w);
}

static void test_too_many_routes(void **state)
{
	struct world w = make_world();
	char route[32];
	uint32_t i;

	for (i = 1; i <= ND_TRACE_ROUTES_MAX + 5; i++) {
		snprintf(route, sizeof(route), "/:%u", i);
		hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = i, .route = route});
		collect(&w, i, 1, 0);
		hear(&w, (struct known){.kind = ND_EVENT_SPAN, .id = i, .route = route});
	}
	i = ND_TRACE_ROUTES_MAX + 1;
	expect(&w, 0, "(others)", (struct nd_collected){5, 5, 1, 0, 0}, (uint8_t)i);
	free_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_young_collections_are_samples),
		cmocka_unit_test(test_pauses_in_one_another),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_routes_are_charged),
		cmocka_unit_test(test_too_many_wait),
		cmocka_unit_test(test_too_many_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
