/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/profile.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

#define ROOT(children)                                                                             \
	"{\"id\":1,\"callFrame\":{\"functionName\":\"(root)\",\"scriptId\":\"0\",\"url\":\"\","    \
	"\"lineNumber\":-1,\"columnNumber\":-1},\"children\":[" children "]}"
#define NODE(id, name, more)                                                                       \
	"{\"id\":" #id ",\"callFrame\":{\"functionName\":\"" name                                  \
	"\",\"scriptId\":\"7\",\"url\":\"/a.js\",\"lineNumber\":4,\"columnNumber\":2}" more "}"

static struct nd_profile *import(const char *json)
{
	struct nd_profile *profile = NULL;
	struct nd_err err = {0};

	if (nd_import_cpuprofile(json, strlen(json), &profile, &err))
		fail_msg("%s", err.what);
	return profile;
}

static struct nd_function find(const struct nd_profile *profile, const char *name)
{
	struct nd_function found = {.frame = UINT32_MAX}, *functions;
	uint32_t unused;
	size_t count, i;

	assert_int_equal(nd_profile_functions(profile, &functions, &count), 0);
	for (i = 0; i < count; i++)
		if (!strcmp(nd_profile_frames(profile, &unused)[functions[i].frame].name, name))
			found = functions[i];
	free(functions);
	return found;
}

/* Each sample lasts until the next one, the last until endTime; the first delta is nobody's. */
static void test_samples(void **state)
{
	struct nd_profile *profile =
		import("{\"nodes\":[" ROOT("2") "," NODE(2, "f", ",\"children\":[3]") "," NODE(
			3, "g", "") "],\"startTime\":1000,\"endTime\":2000,"
				    "\"samples\":[2,3,3,2],\"timeDeltas\":[100,200,300,50]}");
	const struct nd_profile_info *info = nd_profile_get_info(profile);
	const struct nd_sample *samples;
	const struct nd_frame *frame;
	uint32_t unused;
	size_t count;

	assert_true(find(profile, "f").self == (200 + 350) * 1000);
	assert_true(find(profile, "g").self == (300 + 50) * 1000);
	assert_true(find(profile, "f").total == 900 * 1000);
	frame = &nd_profile_frames(profile, &unused)[find(profile, "g").frame];
	assert_string_equal(frame->file, "/a.js");
	assert_int_equal(frame->line, 5);
	assert_int_equal(frame->column, 3);
	assert_int_equal(frame->kind, ND_FRAME_JS);
	samples = nd_profile_samples(profile, &count);
	assert_int_equal(count, 4);
	assert_true(samples[0].time_ns == 1300 * 1000);
	assert_true(samples[3].time_ns == 2000 * 1000);
	assert_string_equal(info->unit, "nanoseconds");
	assert_true(info->start_ns == 1000 * 1000);
	assert_true(info->duration_ns == 1000 * 1000);
	assert_true(info->period == 900 * 1000 / 4);
	nd_profile_free(profile);
}

/* Deltas may be negative and need not be whole; parents may be told by children. */
static void test_samples_out_of_order(void **state)
{
	struct nd_profile *profile =
		import("{\"nodes\":[" ROOT("") "," NODE(2, "f", ",\"parent\":1") "," NODE(
			3, "g", ",\"parent\":2") "],\"startTime\":0,\"endTime\":400,"
						 "\"samples\":[2,3,2],"
						 "\"timeDeltas\":[100,200.5,-100.5]}");

	assert_true(find(profile, "f").self == (100 + 100) * 1000 + 500);
	assert_true(find(profile, "g").self == 99500);
	assert_true(find(profile, "f").total == 300 * 1000);
	nd_profile_free(profile);
}

static void test_samples_without_deltas(void **state)
{
	struct nd_profile *profile =
		import("{\"nodes\":[" ROOT("2,3") "," NODE(2, "f", "") "," NODE(
			3, "g", "") "],\"startTime\":100,\"endTime\":500,\"samples\":[2,3,3,3]}");

	assert_true(find(profile, "f").self == 100 * 1000);
	assert_true(find(profile, "g").self == 300 * 1000);
	nd_profile_free(profile);
}

static void test_hit_counts(void **state)
{
	struct nd_profile *profile = import("{\"nodes\":[" ROOT("2") "," NODE(
		2, "f",
		",\"hitCount\":5,\"positionTicks\":[{\"line\":8,\"ticks\":3},"
		"{\"line\":9,\"ticks\":1}],\"children\":[3]") "," NODE(3, "g",
								       ",\"hitCount\":2") "]}");
	uint32_t count, i;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);
	const struct nd_line *lines = nd_profile_lines(profile, &i);

	assert_true(nodes[0].total == 7);
	assert_true(find(profile, "f").self == 5);
	assert_true(find(profile, "f").total == 7);
	assert_true(find(profile, "g").self == 2);
	assert_string_equal(nd_profile_get_info(profile)->unit, "count");
	assert_int_equal(i, 2);
	assert_int_equal(lines[0].line, 8);
	assert_true(lines[0].self == 3);
	assert_int_equal(lines[1].line, 9);
	assert_true(lines[1].self == 1);
	nd_profile_free(profile);
}

