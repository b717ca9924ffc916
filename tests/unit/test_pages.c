/* SPDX-License-Identifier: Apache-2.0 */

/* Pages that are asked for at once. */

#include "common/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is in the pages stays, wherever in them the bytes begin and end. */
static void test_contents_stay(void **state)
{
	enum { SIZE = 3 << 20 };
	unsigned char *bytes = malloc(SIZE);
	size_t i;

	assert_non_null(bytes);
	memset(bytes, 7, SIZE);
	nd_pages_populate(bytes + 5, SIZE - 12);
	for (i = 0; i < SIZE; i++)
		assert_int_equal(bytes[i], 7);
	free(bytes);
}

/* Nothing, or memory that was not to be had. */
static void test_nothing(void **state)
{
	char byte = 7;

	nd_pages_populate(NULL, 1u << 30);
	nd_pages_populate(&byte, 0);
	assert_int_equal(byte, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents_stay),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
