/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a source of event loops sees, into both sinks: a recording must give the answer that the
 * analyzer gives at once.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "cli/lag_sink.h"
#include "cli/record_sink.h"
#include "common/buf.h"
#include "proto/limits.h"
#include "proto/recorder.h"

#define MS	  UINT64_C(1000000)
#define START	  (1000 * MS)
#define END	  (START + 2000 * MS)
#define THRESHOLD (50 * MS)

/* The two sinks side by side, and the names of both. */
struct world {
	struct nd_profile *frames;
	struct nd_lag *lag;
	struct lag_answer answer;
	struct nd_recorder *recorder;
	struct record_sink record;
	struct lag_sink sinks[2];
};

static int set_up(void **state)
{
	static struct world w;

	w = (struct world){.frames = nd_profile_new(false), .recorder = nd_recorder_new()};
	w.lag = nd_lag_new(w.frames);
	w.answer.lag = w.lag;
	w.sinks[0] = lag_sink_to_answer(&w.answer);
	*state = &w;
	if (!w.lag || !w.recorder || record_sink_init(&w.record, w.recorder))
		return -1;
	w.sinks[1] = record_sink_face(&w.record);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	record_sink_fini(&w->record);
	nd_recorder_free(w->recorder);
	nd_lag_free(w->lag);
	nd_profile_free(w->frames);
	return 0;
}

static void set_known(struct world *w, uint32_t known)
{
	struct nd_recording_header header = {
		.start_ns = START, .threshold_ns = THRESHOLD, .loops = "eBPF, from outside"};
	int i;

	for (i = 0; i < 2; i++)
		w->sinks[i].ops->set_known(w->sinks[i].impl, known);
	header.loops_known = w->record.known;
	assert_int_equal(nd_recorder_set_header(w->recorder, &header), 0);
}

static void add_event(struct world *w, const struct nd_event *event, size_t size)
{
	int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(w->sinks[i].ops->add_event(w->sinks[i].impl, event, size), 0);
}

static void forget_before(struct world *w, uint32_t tid, uint64_t time_ns)
{
	const struct nd_event event = {ND_EVENT_FORGET, tid, time_ns};

	add_event(w, &event, sizeof(event));
}

/* A stack of one function, and what called it. */
static void add_stack(struct world *w, uint32_t tid, uint64_t time_ns, const char *name)
{
	const struct nd_frame frames[] = {
		{.name = name, .file = "/srv/a.js", .line = 4, .kind = ND_FRAME_JS},
		{.name = "listOnTimeout", .file = "node:internal/timers", .kind = ND_FRAME_NODE},
	};
	const struct nd_event_sample sample = {
		.event = {ND_EVENT_SAMPLE, tid, time_ns}, .reason = ND_REASON_STALL, .syscall = -1};
	struct nd_call calls[2] = {{.line = 7, .column = 3}, {.line = 1}};
	int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(nd_profile_add_frame(w->frames, &frames[i], &calls[i].frame), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(
			w->sinks[i].ops->add_stack(w->sinks[i].impl, &sample, NULL, calls, 2), 0);
}

static void end_stall(struct world *w, uint32_t tid, uint64_t start_ns, uint64_t end_ns)
{
	const struct nd_event_stall stall = {.event = {ND_EVENT_STALL, tid, end_ns},
					     .start_ns = start_ns,
					     .since_ns = start_ns,
					     .cpu_ns = end_ns - start_ns};

	add_event(w, &stall.event, sizeof(stall));
}

static void set_counters(struct world *w, uint32_t index, const struct nd_channel_slot *first,
			 const struct nd_channel_slot *now, uint64_t now_ns)
{
	static const struct nd_channel_slot zero;
	const struct lag_counters counters = {.index = index,
					      .first = first ? first : &zero,
					      .now = now,
					      .start_ns = START,
					      .now_ns = now_ns};
	int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(w->sinks[i].ops->set_counters(w->sinks[i].impl, &counters), 0);
}

/* A thread with so many iterations of 10 ms, and its only stall. */
static struct nd_channel_slot slot(uint32_t tid, uint64_t start_ns, uint64_t iterations)
{
	struct nd_channel_slot made = {
		.state = ND_SLOT_LIVE,
		.tid = tid,
		.kind = tid == 10 ? ND_THREAD_MAIN : ND_THREAD_WORKER,
		.generation = 1,
		.start_ns = start_ns,
		.loop = {.start_ns = start_ns,
			 .iterations = iterations,
			 .busy_ns = iterations * 10 * MS,
			 .idle_since_ns = start_ns,
			 .stalls = 1,
			 .stall_ns = 200 * MS,
			 .max_ns = 200 * MS},
	};

	made.loop.delay[nd_histogram_index(10 * MS)] = iterations;
	return made;
}

static void flush(struct world *w, uint64_t time_ns)
{
	const struct nd_frame *frames;
	uint32_t count;

	assert_int_equal(record_sink_flush(&w->record), 0);
	frames = nd_profile_frames(w->frames, &count);
	assert_int_equal(nd_recorder_flush(w->recorder, time_ns, time_ns, frames, count), 0);
	assert_int_equal(nd_lag_settle(w->lag), 0);
}

static void print(struct nd_lag *lag, const struct nd_profile *frames, struct nd_buf *out)
{
	nd_buf_init(out, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_lag_json(lag, frames, THRESHOLD, out), 0);
	assert_int_equal(nd_buf_add(out, "", 1), 0);
}

/* The answer that the recording gives. */
static void read_back(struct world *w, struct nd_buf *ret_answer)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_lag *lag = nd_lag_new(frames);
	struct nd_lag_recorded recorded;
	const struct nd_buf *file;

	flush(w, END);
	assert_int_equal(nd_recorder_finish(w->recorder, ND_END_DURATION, END), 0);
	file = nd_recorder_get_output(w->recorder);
	assert_int_equal(nd_lag_read_recording(lag, frames, file->data, file->len, &recorded, NULL),
			 0);
	assert_string_equal(recorded.loops, "eBPF, from outside");
	print(lag, frames, ret_answer);
	nd_lag_free(lag);
	nd_profile_free(frames);
}

