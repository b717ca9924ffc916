/* SPDX-License-Identifier: Apache-2.0 */

/* Counters and events of several threads, made up, into answers: analyzer/lag/lag.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/lag/lag.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "analyzer/trace/collections.h"
#include "common/buf.h"
#include "proto/limits.h"
#include "tests/unit/span_build.h"

#define MS UINT64_C(1000000)

/* When the observation begins. */
#define START (1000 * MS)

struct world {
	struct nd_profile *frames;
	struct nd_lag *lag;
};

static const struct nd_channel_slot zero;

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->frames = nd_profile_new(false);
	w->lag = nd_lag_new(w->frames);
	*state = w;
	return w->lag ? 0 : -1;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	nd_lag_free(w->lag);
	nd_profile_free(w->frames);
	free(w);
	return 0;
}

static struct nd_channel_slot slot(uint32_t tid, enum nd_thread_kind kind, uint64_t start_ns)
{
	return (struct nd_channel_slot){.state = ND_SLOT_LIVE,
					.tid = tid,
					.kind = kind,
					.generation = 1,
					.start_ns = start_ns,
					.loop.start_ns = start_ns};
}

static void look(struct world *w, const struct nd_channel_slot *first,
		 const struct nd_channel_slot *now, uint64_t now_ns)
{
	assert_int_equal(nd_lag_set_counters(w->lag, first, now, START, now_ns), 0);
}

static const struct nd_lag_loop *loops(struct world *w, size_t expected)
{
	const struct nd_lag_loop *loops;
	size_t count;

	loops = nd_lag_loops(w->lag, &count);
	assert_int_equal(count, expected);
	return loops;
}

static const struct nd_culprit *culprits(struct world *w, size_t expected)
{
	const struct nd_culprit *culprits;
	size_t count;

	culprits = nd_lag_culprits(w->lag, &count);
	assert_int_equal(count, expected);
	return culprits;
}

static struct nd_call call(struct world *w, const char *name)
{
	struct nd_frame frame = {.name = name, .file = "a.js", .line = 1, .kind = ND_FRAME_JS};
	struct nd_call made = {.line = 7, .column = 3};

	assert_int_equal(nd_profile_add_frame(w->frames, &frame, &made.frame), 0);
	return made;
}

static void add_stack(struct world *w, uint32_t tid, struct nd_call made)
{
	struct nd_event_sample sample = {.event = {ND_EVENT_SAMPLE, tid, START}, .syscall = -1};

	assert_int_equal(nd_lag_add_stack(w->lag, &sample.event, NULL, &made, 1), 0);
}

static void end_stall(struct world *w, uint32_t tid, uint64_t start_ns, uint64_t end_ns)
{
	struct nd_event_stall stall = {.event = {ND_EVENT_STALL, tid, end_ns},
				       .start_ns = start_ns};

	assert_int_equal(nd_lag_add_event(w->lag, &stall.event, sizeof(stall)), 0);
}

static void test_counters_are_differences(void **state)
{
	struct nd_channel_slot first = slot(10, ND_THREAD_MAIN, 1), now = first;
	const struct nd_lag_loop *loop;
	struct world *w = *state;

	first.loop.iterations = 100;
	first.loop.busy_ns = 500 * MS;
	first.loop.delay[7] = 5;
	first.loop.idle_since_ns = START - 50 * MS;
	first.gc.count[0] = 3;
	now.loop = first.loop;
	now.loop.iterations = 110;
	now.loop.busy_ns = 520 * MS;
	now.loop.idle_ns = first.loop.idle_ns + 80 * MS;
	now.loop.delay[7] = 9;
	now.loop.idle_since_ns = 0;
	now.gc.count[0] = 5;
	now.gc.used_bytes = 1234;
	look(w, &first, &now, START + 100 * MS);
	loop = loops(w, 1);
	assert_int_equal(loop->observed_ns, 100 * MS);
	assert_int_equal(loop->iterations, 10);
	assert_int_equal(loop->busy_ns, 20 * MS);
	assert_int_equal(loop->idle_ns, 80 * MS);
	assert_int_equal(loop->delay[7], 4);
	assert_int_equal(loop->gc_count[0], 2);
	assert_int_equal(loop->heap_used_bytes, 1234);
}

static void tell_space(struct world *w, const char *name, uint64_t used_bytes)
{
	struct nd_event_space event = {
		.event = {ND_EVENT_SPACE, 10, START}, .used_bytes = used_bytes, .size_bytes = 99};

	memset(event.name, 'x', sizeof(event.name));
	if (name)
		snprintf(event.name, sizeof(event.name), "%s", name);
	assert_int_equal(nd_lag_add_event(w->lag, &event.event, sizeof(event)), 0);
}

