/* SPDX-License-Identifier: Apache-2.0 */

/* What the round trips cannot show of the text formats: exact text, and what goes wrong. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "analyzer/render/json_text.h"
#include "analyzer/render/render.h"
#include "common/buf.h"
#include "proto/limits.h"
#include "tests/known_profile.h"

static void render(const struct nd_profile *profile, const char *format, struct nd_buf *ret_out)
{
	nd_buf_init(ret_out, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_find_format(format)->render(profile, ret_out), 0);
}

static json_t *render_json(const struct nd_profile *profile, const char *format)
{
	struct nd_buf out;
	json_error_t error;
	json_t *json;

	render(profile, format, &out);
	json = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s: line %d: %s", format, error.line, error.text);
	nd_buf_fini(&out);
	return json;
}

static void test_format_table(void **state)
{
	static const char *const names[] = {"html",	  "svg",	"folded", "pprof",
					    "speedscope", "cpuprofile", "json"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(nd_render_formats[i].name, names[i]);
	assert_null(nd_render_formats[i].name);
	assert_null(nd_render_find_format("xml"));
	assert_true(nd_render_find_format("pprof")->binary);
}

static void test_json_strings(void **state)
{
	struct nd_buf out;

	nd_buf_init(&out, 100);
	nd_json_add_string(&out, "a\"\\\n\x1b\xc3\xa9\xff");
	nd_json_add_string(&out, NULL);
	nd_buf_add_number(&out, 0);
	nd_buf_add_number(&out, UINT64_MAX);
	assert_string_equal(out.data, "\"a\\\"\\\\\\n\\u001B\xc3\xa9\xef\xbf\xbd\""
				      "null018446744073709551615");
	nd_buf_fini(&out);
	nd_buf_init(&out, 3);
	assert_int_equal(nd_json_add_string(&out, "long"), -EFBIG);
	nd_buf_fini(&out);
}

static void test_folded_text(void **state)
{
	struct nd_profile *profile = known_profile(false, false);
	struct nd_buf out;

	render(profile, "folded", &out);
	assert_non_null(strstr(out.data, "\nuv__io_poll;do_syscall_64_[k] 8\n"));
	assert_non_null(strstr(out.data, "\nworker (/app/worker.js:2:1)_[j];"
					 "hot (/app/hot.js:5:1)_[j] 9\n"));
	assert_non_null(strstr(out.data, ";e:v i l  [31m\xef\xbf\xbd</script>&\"\\\xc3\xa9 12 "
					 "(/app/\xe2\x82\xac:x  .js:2:1)_[j] 2\n"));
	nd_buf_fini(&out);
	nd_profile_free(profile);
}

/* Where nothing was sampled there are no samples to count: weights are all there is. */
static void test_folded_without_a_period(void **state)
{
	struct nd_profile *profile = known_profile(false, false);
	struct nd_profile_info info = *nd_profile_get_info(profile);
	struct nd_buf out;

	info.period = 0;
	assert_int_equal(nd_profile_set_info(profile, &info), 0);
	render(profile, "folded", &out);
	assert_non_null(strstr(out.data, "\nuv__io_poll;do_syscall_64_[k] 80000000\n"));
	nd_buf_fini(&out);
	nd_profile_free(profile);
}

static json_int_t get(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		fail_msg("no number '%s'", key);
	return json_integer_value(value);
}

static void test_json_words(void **state)
{
	struct nd_profile *profile = known_profile(true, false);
	json_t *json = render_json(profile, "json");
	const json_t *info = json_object_get(json, "info");
	const json_t *losses = json_object_get(json, "losses");

	assert_string_equal(json_string_value(json_object_get(json, "format")), "nodiag-profile");
	assert_int_equal(get(json, "version"), 1);
	assert_string_equal(json_string_value(json_object_get(info, "unit")), "nanoseconds");
	assert_true(get(info, "start_unix_ns") == (json_int_t)KNOWN_UNIX_NS);
	assert_int_equal(get(info, "pid"), 4242);
	assert_int_equal(json_array_size(losses), 2);
	assert_int_equal(get(json_array_get(losses, 0), "number"), ND_LOSS_RING_FULL);
	assert_int_equal(get(json_array_get(losses, 0), "count"), 12);
	assert_string_equal(json_string_value(json_object_get(json_array_get(losses, 1), "key")),
			    "js_stale");
	json_decref(json);
	nd_profile_free(profile);
}

