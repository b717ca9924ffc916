/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "analyzer/trace/trace.h"
#include "common/buf.h"
#include "proto/limits.h"

#define MS UINT64_C(1000000)

static const struct nd_trace_options everything = {.max = ND_TRACE_REQUESTS_MAX};

/* What a test says of a span; ids are small numbers. */
struct known {
	uint8_t id;
	uint8_t parent;
	uint8_t kind;
	uint16_t status;
	uint64_t start_ms;
	uint64_t end_ms; /* 0: it is open */
	const char *route;
	const char *path;
};

static struct nd_event_span *make_span(const struct known *known, uint32_t number)
{
	const char *const texts[ND_SPAN_TEXTS] = {"GET",
						  known->route ? known->route : "",
						  known->path ? known->path : "/",
						  "host",
						  "",
						  ""};
	struct nd_event_span *span = calloc(1, nd_span_size(texts));
	uint64_t end_ms = known->end_ms ? known->end_ms : known->start_ms;

	assert_non_null(span);
	*span = (struct nd_event_span){
		.event = {known->end_ms ? ND_EVENT_SPAN : ND_EVENT_SPAN_START, 7, end_ms * MS},
		.start_ns = known->start_ms * MS,
		.kind = known->kind ? known->kind : ND_SPAN_SERVER,
		.status = known->status ? known->status : 200,
	};
	memcpy(span->span_id, &number, sizeof(number));
	span->span_id[7] = known->id;
	span->parent_id[7] = known->parent;
	nd_span_set_texts(span, texts);
	return span;
}

static void add_numbered(struct nd_trace *trace, const struct known *known, uint32_t number)
{
	struct nd_event_span *span = make_span(known, number);

	assert_int_equal(nd_trace_add_event(trace, &span->event, nd_span_get_size(span)), 0);
	free(span);
}

static void add(struct nd_trace *trace, struct known known)
{
	add_numbered(trace, &known, 0);
}

static void add_stall(struct nd_trace *trace, uint32_t tid, uint64_t start_ms, uint64_t end_ms)
{
	const struct nd_lag_stall stall = {.start_ns = start_ms * MS,
					   .end_ns = end_ms * MS,
					   .culprit = {.tid = tid, .kind = ND_STALL_JS}};

	assert_int_equal(nd_trace_add_stall(trace, &stall), 0);
}

static struct nd_trace_answer answer_of(struct nd_trace *trace,
					const struct nd_trace_options *options, uint64_t now_ms)
{
	struct nd_trace_answer answer;

	assert_int_equal(nd_trace_make_answer(trace, options, now_ms * MS, &answer), 0);
	return answer;
}

