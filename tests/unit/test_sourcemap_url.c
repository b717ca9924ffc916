/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/sourcemap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

/* `url` is NULL where none is expected. */
static void check_url(const char *source, const char *url)
{
	const char *found = NULL;
	size_t len = 0;

	if (!url) {
		assert_false(nd_sourcemap_find_url(source, strlen(source), &found, &len));
		assert_null(found);
		return;
	}
	assert_true(nd_sourcemap_find_url(source, strlen(source), &found, &len));
	assert_int_equal(len, strlen(url));
	assert_memory_equal(found, url, len);
}

static void test_urls_are_found(void **state)
{
	check_url("f();\n//# sourceMappingURL=a.js.map", "a.js.map");
	check_url("f();\n//# sourceMappingURL=a.js.map\n", "a.js.map");
	check_url("f();\r\n//# sourceMappingURL=a.js.map\r\n\r\n", "a.js.map");
	check_url("//@ sourceMappingURL=a.map", "a.map");
	check_url("//#\tsourceMappingURL= \ta.map \t\n", "a.map");
	check_url("f(); //# sourceMappingURL=a.map", "a.map");
	check_url("//# sourceMappingURL=a.map\n//# sourceMappingURL=b.map\n", "b.map");
	check_url("//# sourceMappingURL=a.map\n//# sourceURL=b.js\n", "a.map");
	check_url("//# sourceMappingURL=data:application/json;base64,e30=\n",
		  "data:application/json;base64,e30=");
}

static void test_other_text_has_no_url(void **state)
{
	check_url("", NULL);
	check_url("f();", NULL);
	check_url("//# sourceMappingURL=", NULL);
	check_url("//# sourceMappingURL=\na.map", NULL);
	check_url("//#sourceMappingURL=a.map", NULL);
	check_url("/# sourceMappingURL=a.map", NULL);
	check_url("# sourceMappingURL=a.map", NULL);
	check_url(" sourceMappingURL=a.map", NULL);
	check_url("sourceMappingURL=a.map", NULL);
	check_url("//# sourceMappingURL=a.map more", NULL);
	check_url("out += \"//# sourceMappingURL=\" + url;", NULL);
	check_url("out += `//# sourceMappingURL=${f('x')}`;", NULL);
	/* A comment that is good is not undone by a text that only looks like one. */
	check_url("//# sourceMappingURL=a.map\nx = '//# sourceMappingURL=b.map'", "a.map");
}

static void check_data(const char *url, int r, const char *data)
{
	struct nd_buf out;

	nd_buf_init(&out, 32);
	nd_buf_add_str(&out, "<");
	assert_int_equal(nd_sourcemap_decode_data_url(url, strlen(url), &out), r);
	assert_string_equal(out.data, data);
	assert_int_equal(out.len, strlen(data));
	nd_buf_fini(&out);
}

static void test_data_urls_are_decoded(void **state)
{
	check_data("data:application/json;base64,eyJ2IjozfQ==", 0, "<{\"v\":3}");
	check_data("data:application/json;charset=utf-8;base64,eyJ2IjozfQ", 0, "<{\"v\":3}");
	check_data("DATA:;BASE64,eyJ2IjozfQ%3D%3D", 0, "<{\"v\":3}");
	check_data("data:application/json,{%22v%22:3}", 0, "<{\"v\":3}");
	check_data("data:application/json,100%25%zz%", 0, "<100%%zz%");
	check_data("data:application/json;base64,", 0, "<");
	check_data("data:,", 0, "<");
}

static void test_bad_data_urls_are_refused(void **state)
{
	check_data("a.js.map", -EINVAL, "<");
	check_data("data", -EINVAL, "<");
	check_data("", -EINVAL, "<");
	check_data("data:application/json;base64", -EBADMSG, "<");
	check_data("data:;base64,eyJ2!joz", -EBADMSG, "<");
	check_data("data:;base64,MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OQ==", -EFBIG,
		   "<");
}

struct resolution {
	const char *base;
	const char *url;
	const char *path;
};

static void check_resolutions(const struct resolution *r, size_t count)
{
	struct nd_buf out;
	size_t i;

	for (i = 0; i < count; i++) {
		nd_buf_init(&out, 128);
		nd_buf_add_str(&out, "<");
		assert_int_equal(nd_sourcemap_resolve(r[i].base, r[i].url, &out), 0);
		assert_string_equal(out.data + 1, r[i].path);
		assert_int_equal(out.len, strlen(r[i].path) + 1);
		nd_buf_fini(&out);
	}
}