/* Lines are dealt out to samples in order, as often as each was hit. */
static void test_position_ticks(void **state)
{
	struct nd_profile *profile = import("{\"nodes\":[" ROOT("2") "," NODE(
		2, "f",
		",\"positionTicks\":[{\"line\":8,\"ticks\":2},{\"line\":9,\"ticks\":-1},"
		"7,{\"line\":10,\"ticks\":1}]") "],\"startTime\":0,\"endTime\":40,\"samples\":[2,2,"
						"2,2],"
						"\"timeDeltas\":[0,10,10,10]}");
	uint32_t count;
	const struct nd_line *lines = nd_profile_lines(profile, &count);

	assert_int_equal(count, 2);
	assert_int_equal(lines[0].line, 8);
	assert_true(lines[0].count == 2);
	assert_int_equal(lines[1].line, 10);
	assert_true(lines[1].count == 1);
	nd_profile_free(profile);
}

static void check_kind(const char *name, const char *script, const char *url, const char *file,
		       enum nd_frame_kind kind)
{
	struct nd_profile *profile;
	struct nd_buf json;
	uint32_t count;
	const struct nd_frame *frames;

	nd_buf_init(&json, 4096);
	nd_buf_addf(&json,
		    "{\"nodes\":[{\"id\":5,\"callFrame\":{\"functionName\":\"%s\","
		    "\"scriptId\":\"%s\",\"url\":\"%s\"},\"hitCount\":1}]}",
		    name, script, url);
	profile = import(json.data);
	frames = nd_profile_frames(profile, &count);
	assert_int_equal(count, 1);
	assert_string_equal(frames[0].file, file);
	if (frames[0].kind != kind)
		fail_msg("'%s' '%s': %s", name, url, nd_frame_kind_name(frames[0].kind));
	assert_int_equal(frames[0].line, 0);
	nd_profile_free(profile);
	nd_buf_fini(&json);
}

static void test_kinds(void **state)
{
	check_kind("f", "9", "file:///a.mjs", "file:///a.mjs", ND_FRAME_JS);
	check_kind("f", "9", "node:fs", "node:fs", ND_FRAME_NODE);
	check_kind("f", "9", "/x/node_modules/y.js", "/x/node_modules/y.js", ND_FRAME_NPM);
	check_kind("f", "9", "wasm://wasm/1", "wasm://wasm/1", ND_FRAME_WASM);
	check_kind("f", "9", "", "", ND_FRAME_JS);
	check_kind("f", "0", "", "", ND_FRAME_BUILTIN);
	check_kind("(garbage collector)", "0", "", "", ND_FRAME_GC);
	check_kind("(idle)", "0", "", "", ND_FRAME_IDLE);
	check_kind("(program)", "0", "", "", ND_FRAME_NATIVE);
	check_kind("RegExp: x+", "0", "", "", ND_FRAME_REGEXP);
	check_kind("f", "0", "native:/usr/bin/node", "/usr/bin/node", ND_FRAME_NATIVE);
	check_kind("f", "0", "kernel:", "", ND_FRAME_KERNEL);
	check_kind("f", "9", "js:x", "js:x", ND_FRAME_JS);
}

static void test_names(void **state)
{
	struct nd_profile *profile = import("{\"nodes\":[" ROOT("2,3") "," NODE(
		2, "", ",\"hitCount\":1") "," NODE(3, "f\\u00e9", ",\"hitCount\":2") "]}");

	assert_true(find(profile, "(anonymous)").self == 1);
	assert_true(find(profile, "f\xc3\xa9").self == 2);
	nd_profile_free(profile);
}

static void check_refused(const char *json, int code, const char *why)
{
	struct nd_profile *profile;
	struct nd_err err;

	assert_int_equal(nd_import_cpuprofile(json, strlen(json), &profile, &err), code);
	if (!strstr(err.what, why))
		fail_msg("'%s' is not in '%s'", why, err.what);
}