static void test_the_slowest_come_first(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	add(trace, (struct known){.id = 1, .start_ms = 0, .end_ms = 10});
	add(trace, (struct known){.id = 2, .start_ms = 5, .end_ms = 305});
	add(trace, (struct known){.id = 3, .start_ms = 100, .end_ms = 120});
	answer = answer_of(trace, &everything, 1000);
	assert_int_equal(answer.request_count, 3);
	assert_int_equal(answer.requests[0].span->span_id[7], 2);
	assert_int_equal(answer.requests[0].duration_ns, 300 * MS);
	assert_int_equal(answer.requests[1].span->span_id[7], 3);
	assert_int_equal(answer.requests[2].span->span_id[7], 1);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_only_what_is_asked_for_is_listed(void **state)
{
	struct nd_trace_options options = {.max = 1, .slow_ns = 20 * MS};
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	add(trace, (struct known){.id = 1, .end_ms = 10, .route = "/a"});
	add(trace, (struct known){.id = 2, .end_ms = 20, .route = "/a"});
	add(trace, (struct known){.id = 3, .end_ms = 30, .route = "/b"});
	answer = answer_of(trace, &options, 100);
	assert_int_equal(answer.request_count, 1);
	assert_int_equal(answer.left_out, 1);
	nd_trace_free_answer(&answer);
	options.route = "/a";
	answer = answer_of(trace, &options, 100);
	assert_int_equal(answer.request_count, 1);
	assert_int_equal(answer.left_out, 0);
	assert_int_equal(answer.requests[0].span->span_id[7], 2);
	nd_trace_free_answer(&answer);
	options.route = "GET /b";
	answer = answer_of(trace, &options, 100);
	assert_int_equal(answer.requests[0].span->span_id[7], 3);
	/* Totals are of all. */
	assert_int_equal(answer.route_count, 2);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_routes_count_all(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	add(trace, (struct known){.id = 1, .end_ms = 10, .route = "/a"});
	add(trace, (struct known){.id = 2, .end_ms = 30, .route = "/a", .status = 500});
	add(trace, (struct known){.id = 3, .end_ms = 5, .route = "/b", .status = 404});
	add(trace, (struct known){.id = 4, .start_ms = 1, .route = "/b"});
	/* Not of a server. */
	add(trace, (struct known){.id = 5, .end_ms = 9, .kind = ND_SPAN_CLIENT});
	answer = answer_of(trace, &everything, 100);
	assert_int_equal(answer.route_count, 2);
	assert_string_equal(answer.routes[0].name, "GET /a");
	assert_int_equal(answer.routes[0].count, 2);
	assert_int_equal(answer.routes[0].errors, 1);
	assert_int_equal(answer.routes[0].max_ns, 30 * MS);
	assert_int_equal(answer.routes[0].total_ns, 40 * MS);
	assert_string_equal(answer.routes[1].name, "GET /b");
	assert_int_equal(answer.routes[1].count, 1);
	assert_int_equal(answer.routes[1].errors, 0);
	assert_int_equal(nd_trace_count(trace), 4);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_children_lie_below_their_parents(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	/* In no order: children may be over, or come, before their parents. */
	add(trace, (struct known){.id = 4, .parent = 3, .start_ms = 31, .end_ms = 39});
	add(trace,
	    (struct known){
		    .id = 3, .parent = 1, .kind = ND_SPAN_CLIENT, .start_ms = 30, .end_ms = 40});
	add(trace, (struct known){.id = 1, .parent = 99, .start_ms = 0, .end_ms = 100});
	add(trace, (struct known){.id = 2, .parent = 1, .kind = ND_SPAN_CLIENT, .start_ms = 10});
	answer = answer_of(trace, &everything, 100);
	assert_int_equal(answer.request_count, 2);
	assert_int_equal(answer.requests[0].node_count, 4);
	assert_int_equal(answer.requests[0].nodes[0].span->span_id[7], 1);
	assert_int_equal(answer.requests[0].nodes[1].span->span_id[7], 2);
	assert_true(answer.requests[0].nodes[1].is_open);
	assert_int_equal(answer.requests[0].nodes[2].span->span_id[7], 3);
	assert_int_equal(answer.requests[0].nodes[2].depth, 1);
	assert_int_equal(answer.requests[0].nodes[3].span->span_id[7], 4);
	assert_int_equal(answer.requests[0].nodes[3].depth, 2);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_spans_in_a_circle_end(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	add(trace, (struct known){.id = 1, .parent = 2, .end_ms = 10});
	add(trace, (struct known){.id = 2, .parent = 1, .end_ms = 10});
	add(trace, (struct known){.id = 3, .parent = 3, .end_ms = 10});
	answer = answer_of(trace, &everything, 100);
	assert_int_equal(answer.request_count, 3);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_waiting_is_told_apart(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	add(trace, (struct known){.id = 1, .start_ms = 100, .end_ms = 200});
	/* Two at once, from 110 to 150; of that, the loop is blocked from 140 on. */
	add(trace,
	    (struct known){
		    .id = 2, .parent = 1, .kind = ND_SPAN_CLIENT, .start_ms = 110, .end_ms = 130});
	add(trace,
	    (struct known){
		    .id = 3, .parent = 1, .kind = ND_SPAN_CLIENT, .start_ms = 120, .end_ms = 150});
	add_stall(trace, 7, 140, 190);
	add_stall(trace, 7, 90, 105);
	add_stall(trace, 7, 200, 300);
	add_stall(trace, 8, 100, 200);
	answer = answer_of(trace, &everything, 400);
	assert_int_equal(answer.requests[0].blocked_ns, 55 * MS);
	assert_int_equal(answer.requests[0].outside_ns, 30 * MS);
	assert_true(answer.requests[0].has_stall);
	assert_int_equal(answer.requests[0].stall.start_ns, 140 * MS);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_what_is_open_lasts_until_now(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	add(trace, (struct known){.id = 1, .start_ms = 100});
	answer = answer_of(trace, &everything, 400);
	assert_true(answer.requests[0].is_open);
	assert_int_equal(answer.requests[0].duration_ns, 300 * MS);
	nd_trace_free_answer(&answer);
	/* Its end takes its place; said twice, it counts once. */
	add(trace, (struct known){.id = 1, .start_ms = 100, .end_ms = 150});
	add(trace, (struct known){.id = 1, .start_ms = 100, .end_ms = 160});
	answer = answer_of(trace, &everything, 400);
	assert_int_equal(answer.request_count, 1);
	assert_false(answer.requests[0].is_open);
	assert_int_equal(answer.requests[0].duration_ns, 50 * MS);
	assert_int_equal(answer.routes[0].count, 1);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

/* A request that is read in the turn after a stall may have come at any time of that. */
static void test_what_a_stall_kept_unread_is_told(void **state)
{
	struct nd_event_stall event = {.event = {ND_EVENT_STALL, 7, 400 * MS},
				       .start_ns = 100 * MS};
	struct nd_trace_options options = {.max = 10, .slow_ns = 200 * MS};
	const struct known known = {.id = 1, .start_ms = 401};
	struct nd_event_span *span = make_span(&known, 0);
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;

	assert_int_equal(nd_trace_add_event(trace, &event.event, sizeof(event)), 0);
	add_stall(trace, 7, 100, 400);
	span->turn_ns = 400 * MS + 10;
	assert_int_equal(nd_trace_add_event(trace, &span->event, nd_span_get_size(span)), 0);
	/* Of a later turn, of one before, and of another thread. */
	span->span_id[7] = 2;
	span->turn_ns = 400 * MS + 300000;
	assert_int_equal(nd_trace_add_event(trace, &span->event, nd_span_get_size(span)), 0);
	span->span_id[7] = 3;
	span->turn_ns = 400 * MS - 1;
	assert_int_equal(nd_trace_add_event(trace, &span->event, nd_span_get_size(span)), 0);
	span->span_id[7] = 4;
	span->event.tid = 8;
	span->turn_ns = 400 * MS + 10;
	assert_int_equal(nd_trace_add_event(trace, &span->event, nd_span_get_size(span)), 0);
	add(trace, (struct known){.id = 1, .start_ms = 401, .end_ms = 403});
	answer = answer_of(trace, &options, 410);
	assert_int_equal(answer.request_count, 1);
	assert_int_equal(answer.requests[0].span->span_id[7], 1);
	assert_int_equal(answer.requests[0].duration_ns, 2 * MS);
	assert_int_equal(answer.requests[0].unread_ns, 301 * MS);
	assert_true(answer.requests[0].has_stall);
	assert_int_equal(answer.requests[0].stall.start_ns, 100 * MS);
	assert_int_equal(answer.routes[0].unread, 1);
	assert_int_equal(answer.routes[0].unread_max_ns, 301 * MS);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
	free(span);
}

/* More than are kept: all count, and the slowest stay with what belongs to them. */
static void test_memory_is_bounded(void **state)
{
	struct known slow = {.id = 1, .end_ms = 9000};
	struct known call = {.id = 2, .parent = 1, .kind = ND_SPAN_CLIENT, .end_ms = 8000};
	struct known fast = {.id = 3, .end_ms = 1};
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;
	uint32_t i;

	add_numbered(trace, &slow, 0);
	add_numbered(trace, &call, 0);
	for (i = 1; i <= 3 * ND_TRACE_SPANS_MAX; i++)
		add_numbered(trace, &fast, i);
	answer = answer_of(trace, &everything, 10000);
	assert_int_equal(answer.requests[0].duration_ns, 9000 * MS);
	assert_int_equal(answer.requests[0].node_count, 2);
	assert_int_equal(answer.routes[0].count, 3 * ND_TRACE_SPANS_MAX + 1);
	assert_int_equal(answer.request_count, ND_TRACE_REQUESTS_MAX);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_ids_are_taken_out_of_paths(void **state)
{
	static const struct {
		const char *route;
		const char *path;
		const char *name;
	} cases[] = {
		{NULL, "/", "GET /"},
		{NULL, "/users", "GET /users"},
		{NULL, "/users/42", "GET /users/:id"},
		{NULL, "/users/42/", "GET /users/:id/"},
		{NULL, "/v2/users", "GET /v2/users"},
		{NULL, "/o/550e8400-e29b-41d4-a716-446655440000/x", "GET /o/:id/x"},
		{NULL, "/commit/3ea945b0c1", "GET /commit/:id"},
		{NULL, "/face/decade", "GET /face/decade"},
		{NULL, "/reset/someone@example.com", "GET /reset/:id"},
		{NULL, "/a/b/c/d/e/f/g/h", "GET /a/b/c/d/e/f/*"},
		{NULL, "*", "GET *"},
		{"/users/:id", "/users/42", "GET /users/:id"},
		/* express mounts a router at what the path really was. */
		{"/shops/17/items/:item", "/shops/17/items/2", "GET /shops/:id/items/:item"},
	};
	char name[ND_ROUTE_NAME_MAX];
	struct nd_event_span *span;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct known known = {
			.id = 1, .end_ms = 1, .route = cases[i].route, .path = cases[i].path};

		span = make_span(&known, 0);
		nd_trace_name(span, name);
		assert_string_equal(name, cases[i].name);
		free(span);
	}
}

static void test_routes_are_bounded(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct known known = {.id = 1, .end_ms = 1};
	struct nd_trace_answer answer;
	uint64_t others = 0;
	char route[32];
	uint32_t i;

	for (i = 0; i < ND_TRACE_ROUTES_MAX + 10; i++) {
		snprintf(route, sizeof(route), "/r%c%c%c", 'a' + i / 676 % 26, 'a' + i / 26 % 26,
			 'a' + i % 26);
		known.route = route;
		add_numbered(trace, &known, i);
	}
	answer = answer_of(trace, &everything, 100);
	assert_int_equal(answer.route_count, ND_TRACE_ROUTES_MAX + 1);
	for (i = 0; i < answer.route_count; i++)
		if (!strcmp(answer.routes[i].name, "(others)"))
			others = answer.routes[i].count;
	assert_int_equal(others, 10);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static struct nd_trace *make_rich(void)
{
	struct nd_trace *trace = nd_trace_new();

	add(trace,
	    (struct known){
		    .id = 1, .start_ms = 0, .end_ms = 100, .route = "/u/:id", .path = "/u/\x1b[1"});
	add(trace, (struct known){.id = 2,
				  .parent = 1,
				  .kind = ND_SPAN_CLIENT,
				  .start_ms = 10,
				  .end_ms = 30,
				  .status = 503,
				  .path = "/items"});
	add_stall(trace, 7, 40, 90);
	return trace;
}

static void add_gc(struct nd_trace *trace, uint32_t tid, uint64_t start_ms, uint64_t end_ms)
{
	const struct nd_event_gc gc = {.event = {ND_EVENT_GC, tid, end_ms * MS},
				       .start_ns = start_ms * MS};

	assert_int_equal(nd_trace_add_event(trace, &gc.event, sizeof(gc)), 0);
}

/* Pauses count as far as they lie within the request, and are its own thread's. */
static void test_the_collector_is_told_of(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;
	struct nd_buf text;

	add_gc(trace, 7, 10, 22);
	add_gc(trace, 7, 30, 35);
	add_gc(trace, 8, 40, 50);
	add_gc(trace, 7, 95, 130);
	add(trace, (struct known){.id = 1, .start_ms = 20, .end_ms = 100});
	add_stall(trace, 7, 28, 68);
	answer = answer_of(trace, &everything, 200);
	assert_int_equal(answer.requests[0].gc_ns, 12 * MS);
	nd_buf_init(&text, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_trace(&answer, NULL, false, &text), 0);
	nd_buf_add_char(&text, '\0');
	assert_non_null(strstr(text.data, "40.0 ms  it ran, or waited for something else\n"
					  "of it     12.0 ms  garbage was collected\n"));
	nd_buf_fini(&text);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

/* A scavenge in a span, before which so many megabytes were allocated. */
static void add_scavenge(struct nd_trace *trace, uint8_t id, uint64_t start_ms, uint64_t megabytes)
{
	struct nd_event_gc gc = {.event = {ND_EVENT_GC, 7, (start_ms + 1) * MS},
				 .start_ns = start_ms * MS,
				 .type = ND_GC_SCAVENGE,
				 .used_before_bytes = (10 + megabytes) << 20,
				 .used_after_bytes = UINT64_C(10) << 20};

	gc.span_id[7] = id;
	assert_int_equal(nd_trace_add_event(trace, &gc.event, sizeof(gc)), 0);
}

/* Those that came in the middle of its own work stand for what it allocated. */
static void test_collections_of_its_own(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;
	struct nd_collected *sum;
	struct nd_buf text;
	uint64_t i;

	add_scavenge(trace, 9, 1, 50);
	add(trace, (struct known){.id = 1, .start_ms = 10, .end_ms = 50});
	add(trace,
	    (struct known){
		    .id = 2, .parent = 1, .kind = ND_SPAN_CLIENT, .start_ms = 20, .end_ms = 30});
	add_scavenge(trace, 0, 11, 8);
	add_scavenge(trace, 3, 13, 8);
	add_scavenge(trace, 2, 21, 3);
	for (i = 0; i < ND_ALLOCATION_SAMPLES_MIN - 2; i++)
		add_scavenge(trace, 1, 30 + 2 * i, 2);
	answer = answer_of(trace, &everything, 100);
	sum = &answer.requests[0].collected;
	assert_int_equal(sum->count, ND_ALLOCATION_SAMPLES_MIN - 1);
	assert_int_equal(sum->bytes, (3 + 2 * i) << 20);
	assert_int_equal(sum->longest_ns, MS);
	nd_buf_init(&text, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_trace(&answer, NULL, false, &text), 0);
	assert_non_null(strstr(text.data, "garbage was collected, 7 times in the middle of its "
					  "work: 7.00 ms\n"));
	/* One more, and there are enough to say so. */
	nd_trace_free_answer(&answer);
	add_scavenge(trace, 1, 48, 1);
	answer = answer_of(trace, &everything, 100);
	nd_buf_reset(&text);
	assert_int_equal(nd_render_trace(&answer, NULL, false, &text), 0);
	assert_non_null(strstr(text.data, "8.00 ms, and about 16.0 MiB allocated\n"));
	nd_buf_fini(&text);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

/* Of more than are kept, the last ones count. */
static void test_old_pauses_are_forgotten(void **state)
{
	struct nd_trace *trace = nd_trace_new();
	const uint64_t count = ND_TRACE_PAUSES_MAX + 2;
	struct nd_trace_answer answer;
	uint64_t i;

	for (i = 0; i < count; i++)
		add_gc(trace, 7, 10 * i, 10 * i + 1);
	add(trace, (struct known){.id = 1, .end_ms = 10 * count});
	answer = answer_of(trace, &everything, 10 * count);
	assert_int_equal(answer.requests[0].gc_ns, (ND_TRACE_PAUSES_MAX / 2 + 2) * MS);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void test_json_is_whole(void **state)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_trace *trace = make_rich();
	struct nd_trace_answer answer = answer_of(trace, &everything, 200);
	const json_t *request, *span;
	struct nd_buf text;
	json_t *json;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_trace_json(&answer, frames, &text), 0);
	json = json_loadb(text.data, text.len, 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "format")), "nodiag-trace");
	request = json_array_get(json_object_get(json, "requests"), 0);
	assert_string_equal(json_string_value(json_object_get(request, "span_id")),
			    "0000000000000001");
	assert_true(json_is_null(json_object_get(request, "parent_id")));
	assert_string_equal(json_string_value(json_object_get(request, "name")), "GET /u/:id");
	assert_int_equal(json_integer_value(json_object_get(request, "blocked_ns")), 50 * MS);
	assert_int_equal(json_integer_value(json_object_get(request, "outside_ns")), 20 * MS);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(request, "stall"), "kind")),
		"js");
	span = json_array_get(json_object_get(request, "spans"), 0);
	assert_int_equal(json_integer_value(json_object_get(span, "status")), 503);
	assert_true(json_is_true(json_object_get(span, "failed")));
	assert_int_equal(json_integer_value(json_object_get(span, "depth")), 1);
	json_decref(json);
	nd_buf_fini(&text);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
	nd_profile_free(frames);
}

/* Ids are those that somebody else can look for, or none. */
static void test_json_of_what_another_tracer_has(void **state)
{
	const uint8_t seen[8] = {9}, trace_id[16] = {8};
	struct known known = {.id = 1, .parent = 7, .start_ms = 10, .end_ms = 20};
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_trace *trace = nd_trace_new();
	struct nd_event_span *span = make_span(&known, 0);
	struct nd_trace_answer answer;
	const json_t *request;
	struct nd_buf text;
	json_t *json;

	span->flags = ND_SPAN_OBSERVED;
	memcpy(span->seen_id, seen, sizeof(seen));
	memcpy(span->trace_id, trace_id, sizeof(trace_id));
	assert_int_equal(nd_trace_add_event(trace, &span->event, nd_span_get_size(span)), 0);
	free(span);
	answer = answer_of(trace, &everything, 200);
	nd_buf_init(&text, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_trace_json(&answer, frames, &text), 0);
	json = json_loadb(text.data, text.len, 0, NULL);
	request = json_array_get(json_object_get(json, "requests"), 0);
	assert_true(json_is_true(json_object_get(request, "observed")));
	assert_string_equal(json_string_value(json_object_get(request, "span_id")),
			    "0900000000000000");
	assert_string_equal(json_string_value(json_object_get(request, "trace_id")),
			    "08000000000000000000000000000000");
	assert_true(json_is_null(json_object_get(request, "parent_id")));
	json_decref(json);
	nd_buf_fini(&text);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
	nd_profile_free(frames);
}

static void test_text_says_it_and_nothing_acts_on_the_terminal(void **state)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_trace *trace = make_rich();
	struct nd_trace_answer answer = answer_of(trace, &everything, 200);
	struct nd_buf text;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_trace(&answer, frames, false, &text), 0);
	assert_non_null(strstr(text.data, "1 request answered, 0 failed"));
	assert_non_null(strstr(text.data, "GET /u/:id"));
	assert_non_null(strstr(text.data, "503  GET http://host/items"));
	assert_non_null(strstr(text.data, "the loop was blocked, 50.0 ms by JavaScript"));
	assert_null(strchr(text.data, '\x1b'));
	nd_buf_fini(&text);
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
	nd_profile_free(frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_slowest_come_first),
		cmocka_unit_test(test_only_what_is_asked_for_is_listed),
		cmocka_unit_test(test_routes_count_all),
		cmocka_unit_test(test_children_lie_below_their_parents),
		cmocka_unit_test(test_spans_in_a_circle_end),
		cmocka_unit_test(test_waiting_is_told_apart),
		cmocka_unit_test(test_what_is_open_lasts_until_now),
		cmocka_unit_test(test_what_a_stall_kept_unread_is_told),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_ids_are_taken_out_of_paths),
		cmocka_unit_test(test_routes_are_bounded),
		cmocka_unit_test(test_the_collector_is_told_of),
		cmocka_unit_test(test_collections_of_its_own),
		cmocka_unit_test(test_old_pauses_are_forgotten),
		cmocka_unit_test(test_json_is_whole),
		cmocka_unit_test(test_json_of_what_another_tracer_has),
		cmocka_unit_test(test_text_says_it_and_nothing_acts_on_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
