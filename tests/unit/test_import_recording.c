/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What recordings answer: one that is made now, and one of each version of the format that was ever
 * released, which must be opened for good.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "analyzer/profile/import.h"
#include "analyzer/render/render.h"
#include "analyzer/trace/recorded.h"
#include "analyzer/trace/trace.h"
#include "common/err.h"
#include "tests/known_recording.h"

static void read_file(const char *name, struct nd_buf *out)
{
	char path[1024];
	FILE *f;
	char *at;

	snprintf(path, sizeof(path), "%s/%s", ND_TEST_RECORDINGS, name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	nd_buf_init(out, ND_RECORDING_MAX);
	at = nd_buf_reserve(out, 1 << 20);
	out->len = fread(at, 1, 1 << 20, f);
	fclose(f);
}

static void render(const struct nd_profile *profile, const char *format, struct nd_buf *out)
{
	nd_buf_init(out, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_find_format(format)->render(profile, out), 0);
}

/* The folded stacks say all of names and weights. */
static void check_stacks(const struct nd_profile *profile)
{
	struct nd_profile *want_profile = known_profile(true, false);
	struct nd_buf got, want;

	render(profile, "folded", &got);
	render(want_profile, "folded", &want);
	assert_string_equal(got.data, want.data);
	nd_profile_free(want_profile);
	nd_buf_fini(&got);
	nd_buf_fini(&want);
}

static void check_lines(const struct nd_profile *profile)
{
	uint32_t count, i;
	const struct nd_line *lines = nd_profile_lines(profile, &count);
	uint64_t self = 0;

	for (i = 0; i < count; i++)
		self += lines[i].self;
	/* All but the samples of Scavenge, sort, the system call and the empty stack. */
	assert_int_equal(self, (100 - 5 - 5 - 8 - 1) * KNOWN_PERIOD);
}

static void check_profile(const struct nd_buf *file)
{
	const struct nd_profile_info *info;
	struct nd_recording_state state;
	struct nd_profile *profile;
	size_t count;

	assert_int_equal(nd_import_recording(file->data, file->len, false, &profile, &state, NULL),
			 0);
	assert_true(state.has_end);
	check_stacks(profile);
	check_lines(profile);
	info = nd_profile_get_info(profile);
	assert_string_equal(info->title, "server.mjs (pid 4242)");
	assert_string_equal(info->command, "node server.mjs");
	assert_string_equal(info->runtime, "Node.js v22.23.3, V8 12.4.254");
	assert_string_equal(info->sampler, "eBPF");
	assert_string_equal(info->unit, "nanoseconds");
	assert_true(info->start_unix_ns == KNOWN_UNIX_NS);
	assert_true(info->duration_ns == KNOWN_END_NS - KNOWN_START_NS);
	assert_int_equal(info->pid, 4242);
	nd_profile_samples(profile, &count);
	assert_int_equal(count, 100);
	assert_int_equal(nd_profile_get_loss(profile, ND_LOSS_RING_FULL), 12);
	assert_int_equal(nd_profile_get_loss(profile, ND_LOSS_JS_STALE), 3);
	assert_int_equal(nd_profile_get_loss(profile, ND_LOSS_RECORDING), 0);
	nd_profile_free(profile);
}

static void check_requests(const struct nd_buf *file)
{
	const struct nd_trace_options options = {.max = 8};
	struct nd_trace *trace = nd_trace_new();
	struct nd_trace_answer answer;
	uint64_t end_ns;

	assert_int_equal(nd_trace_read_recording(trace, file->data, file->len, &end_ns, NULL), 0);
	assert_true(end_ns == KNOWN_END_NS);
	assert_int_equal(nd_trace_make_answer(trace, &options, end_ns, &answer), 0);
	assert_int_equal(answer.request_count, 1);
	assert_int_equal(answer.requests[0].duration_ns, 90000000);
	assert_int_equal(answer.requests[0].outside_ns, 40000000);
	assert_int_equal(answer.requests[0].node_count, 2);
	assert_string_equal(answer.routes[0].name, "GET /users/:id");
	nd_trace_free_answer(&answer);
	nd_trace_free(trace);
}

static void check_main_loop(const struct nd_lag_loop *loop)
{
	assert_int_equal(loop->tid, 4242);
	assert_int_equal(loop->kind, ND_THREAD_MAIN);
	assert_false(loop->ended);
	assert_true(loop->observed_ns == KNOWN_END_NS - KNOWN_START_NS);
	assert_int_equal(loop->iterations, 110);
	assert_int_equal(loop->busy_ns, UINT64_C(110) * 9000000);
	assert_true(loop->max_ns == KNOWN_STALL_NS);
	assert_int_equal(loop->stalls, 1);
	assert_int_equal(loop->gc_count[0], 2);
	assert_int_equal(loop->gc_ns[0], 3000000);
	assert_int_equal(loop->gc_max_ns[0], 2000000);
	assert_int_equal(loop->gc_count[2], 1);
	assert_int_equal(loop->gc_max_ns[2], 20000000);
	assert_int_equal(loop->heap_used_bytes, 20u << 20);
}

static void check_culprits(struct nd_lag *lag, const struct nd_profile *frames)
{
	const struct nd_culprit *culprits;
	size_t count;
	uint32_t unused;

	culprits = nd_lag_culprits(lag, &count);
	assert_int_equal(count, 2);
	assert_int_equal(culprits[0].kind, ND_STALL_JS);
	assert_true(culprits[0].has_frame);
	assert_string_equal(nd_profile_frames(frames, &unused)[culprits[0].frame].name, "tiny");
	assert_int_equal(culprits[0].line, 21);
	assert_int_equal(culprits[0].phase, ND_PHASE_POLL);
	assert_int_equal(culprits[0].depth, known_stacks[0].depth);
	assert_true(culprits[0].longest_ns == KNOWN_STALL_NS);
	assert_int_equal(culprits[1].kind, ND_STALL_BLOCKED);
	assert_int_equal(culprits[1].syscall, 0);
	assert_int_equal(culprits[1].tid, 4243);
	assert_true(culprits[1].longest_ns == KNOWN_BLOCKED_NS);
}

static void check_lag(const struct nd_buf *file)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_lag *lag = nd_lag_new(frames);
	struct nd_lag_recorded recorded;
	const struct nd_lag_loop *loops;
	size_t count;

	assert_int_equal(nd_lag_read_recording(lag, frames, file->data, file->len, &recorded, NULL),
			 0);
	assert_int_equal(recorded.threshold_ns, KNOWN_THRESHOLD);
	assert_true(recorded.duration_ns == KNOWN_END_NS - KNOWN_START_NS);
	assert_int_equal(recorded.stacks, 3);
	assert_int_equal(recorded.dropped, 5);
	assert_int_equal(recorded.left_out, 1);
	assert_string_equal(recorded.unnamed, "");
	loops = nd_lag_loops(lag, &count);
	assert_int_equal(count, 2);
	check_main_loop(&loops[0]);
	assert_int_equal(loops[1].tid, 4243);
	assert_int_equal(loops[1].iterations, 1);
	assert_true(loops[1].ended);
	check_culprits(lag, frames);
	nd_lag_free(lag);
	nd_profile_free(frames);
}

