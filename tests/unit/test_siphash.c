/* SPDX-License-Identifier: Apache-2.0 */

/* The keyed hash, against the vectors of its authors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/siphash.h"

static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void test_vectors(void **state)
{
	uint8_t text[16];
	size_t i;

	for (i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)i;
	assert_int_equal(nd_siphash(key, text, 0), UINT64_C(0x726fdb47dd0e0e31));
	assert_int_equal(nd_siphash(key, text, 1), UINT64_C(0x74f839c593dc67fd));
	assert_int_equal(nd_siphash(key, text, 8), UINT64_C(0x93f5f5799a932462));
	assert_int_equal(nd_siphash(key, text, 15), UINT64_C(0xa129ca6149be45e5));
}

static void test_key(void **state)
{
	const uint64_t other[2] = {key[0], key[1] + 1};

	assert_int_not_equal(nd_siphash(key, "text", 4), nd_siphash(other, "text", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
