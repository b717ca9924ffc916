/* SPDX-License-Identifier: Apache-2.0 */

/* What the renderers write, the importers must read as the same profile. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/import.h"
#include "analyzer/render/render.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"
#include "tests/known_profile.h"

static struct nd_profile *there_and_back(const struct nd_profile *profile, const char *format)
{
	struct nd_profile *back = NULL;
	struct nd_buf out;
	struct nd_err err = {0};

	nd_buf_init(&out, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_find_format(format)->render(profile, &out), 0);
	if (nd_import_profile(out.data, out.len, &back, &err))
		fail_msg("%s: %s", format, err.what);
	nd_buf_fini(&out);
	return back;
}

static struct nd_function find(const struct nd_profile *profile, const char *name)
{
	struct nd_function found = {.frame = UINT32_MAX}, *functions;
	uint32_t unused;
	size_t count, i;
	const struct nd_frame *frames = nd_profile_frames(profile, &unused);

	assert_int_equal(nd_profile_functions(profile, &functions, &count), 0);
	for (i = 0; i < count; i++)
		if (!strcmp(frames[functions[i].frame].name, name))
			found = functions[i];
	free(functions);
	if (found.frame == UINT32_MAX)
		fail_msg("no function '%s'", name);
	return found;
}

/* Weights are `unit` each, which is KNOWN_PERIOD or 1. */
static void check_weights(const struct nd_profile *profile, uint64_t unit)
{
	static const struct {
		const char *name;
		uint64_t self;
		uint64_t total;
	} want[] = {
		{"tiny", 30, 30},
		{"hot", 29, 64},
		{"parse", 10, 10},
		{"fib", 10, 10},
		{"do_syscall_64", 8, 8},
		{"ArrayPrototypeSort", 5, 5},
		{"handler", 0, 70},
		{"(anonymous)", 0, 82},
		{"worker", 0, 9},
		{"uv__io_poll", 0, 8},
		{"processTicksAndRejections", 0, 82},
		{"v8::internal::Heap::Scavenge", 5, 5},
	};
	struct nd_function function;
	uint32_t count;
	size_t i;

	assert_true(nd_profile_nodes(profile, &count)[0].total == KNOWN_SAMPLES * unit);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		function = find(profile, want[i].name);
		if (function.self != want[i].self * unit || function.total != want[i].total * unit)
			fail_msg("%s: self %ju, total %ju", want[i].name, (uintmax_t)function.self,
				 (uintmax_t)function.total);
	}
}

static uint64_t count_samples(const struct nd_profile *profile)
{
	uint64_t samples = 0;
	uint32_t count, i;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);

	for (i = 0; i < count; i++)
		samples += nodes[i].count;
	return samples;
}

/* Places and kinds, but for columns of functions that are only ever leaves in pprof. */
static void check_frames(const struct nd_profile *profile, bool columns)
{
	const struct nd_frame *frame, *want;
	uint32_t unused;
	size_t i;

	for (i = 0; i < KNOWN_FRAME_COUNT; i++) {
		want = &known_frames[i];
		if (i == KNOWN_EVIL)
			continue;
		frame = &nd_profile_frames(profile, &unused)[find(profile, want->name).frame];
		if (strcmp(frame->file, want->file) != 0 || frame->kind != want->kind ||
		    frame->line != want->line || (columns && frame->column != want->column))
			fail_msg("%s: %s:%u:%u, kind %s", want->name, frame->file, frame->line,
				 frame->column, nd_frame_kind_name(frame->kind));
	}
}

static uint64_t self_of_line(const struct nd_profile *profile, const char *name, uint32_t line)
{
	uint32_t frame = find(profile, name).frame, count, unused, i, at;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);
	const struct nd_line *lines = nd_profile_lines(profile, &unused);
	uint64_t self = 0;

	for (i = 1; i < count; i++)
		for (at = nodes[i].frame == frame ? nodes[i].first_line : 0; at;
		     at = lines[at - 1].next)
			self += lines[at - 1].line == line ? lines[at - 1].self : 0;
	return self;
}

static void test_cpuprofile(void **state)
{
	struct nd_profile *profile = known_profile(false, false);
	struct nd_profile *back = there_and_back(profile, "cpuprofile");

	check_weights(back, KNOWN_PERIOD);
	check_frames(back, true);
	assert_true(count_samples(back) == KNOWN_SAMPLES);
	assert_true(find(back, "(program)").self == KNOWN_PERIOD);
	assert_true(self_of_line(back, "hot", 6) == 24 * KNOWN_PERIOD);
	assert_true(self_of_line(back, "hot", 8) == 5 * KNOWN_PERIOD);
	assert_true(nd_profile_get_info(back)->period == KNOWN_PERIOD);
	assert_string_equal(nd_profile_get_info(back)->unit, "nanoseconds");
	nd_profile_free(back);
	nd_profile_free(profile);
}

