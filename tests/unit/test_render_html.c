/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "analyzer/profile/profile.h"
#include "analyzer/utf8.h"
#include "common/buf.h"
#include "proto/limits.h"

#define DATA_OPEN  "<script type=\"application/json\" id=\"profile\">"
#define DATA_CLOSE "</script>"

static uint32_t add_frame(struct nd_profile *profile, const char *name, enum nd_frame_kind kind)
{
	struct nd_frame frame = {
		.name = name, .file = "/app/a.js", .line = 3, .column = 7, .kind = kind};
	uint32_t id = 0;

	assert_int_equal(nd_profile_add_frame(profile, &frame, &id), 0);
	return id;
}

static void add_stack(struct nd_profile *profile, const struct nd_call *calls, size_t depth,
		      uint64_t weight)
{
	struct nd_stack stack = {.calls = calls, .depth = depth, .weight = weight, .count = 1};

	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
}

/* The page in `out`; the profile is freed. */
static void render(struct nd_profile *profile, struct nd_buf *out)
{
	nd_buf_init(out, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_html(profile, out), 0);
	assert_int_equal(strlen(out->data), out->len);
	nd_profile_free(profile);
}

/* The data as a browser finds it: up to the first thing that ends a script. */
static json_t *data_of(const struct nd_buf *page)
{
	const char *start = strstr(page->data, DATA_OPEN) + strlen(DATA_OPEN);
	const char *end = strstr(start, "</");
	json_t *data;

	assert_int_equal(strncmp(end, DATA_CLOSE, strlen(DATA_CLOSE)), 0);
	data = json_loadb(start, (size_t)(end - start), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(data);
	return data;
}

static void check_list(const json_t *data, const char *name, const json_int_t *want, size_t count)
{
	const json_t *list = json_object_get(data, name);
	size_t i;

	assert_int_equal(json_array_size(list), count);
	for (i = 0; i < count; i++)
		assert_int_equal(json_integer_value(json_array_get(list, i)), want[i]);
}

#define CHECK_LIST(data, name, ...)                                                                \
	check_list(data, name, (const json_int_t[]){__VA_ARGS__},                                  \
		   sizeof((const json_int_t[]){__VA_ARGS__}) / sizeof(json_int_t))

static size_t count_of(const char *text, const char *part)
{
	size_t found = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		found++;
	return found;
}

static void test_format_is_registered_first(void **state)
{
	assert_string_equal(nd_render_formats[0].name, "html");
	assert_true(nd_render_formats[0].render == nd_render_html);
	assert_false(nd_render_formats[0].binary);
}

static void test_columns(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	uint32_t f = add_frame(profile, "f", ND_FRAME_JS);
	uint32_t g = add_frame(profile, "g", ND_FRAME_NPM);
	struct nd_buf page;
	json_t *data;

	add_stack(profile, &(struct nd_call){.frame = g, .line = 5, .tier = ND_TIER_IGNITION}, 1,
		  30);
	add_stack(profile, &(struct nd_call){.frame = g, .line = 6, .tier = ND_TIER_TURBOFAN}, 1,
		  20);
	add_stack(profile,
		  (struct nd_call[]){{.frame = g, .tier = ND_TIER_MAGLEV, .inlined = true},
				     {.frame = f, .tier = ND_TIER_MAGLEV}},
		  2, 40);
	add_stack(profile, NULL, 0, 10);
	render(profile, &page);
	data = data_of(&page);
	assert_int_equal(json_integer_value(json_object_get(data, "scale")), 10);
	CHECK_LIST(data, "frameKind", ND_FRAME_JS, ND_FRAME_NPM);
	CHECK_LIST(data, "frameLine", 3, 3);
	CHECK_LIST(data, "frameColumn", 7, 7);
	CHECK_LIST(data, "depth", 0, 1, 1, 2);
	CHECK_LIST(data, "frame", 0, g, f, g);
	CHECK_LIST(data, "self", 1, 5, 0, 4);
	CHECK_LIST(data, "count", 1, 2, 0, 1);
	CHECK_LIST(data, "tier", ND_TIER_NONE, ND_TIER_COUNT, ND_TIER_MAGLEV, ND_TIER_MAGLEV);
	CHECK_LIST(data, "mixed", 1, 0, 3, 0, 0, 2);
	CHECK_LIST(data, "inlined", 3, 4);
	CHECK_LIST(data, "lines", 1, 6, 2, 1, 5, 3);
	json_decref(data);
	nd_buf_fini(&page);
}

static void test_info_and_losses(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_profile_info info = {.title = "server.js",
				       .unit = "nanoseconds",
				       .start_unix_ns = 1795100000000000000,
				       .period = 10101010};
	const char *title, *text;
	json_int_t start, period, count;
	json_t *data, *command;
	struct nd_buf page;

	assert_int_equal(nd_profile_set_info(profile, &info), 0);
	nd_profile_add_loss(profile, ND_LOSS_TRUNCATED, 7);
	render(profile, &page);
	data = data_of(&page);
	assert_int_equal(json_unpack(data, "{s:{s:{s:s,s:o,s:I,s:I},s:[[sI!]!]}}", "words", "info",
				     "title", &title, "command", &command, "start", &start,
				     "period", &period, "losses", &text, &count),
			 0);
	assert_string_equal(title, "server.js");
	assert_true(json_is_null(command));
	assert_int_equal(start, 1795100000000);
	assert_int_equal(period, 10101010);
	assert_string_equal(text, nd_loss_text(ND_LOSS_TRUNCATED));
	assert_int_equal(count, 7);
	json_decref(data);
	nd_buf_fini(&page);
}

/* What the page says a name is. */
static void check_name(const char *name, const char *want)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_call call = {.frame = add_frame(profile, name, ND_FRAME_JS)};
	struct nd_buf empty, page;
	size_t pos, len;
	json_t *data;
	json_int_t id;

	add_stack(profile, &call, 1, 1);
	render(profile, &page);
	data = data_of(&page);
	assert_int_equal(json_unpack(data, "{s:[I]}", "frameName", &id), 0);
	assert_string_equal(
		json_string_value(json_array_get(
			json_object_get(json_object_get(data, "words"), "strings"), (size_t)id)),
		want);
	json_decref(data);
	render(nd_profile_new(false), &empty);
	assert_int_equal(count_of(page.data, "<"), count_of(empty.data, "<"));
	for (pos = 0; pos < page.len; pos += len) {
		len = nd_utf8_sequence(page.data + pos, page.len - pos);
		assert_int_not_equal(len, 0);
	}
	nd_buf_fini(&empty);
	nd_buf_fini(&page);
}

