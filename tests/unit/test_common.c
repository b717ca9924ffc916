/* SPDX-License-Identifier: Apache-2.0 */

/* Buffers, interned strings and errors. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/intern.h"

static void test_buf_grows_and_ends_with_nul(void **state)
{
	struct nd_buf buf;
	size_t i;

	nd_buf_init(&buf, 100000);
	assert_string_equal(buf.data, "");
	assert_int_equal(nd_buf_add_str(&buf, "abc"), 0);
	assert_int_equal(nd_buf_add_char(&buf, 'd'), 0);
	assert_int_equal(nd_buf_addf(&buf, "%d-%s", 42, "x"), 0);
	assert_int_equal(nd_buf_add(&buf, "\0y", 2), 0);
	assert_int_equal(buf.len, 10);
	assert_memory_equal(buf.data, "abcd42-x\0y\0", 11);
	nd_buf_reset(&buf);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf.data, "");
	for (i = 0; i < 100000; i++)
		assert_int_equal(nd_buf_add_char(&buf, (char)('a' + i % 26)), 0);
	for (i = 0; i < 100000; i++)
		assert_int_equal(buf.data[i], 'a' + i % 26);
	assert_int_equal(buf.data[100000], '\0');
	nd_buf_fini(&buf);
	assert_string_equal(buf.data, "");
	nd_buf_fini(&buf);
}

static void test_buf_adds_nothing(void **state)
{
	struct nd_buf buf;

	nd_buf_init(&buf, 0);
	assert_int_equal(nd_buf_add(&buf, NULL, 0), 0);
	assert_int_equal(nd_buf_add_str(&buf, ""), 0);
	assert_int_equal(nd_buf_error(&buf), 0);
	assert_string_equal(buf.data, "");
	nd_buf_fini(&buf);
}

static void test_buf_keeps_what_it_had_when_full(void **state)
{
	struct nd_buf buf;

	nd_buf_init(&buf, 5);
	assert_int_equal(nd_buf_add_str(&buf, "abcde"), 0);
	assert_int_equal(nd_buf_add_char(&buf, 'f'), -EFBIG);
	assert_int_equal(nd_buf_error(&buf), -EFBIG);
	assert_string_equal(buf.data, "abcde");
	/* From here on all fails, also what would fit. */
	assert_int_equal(nd_buf_add(&buf, "", 0), -EFBIG);
	assert_int_equal(nd_buf_addf(&buf, "%s", ""), -EFBIG);
	assert_null(nd_buf_reserve(&buf, 0));
	nd_buf_reset(&buf);
	assert_int_equal(nd_buf_error(&buf), 0);
	assert_int_equal(nd_buf_addf(&buf, "%s", "123456"), -EFBIG);
	assert_int_equal(buf.len, 0);
	nd_buf_reset(&buf);
	assert_int_equal(nd_buf_addf(&buf, "%s", "12345"), 0);
	assert_string_equal(buf.data, "12345");
	nd_buf_fini(&buf);
}

static void test_buf_reserve(void **state)
{
	struct nd_buf buf;
	char *at;

	nd_buf_init(&buf, 1000);
	nd_buf_add_str(&buf, "ab");
	at = nd_buf_reserve(&buf, 998);
	assert_ptr_equal(at, buf.data + 2);
	memset(at, 'c', 998);
	assert_int_equal(buf.len, 2);
	buf.len += 998;
	assert_null(nd_buf_reserve(&buf, 1));
	assert_int_equal(nd_buf_error(&buf), -EFBIG);
	nd_buf_reset(&buf);
	assert_null(nd_buf_reserve(&buf, SIZE_MAX));
	assert_int_equal(nd_buf_error(&buf), -EFBIG);
	nd_buf_fini(&buf);
}

static void test_intern_stores_each_string_once(void **state)
{
	struct nd_intern *intern = nd_intern_new();
	const char *kept;
	char text[32];
	uint32_t id, i, round;

	assert_int_equal(nd_intern_count(intern), 1);
	assert_string_equal(nd_intern_get(intern, 0), "");
	assert_int_equal(nd_intern_add(intern, "x", 1, &id), 0);
	assert_int_equal(id, 1);
	kept = nd_intern_get(intern, id);
	for (round = 0; round < 2; round++)
		for (i = 0; i < 5000; i++) {
			snprintf(text, sizeof(text), "string %u", i);
			assert_int_equal(nd_intern_add(intern, text, strlen(text), &id), 0);
			assert_int_equal(id, i + 2);
			assert_string_equal(nd_intern_get(intern, id), text);
		}
	assert_int_equal(nd_intern_count(intern), 5002);
	assert_ptr_equal(nd_intern_get(intern, 1), kept);
	assert_string_equal(kept, "x");
	nd_intern_free(intern);
	nd_intern_free(NULL);
}

static void test_intern_lengths(void **state)
{
	struct nd_intern *intern = nd_intern_new();
	uint32_t id;

	assert_int_equal(nd_intern_add(intern, "abcdef", 3, &id), 0);
	assert_string_equal(nd_intern_get(intern, id), "abc");
	assert_int_equal(nd_intern_add(intern, "abc", 3, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(nd_intern_add(intern, "abc\0def", 7, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(nd_intern_add(intern, "abc", 0, &id), 0);
	assert_int_equal(id, 0);
	assert_int_equal(nd_intern_count(intern), 2);
	nd_intern_free(intern);
}

static void test_setting_an_error_is_returning_it(void **state)
{
	struct nd_err err = {0};

	assert_int_equal(nd_err_set(&err, -ENOENT, "no file '%s'", "x"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.what, "no file 'x'");
	assert_string_equal(err.hint, "");
	assert_int_equal(nd_err_hint(&err, "try '%s'", "y"), -ENOENT);
	assert_string_equal(err.hint, "try 'y'");
	/* A new error has none of the old hint. */
	assert_int_equal(nd_err_set_errno(&err, -EACCES, "cannot open '%s'", "z"), -EACCES);
	assert_int_equal(err.code, -EACCES);
	assert_string_equal(err.what, "cannot open 'z': permission denied");
	assert_string_equal(err.hint, "");
	assert_int_equal(nd_err_set(NULL, -EPERM, "nobody cares"), -EPERM);
	assert_int_equal(nd_err_set_errno(NULL, -EPERM, "nobody cares"), -EPERM);
}

static void test_long_errors_are_cut(void **state)
{
	struct nd_err err = {0};
	char text[2000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	nd_err_set_errno(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.what), sizeof(err.what) - 1);
	nd_err_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	text[sizeof(err.what) - 5] = '\0';
	nd_err_set_errno(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.what), sizeof(err.what) - 1);
	assert_string_equal(err.what + sizeof(err.what) - 5, ": in");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows_and_ends_with_nul),
		cmocka_unit_test(test_buf_adds_nothing),
		cmocka_unit_test(test_buf_keeps_what_it_had_when_full),
		cmocka_unit_test(test_buf_reserve),
		cmocka_unit_test(test_intern_stores_each_string_once),
		cmocka_unit_test(test_intern_lengths),
		cmocka_unit_test(test_setting_an_error_is_returning_it),
		cmocka_unit_test(test_long_errors_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
