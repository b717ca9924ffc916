/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/render/render.h"
#include "analyzer/utf8.h"
#include "common/buf.h"
#include "tests/known_profile.h"

#define MAX_LINES 64

struct lines {
	struct nd_buf text;
	char *line[MAX_LINES];
	size_t count;
};

static void render(const struct nd_profile *profile, unsigned int rows, unsigned int width,
		   bool colour, struct lines *ret_lines)
{
	char *at;

	nd_buf_init(&ret_lines->text, 1 << 20);
	assert_int_equal(nd_render_table(profile, rows, width, colour, &ret_lines->text), 0);
	ret_lines->count = 0;
	for (at = strtok(ret_lines->text.data, "\n"); at; at = strtok(NULL, "\n")) {
		assert_true(ret_lines->count < MAX_LINES);
		ret_lines->line[ret_lines->count++] = at;
	}
}

static struct lines render_known(unsigned int rows, unsigned int width, bool colour)
{
	struct nd_profile *profile = known_profile(false, false);
	struct lines lines;

	render(profile, rows, width, colour, &lines);
	nd_profile_free(profile);
	return lines;
}

static void assert_starts(const char *line, const char *start)
{
	if (strncmp(line, start, strlen(start)) != 0)
		fail_msg("'%s' does not start with '%s'", line, start);
}

static size_t columns(const char *line)
{
	size_t count = 0;

	for (; *line; line++)
		count += ((unsigned char)*line & 0xc0) != 0x80;
	return count;
}

static void test_rows(void **state)
{
	struct lines lines = render_known(3, 0, false);

	assert_int_equal(lines.count, 4);
	assert_string_equal(lines.line[0], "  self           total  function  file");
	assert_string_equal(lines.line[1], " 30.0%  300 ms   30.0%  tiny      /app/hot.js:20");
	assert_string_equal(lines.line[2], " 29.0%  290 ms   64.0%  hot       /app/hot.js:5");
	assert_starts(lines.line[3], " 10.0%  100 ms   10.0%  ");
	nd_buf_fini(&lines.text);
}

/* Functions that only call others are not hot. */
static void test_only_functions_with_time_of_their_own(void **state)
{
	struct lines lines = render_known(50, 0, false);

	assert_int_equal(lines.count, 1 + 8);
	assert_non_null(strstr(lines.line[5], "do_syscall_64"));
	assert_non_null(strstr(lines.line[5], "[kernel]"));
	nd_buf_fini(&lines.text);
}

static void test_empty_profile(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct lines lines;

	render(profile, 10, 80, false, &lines);
	assert_int_equal(lines.count, 1);
	nd_buf_fini(&lines.text);
	nd_profile_free(profile);
}

/* Whatever the width, lines fit, are whole characters, and keep a path's end. */
static void test_width(void **state)
{
	unsigned int width;
	struct lines lines;
	size_t i, used;
	const char *at;

	for (width = 52; width < 160; width++) {
		lines = render_known(50, width, false);
		for (i = 0; i < lines.count; i++) {
			if (columns(lines.line[i]) > width)
				fail_msg("%u: '%s'", width, lines.line[i]);
			for (at = lines.line[i]; *at; at += used) {
				used = nd_utf8_sequence(at, strlen(at));
				assert_true(used > 0);
			}
		}
		if (width > 75)
			assert_non_null(strstr(lines.line[3], "index.js:3"));
		nd_buf_fini(&lines.text);
	}
}

/* A terminal too narrow for both keeps the names. */
static void test_narrow(void **state)
{
	struct lines lines = render_known(1, 47, false);

	assert_string_equal(lines.line[0], "  self           total  function");
	assert_string_equal(lines.line[1], " 30.0%  300 ms   30.0%  tiny");
	nd_buf_fini(&lines.text);
	lines = render_known(1, 1, false);
	assert_string_equal(lines.line[1], " 30.0%  300 ms   30.0%  tiny");
	nd_buf_fini(&lines.text);
}

static struct lines render_frame(const char *name, const char *file, unsigned int width)
{
	struct nd_frame frame = {.name = name, .file = file, .line = 12, .kind = ND_FRAME_JS};
	struct nd_call call = {0};
	struct nd_stack stack = {.calls = &call, .depth = 1, .weight = 1234567, .count = 1};
	struct nd_profile *profile = nd_profile_new(false);
	struct lines lines;

	assert_int_equal(nd_profile_add_frame(profile, &frame, &call.frame), 0);
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	render(profile, 10, width, false, &lines);
	nd_profile_free(profile);
	return lines;
}

static void test_cut_in_the_middle(void **state)
{
	struct lines lines =
		render_frame("f", "/a/very/long/path/to/some/project/src/server.js", 60);

	assert_string_equal(lines.line[1], "100.0%  1,234,567  100.0%  f         "
					   "/a/very\xe2\x80\xa6rc/server.js:12");
	nd_buf_fini(&lines.text);
}

static void test_file_urls_lose_their_scheme(void **state)
{
	struct lines lines = render_frame("f", "file:///app/server.mjs", 0);

	assert_non_null(strstr(lines.line[1], "  /app/server.mjs:12"));
	nd_buf_fini(&lines.text);
}

/* What a name holds must not act on the terminal: controls, C1 controls too, and bidi marks. */
static void test_controls(void **state)
{
	struct lines lines = render_frame("a\x1b[31m\x07\r\n\x7f\xc2\x9b"
					  "31m\xe2\x80\xae\xd8\x9c\xff z",
					  "/\x1b]0;x\x07/y.js", 0);
	const char *at;

	assert_int_equal(lines.count, 2);
	for (at = lines.line[1]; *at; at++)
		assert_true((unsigned char)*at >= ' ' && *at != 0x7f);
	assert_null(strstr(lines.line[1], "\xc2\x9b"));
	assert_null(strstr(lines.line[1], "\xe2\x80\xae"));
	assert_null(strstr(lines.line[1], "\xd8\x9c"));
	assert_non_null(strstr(lines.line[1], "a\xef\xbf\xbd[31m"));
	nd_buf_fini(&lines.text);
}

static void test_colours(void **state)
{
	struct lines lines = render_known(2, 0, true);

	assert_starts(lines.line[0], "\033[1m");
	assert_non_null(strstr(lines.line[1], "\033[1;33mtiny\033[0m      /app/hot.js:20"));
	nd_buf_fini(&lines.text);
}

static void test_full_buffer(void **state)
{
	struct nd_profile *profile = known_profile(false, false);
	struct nd_buf out;

	nd_buf_init(&out, 100);
	assert_int_equal(nd_render_table(profile, 10, 80, false, &out), -EFBIG);
	nd_buf_fini(&out);
	nd_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_only_functions_with_time_of_their_own),
		cmocka_unit_test(test_empty_profile),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_cut_in_the_middle),
		cmocka_unit_test(test_file_urls_lose_their_scheme),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