static void test_names_stay_in_their_place(void **state)
{
	check_name("</script><script>alert(1)</script>", "</script><script>alert(1)</script>");
	check_name("<!--<script>", "<!--<script>");
	check_name("\"\\'`${x}", "\"\\'`${x}");
	check_name("{{app.js}}", "{{app.js}}");
	check_name("\x01\x1f\x7f", "\x01\x1f\x7f");
	check_name("\xf0\x9f\x94\xa5 \xe2\x80\xa8", "\xf0\x9f\x94\xa5 \xe2\x80\xa8");
	check_name("", "");
}

static void test_names_become_utf8(void **state)
{
	check_name("\xff<\xc0\x80", "\xef\xbf\xbd<\xef\xbf\xbd\xef\xbf\xbd");
	check_name("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_name("cut \xf0\x9f\x94", "cut \xef\xbf\xbd");
}

static void test_page_is_whole_and_alone(void **state)
{
	struct nd_buf page;

	render(nd_profile_new(false), &page);
	assert_int_equal(strncmp(page.data, "<!doctype html>", 15), 0);
	assert_non_null(strstr(page.data, "</html>\n"));
	assert_null(strstr(page.data, "{{"));
	assert_non_null(strstr(page.data, "const app = new App("));
	assert_non_null(strstr(page.data, "default-src 'none'"));
	assert_null(strstr(page.data, "https:"));
	assert_null(strstr(page.data, "src="));
	/* One for the data and one for each file; none in what the files hold. */
	assert_int_equal(count_of(page.data, "<script"), count_of(page.data, DATA_CLOSE));
	nd_buf_fini(&page);
}

static void test_empty_profile(void **state)
{
	struct nd_buf page;
	json_t *data;

	render(nd_profile_new(false), &page);
	data = data_of(&page);
	CHECK_LIST(data, "depth", 0);
	CHECK_LIST(data, "self", 0);
	assert_int_equal(json_integer_value(json_object_get(data, "scale")), 1);
	json_decref(data);
	nd_buf_fini(&page);
}

/* A tree of `nodes` nodes, `depth` deep, every path its own from the root on. */
static size_t size_of(uint32_t nodes, uint32_t depth)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_call *calls = calloc(depth, sizeof(*calls));
	uint32_t path, i;
	struct nd_buf page;
	char name[32];
	size_t size;

	for (path = 0; path < nodes / depth; path++) {
		for (i = 0; i < depth; i++) {
			snprintf(name, sizeof(name), "function%u", i ? (path + i) % 2000 : path);
			calls[depth - 1 - i] =
				(struct nd_call){.frame = add_frame(profile, name, ND_FRAME_JS),
						 .tier = ND_TIER_TURBOFAN,
						 .line = 1 + i};
		}
		add_stack(profile, calls, depth, 10101010);
	}
	free(calls);
	render(profile, &page);
	size = page.len;
	nd_buf_fini(&page);
	return size;
}

static void test_size(void **state)
{
	assert_true(size_of(5000, 25) < 500 << 10);
	assert_true(size_of(100000, 25) < 4 << 20);
}

static void test_ceiling_of_the_buffer(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_buf page;
	size_t whole, max;

	nd_buf_init(&page, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_html(profile, &page), 0);
	whole = page.len;
	nd_buf_fini(&page);
	for (max = 100; max < whole; max += 777) {
		nd_buf_init(&page, max);
		assert_int_equal(nd_render_html(profile, &page), -EFBIG);
		nd_buf_fini(&page);
	}
	nd_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_is_registered_first),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_info_and_losses),
		cmocka_unit_test(test_names_stay_in_their_place),
		cmocka_unit_test(test_names_become_utf8),
		cmocka_unit_test(test_page_is_whole_and_alone),
		cmocka_unit_test(test_empty_profile),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_ceiling_of_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
