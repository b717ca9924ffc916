/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check(uint64_t weight, const char *unit, const char *want)
{
	char buf[ND_UNITS_MAX];

	assert_string_equal(nd_units_weight(weight, unit, buf), want);
}

static void test_times(void **state)
{
	check(0, "nanoseconds", "0 ns");
	check(999, "nanoseconds", "999 ns");
	check(1500, "nanoseconds", "1.50 \xc2\xb5s");
	check(10101010, "nanoseconds", "10.1 ms");
	check(123456789, "nanoseconds", "123 ms");
	check(1000000000, "nanoseconds", "1.00 s");
	check(119900000000, "nanoseconds", "120 s");
	check(125000000000, "nanoseconds", "2 min 05 s");
}

static void test_sizes(void **state)
{
	check(1023, "bytes", "1023 B");
	check(1536, "bytes", "1.50 KiB");
	check(10u << 20, "bytes", "10.0 MiB");
	check(1ull << 40, "bytes", "1.00 TiB");
	check(UINT64_MAX, "bytes", "16777216 TiB");
}

static void test_counts(void **state)
{
	check(0, "count", "0");
	check(999, "count", "999");
	check(1000, NULL, "1,000");
	check(UINT64_MAX, "count", "18,446,744,073,709,551,615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