static void test_memory_is_that_of_the_last_look(void **state)
{
	const struct nd_event_memory memory = {.event = {ND_EVENT_MEMORY, 10, START},
					       .external_bytes = 7,
					       .array_buffers_bytes = UINT64_MAX};
	struct nd_channel_slot first = slot(10, ND_THREAD_MAIN, 1);
	const struct nd_lag_loop *loop;
	struct world *w = *state;
	char name[16];
	int i;

	look(w, &first, &first, START + MS);
	assert_false(loops(w, 1)->has_memory);
	nd_lag_add_event(w->lag, &memory.event, sizeof(memory));
	tell_space(w, "new_space", 1);
	tell_space(w, "old_space", 2);
	tell_space(w, "new_space", 3);
	tell_space(w, NULL, 4);
	loop = loops(w, 1);
	assert_true(loop->has_memory);
	assert_int_equal(loop->held_bytes, 7);
	assert_int_equal(loop->spaces, 3);
	assert_string_equal(loop->space[0].name, "new_space");
	assert_int_equal(loop->space[0].used_bytes, 3);
	assert_int_equal(loop->space[1].used_bytes, 2);
	assert_int_equal(strlen(loop->space[2].name), ND_SPACE_NAME - 1);
	for (i = 0; i < 2 * ND_LAG_SPACES_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		tell_space(w, name, 1);
	}
	assert_int_equal(loops(w, 1)->spaces, ND_LAG_SPACES_MAX);
}

/* The iteration and the wait that last belong to it as far as they are in the observation. */
static void test_what_goes_on_counts(void **state)
{
	struct nd_channel_slot first = slot(10, ND_THREAD_MAIN, 1), now;
	struct world *w = *state;

	first.loop.busy_since_ns = START - 500 * MS;
	now = first;
	look(w, &first, &now, START + 100 * MS);
	assert_int_equal(loops(w, 1)->busy_ns, 100 * MS);
	now.loop.busy_since_ns = START + 150 * MS;
	now.loop.busy_ns = 650 * MS;
	look(w, &first, &now, START + 200 * MS);
	assert_int_equal(loops(w, 1)->busy_ns, 200 * MS);
}

static void test_the_longest_of_the_observation(void **state)
{
	struct nd_channel_slot first = slot(10, ND_THREAD_MAIN, 1), now;
	struct world *w = *state;
	uint32_t index = nd_histogram_index(30 * MS);

	first.loop.max_ns = 900 * MS;
	now = first;
	now.loop.delay[index] = 1;
	look(w, &first, &now, START + MS);
	assert_int_equal(loops(w, 1)->max_ns, nd_histogram_start(index + 1));
	now.loop.max_ns = 950 * MS;
	look(w, &first, &now, START + 2 * MS);
	assert_int_equal(loops(w, 1)->max_ns, 950 * MS);
}

static void test_a_slot_that_is_used_again(void **state)
{
	struct nd_channel_slot now = slot(10, ND_THREAD_WORKER, START + MS);
	const struct nd_lag_loop *loop;
	struct world *w = *state;

	now.loop.iterations = 5;
	look(w, &zero, &now, START + 10 * MS);
	/* Its last counters are not there any more, but its end is. */
	assert_int_equal(nd_lag_add_event(w->lag,
					  &(struct nd_event){ND_EVENT_THREAD_END, 10, START},
					  sizeof(struct nd_event)),
			 0);
	now = slot(11, ND_THREAD_WORKER, START + 12 * MS);
	now.loop.iterations = 3;
	look(w, &zero, &now, START + 20 * MS);
	loop = loops(w, 2);
	assert_int_equal(loop[0].iterations, 5);
	assert_true(loop[0].ended);
	assert_int_equal(loop[1].iterations, 3);
	assert_false(loop[1].ended);
}

/* The kernel gives an id again; the slot of the one that had it before may still be there. */
static void test_a_thread_id_that_is_used_again(void **state)
{
	struct nd_channel_slot old = slot(10, ND_THREAD_WORKER, START + MS);
	struct nd_channel_slot young = slot(10, ND_THREAD_WORKER, START + 5 * MS);
	const struct nd_lag_loop *loop;
	struct world *w = *state;
	int i;

	old.loop.iterations = 5;
	old.state = ND_SLOT_ENDED;
	young.loop.iterations = 3;
	for (i = 6; i < 100; i++) {
		look(w, &zero, &old, START + (uint64_t)i * MS);
		look(w, &zero, &young, START + (uint64_t)i * MS);
	}
	loop = loops(w, 2);
	assert_int_equal(loop[0].iterations + loop[1].iterations, 8);
	assert_int_equal(loop[0].ended + loop[1].ended, 1);
}

