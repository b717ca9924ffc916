/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/sourcemap.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

static struct nd_sourcemap *decode(const char *json)
{
	struct nd_sourcemap *map = NULL;
	struct nd_err err = {0};

	if (nd_sourcemap_decode(json, strlen(json), &map, &err))
		fail_msg("%s", err.what);
	return map;
}

/* "source:line:column name" of what a place came from, "-" when that is not known. */
static const char *find(const struct nd_sourcemap *map, uint32_t line, uint32_t column)
{
	static char text[256];
	struct nd_source_position p;

	if (!nd_sourcemap_find(map, line, column, &p))
		return "-";
	snprintf(text, sizeof(text), "%s:%" PRIu32 ":%" PRIu32 "%s%s", p.source, p.line, p.column,
		 p.name ? " " : "", p.name ? p.name : "");
	return text;
}

static void test_segments_reach_to_the_next(void **state)
{
	struct nd_sourcemap *map = decode("{\"version\":3,\"sources\":[\"a.ts\",\"b.ts\"],"
					  "\"names\":[\"f\"],"
					  "\"mappings\":\"EAAA,GCEEA;;C,IDDF\"}");

	assert_string_equal(find(map, 1, 1), "-");
	assert_string_equal(find(map, 1, 2), "-");
	assert_string_equal(find(map, 1, 3), "a.ts:1:1");
	assert_string_equal(find(map, 1, 5), "a.ts:1:1");
	assert_string_equal(find(map, 1, 6), "b.ts:3:3 f");
	assert_string_equal(find(map, 1, UINT32_MAX), "b.ts:3:3 f");
	/* A line without segments takes none of the line before. */
	assert_string_equal(find(map, 2, 1), "-");
	/* A segment without a source ends the one before. */
	assert_string_equal(find(map, 3, 2), "-");
	assert_string_equal(find(map, 3, 6), "a.ts:2:1");
	assert_string_equal(find(map, 4, 1), "-");
	assert_string_equal(find(map, 0, 1), "-");
	assert_string_equal(find(map, 1, 0), "-");
	nd_sourcemap_free(map);
}

static void test_segments_need_not_be_sorted(void **state)
{
	struct nd_sourcemap *map = decode("{\"version\":3,\"sources\":[\"a\"],\"names\":[],"
					  "\"mappings\":\"UAAA,LACA,FACA,8BACA\"}");

	assert_string_equal(find(map, 1, 2), "-");
	assert_string_equal(find(map, 1, 4), "a:3:1");
	assert_string_equal(find(map, 1, 6), "a:2:1");
	assert_string_equal(find(map, 1, 11), "a:1:1");
	assert_string_equal(find(map, 1, 34), "a:4:1");
	nd_sourcemap_free(map);
}

static void test_sources_are_below_the_root(void **state)
{
	static const char *const roots[][3] = {
		{"", "lib/a.ts", "lib/a.ts:1:1"},
		{"../src", "lib/a.ts", "../src/lib/a.ts:1:1"},
		{"../src/", "lib/a.ts", "../src/lib/a.ts:1:1"},
		{"src", "/abs/a.ts", "/abs/a.ts:1:1"},
		{"src", "webpack:///./a.ts", "webpack:///./a.ts:1:1"},
		{"webpack://app/", "./a.ts", "webpack://app/./a.ts:1:1"},
	};
	struct nd_sourcemap *map;
	char json[256];
	size_t i;

	for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		snprintf(json, sizeof(json),
			 "{\"version\":3,\"sourceRoot\":\"%s\",\"sources\":[\"%s\"],"
			 "\"mappings\":\"AAAA\"}",
			 roots[i][0], roots[i][1]);
		map = decode(json);
		assert_string_equal(find(map, 1, 1), roots[i][2]);
		nd_sourcemap_free(map);
	}
}