static void test_trees_that_are_none(void **state)
{
	check_refused("", -EBADMSG, "line 1");
	check_refused("{", -EBADMSG, "line 1");
	check_refused("[]", -EBADMSG, "no \"nodes\"");
	check_refused("{}", -EBADMSG, "no \"nodes\"");
	check_refused("{\"nodes\":{}}", -EBADMSG, "no \"nodes\"");
	check_refused("{\"nodes\":[1]}", -EBADMSG, "nodes[0] has no id");
	check_refused("{\"nodes\":[{\"id\":1}]}", -EBADMSG, "nodes[0] has no id");
	check_refused("{\"nodes\":[" NODE(1, "f", "") "," NODE(1, "g", "") "]}", -EBADMSG,
		      "nodes[1] has the id of another");
	check_refused("{\"nodes\":[" NODE(1, "f", ",\"children\":[2]") "]}", -EBADMSG,
		      "node 1 has a child that is not there");
	check_refused("{\"nodes\":[" NODE(1, "f", ",\"children\":[\"x\"]") "]}", -EBADMSG,
		      "node 1 has a child that is not there");
	check_refused("{\"nodes\":[" NODE(1, "f", ",\"parent\":9") "]}", -EBADMSG,
		      "nodes[0] has a parent that is not there");
	check_refused("{\"nodes\":[" NODE(1, "f", ",\"children\":[3]") "," NODE(
			      2, "g", ",\"children\":[3]") "," NODE(3, "h", "") "]}",
		      -EBADMSG, "node 3 has two parents");
	check_refused("{\"nodes\":[" NODE(1, "f", ",\"children\":[1]") "]}", -EBADMSG,
		      "node 1 is its own ancestor");
	check_refused(
		"{\"nodes\":[" NODE(1, "f", ",\"children\":[2]") "," NODE(
			2, "g", ",\"children\":[3]") "," NODE(3, "h", ",\"children\":[1]") "]}",
		-EBADMSG, "is its own ancestor");
	check_refused("{\"nodes\":[" NODE(1, "f", ",\"hitCount\":-1") "]}", -EBADMSG,
		      "nodes[0] has a negative hitCount");
}

static void test_samples_that_are_none(void **state)
{
#define F "{\"nodes\":[" NODE(1, "f", "") "],"
	check_refused(F "\"samples\":[2],\"timeDeltas\":[1]}", -EBADMSG,
		      "samples[0] is not the id");
	check_refused(F "\"samples\":[null],\"timeDeltas\":[1]}", -EBADMSG,
		      "samples[0] is not the id");
	check_refused(F "\"samples\":[1,1],\"timeDeltas\":[1]}", -EBADMSG,
		      "2 samples but 1 timeDeltas");
	check_refused(F "\"samples\":[1],\"timeDeltas\":[\"1\"]}", -EBADMSG,
		      "timeDeltas[0] is not a time");
	check_refused(F "\"samples\":[1],\"timeDeltas\":[1e300]}", -EBADMSG,
		      "timeDeltas[0] is not a time");
	check_refused(F "\"samples\":[1],\"timeDeltas\":[9223372036854775807]}", -EBADMSG,
		      "timeDeltas[0] is not a time");
	check_refused(F "\"samples\":[1,1,1],\"timeDeltas\":[2300000000000000,2300000000000000,"
			"2300000000000000]}",
		      -EBADMSG, "the sum of timeDeltas is too large");
	check_refused(F "\"startTime\":\"x\",\"samples\":[]}", -EBADMSG, "startTime is not a time");
	check_refused(F "\"endTime\":[],\"samples\":[]}", -EBADMSG, "endTime is not a time");
#undef F
	check_refused("{\"nodes\":[" NODE(1, "f", ",\"hitCount\":9223372036854775807") "," NODE(
			      2, "g", ",\"hitCount\":1") "]}",
		      -EBADMSG, "the sum of hitCounts is too large");
}

/* Brackets cannot be nested so deep that reading them overflows the stack. */
static void test_nesting(void **state)
{
	size_t len = 1 << 20;
	char *json = malloc(len + 1);

	assert_non_null(json);
	memset(json, '[', len);
	json[len] = '\0';
	check_refused(json, -EBADMSG, "line 1");
	free(json);
}

/* A chain far deeper than a stack may be keeps its leaf. */
static void test_depth(void **state)
{
	struct nd_profile *profile;
	struct nd_buf json;
	uint32_t count;
	int i, depth = ND_STACK_DEPTH_MAX + 100;

	nd_buf_init(&json, 4 << 20);
	nd_buf_add_str(&json, "{\"nodes\":[");
	for (i = 1; i < depth; i++)
		nd_buf_addf(
			&json,
			"{\"id\":%d,\"callFrame\":{\"functionName\":\"f%d\"},\"children\":[%d]},",
			i, i, i + 1);
	nd_buf_addf(&json, "{\"id\":%d,\"callFrame\":{\"functionName\":\"leaf\"},\"hitCount\":3}]}",
		    depth);
	profile = import(json.data);
	nd_profile_nodes(profile, &count);
	assert_int_equal(count, ND_STACK_DEPTH_MAX + 1);
	assert_true(find(profile, "leaf").self == 3);
	assert_true(nd_profile_get_loss(profile, ND_LOSS_TRUNCATED) == 3);
	nd_profile_free(profile);
	nd_buf_fini(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_samples_out_of_order),
		cmocka_unit_test(test_samples_without_deltas),
		cmocka_unit_test(test_hit_counts),
		cmocka_unit_test(test_position_ticks),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_trees_that_are_none),
		cmocka_unit_test(test_samples_that_are_none),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