static void test_a_new_recording_answers(void **state)
{
	struct nd_buf file;

	nd_buf_init(&file, ND_RECORDING_MAX);
	assert_int_equal(known_record(&file), 0);
	check_profile(&file);
	check_lag(&file);
	check_requests(&file);
	nd_buf_fini(&file);
}

static void test_a_recording_of_format_1_0_answers(void **state)
{
	struct nd_buf file;

	read_file("1.0.nd", &file);
	check_profile(&file);
	check_lag(&file);
	nd_buf_fini(&file);
}

static void test_threads_are_kept_apart_if_asked_for(void **state)
{
	struct nd_profile *profile;
	struct nd_buf file, folded;

	read_file("1.0.nd", &file);
	assert_int_equal(nd_import_recording(file.data, file.len, true, &profile, NULL, NULL), 0);
	render(profile, "folded", &folded);
	assert_non_null(strstr(folded.data, "main thread 4242 1\n"));
	assert_non_null(strstr(folded.data, "thread 4243 (worker);worker (/app/worker.js:2:1)"));
	nd_profile_free(profile);
	nd_buf_fini(&folded);
	nd_buf_fini(&file);
}

static void test_what_is_missing_is_counted(void **state)
{
	struct nd_recording_state missing;
	struct nd_profile *profile;
	struct nd_buf file;

	read_file("1.0.nd", &file);
	file.data[file.len / 2] ^= 1;
	assert_int_equal(nd_import_recording(file.data, file.len, false, &profile, &missing, NULL),
			 0);
	assert_int_equal(nd_profile_get_loss(profile, ND_LOSS_RECORDING), 1);
	nd_profile_free(profile);
	assert_int_equal(
		nd_import_recording(file.data, file.len - 1, false, &profile, &missing, NULL), 0);
	assert_false(missing.has_end);
	assert_int_equal(nd_profile_get_loss(profile, ND_LOSS_RECORDING), 2);
	nd_profile_free(profile);
	nd_buf_fini(&file);
}

/* A recording with nothing but a header. */
static void make_empty(const char *sampler, bool has_agent, struct nd_buf *out)
{
	const struct nd_recording_header header = {.sampler = sampler, .has_agent = has_agent};
	struct nd_recorder *recorder = nd_recorder_new();

	nd_buf_init(out, ND_RECORDING_MAX);
	assert_int_equal(nd_recorder_set_header(recorder, &header), 0);
	assert_int_equal(nd_recorder_flush(recorder, 1, 1, NULL, 0), 0);
	assert_int_equal(nd_recorder_finish(recorder, ND_END_DURATION, 1), 0);
	assert_int_equal(known_take(recorder, out), 0);
	nd_recorder_free(recorder);
}

static void test_what_was_not_recorded_cannot_be_answered(void **state)
{
	struct nd_profile *frames = nd_profile_new(false), *profile;
	struct nd_lag *lag = nd_lag_new(frames);
	struct nd_lag_recorded recorded;
	struct nd_buf file;

	make_empty("", true, &file);
	assert_int_equal(nd_import_recording(file.data, file.len, false, &profile, NULL, NULL),
			 -ENODATA);
	assert_int_equal(nd_lag_read_recording(lag, frames, file.data, file.len, &recorded, NULL),
			 0);
	nd_buf_fini(&file);
	make_empty("eBPF", false, &file);
	assert_int_equal(nd_import_recording(file.data, file.len, false, &profile, NULL, NULL), 0);
	nd_profile_free(profile);
	assert_int_equal(nd_lag_read_recording(lag, frames, file.data, file.len, &recorded, NULL),
			 -ENODATA);
	nd_buf_fini(&file);
	nd_lag_free(lag);
	nd_profile_free(frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_recording_answers),
		cmocka_unit_test(test_a_recording_of_format_1_0_answers),
		cmocka_unit_test(test_threads_are_kept_apart_if_asked_for),
		cmocka_unit_test(test_what_is_missing_is_counted),
		cmocka_unit_test(test_what_was_not_recorded_cannot_be_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