static void test_bad_indices_are_unknown_places(void **state)
{
	/* A source and a name that do not exist, a null source, a negative line, a negative column.
	 */
	struct nd_sourcemap *map =
		decode("{\"version\":3,\"sources\":[\"a\",null],\"names\":[\"f\"],"
		       "\"mappings\":\"AAAA,CEAA,CFAAC,CCAA,CDDA,CACA,CAA,DAAA;D\"}");

	assert_string_equal(find(map, 1, 1), "a:1:1");
	assert_string_equal(find(map, 1, 2), "-");
	assert_string_equal(find(map, 1, 3), "a:1:1");
	assert_string_equal(find(map, 1, 4), "-");
	assert_string_equal(find(map, 1, 5), "-");
	assert_string_equal(find(map, 1, 6), "a:1:1");
	assert_string_equal(find(map, 2, 1), "-");
	nd_sourcemap_free(map);
}

static void assert_refused(const char *json, const char *why)
{
	struct nd_sourcemap *map = NULL;
	struct nd_err err = {0};

	assert_int_equal(nd_sourcemap_decode(json, strlen(json), &map, &err), -EBADMSG);
	assert_null(map);
	assert_string_equal(err.what, why);
}

static void test_other_json_is_refused(void **state)
{
	assert_refused("", "not a source map: bad JSON in line 1");
	assert_refused("{\n\"version\":3,\n", "not a source map: bad JSON in line 3");
	assert_refused("[3]", "not a source map: not of version 3");
	assert_refused("{\"version\":2,\"sources\":[],\"mappings\":\"\"}",
		       "not a source map: not of version 3");
	assert_refused("{\"version\":3,\"sources\":[]}", "not a source map: no mappings");
	assert_refused("{\"version\":3,\"mappings\":\"\"}", "not a source map: no sources");
	assert_refused("{\"version\":3,\"sections\":{}}", "not a source map: bad sections");
	assert_refused("{\"version\":3,\"sections\":[{\"offset\":{\"line\":-1,\"column\":0},"
		       "\"map\":{\"version\":3,\"sources\":[],\"mappings\":\"\"}}]}",
		       "not a source map: a section without a map or a place");
	assert_refused("{\"version\":3,\"sections\":[{\"offset\":{\"line\":1,\"column\":0},"
		       "\"url\":\"other.map\"}]}",
		       "not a source map: a section without a map or a place");
	assert_refused("{\"version\":3,\"sources\":[\"a\"],\"mappings\":\"AA!A\"}",
		       "not a source map: bad mappings");
	/* A number that never ends, and one of more bits than a line can have. */
	assert_refused("{\"version\":3,\"sources\":[\"a\"],\"mappings\":\"AAAg\"}",
		       "not a source map: bad mappings");
	assert_refused("{\"version\":3,\"sources\":[\"a\"],\"mappings\":\"gggggggB\"}",
		       "not a source map: bad mappings");
}

static void test_size_is_limited(void **state)
{
	struct nd_sourcemap *map = NULL;
	struct nd_buf json;
	size_t i;

	assert_int_equal(nd_sourcemap_decode("", (size_t)ND_SOURCE_MAP_MAX + 1, &map, NULL),
			 -EFBIG);
	nd_buf_init(&json, ND_SOURCE_MAP_MAX);
	nd_buf_add_str(&json, "{\"version\":3,\"sources\":[],\"mappings\":\"C");
	for (i = 0; i < ND_SOURCE_MAP_SEGMENTS_MAX; i++)
		nd_buf_add(&json, ",C", 2);
	nd_buf_add_str(&json, "\"}");
	assert_int_equal(nd_sourcemap_decode(json.data, json.len, &map, NULL), -EFBIG);
	assert_null(map);
	nd_buf_fini(&json);
}