static void test_what_ended_before_is_not_shown(void **state)
{
	struct nd_channel_slot old = slot(10, ND_THREAD_WORKER, START - 100 * MS);
	struct world *w = *state;

	old.state = ND_SLOT_ENDED;
	look(w, &old, &old, START + 10 * MS);
	loops(w, 0);
}

static void test_counters_stay_after_the_end(void **state)
{
	struct nd_channel_slot now = slot(10, ND_THREAD_WORKER, START + MS);
	struct world *w = *state;

	now.loop.busy_since_ns = START + 2 * MS;
	now.state = ND_SLOT_ENDED;
	look(w, &zero, &now, START + 10 * MS);
	look(w, &zero, &now, START + 50 * MS);
	assert_int_equal(loops(w, 1)->busy_ns, 8 * MS);
	assert_int_equal(loops(w, 1)->observed_ns, 9 * MS);
}

static void test_main_comes_first(void **state)
{
	struct nd_channel_slot worker = slot(5, ND_THREAD_WORKER, 1);
	struct nd_channel_slot main = slot(10, ND_THREAD_MAIN, 1);
	struct world *w = *state;

	look(w, &worker, &worker, START + MS);
	look(w, &main, &main, START + MS);
	assert_int_equal(loops(w, 2)[0].tid, 10);
}

static void test_percentiles(void **state)
{
	struct nd_lag_loop loop = {.max_ns = 10000 * MS};
	uint64_t found;

	assert_int_equal(nd_lag_percentile(&loop, 0.5), 0);
	loop.delay[nd_histogram_index(MS)] = 98;
	loop.delay[nd_histogram_index(100 * MS)] = 1;
	loop.delay[nd_histogram_index(1000 * MS)] = 1;
	found = nd_lag_percentile(&loop, 0.5);
	assert_in_range(found, MS * 968 / 1000, MS * 1032 / 1000);
	found = nd_lag_percentile(&loop, 0.98);
	assert_in_range(found, 100 * MS * 968 / 1000, 100 * MS * 1032 / 1000);
	found = nd_lag_percentile(&loop, 0.999);
	assert_in_range(found, 1000 * MS * 968 / 1000, 1000 * MS * 1032 / 1000);
	assert_true(nd_lag_percentile(&loop, 1) == found);
	/* No more than was ever seen. */
	loop.max_ns = 999 * MS;
	assert_true(nd_lag_percentile(&loop, 1) <= 999 * MS);
	loop.delay[ND_HISTOGRAM_BUCKETS - 1] = 1000;
	assert_int_equal(nd_lag_percentile(&loop, 0.9), 999 * MS);
}

static void test_stalls_are_charged_to_who_made_them(void **state)
{
	const struct nd_culprit *culprit;
	struct world *w = *state;
	int i;

	for (i = 0; i < 3; i++) {
		add_stack(w, 10, call(w, "often"));
		end_stall(w, 10, START, START + 60 * MS);
	}
	add_stack(w, 10, call(w, "long"));
	end_stall(w, 10, START, START + 500 * MS);
	end_stall(w, 11, START, START + 70 * MS);
	assert_int_equal(nd_lag_finish(w->lag, START + 1000 * MS), 0);
	culprit = culprits(w, 3);
	assert_int_equal(culprit[0].total_ns, 500 * MS);
	assert_int_equal(culprit[0].count, 1);
	assert_int_equal(culprit[0].depth, 1);
	assert_int_equal(culprit[0].line, 7);
	assert_int_equal(culprit[1].total_ns, 180 * MS);
	assert_int_equal(culprit[1].longest_ns, 60 * MS);
	assert_int_equal(culprit[1].count, 3);
	assert_false(culprit[2].has_frame);
	assert_int_equal(culprit[2].tid, 11);
	assert_int_equal(culprit[2].kind, ND_STALL_UNKNOWN);
}

