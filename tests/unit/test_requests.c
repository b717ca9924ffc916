/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/profile.h"
#include "analyzer/trace/by_route.h"
#include "analyzer/trace/requests.h"
#include "proto/limits.h"
#include "proto/span.h"
#include "tests/unit/span_build.h"

struct world {
	struct nd_profile *profile;
	struct nd_by_route *routes;
	uint32_t frame;
};

static const struct nd_request *find(const struct nd_requests *requests, uint32_t number)
{
	uint8_t id[ND_SPAN_ID_SIZE];

	make_id(number, id);
	return nd_requests_find(requests, id);
}

static void test_find(void **state)
{
	struct nd_requests *requests = nd_requests_new();

	tell(requests, (struct known){.kind = ND_EVENT_SPAN_START, .id = 1, .path = "/users/17"});
	tell(requests, (struct known){.kind = ND_EVENT_SPAN_START,
				      .id = 2,
				      .parent = 1,
				      .span_kind = ND_SPAN_CLIENT});
	tell(requests, (struct known){.kind = ND_EVENT_SPAN_START,
				      .id = 3,
				      .parent = 2,
				      .span_kind = ND_SPAN_CLIENT});
	assert_string_equal(find(requests, 1)->name, "GET /users/:id");
	assert_ptr_equal(find(requests, 3), find(requests, 1));
	assert_false(find(requests, 1)->is_over);
	assert_null(find(requests, 4));
	assert_null(find(requests, 0));

	tell(requests,
	     (struct known){
		     .kind = ND_EVENT_SPAN, .id = 1, .route = "/users/:name", .path = "/users/17"});
	assert_true(find(requests, 3)->is_over);
	assert_string_equal(find(requests, 3)->name, "GET /users/:name");
	assert_int_equal(find(requests, 3)->trace_id[0], 1);
	/* Whoever says it again is not believed. */
	tell(requests, (struct known){.kind = ND_EVENT_SPAN, .id = 1, .route = "/other"});
	assert_string_equal(find(requests, 1)->name, "GET /users/:name");
	nd_requests_free(requests);
}

static void test_spans_of_one_another(void **state)
{
	struct nd_requests *requests = nd_requests_new();

	tell(requests, (struct known){.kind = ND_EVENT_SPAN_START,
				      .id = 1,
				      .parent = 2,
				      .span_kind = ND_SPAN_CLIENT});
	tell(requests, (struct known){.kind = ND_EVENT_SPAN_START,
				      .id = 2,
				      .parent = 1,
				      .span_kind = ND_SPAN_CLIENT});
	assert_null(find(requests, 1));
	nd_requests_free(requests);
}

/* What is wanted outlives what is not, and there is an end to both. */
static void test_bounds(void **state)
{
	struct nd_requests *requests = nd_requests_new();
	uint8_t id[ND_SPAN_ID_SIZE];
	uint32_t i;

	tell(requests, (struct known){.kind = ND_EVENT_SPAN, .id = 1, .route = "/wanted"});
	make_id(1, id);
	nd_requests_want(requests, id);
	for (i = 2; i < 2 + 2 * ND_REQUESTS_MAX; i++)
		tell(requests, (struct known){.kind = ND_EVENT_SPAN, .id = i});
	assert_non_null(find(requests, 1));
	assert_null(find(requests, 2));
	assert_non_null(find(requests, i - 1));
	/* Those that never end are no exception. */
	for (i = 1u << 24; i < (1u << 24) + 2 * ND_REQUESTS_MAX; i++)
		tell(requests, (struct known){.kind = ND_EVENT_SPAN_START, .id = i});
	assert_null(find(requests, 1u << 24));
	assert_non_null(find(requests, i - 1));
	nd_requests_free(requests);
}

static struct world make_world(void)
{
	const struct nd_frame frame = {.name = "work", .kind = ND_FRAME_JS};
	struct world w = {.profile = nd_profile_new(false)};

	assert_int_equal(nd_profile_add_frame(w.profile, &frame, &w.frame), 0);
	w.routes = nd_by_route_new(w.profile);
	assert_non_null(w.routes);
	return w;
}

static void free_world(struct world *w)
{
	nd_by_route_free(w->routes);
	nd_profile_free(w->profile);
}

static void hear(struct world *w, struct known known)
{
	struct nd_event_span *span = make_span(&known);

	assert_int_equal(nd_by_route_add_event(w->routes, &span->event, nd_span_get_size(span)), 0);
	free(span);
}