/* The tree adds up, and a parent comes before its children. */
static void test_json_nodes(void **state)
{
	struct nd_profile *profile = known_profile(false, false);
	json_t *json = render_json(profile, "json");
	const json_t *nodes = json_object_get(json, "nodes"), *node;
	json_int_t self = 0, samples = 0, children[64] = {0};
	size_t count = json_array_size(nodes), i;

	assert_true(count < 64);
	assert_true(json_is_null(json_object_get(json_array_get(nodes, 0), "parent")));
	for (i = 0; i < count; i++) {
		node = json_array_get(nodes, i);
		self += get(node, "self");
		samples += get(node, "samples");
		if (!i)
			continue;
		assert_true(get(node, "parent") < (json_int_t)i);
		assert_true(get(node, "frame") < KNOWN_FRAME_COUNT);
		children[get(node, "parent")] += get(node, "total");
	}
	for (i = 0; i < count; i++) {
		node = json_array_get(nodes, i);
		assert_true(get(node, "total") == get(node, "self") + children[i]);
	}
	assert_true(self == (json_int_t)KNOWN_TOTAL);
	assert_true(samples == (json_int_t)KNOWN_SAMPLES);
	assert_null(json_object_get(json, "threads"));
	json_decref(json);
	nd_profile_free(profile);
}

static void test_json_functions_and_threads(void **state)
{
	struct nd_profile *profile = known_profile(true, false);
	json_t *json = render_json(profile, "json");
	const json_t *functions = json_object_get(json, "functions");
	const json_t *threads = json_object_get(json, "threads");
	const json_t *hot = json_array_get(functions, 1);
	const json_t *tiers = json_object_get(hot, "tiers");

	assert_int_equal(get(hot, "frame"), KNOWN_HOT);
	assert_true(get(hot, "self") == 29 * (json_int_t)KNOWN_PERIOD);
	assert_true(get(hot, "total") == 64 * (json_int_t)KNOWN_PERIOD);
	assert_true(get(tiers, "turbofan") == 59 * (json_int_t)KNOWN_PERIOD);
	assert_true(get(tiers, "maglev") == 5 * (json_int_t)KNOWN_PERIOD);
	assert_null(json_object_get(tiers, "ignition"));
	assert_int_equal(json_array_size(threads), 2);
	assert_int_equal(get(json_array_get(threads, 1), "tid"), 4243);
	assert_int_equal(get(json_array_get(threads, 1), "samples"), 9);
	assert_true(get(json_array_get(threads, 0), "total") == 91 * (json_int_t)KNOWN_PERIOD);
	json_decref(json);
	nd_profile_free(profile);
}

/* No double stands between a weight and the file. */
static void test_json_large_numbers(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_stack stack = {.weight = (UINT64_C(1) << 53) + 1, .count = 1};
	json_t *json;

	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	json = render_json(profile, "json");
	assert_true(get(json_array_get(json_object_get(json, "nodes"), 0), "self") ==
		    (json_int_t)stack.weight);
	json_decref(json);
	nd_profile_free(profile);
}

/* Below other calls, names that mean something to readers of .cpuprofile lose their meaning. */
static void test_cpuprofile_special_names(void **state)
{
	static const struct nd_frame gc = {"(garbage collector)", "", 0, 0, ND_FRAME_GC};
	static const struct nd_frame f = {"f", "/a.js", 1, 1, ND_FRAME_JS};
	struct nd_call calls[2] = {{0}};
	struct nd_stack stack = {.calls = calls, .depth = 2, .weight = 1000, .count = 1};
	struct nd_profile *profile = nd_profile_new(false);
	const char *name;
	json_t *json;

	assert_int_equal(nd_profile_add_frame(profile, &gc, &calls[0].frame), 0);
	assert_int_equal(nd_profile_add_frame(profile, &f, &calls[1].frame), 0);
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	stack.depth = 1;
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	json = render_json(profile, "cpuprofile");
	json_t *nodes = json_object_get(json, "nodes");

	name = json_string_value(json_object_get(
		json_object_get(json_array_get(nodes, 2), "callFrame"), "functionName"));
	assert_string_equal(name, "garbage collector");
	name = json_string_value(
		json_object_get(json_object_get(json_array_get(nodes, 2), "callFrame"), "url"));
	assert_string_equal(name, "gc:");
	assert_int_equal(json_array_size(nodes), 4);
	name = json_string_value(json_object_get(
		json_object_get(json_array_get(nodes, 3), "callFrame"), "functionName"));
	assert_string_equal(name, "(garbage collector)");
	json_decref(json);
	nd_profile_free(profile);
}

