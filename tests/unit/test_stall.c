/* SPDX-License-Identifier: Apache-2.0 */

/* What follows from one stall: analyzer/lag/stall.h, with times and stacks made up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/lag/stall.h"
#include "analyzer/profile/profile.h"

#define MS UINT64_C(1000000)

static struct nd_profile *frames;

static int set_up(void **state)
{
	frames = nd_profile_new(false);
	return frames ? 0 : -1;
}

static int tear_down(void **state)
{
	nd_profile_free(frames);
	return 0;
}

static struct nd_call call(const char *name, enum nd_frame_kind kind)
{
	struct nd_frame frame = {.name = name, .file = "x", .line = 1, .kind = kind};
	struct nd_call made = {.line = 7, .column = 3};

	assert_int_equal(nd_profile_add_frame(frames, &frame, &made.frame), 0);
	return made;
}

/* Innermost first; `in_syscall` as the agent saw it. */
static void add_stack(struct nd_stall *stall, const struct nd_call *calls, size_t depth,
		      int32_t syscall)
{
	struct nd_event_sample sample = {.event.kind = ND_EVENT_SAMPLE, .syscall = syscall};

	assert_int_equal(nd_stall_read_stack(frames, &sample.event, calls, depth,
					     &stall->stack[stall->stacks++]),
			 0);
}

/* One that has lasted for 100 ms, and in which the thread got all the CPU time it wanted. */
static struct nd_stall *new_stall(void)
{
	struct nd_stall *stall = calloc(1, sizeof(*stall));

	assert_non_null(stall);
	stall->syscall = -1;
	stall->event = (struct nd_event_stall){.event.time_ns = 200 * MS,
					       .start_ns = 100 * MS,
					       .since_ns = 99 * MS,
					       .cpu_ns = 100 * MS};
	return stall;
}

static void free_stall(struct nd_stall *stall)
{
	size_t i;

	for (i = 0; i < stall->stacks; i++)
		free(stall->stack[i].calls);
	free(stall);
}

static const char *name_of(uint32_t frame)
{
	uint32_t count;

	return nd_profile_frames(frames, &count)[frame].name;
}

static void expect_who(const struct nd_call *calls, size_t depth, const char *who,
		       const char *callee)
{
	struct nd_stall *stall = new_stall();

	add_stack(stall, calls, depth, -1);
	assert_true(stall->stack[0].has_frame);
	assert_string_equal(name_of(stall->stack[0].frame), who);
	assert_int_equal(stall->stack[0].line, 7);
	assert_int_equal(stall->stack[0].has_callee, callee != NULL);
	if (callee)
		assert_string_equal(name_of(stall->stack[0].callee), callee);
	free_stall(stall);
}

static void test_who_is_the_application_before_all(void **state)
{
	const struct nd_call calls[] = {
		call("JsonParse", ND_FRAME_NATIVE),   call("CEntry_Return1", ND_FRAME_BUILTIN),
		call("parse", ND_FRAME_NPM),	      call("handler", ND_FRAME_JS),
		call("listOnTimeout", ND_FRAME_NODE), call("uv_run", ND_FRAME_NATIVE),
	};

	expect_who(calls, 6, "handler", "parse");
	/* Without the application it is the package's, then Node's; then the innermost. */
	expect_who(calls, 3, "parse", "JsonParse");
	expect_who(calls, 2, "JsonParse", NULL);
	expect_who(calls + 4, 2, "listOnTimeout", NULL);
	expect_who(calls + 5, 1, "uv_run", NULL);
}

static void test_the_work_that_v8_does_is_the_callee(void **state)
{
	const struct nd_call calls[] = {
		call("Sweep", ND_FRAME_GC),
		call("(garbage collector)", ND_FRAME_GC),
		call("Runtime_Allocate", ND_FRAME_NATIVE),
		call("ArrayPush", ND_FRAME_BUILTIN),
		call("handler", ND_FRAME_JS),
	};

	expect_who(calls, 5, "handler", "(garbage collector)");
	expect_who(calls + 2, 3, "handler", "ArrayPush");
	expect_who(calls + 4, 1, "handler", NULL);
}