/* The agent's thread writes into another ring, which may be read after the stall's end. */
static void test_a_look_that_comes_late(void **state)
{
	struct nd_event_blocked blocked = {
		.event = {ND_EVENT_BLOCKED, 10, START}, .start_ns = START, .syscall = 35};
	const struct nd_culprit *culprit;
	struct world *w = *state;

	end_stall(w, 10, START, START + 60 * MS);
	assert_int_equal(nd_lag_settle(w->lag), 0);
	culprits(w, 0);
	assert_int_equal(nd_lag_add_event(w->lag, &blocked.event, sizeof(blocked)), 0);
	assert_int_equal(nd_lag_settle(w->lag), 0);
	culprit = culprits(w, 1);
	assert_int_equal(culprit->kind, ND_STALL_BLOCKED);
	assert_int_equal(culprit->syscall, 35);
}

static void test_a_stall_that_goes_on(void **state)
{
	struct nd_channel_slot now = slot(10, ND_THREAD_MAIN, 1);
	const struct nd_culprit *culprit;
	struct world *w = *state;

	now.loop.busy_since_ns = START + 10 * MS;
	now.loop.phase = ND_PHASE_POLL;
	look(w, &zero, &now, START + 100 * MS);
	add_stack(w, 10, call(w, "stuck"));
	assert_int_equal(nd_lag_finish(w->lag, START + 110 * MS), 0);
	culprit = culprits(w, 1);
	assert_int_equal(culprit->going_on, 1);
	assert_int_equal(culprit->total_ns, 100 * MS);
	assert_int_equal(culprit->phase, ND_PHASE_POLL);
	assert_int_equal(loops(w, 1)->stalls, 1);
	assert_int_equal(loops(w, 1)->max_ns, 100 * MS);
}

static void test_a_stall_of_a_thread_that_ended_does_not_go_on(void **state)
{
	struct nd_channel_slot now = slot(10, ND_THREAD_WORKER, START);
	struct world *w = *state;

	now.loop.busy_since_ns = START + 10 * MS;
	add_stack(w, 10, call(w, "stuck"));
	now.state = ND_SLOT_ENDED;
	look(w, &zero, &now, START + 100 * MS);
	assert_int_equal(nd_lag_finish(w->lag, START + 110 * MS), 0);
	culprits(w, 0);
}

static void test_the_longest_pause(void **state)
{
	struct nd_channel_slot now = slot(10, ND_THREAD_MAIN, 1);
	struct nd_event_gc gc = {.event = {ND_EVENT_GC, 10, START + 9 * MS},
				 .start_ns = START + 4 * MS,
				 .type = ND_GC_MARK_COMPACT};
	struct world *w = *state;

	look(w, &now, &now, START + 10 * MS);
	assert_int_equal(nd_lag_add_event(w->lag, &gc.event, sizeof(gc)), 0);
	gc.start_ns += 2 * MS;
	assert_int_equal(nd_lag_add_event(w->lag, &gc.event, sizeof(gc)), 0);
	assert_int_equal(loops(w, 1)->gc_max_ns[2], 5 * MS);
}

static void add_span(struct world *w, struct known known)
{
	struct nd_event_span *span = make_span(&known);

	assert_int_equal(nd_lag_add_event(w->lag, &span->event, nd_span_get_size(span)), 0);
	free(span);
}

/* A scavenge of 1 ms in a span, before which `megabytes` were allocated, 10 ms after the last. */
static void add_scavenge(struct world *w, uint64_t *now_ns, uint32_t span, uint64_t megabytes)
{
	struct nd_event_gc gc = {.event = {ND_EVENT_GC, 10, *now_ns + MS},
				 .start_ns = *now_ns,
				 .type = ND_GC_SCAVENGE,
				 .used_before_bytes = (10 + megabytes) << 20,
				 .used_after_bytes = UINT64_C(10) << 20};

	make_id(span, gc.span_id);
	assert_int_equal(nd_lag_add_event(w->lag, &gc.event, sizeof(gc)), 0);
	*now_ns += 10 * MS;
}

/* What is printed of an answer, with a NUL. */
static struct nd_buf print(struct world *w, bool json)
{
	struct nd_buf text;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (json)
		assert_int_equal(nd_render_lag_json(w->lag, w->frames, 50 * MS, &text), 0);
	else
		assert_int_equal(nd_render_lag(w->lag, w->frames, 50 * MS, false, &text), 0);
	nd_buf_add_char(&text, '\0');
	return text;
}

static void expect_printed(struct world *w, bool json, const char *expected, bool is_there)
{
	struct nd_buf text = print(w, json);

	if (!strstr(text.data, expected) == is_there)
		fail_msg("%s '%s' in:\n%s", is_there ? "no" : "there is", expected, text.data);
	nd_buf_fini(&text);
}