/* Times are rounded, but errors do not add up: 3000 times 333 ns are 999 us. */
static void test_cpuprofile_rounding(void **state)
{
	static const struct nd_profile_info info = {.unit = "nanoseconds"};
	struct nd_stack stack = {.weight = 333, .count = 1};
	struct nd_profile *profile = nd_profile_new(true);
	const json_t *deltas;
	json_int_t sum = 0;
	json_t *json;
	size_t i;

	assert_int_equal(nd_profile_set_info(profile, &info), 0);
	for (i = 0; i < 3000; i++)
		assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	json = render_json(profile, "cpuprofile");
	deltas = json_object_get(json, "timeDeltas");
	assert_int_equal(json_array_size(deltas), 3001);
	assert_int_equal(json_array_size(json_object_get(json, "samples")), 3001);
	for (i = 0; i < json_array_size(deltas); i++)
		sum += json_integer_value(json_array_get(deltas, i));
	assert_int_equal(sum, 999);
	assert_int_equal(get(json, "endTime") - get(json, "startTime"), 999);
	json_decref(json);
	nd_profile_free(profile);
}

static void test_units_of_speedscope(void **state)
{
	static const char *const units[][2] = {
		{"nanoseconds", "nanoseconds"}, {"bytes", "bytes"}, {"count", "none"}};
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_profile_info info = {0};
	const json_t *unit;
	json_t *json;
	size_t i;

	for (i = 0; i < 3; i++) {
		info.unit = units[i][0];
		assert_int_equal(nd_profile_set_info(profile, &info), 0);
		json = render_json(profile, "speedscope");
		unit = json_object_get(json_array_get(json_object_get(json, "profiles"), 0),
				       "unit");
		assert_string_equal(json_string_value(unit), units[i][1]);
		json_decref(json);
	}
	nd_profile_free(profile);
}

/* A timeline that lost samples is not shown as if it were the whole. */
static void test_incomplete_timeline(void **state)
{
	struct nd_profile *profile = known_profile(true, false);
	struct nd_stack stack = {.weight = KNOWN_PERIOD, .count = 5};
	json_t *json;

	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	json = render_json(profile, "speedscope");
	assert_int_equal(json_array_size(json_object_get(json, "profiles")), 1);
	json_decref(json);
	json = render_json(profile, "json");
	assert_null(json_object_get(json, "threads"));
	json_decref(json);
	nd_profile_free(profile);
}

static void test_full_buffers(void **state)
{
	struct nd_profile *profile = known_profile(true, false);
	const struct nd_render_format *format;
	struct nd_buf out;
	size_t whole, max;

	for (format = nd_render_formats; format->name; format++) {
		nd_buf_init(&out, ND_OUTPUT_MAX);
		assert_int_equal(format->render(profile, &out), 0);
		whole = out.len;
		nd_buf_fini(&out);
		for (max = 0; max < whole; max += whole / 20) {
			nd_buf_init(&out, max);
			if (format->render(profile, &out) != -EFBIG)
				fail_msg("%s fits %zu of %zu bytes", format->name, max, whole);
			nd_buf_fini(&out);
		}
	}
	nd_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_table),
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_folded_text),
		cmocka_unit_test(test_folded_without_a_period),
		cmocka_unit_test(test_json_words),
		cmocka_unit_test(test_json_nodes),
		cmocka_unit_test(test_json_functions_and_threads),
		cmocka_unit_test(test_json_large_numbers),
		cmocka_unit_test(test_cpuprofile_special_names),
		cmocka_unit_test(test_cpuprofile_rounding),
		cmocka_unit_test(test_units_of_speedscope),
		cmocka_unit_test(test_incomplete_timeline),
		cmocka_unit_test(test_full_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