static void sample(struct world *w, uint32_t number)
{
	const struct nd_call call = {.frame = w->frame};
	struct nd_stack stack = {.calls = &call, .depth = 1, .weight = 10, .count = 1};

	make_id(number, stack.span_id);
	assert_int_equal(nd_by_route_add_stack(w->routes, &stack), 0);
}

/* How much is below a route; 0 where there is none. */
static uint64_t weight_of(const struct world *w, const char *route)
{
	uint32_t frames_count, count, i;
	const struct nd_frame *frames = nd_profile_frames(w->profile, &frames_count);
	const struct nd_node *nodes = nd_profile_nodes(w->profile, &count);

	for (i = 1; i < count; i++)
		if (!nodes[i].parent && !strcmp(frames[nodes[i].frame].name, route)) {
			assert_int_equal(frames[nodes[i].frame].kind, ND_FRAME_ROUTE);
			return nodes[i].total;
		}
	return 0;
}

static void test_by_route(void **state)
{
	struct world w = make_world();

	sample(&w, 0);
	assert_int_equal(weight_of(&w, "[no request]"), 10);
	/* Before its beginning, while it lasts, after its end; and in a part of it. */
	sample(&w, 1);
	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = 1, .path = "/users/17"});
	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START,
				.id = 2,
				.parent = 1,
				.span_kind = ND_SPAN_CLIENT});
	sample(&w, 1);
	sample(&w, 2);
	hear(&w, (struct known){
			 .kind = ND_EVENT_SPAN, .id = 2, .parent = 1, .span_kind = ND_SPAN_CLIENT});
	assert_int_equal(weight_of(&w, "GET /users/:name"), 0);
	hear(&w,
	     (struct known){
		     .kind = ND_EVENT_SPAN, .id = 1, .route = "/users/:name", .path = "/users/17"});
	assert_int_equal(weight_of(&w, "GET /users/:name"), 30);
	sample(&w, 1);
	sample(&w, 2);
	assert_int_equal(weight_of(&w, "GET /users/:name"), 50);
	assert_int_equal(nd_by_route_spans(w.routes), 2);
	free_world(&w);
}

static void test_unfinished(void **state)
{
	struct world w = make_world();

	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = 1, .path = "/users/17"});
	sample(&w, 1);
	sample(&w, 99);
	assert_int_equal(weight_of(&w, "GET /users/:id"), 0);
	assert_int_equal(nd_by_route_finish(w.routes), 0);
	assert_int_equal(weight_of(&w, "GET /users/:id"), 10);
	assert_int_equal(weight_of(&w, "[unknown request]"), 10);
	free_world(&w);
}

/* Those that waited longest go by their path. */
static void test_too_many_wait(void **state)
{
	struct world w = make_world();
	uint32_t i;

	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = 1, .path = "/first"});
	hear(&w, (struct known){.kind = ND_EVENT_SPAN_START, .id = 2, .path = "/second"});
	sample(&w, 1);
	for (i = 0; i < ND_ROUTE_STACKS_MAX - 1; i++)
		sample(&w, 2);
	assert_int_equal(weight_of(&w, "GET /first"), 0);
	sample(&w, 2);
	assert_int_equal(weight_of(&w, "GET /first"), 10);
	assert_int_equal(weight_of(&w, "GET /second"), 0);
	free_world(&w);
}

static void test_too_many_routes(void **state)
{
	struct world w = make_world();
	char route[32];
	uint32_t i;

	for (i = 1; i <= ND_TRACE_ROUTES_MAX + 5; i++) {
		snprintf(route, sizeof(route), "/:%u", i);
		hear(&w, (struct known){.kind = ND_EVENT_SPAN, .id = i, .route = route});
		sample(&w, i);
	}
	assert_int_equal(weight_of(&w, "GET /:1"), 10);
	assert_int_equal(weight_of(&w, "(others)"), 50);
	free_world(&w);
}

/* A stack that is cut keeps its root. */
static void test_deep(void **state)
{
	static struct nd_call calls[ND_STACK_DEPTH_MAX + 10];
	struct nd_stack stack = {.calls = calls, .weight = 1, .count = 1};
	struct world w = make_world();
	size_t i;

	stack.depth = sizeof(calls) / sizeof(calls[0]);
	for (i = 0; i < stack.depth; i++)
		calls[i].frame = w.frame;
	assert_int_equal(nd_by_route_add_stack(w.routes, &stack), 0);
	assert_int_equal(weight_of(&w, "[no request]"), 1);
	free_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_spans_of_one_another),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_by_route),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_too_many_wait),
		cmocka_unit_test(test_too_many_routes),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