/* One thread keeps its times, and the gap becomes idle time. */
static void test_cpuprofile_timeline(void **state)
{
	struct nd_profile *profile = known_profile(true, true);
	struct nd_profile *back = there_and_back(profile, "cpuprofile");
	const struct nd_sample *was, *is;
	size_t samples, more;

	assert_true(find(back, "(idle)").self == KNOWN_IDLE);
	assert_int_equal(nd_profile_frames(back, &(uint32_t){0})[find(back, "(idle)").frame].kind,
			 ND_FRAME_IDLE);
	assert_true(nd_profile_get_info(back)->start_ns == KNOWN_START_NS);
	assert_true(nd_profile_get_info(back)->duration_ns == 91 * KNOWN_PERIOD + KNOWN_IDLE);
	was = nd_profile_samples(profile, &samples);
	is = nd_profile_samples(back, &more);
	assert_int_equal(samples, 91);
	assert_int_equal(more, 92);
	assert_true(is[0].time_ns == was[0].time_ns);
	assert_true(is[49].time_ns == was[49].time_ns);
	assert_true(is[50].weight == KNOWN_IDLE);
	assert_true(is[91].time_ns == was[90].time_ns);
	nd_profile_free(back);
	nd_profile_free(profile);
}

static void check_pprof(bool timeline)
{
	struct nd_profile *profile = known_profile(timeline, false);
	struct nd_profile *back = there_and_back(profile, "pprof");
	const struct nd_profile_info *info = nd_profile_get_info(back);
	uint32_t count, i;
	const struct nd_node *nodes = nd_profile_nodes(back, &count);

	check_weights(back, KNOWN_PERIOD);
	check_frames(back, false);
	assert_true(count_samples(back) == KNOWN_SAMPLES);
	assert_true(find(back, "[unknown]").self == KNOWN_PERIOD);
	assert_true(self_of_line(back, "hot", 6) == 24 * KNOWN_PERIOD);
	assert_true(self_of_line(back, "tiny", 21) == 30 * KNOWN_PERIOD);
	for (i = 1; i < count; i++)
		assert_true(nodes[i].inlined ==
			    (nodes[i].frame == find(back, "tiny").frame ? nodes[i].total : 0));
	assert_string_equal(info->sample_type, "cpu");
	assert_string_equal(info->unit, "nanoseconds");
	assert_true(info->period == KNOWN_PERIOD);
	assert_true(info->start_unix_ns == KNOWN_UNIX_NS);
	assert_true(info->duration_ns == KNOWN_TOTAL + KNOWN_IDLE);
	nd_profile_free(back);
	nd_profile_free(profile);
}

static void test_pprof(void **state)
{
	check_pprof(false);
	check_pprof(true);
}

static void test_folded(void **state)
{
	struct nd_profile *profile = known_profile(false, false);
	struct nd_profile *back = there_and_back(profile, "folded");

	check_weights(back, 1);
	assert_true(find(back, "[unknown]").self == 1);
	assert_true(count_samples(back) == KNOWN_SAMPLES);
	assert_string_equal(nd_profile_get_info(back)->unit, "count");
	nd_profile_free(back);
	nd_profile_free(profile);
}

/* Of folded frames only scripts have a place, and compiled-in code only its name. */
static void test_folded_frames(void **state)
{
	struct nd_profile *profile = known_profile(false, false);
	struct nd_profile *back = there_and_back(profile, "folded");
	const struct nd_frame *frames;
	uint32_t unused;
	size_t i;

	frames = nd_profile_frames(back, &unused);
	for (i = 0; i < KNOWN_FRAME_COUNT; i++) {
		const struct nd_frame *want = &known_frames[i], *is;

		if (i == KNOWN_EVIL)
			continue;
		is = &frames[find(back, want->name).frame];
		assert_int_equal(is->line, want->line);
		assert_int_equal(is->column, want->column);
		assert_int_equal(is->kind, i == KNOWN_SCAVENGE ? ND_FRAME_NATIVE : want->kind);
		if (want->line)
			assert_string_equal(is->file, want->file);
	}
	nd_profile_free(back);
	nd_profile_free(profile);
}

/* Weights that are no time survive every format that has units, and as numbers the others. */
static void check_counts(const char *format, uint64_t unit)
{
	static const struct nd_profile_info info = {.sample_type = "samples", .unit = "count"};
	struct nd_frame frame = {.name = "f", .file = "/a.js", .line = 1, .kind = ND_FRAME_JS};
	struct nd_call call = {0};
	struct nd_stack stack = {.calls = &call, .depth = 1, .weight = 7, .count = 7};
	struct nd_profile *profile = nd_profile_new(false), *back;

	assert_int_equal(nd_profile_set_info(profile, &info), 0);
	assert_int_equal(nd_profile_add_frame(profile, &frame, &call.frame), 0);
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	back = there_and_back(profile, format);
	assert_true(find(back, "f").self == 7 * unit);
	assert_true(count_samples(back) == 7);
	nd_profile_free(back);
	nd_profile_free(profile);
}

static void test_counts(void **state)
{
	check_counts("folded", 1);
	check_counts("pprof", 1);
	check_counts("cpuprofile", 1000);
}

static void check_empty(const char *format)
{
	struct nd_profile *profile = nd_profile_new(true), *back;
	uint32_t count;

	back = there_and_back(profile, format);
	assert_true(nd_profile_nodes(back, &count)[0].total == 0);
	assert_int_equal(count, 1);
	nd_profile_free(back);
	nd_profile_free(profile);
}

static void test_empty_profiles(void **state)
{
	check_empty("pprof");
	check_empty("cpuprofile");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuprofile),     cmocka_unit_test(test_cpuprofile_timeline),
		cmocka_unit_test(test_pprof),	       cmocka_unit_test(test_folded),
		cmocka_unit_test(test_folded_frames),  cmocka_unit_test(test_counts),
		cmocka_unit_test(test_empty_profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