static void test_no_stack_says_nothing(void **state)
{
	struct nd_stall *stall = new_stall();

	assert_null(nd_stall_find_stack(stall));
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_UNKNOWN);
	add_stack(stall, NULL, 0, -1);
	assert_false(stall->stack[0].has_frame);
	assert_null(nd_stall_find_stack(stall));
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_UNKNOWN);
	free_stall(stall);
}

static void test_a_deep_stack_keeps_its_innermost(void **state)
{
	static struct nd_call calls[4 * ND_STALL_DEPTH_MAX];
	struct nd_stall *stall = new_stall();
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		calls[i] = call(i ? "recurse" : "leaf", ND_FRAME_JS);
	add_stack(stall, calls, sizeof(calls) / sizeof(calls[0]), -1);
	assert_int_equal(stall->stack[0].depth, ND_STALL_DEPTH_MAX);
	assert_string_equal(name_of(stall->stack[0].calls[0].frame), "leaf");
	free_stall(stall);
}

static void test_most_stacks_say_the_kind(void **state)
{
	static const struct {
		enum nd_frame_kind leaf;
		enum nd_stall_kind kind;
	} cases[] = {
		{ND_FRAME_JS, ND_STALL_JS},	      {ND_FRAME_NODE, ND_STALL_JS},
		{ND_FRAME_BUILTIN, ND_STALL_JS},      {ND_FRAME_NATIVE, ND_STALL_NATIVE},
		{ND_FRAME_REGEXP, ND_STALL_REGEXP},   {ND_FRAME_GC, ND_STALL_GC},
		{ND_FRAME_COMPILE, ND_STALL_COMPILE}, {ND_FRAME_UNKNOWN, ND_STALL_UNKNOWN},
	};
	const struct nd_call other = call("other", ND_FRAME_JS);
	struct nd_stall *stall;
	struct nd_call leaf;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stall = new_stall();
		leaf = call("leaf", cases[i].leaf);
		add_stack(stall, &leaf, 1, -1);
		add_stack(stall, &leaf, 1, -1);
		if (cases[i].kind != ND_STALL_UNKNOWN)
			add_stack(stall, &other, 1, -1);
		assert_int_equal(nd_stall_find_kind(stall), cases[i].kind);
		free_stall(stall);
	}
}

static void test_measured_times_decide_before_stacks(void **state)
{
	const struct nd_call leaf = call("leaf", ND_FRAME_JS);
	struct nd_stall *stall = new_stall();

	add_stack(stall, &leaf, 1, -1);
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_JS);
	stall->event.cpu_ns = 30 * MS;
	stall->event.run_delay_ns = 40 * MS;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_DESCHEDULED);
	/* What it neither ran nor waited for a CPU, it slept. */
	stall->event.run_delay_ns = 10 * MS;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_BLOCKED);
	/* Not known is not zero. */
	stall->event.since_ns = 0;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_JS);
	stall->event.since_ns = 99 * MS;
	stall->event.cpu_ns = 90 * MS;
	stall->event.run_delay_ns = 60 * MS;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_DESCHEDULED);
	stall->event.gc_ns = 50 * MS;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_GC);
	free_stall(stall);
}

/* The collector, while its helpers get no CPU: it neither ran for half of the time, nor slept. */
static void test_in_part_asleep(void **state)
{
	const struct nd_call leaf = call("gc", ND_FRAME_GC);
	struct nd_stall *stall = new_stall();

	add_stack(stall, &leaf, 1, -1);
	add_stack(stall, &leaf, 1, 202);
	stall->event.cpu_ns = 45 * MS;
	stall->event.run_delay_ns = 15 * MS;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_GC);
	/* It waited for a CPU for longer than it ran, and than it slept. */
	stall->event.cpu_ns = 30 * MS;
	stall->event.run_delay_ns = 36 * MS;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_DESCHEDULED);
	free_stall(stall);
}

static void test_asleep_in_a_system_call(void **state)
{
	const struct nd_call leaf = call("readSync", ND_FRAME_NODE);
	struct nd_stall *stall = new_stall();

	stall->event.cpu_ns = 10 * MS;
	stall->event.run_delay_ns = 45 * MS;
	add_stack(stall, &leaf, 1, 0);
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_BLOCKED);
	add_stack(stall, &leaf, 1, -1);
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_DESCHEDULED);
	/* Looks that gave no stack count as well. */
	stall->blocked = 1;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_BLOCKED);
	free_stall(stall);
}

