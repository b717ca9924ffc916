/* SPDX-License-Identifier: Apache-2.0 */

/* The buckets of common/histogram.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/histogram.h"

static void assert_in_its_bucket(uint64_t ns)
{
	uint32_t index = nd_histogram_index(ns);

	assert_true(index < ND_HISTOGRAM_BUCKETS);
	assert_true(nd_histogram_start(index) <= ns);
	if (index + 1 < ND_HISTOGRAM_BUCKETS)
		assert_true(ns < nd_histogram_start(index + 1));
}

static void test_every_time_is_in_its_bucket(void **state)
{
	uint64_t power;
	int bits;

	assert_in_its_bucket(0);
	assert_in_its_bucket(UINT64_MAX);
	for (bits = 0; bits < 64; bits++) {
		power = UINT64_C(1) << bits;
		assert_in_its_bucket(power - 1);
		assert_in_its_bucket(power);
		assert_in_its_bucket(power + power / 3);
	}
}

static void test_buckets_follow_one_another(void **state)
{
	uint64_t start, end;
	uint32_t i;

	for (i = 0; i + 1 < ND_HISTOGRAM_BUCKETS; i++) {
		start = nd_histogram_start(i);
		end = nd_histogram_start(i + 1);
		assert_true(end > start);
		assert_int_equal(nd_histogram_index(start), i);
		assert_int_equal(nd_histogram_index(end - 1), i);
		if (i)
			assert_true((end - start) * ND_HISTOGRAM_SPLIT <= start);
	}
}

static void test_what_is_beyond_is_in_the_outer_ones(void **state)
{
	assert_int_equal(nd_histogram_index(0), 0);
	assert_int_equal(nd_histogram_index((UINT64_C(1) << ND_HISTOGRAM_MIN_BITS) - 1), 0);
	assert_int_equal(nd_histogram_index(UINT64_C(1) << ND_HISTOGRAM_MIN_BITS), 1);
	assert_int_equal(nd_histogram_index((UINT64_C(1) << ND_HISTOGRAM_MAX_BITS) - 1),
			 ND_HISTOGRAM_BUCKETS - 2);
	assert_int_equal(nd_histogram_index(UINT64_C(1) << ND_HISTOGRAM_MAX_BITS),
			 ND_HISTOGRAM_BUCKETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_time_is_in_its_bucket),
		cmocka_unit_test(test_buckets_follow_one_another),
		cmocka_unit_test(test_what_is_beyond_is_in_the_outer_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