/* Both answers, which must be one. */
static void compare(struct world *w, struct nd_buf *ret_answer)
{
	struct nd_buf live;

	assert_int_equal(nd_lag_finish(w->lag, END), 0);
	print(w->lag, w->frames, &live);
	read_back(w, ret_answer);
	assert_string_equal(ret_answer->data, live.data);
	nd_buf_fini(&live);
}

static void test_a_recording_answers_as_the_analyzer(void **state)
{
	struct nd_channel_slot first = slot(10, START - 5 * MS, 40), now = first;
	struct world *w = *state;
	struct nd_buf answer;

	set_known(w, ND_LOOP_EVENTS);
	set_counters(w, 0, &first, &now, START + 100 * MS);
	flush(w, START + 100 * MS);
	/* What comes before the turn is of another, and is not to blame. */
	forget_before(w, 10, START + 110 * MS);
	add_stack(w, 10, START + 120 * MS, "innocent");
	add_stack(w, 10, START + 130 * MS, "innocent");
	add_stack(w, 10, START + 140 * MS, "innocent");
	forget_before(w, 10, START + 150 * MS);
	flush(w, START + 180 * MS);
	add_stack(w, 10, START + 200 * MS, "guilty");
	end_stall(w, 10, START + 150 * MS, START + 350 * MS);
	now = slot(10, START - 5 * MS, 90);
	now.loop.events = 1234;
	set_counters(w, 0, &first, &now, END);
	compare(w, &answer);
	assert_non_null(strstr(answer.data, "guilty"));
	assert_null(strstr(answer.data, "innocent"));
	assert_non_null(strstr(answer.data, "\"iterations\":50,"));
	assert_non_null(strstr(answer.data, "\"events\":1234"));
	assert_non_null(strstr(answer.data, "\"heap\":null"));
	nd_buf_fini(&answer);
}

static void test_a_thread_that_is_gone_before_a_flush_is_there(void **state)
{
	struct nd_channel_slot now = slot(11, START + 10 * MS, 30);
	struct world *w = *state;
	struct nd_buf answer;

	set_known(w, 0);
	set_counters(w, 3, NULL, &now, START + 100 * MS);
	now.state = ND_SLOT_ENDED;
	set_counters(w, 3, NULL, &now, START + 200 * MS);
	now = slot(12, START + 210 * MS, 70);
	now.generation = 2;
	set_counters(w, 3, NULL, &now, START + 300 * MS);
	set_counters(w, 3, NULL, &now, END);
	read_back(w, &answer);
	assert_non_null(strstr(answer.data, "{\"tid\":11,\"kind\":\"worker\",\"ended\":true,"));
	assert_non_null(strstr(answer.data, "\"iterations\":30,"));
	assert_non_null(strstr(answer.data, "{\"tid\":12,\"kind\":\"worker\",\"ended\":false,"));
	assert_non_null(strstr(answer.data, "\"iterations\":70,"));
	assert_non_null(strstr(answer.data, "\"events\":null"));
	nd_buf_fini(&answer);
}