/* What is counted from long before need not be about the stall: who looked knows better. */
static void test_a_delay_from_before(void **state)
{
	const struct nd_call leaf = call("wait", ND_FRAME_NODE);
	struct nd_stall *stall = new_stall();

	stall->event.since_ns = 40 * MS;
	stall->event.cpu_ns = 1 * MS;
	stall->event.run_delay_ns = 55 * MS;
	add_stack(stall, &leaf, 1, 202);
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_BLOCKED);
	/* More than there was time for before. */
	stall->event.run_delay_ns = 115 * MS;
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_DESCHEDULED);
	/* Where nobody saw it in a system call, the delay still says most. */
	stall->event.run_delay_ns = 55 * MS;
	add_stack(stall, &leaf, 1, -1);
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_DESCHEDULED);
	free_stall(stall);
}

static void test_of_as_many_stacks_the_first_decides(void **state)
{
	const struct nd_call first = call("parse", ND_FRAME_NATIVE);
	const struct nd_call last = call("next", ND_FRAME_COMPILE);
	struct nd_stall *stall = new_stall();

	add_stack(stall, &first, 1, -1);
	add_stack(stall, &last, 1, 0);
	assert_int_equal(nd_stall_find_kind(stall), ND_STALL_NATIVE);
	assert_string_equal(name_of(nd_stall_find_stack(stall)->frame), "parse");
	free_stall(stall);
}

static void test_the_stack_of_most(void **state)
{
	const struct nd_call once[] = {call("leaf", ND_FRAME_NATIVE), call("once", ND_FRAME_JS)};
	const struct nd_call often[] = {call("leaf", ND_FRAME_NATIVE), call("often", ND_FRAME_JS)};
	struct nd_stall *stall = new_stall();

	add_stack(stall, once, 2, -1);
	assert_string_equal(name_of(nd_stall_find_stack(stall)->frame), "once");
	add_stack(stall, often, 2, -1);
	add_stack(stall, often, 2, -1);
	assert_string_equal(name_of(nd_stall_find_stack(stall)->frame), "often");
	free_stall(stall);
}

static void test_the_phase_of_most_time(void **state)
{
	struct nd_stall *stall = new_stall();

	assert_int_equal(nd_stall_find_phase(stall), ND_PHASE_TIMERS);
	stall->event.phase_ns[ND_PHASE_CHECK] = 60 * MS;
	stall->event.phase_ns[ND_PHASE_POLL] = 40 * MS;
	assert_int_equal(nd_stall_find_phase(stall), ND_PHASE_CHECK);
	free_stall(stall);
}

/* The span that it was in most of the time, which may be none. */
static void test_span(void **state)
{
	static const uint8_t none[ND_SPAN_ID_SIZE], one[ND_SPAN_ID_SIZE] = {1};
	static const uint8_t two[ND_SPAN_ID_SIZE] = {2};
	struct nd_stall *stall = new_stall();
	uint8_t id[ND_SPAN_ID_SIZE];
	int i;

	nd_stall_find_span(stall, id);
	assert_memory_equal(id, none, sizeof(id));
	for (i = 0; i < 5; i++)
		add_stack(stall, NULL, 0, -1);
	memcpy(stall->stack[1].span_id, one, sizeof(one));
	memcpy(stall->stack[2].span_id, two, sizeof(two));
	nd_stall_find_span(stall, id);
	assert_memory_equal(id, none, sizeof(id));
	memcpy(stall->stack[3].span_id, one, sizeof(one));
	memcpy(stall->stack[4].span_id, one, sizeof(one));
	nd_stall_find_span(stall, id);
	assert_memory_equal(id, one, sizeof(id));
	free_stall(stall);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_span),
		TEST(test_who_is_the_application_before_all),
		TEST(test_the_work_that_v8_does_is_the_callee),
		TEST(test_no_stack_says_nothing),
		TEST(test_a_deep_stack_keeps_its_innermost),
		TEST(test_most_stacks_say_the_kind),
		TEST(test_measured_times_decide_before_stacks),
		TEST(test_in_part_asleep),
		TEST(test_asleep_in_a_system_call),
		TEST(test_a_delay_from_before),
		TEST(test_of_as_many_stacks_the_first_decides),
		TEST(test_the_stack_of_most),
		TEST(test_the_phase_of_most_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
