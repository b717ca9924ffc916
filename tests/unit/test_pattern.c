/* SPDX-License-Identifier: Apache-2.0 */

/* Names of files for several processes: cli/pattern.h. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/pattern.h"

static void check(const char *pattern, unsigned int attempt, const char *want)
{
	char path[256];

	assert_int_equal(pattern_expand(pattern, 42, attempt, path, sizeof(path)), 0);
	assert_string_equal(path, want);
}

static void test_what_stands_for_what(void **state)
{
	check("/tmp/a.nd", 0, "/tmp/a.nd");
	check("/tmp/%p.nd", 0, "/tmp/42.nd");
	check("/tmp/%p/%p", 0, "/tmp/42/42");
	check("/tmp/100%%.nd", 0, "/tmp/100%.nd");
	check("/tmp/%%p.nd", 0, "/tmp/%p.nd");
	check("/tmp/%q%", 0, "/tmp/%q%");
	check("", 0, "");
}

static void test_names_for_when_it_is_taken(void **state)
{
	check("/tmp/a.nd", 1, "/tmp/a-42.nd");
	check("/tmp/a.nd", 2, "/tmp/a-42-2.nd");
	check("/tmp/a.nd", 3, "/tmp/a-42-3.nd");
	check("/tmp/%p.nd", 1, "/tmp/42-2.nd");
	check("/tmp/%p.nd", 2, "/tmp/42-3.nd");
	check("/tmp/a%%p.nd", 1, "/tmp/a%p-42.nd");
}

static void test_where_the_extension_is(void **state)
{
	check("/tmp.d/a", 1, "/tmp.d/a-42");
	check("/tmp/.a", 1, "/tmp/.a-42");
	check("/tmp/a.b.nd", 1, "/tmp/a.b-42.nd");
	check("a.nd", 1, "a-42.nd");
}

static void test_what_is_too_long_is_refused(void **state)
{
	char path[8], pattern[5000];

	assert_int_equal(pattern_expand("1234567", 42, 0, path, sizeof(path)), 0);
	assert_int_equal(pattern_expand("12345678", 42, 0, path, sizeof(path)), -ENAMETOOLONG);
	assert_int_equal(pattern_expand("12345", 42, 1, path, sizeof(path)), -ENAMETOOLONG);
	memset(pattern, 'a', sizeof(pattern) - 1);
	pattern[sizeof(pattern) - 1] = '\0';
	assert_int_equal(pattern_expand(pattern, 42, 0, path, sizeof(path)), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_stands_for_what),
		cmocka_unit_test(test_names_for_when_it_is_taken),
		cmocka_unit_test(test_where_the_extension_is),
		cmocka_unit_test(test_what_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