static void test_what_ended_before_is_not_in_it(void **state)
{
	struct nd_channel_slot first = slot(11, START - 900 * MS, 30), main = slot(10, START, 5);
	struct world *w = *state;
	struct nd_buf answer;

	first.state = ND_SLOT_ENDED;
	set_known(w, ND_LOOP_PHASES | ND_LOOP_GC | ND_LOOP_EVENTS);
	set_counters(w, 0, NULL, &main, END);
	set_counters(w, 1, &first, &first, END);
	compare(w, &answer);
	assert_non_null(strstr(answer.data, "\"tid\":10,"));
	assert_null(strstr(answer.data, "\"tid\":11,"));
	nd_buf_fini(&answer);
}

/* Counters of the thread 10 in what was recorded so far. */
static size_t count_counters(struct world *w)
{
	const struct nd_buf *file = nd_recorder_get_output(w->recorder);
	struct nd_recording *recording;
	struct nd_item item;
	size_t count = 0;

	assert_int_equal(nd_recording_open(file->data, file->len, &recording, NULL), 0);
	while (nd_recording_next(recording, &item) > 0)
		count += item.kind == ND_ITEM_COUNTERS && item.counters->slot.tid == 10;
	nd_recording_close(recording);
	return count;
}

static void test_counters_that_were_not_set_again_are_not_repeated(void **state)
{
	struct nd_channel_slot now = slot(10, START, 5);
	struct world *w = *state;

	set_counters(w, 0, NULL, &now, START + 100 * MS);
	set_counters(w, 0, NULL, &now, START + 120 * MS);
	flush(w, START + 200 * MS);
	assert_int_equal(count_counters(w), 1);
	flush(w, START + 300 * MS);
	assert_int_equal(count_counters(w), 1);
	now.state = ND_SLOT_ENDED;
	set_counters(w, 0, NULL, &now, START + 400 * MS);
	flush(w, START + 400 * MS);
	set_counters(w, 0, NULL, &now, START + 500 * MS);
	flush(w, START + 500 * MS);
	assert_int_equal(count_counters(w), 2);
}

static void test_an_index_from_outside_of_the_format_is_left_out(void **state)
{
	struct nd_channel_slot now = slot(10, START, 5);
	struct world *w = *state;

	set_counters(w, ND_CHANNEL_SLOTS_MAX, NULL, &now, START + 100 * MS);
	flush(w, START + 100 * MS);
	assert_int_equal(count_counters(w), 0);
}

static void test_cpu_samples_of_the_agent_have_thread_and_weight(void **state)
{
	const struct nd_event_sample sample = {.event = {ND_EVENT_SAMPLE, 10, START + MS}};
	const struct nd_buf *file;
	struct world *w = *state;
	struct nd_recording *recording;
	uint32_t pid, tid, seen = 0;
	struct nd_item item;
	const char *name;

	w->record.pid = 4242;
	w->record.period_ns = 10 * MS;
	assert_int_equal(w->sinks[1].ops->add_sample(w->sinks[1].impl, &sample, NULL, NULL, 0), 0);
	flush(w, START + 100 * MS);
	file = nd_recorder_get_output(w->recorder);
	assert_int_equal(nd_recording_open(file->data, file->len, &recording, NULL), 0);
	while (nd_recording_next(recording, &item) > 0) {
		if (item.kind != ND_ITEM_SAMPLE)
			continue;
		seen++;
		nd_recording_get_thread(recording, item.sample->thread, &pid, &tid, &name);
		assert_int_equal(pid, 4242);
		assert_int_equal(tid, 10);
		assert_true(item.sample->time_ns == START + MS);
		assert_true(item.sample->weight_ns == 10 * MS);
	}
	assert_int_equal(seen, 1);
	assert_int_equal(w->record.cpu_samples, 1);
	nd_recording_close(recording);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_recording_answers_as_the_analyzer),
		TEST(test_a_thread_that_is_gone_before_a_flush_is_there),
		TEST(test_what_ended_before_is_not_in_it),
		TEST(test_counters_that_were_not_set_again_are_not_repeated),
		TEST(test_an_index_from_outside_of_the_format_is_left_out),
		TEST(test_cpu_samples_of_the_agent_have_thread_and_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