static void test_collections_are_for_requests(void **state)
{
	struct nd_channel_slot now = slot(10, ND_THREAD_MAIN, 1);
	uint64_t i, now_ns = START;
	struct world *w = *state;

	now.gc.used_bytes = UINT64_C(10) << 20;
	look(w, &now, &now, START + 10 * MS);
	add_scavenge(w, &now_ns, 0, 5);
	/* Where no requests are followed, nothing says for whom it was. */
	expect_printed(w, false, "of the collector", false);
	expect_printed(w, true, "\"collections\":null", true);
	add_span(w, (struct known){.kind = ND_EVENT_SPAN_START, .id = 1, .path = "/users/17"});
	for (i = 0; i < ND_ALLOCATION_SAMPLES_MIN; i++)
		add_scavenge(w, &now_ns, 1, 2);
	add_span(w, (struct known){.kind = ND_EVENT_SPAN, .id = 1, .route = "/users/:name"});
	add_scavenge(w, &now_ns, 0, 4);
	assert_int_equal(loops(w, 1)->allocated_bytes, UINT64_C(20) << 20);
	assert_int_equal(loops(w, 1)->allocated_ns, 89 * MS);
	expect_printed(w, false, "  alloc    225 MiB a second: 20.0 MiB in 89.0 ms\n", true);
	expect_printed(w, false, "\n10 pauses of the collector", true);
	expect_printed(w, false,
		       "       8   1.00 ms   8.00 ms   80.0 %    16.0 MiB  GET /users/:name  "
		       "longest in trace 01000000000000000000000000000000\n"
		       "       2   1.00 ms   2.00 ms   20.0 %              [no request]\n"
		       "                                         4.00 MiB  by any of them",
		       true);
	expect_printed(w, true,
		       "{\"name\":\"GET /users/:name\",\"collected\":{\"count\":8,"
		       "\"time_ns\":8000000,\"longest_ns\":1000000,\"samples\":8,"
		       "\"allocated_bytes\":16777216},\"longest\":{\"method\":\"GET\",",
		       true);
	expect_printed(w, true, "\"samples\":1,\"allocated_bytes\":4194304},\"longest\":null}",
		       true);
	expect_printed(w, true, "\"allocated_bytes\":20971520,\"allocated_ns\":89000000", true);
}

/* An older agent's event ends before the id, and what is behind it is something else. */
static void test_collections_of_an_older_agent(void **state)
{
	struct nd_event_gc gc = {
		.event = {ND_EVENT_GC, 10, START + MS}, .start_ns = START, .type = ND_GC_SCAVENGE};
	const struct nd_route_collected *list;
	struct world *w = *state;
	size_t count;

	add_span(w, (struct known){.kind = ND_EVENT_SPAN, .id = 1, .route = "/"});
	make_id(1, gc.span_id);
	assert_int_equal(nd_lag_add_event(w->lag, &gc.event, ND_EVENT_GC_SIZE_MIN), 0);
	list = nd_collections_list(nd_lag_collections(w->lag), &count);
	assert_int_equal(count, 1);
	assert_string_equal(list->name, "[no request]");
}

/* More types of resources than are told apart are one, and a name that does not end is cut. */
static void test_more_resources_than_are_told_apart(void **state)
{
	struct nd_channel_slot now = slot(10, ND_THREAD_MAIN, 1);
	struct nd_event_resource event = {.event = {ND_EVENT_RESOURCE, 10, START}, .count = 2};
	const struct nd_lag_loop *loop;
	struct world *w = *state;
	uint32_t i;

	look(w, &now, &now, START + 10 * MS);
	for (i = 0; i < ND_LAG_RESOURCES_MAX + 2; i++) {
		memset(event.type, 'a', sizeof(event.type));
		assert_int_equal(nd_lag_add_event(w->lag, &event.event, sizeof(event)), 0);
	}
	loop = loops(w, 1);
	assert_int_equal(loop->resources, ND_LAG_RESOURCES_MAX);
	assert_int_equal(strlen(loop->resource[0].type), sizeof(event.type) - 1);
	assert_int_equal(loop->resource[0].count, 2);
	assert_string_equal(loop->resource[ND_LAG_RESOURCES_MAX - 1].type, "(others)");
	assert_int_equal(loop->resource[ND_LAG_RESOURCES_MAX - 1].count, 6);
	event.type[0] = '\0';
	assert_int_equal(nd_lag_add_event(w->lag, &event.event, sizeof(event)), 0);
	assert_int_equal(loops(w, 1)->resources, 0);
}