/* A root is repeated before each of its sources. */
static void test_a_root_cannot_blow_up(void **state)
{
	const size_t root_len = 1u << 20, sources = 200;
	struct nd_sourcemap *map = NULL;
	struct nd_buf json;
	size_t i;

	nd_buf_init(&json, ND_SOURCE_MAP_MAX);
	nd_buf_add_str(&json, "{\"version\":3,\"mappings\":\"\",\"sourceRoot\":\"");
	for (i = 0; i < root_len; i += 16)
		nd_buf_add_str(&json, "0123456789abcdef");
	nd_buf_add_str(&json, "\",\"sources\":[\"a\"");
	for (i = 0; i < sources; i++)
		nd_buf_addf(&json, ",\"%zu\"", i);
	nd_buf_add_str(&json, "]}");
	assert_int_equal(nd_buf_error(&json), 0);
	assert_int_equal(nd_sourcemap_decode(json.data, json.len, &map, NULL), -EFBIG);
	nd_buf_fini(&json);
}

static void test_guards_are_skipped(void **state)
{
	struct nd_sourcemap *map = decode(")]}'\n{\"version\":3,\"sources\":[\"a\"],"
					  "\"sourcesContent\":[\"x\\u0000y\"],"
					  "\"mappings\":\"AAAA\"}");

	assert_string_equal(find(map, 1, 1), "a:1:1");
	nd_sourcemap_free(map);
	assert_refused(")]}'", "not a source map: bad JSON in line 1");
}

static struct nd_sourcemap *read_map(const char *name)
{
	struct nd_sourcemap *map = NULL;
	char path[512], json[8192];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), ND_TEST_DATA "/sourcemap/%s.map", name);
	f = fopen(path, "re");
	assert_non_null(f);
	len = fread(json, 1, sizeof(json), f);
	fclose(f);
	assert_int_equal(nd_sourcemap_decode(json, len, &map, NULL), 0);
	return map;
}

/* A line of an .expected file is what find() says, in words. */
static void check_line(const struct nd_sourcemap *map, const char *line)
{
	char source[128], name[64], expected[256];
	uint32_t at[2], from[2];
	int fields = sscanf(line, "%" SCNu32 " %" SCNu32 " %127s %" SCNu32 " %" SCNu32 " %63s",
			    &at[0], &at[1], source, &from[0], &from[1], name);

	if (fields == 6)
		snprintf(expected, sizeof(expected), "%s:%" PRIu32 ":%" PRIu32 "%s%s", source,
			 from[0], from[1], strcmp(name, "-") ? " " : "",
			 strcmp(name, "-") ? name : "");
	else
		snprintf(expected, sizeof(expected), "-");
	assert_true(fields == 6 || fields == 3);
	assert_string_equal(find(map, at[0], at[1]), expected);
}

static void check_map(const char *name, int lines)
{
	struct nd_sourcemap *map = read_map(name);
	char path[512], line[512];
	FILE *f;

	snprintf(path, sizeof(path), ND_TEST_DATA "/sourcemap/%s.expected", name);
	f = fopen(path, "re");
	assert_non_null(f);
	for (; fgets(line, sizeof(line), f); lines--)
		check_line(map, line);
	fclose(f);
	assert_int_equal(lines, 0);
	nd_sourcemap_free(map);
}

static void test_maps_of_real_tools(void **state)
{
	check_map("esbuild", 444);
	check_map("terser", 212);
	check_map("typescript", 487);
}

static void test_maps_of_sections(void **state)
{
	check_map("sections", 876);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments_reach_to_the_next),
		cmocka_unit_test(test_segments_need_not_be_sorted),
		cmocka_unit_test(test_sources_are_below_the_root),
		cmocka_unit_test(test_bad_indices_are_unknown_places),
		cmocka_unit_test(test_other_json_is_refused),
		cmocka_unit_test(test_size_is_limited),
		cmocka_unit_test(test_a_root_cannot_blow_up),
		cmocka_unit_test(test_guards_are_skipped),
		cmocka_unit_test(test_maps_of_real_tools),
		cmocka_unit_test(test_maps_of_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
