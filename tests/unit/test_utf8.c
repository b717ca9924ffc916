/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

#define FFFD "\xef\xbf\xbd"

static void check(const char *str, const char *want, size_t replaced)
{
	struct nd_buf out;

	nd_buf_init(&out, 1024);
	assert_int_equal(nd_utf8_repair(str, strlen(str), &out), replaced);
	assert_string_equal(out.data, want);
	nd_buf_fini(&out);
}

static void test_valid_text_is_kept(void **state)
{
	check("", "", 0);
	check("plain", "plain", 0);
	check("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5",
	      0);
	check("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
	      "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 0);
}

/* The examples of Unicode 15, section 3.9, "U+FFFD substitution of maximal subparts". */
static void test_each_broken_part_becomes_one_mark(void **state)
{
	check("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A",
	      8);
	check("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A",
	      8);
	check("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B",
	      7);
	check("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "A", 4);
	check("cut \xf0\x9f\x94", "cut " FFFD, 1);
}

static void test_sequence_lengths(void **state)
{
	assert_int_equal(nd_utf8_sequence("a", 1), 1);
	assert_int_equal(nd_utf8_sequence("\xc3\xa9", 2), 2);
	assert_int_equal(nd_utf8_sequence("\xc3\xa9", 1), 0);
	assert_int_equal(nd_utf8_sequence("\xf0\x9f\x94\xa5z", 5), 4);
	assert_int_equal(nd_utf8_sequence("\x80", 1), 0);
	assert_int_equal(nd_utf8_sequence("\0", 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_text_is_kept),
		cmocka_unit_test(test_each_broken_part_becomes_one_mark),
		cmocka_unit_test(test_sequence_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