static void test_paths_are_relative_to_their_file(void **state)
{
	static const struct resolution r[] = {
		{"/app/dist/a.js", "a.js.map", "/app/dist/a.js.map"},
		{"/app/dist/a.js", "./a.js.map", "/app/dist/a.js.map"},
		{"/app/dist/a.js.map", "../src/./x//y.ts", "/app/src/x/y.ts"},
		{"/app/dist/a.js.map", "../../../../x.ts", "/x.ts"},
		{"/app/dist/a.js.map", "/src/../x.ts", "/x.ts"},
		{"/a.js", "b.map", "/b.map"},
		{"dist/a.js", "../../x.ts", "../x.ts"},
		{"dist/a.js", "../../../x.ts", "../../x.ts"},
		{"a.js", "a.js.map", "a.js.map"},
		{"", "src/x.ts", "src/x.ts"},
		{"/app/a.js", "my%20map.map", "/app/my map.map"},
		{"/app/a%20b/a.js", "x.map", "/app/a%20b/x.map"},
		{"/app/a.js", "x%.ts%00%zz", "/app/x%.ts%00%zz"},
		{"/app/a.js", "App.vue?vue&type=script", "/app/App.vue"},
		{"/app/a.js", "", "/app"},
		{"/app/a.js", "c:x.ts", "/app/c:x.ts"},
		{"/app/..a/.b/a.js", "...", "/app/..a/.b/..."},
	};

	check_resolutions(r, sizeof(r) / sizeof(r[0]));
}

static void test_file_urls_become_paths(void **state)
{
	static const struct resolution r[] = {
		{"file:///app/dist/a.mjs", "a.mjs.map", "/app/dist/a.mjs.map"},
		{"file:///app/a%20b/a.mjs", "../x.ts", "/app/x.ts"},
		{"file:///app/a%20b/a.mjs", "x.ts", "/app/a b/x.ts"},
		{"/app/a.js", "file:///src/a%20b/%E2%82%AC.ts", "/src/a b/\xe2\x82\xac.ts"},
		{"/app/a.js", "FILE://localhost/src/../x.ts", "/x.ts"},
		{"/app/a.js", "file://", ""},
	};

	check_resolutions(r, sizeof(r) / sizeof(r[0]));
}

static void test_webpack_urls_are_below_the_project(void **state)
{
	static const struct resolution r[] = {
		{"/app/a.js", "webpack:///./src/x.ts", "src/x.ts"},
		{"/app/a.js", "webpack:///src/x.ts?a1b2", "src/x.ts"},
		{"/app/a.js", "webpack://pkg/./src/x.ts", "src/x.ts"},
		{"/app/a.js", "webpack://@scope/pkg/./src/x.ts", "src/x.ts"},
		{"/app/a.js", "webpack://pkg/../lib/x.ts", "../lib/x.ts"},
		{"/app/a.js", "webpack:////home/me/x.ts", "/home/me/x.ts"},
		{"/app/a.js", "webpack-internal:///./src/x.ts", "src/x.ts"},
		{"/app/a.js", "webpack://pkg/webpack/bootstrap", "webpack/bootstrap"},
		{"/app/a.js", "webpack://@scope", ""},
		{"/app/a.js", "webpack://", ""},
	};

	check_resolutions(r, sizeof(r) / sizeof(r[0]));
}

static void test_other_urls_stay(void **state)
{
	static const struct resolution r[] = {
		{"/app/a.js", "https://example.org/a/../x.ts", "https://example.org/a/../x.ts"},
		{"/app/a.js", "ng:///AppModule/x.ts", "ng:///AppModule/x.ts"},
		{"/app/a.js", "node:internal/x", "node:internal/x"},
		{"https://example.org/a/b.js", "b.js.map", "https://example.org/a/b.js.map"},
	};

	check_resolutions(r, sizeof(r) / sizeof(r[0]));
}

static void test_long_paths_are_refused(void **state)
{
	struct nd_buf out;

	nd_buf_init(&out, 8);
	assert_int_equal(nd_sourcemap_resolve("/app/dist/a.js", "x.ts", &out), -EFBIG);
	nd_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls_are_found),
		cmocka_unit_test(test_other_text_has_no_url),
		cmocka_unit_test(test_data_urls_are_decoded),
		cmocka_unit_test(test_bad_data_urls_are_refused),
		cmocka_unit_test(test_paths_are_relative_to_their_file),
		cmocka_unit_test(test_file_urls_become_paths),
		cmocka_unit_test(test_webpack_urls_are_below_the_project),
		cmocka_unit_test(test_other_urls_stay),
		cmocka_unit_test(test_long_paths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