static void test_short_and_unknown_events_are_passed_over(void **state)
{
	struct nd_event_stall stall = {.event = {0, 10, START}};
	struct world *w = *state;
	uint32_t kind;

	for (kind = 0; kind < 24; kind++) {
		stall.event.kind = kind;
		assert_int_equal(nd_lag_add_event(w->lag, &stall.event, sizeof(struct nd_event)),
				 0);
	}
	assert_int_equal(nd_lag_finish(w->lag, START), 0);
	culprits(w, 0);
}

static void test_more_threads_than_are_told_apart(void **state)
{
	struct world *w = *state;
	struct nd_channel_slot now;
	uint64_t threads, stalls;
	uint32_t i;

	for (i = 0; i < ND_LAG_THREADS_MAX + 10; i++) {
		now = slot(100 + i, ND_THREAD_WORKER, START + i);
		now.state = i % 2 ? ND_SLOT_LIVE : ND_SLOT_ENDED;
		look(w, &zero, &now, START + 10 * MS);
	}
	loops(w, ND_LAG_THREADS_MAX);
	nd_lag_left_out(w->lag, &threads, &stalls);
	assert_int_equal(threads, 10);
	assert_int_equal(stalls, 0);
}

static void test_more_threads_than_live_at_once(void **state)
{
	struct world *w = *state;
	struct nd_channel_slot now;
	uint64_t threads, stalls;
	uint32_t i;

	for (i = 0; i < ND_LAG_THREADS_MAX; i++) {
		now = slot(100 + i, ND_THREAD_WORKER, START + i);
		look(w, &zero, &now, START + 10 * MS);
	}
	now = slot(7, ND_THREAD_WORKER, START + i);
	look(w, &zero, &now, START + 10 * MS);
	add_stack(w, 7, call(w, "nobody"));
	end_stall(w, 7, START, START + 60 * MS);
	assert_int_equal(nd_lag_finish(w->lag, START), 0);
	loops(w, ND_LAG_THREADS_MAX);
	culprits(w, 0);
	nd_lag_left_out(w->lag, &threads, &stalls);
	assert_true(threads > 0);
}

static void test_more_culprits_than_are_told_apart(void **state)
{
	struct world *w = *state;
	uint64_t threads, stalls;
	char name[32];
	uint32_t i;

	for (i = 0; i < ND_LAG_CULPRITS_MAX + 5; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		add_stack(w, 10, call(w, name));
		end_stall(w, 10, START, START + 60 * MS);
		assert_int_equal(nd_lag_settle(w->lag), 0);
	}
	assert_int_equal(nd_lag_finish(w->lag, START), 0);
	culprits(w, ND_LAG_CULPRITS_MAX);
	nd_lag_left_out(w->lag, &threads, &stalls);
	assert_int_equal(threads, 0);
	assert_int_equal(stalls, 5);
}

static void test_more_stacks_than_are_kept(void **state)
{
	struct world *w = *state;
	int i;

	for (i = 0; i < 1000; i++)
		add_stack(w, 10, call(w, "stuck"));
	end_stall(w, 10, START, START + 5000 * MS);
	assert_int_equal(nd_lag_finish(w->lag, START), 0);
	assert_int_equal(culprits(w, 1)->count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counters_are_differences),
		TEST(test_memory_is_that_of_the_last_look),
		TEST(test_what_goes_on_counts),
		TEST(test_the_longest_of_the_observation),
		TEST(test_a_slot_that_is_used_again),
		TEST(test_a_thread_id_that_is_used_again),
		TEST(test_what_ended_before_is_not_shown),
		TEST(test_counters_stay_after_the_end),
		TEST(test_main_comes_first),
		TEST(test_percentiles),
		TEST(test_stalls_are_charged_to_who_made_them),
		TEST(test_a_look_that_comes_late),
		TEST(test_a_stall_that_goes_on),
		TEST(test_a_stall_of_a_thread_that_ended_does_not_go_on),
		TEST(test_the_longest_pause),
		TEST(test_collections_are_for_requests),
		TEST(test_collections_of_an_older_agent),
		TEST(test_more_resources_than_are_told_apart),
		TEST(test_short_and_unknown_events_are_passed_over),
		TEST(test_more_threads_than_are_told_apart),
		TEST(test_more_threads_than_live_at_once),
		TEST(test_more_culprits_than_are_told_apart),
		TEST(test_more_stacks_than_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
