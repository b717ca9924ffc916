/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"

#define TIME_NS UINT64_C(5000000000)
#define UNIX_NS UINT64_C(1700000000000000000)
#define HOUR_NS (3600 * ND_NSEC_PER_SEC)

static void test_noise_is_no_step(void **state)
{
	struct nd_wall wall = {0};

	nd_wall_set(&wall, TIME_NS, UNIX_NS);
	assert_int_equal(TIME_NS + wall.offset_ns, UNIX_NS);
	nd_wall_set(&wall, TIME_NS + 50, UNIX_NS + 50 + ND_WALL_STEP_NS - 1);
	assert_int_equal(TIME_NS + wall.offset_ns, UNIX_NS);
	nd_wall_set(&wall, TIME_NS + 50, UNIX_NS + 50 - (ND_WALL_STEP_NS - 1));
	assert_int_equal(TIME_NS + wall.offset_ns, UNIX_NS);
}

/* Small ones are never added up: each is measured from what holds. */
static void test_steps(void **state)
{
	struct nd_wall wall = {0};
	uint64_t i;

	nd_wall_set(&wall, TIME_NS, UNIX_NS);
	nd_wall_set(&wall, TIME_NS, UNIX_NS + HOUR_NS);
	assert_int_equal(TIME_NS + wall.offset_ns, UNIX_NS + HOUR_NS);
	nd_wall_set(&wall, TIME_NS, UNIX_NS - HOUR_NS);
	assert_int_equal(TIME_NS + wall.offset_ns, UNIX_NS - HOUR_NS);
	for (i = 0; i <= 10; i++)
		nd_wall_set(&wall, TIME_NS, UNIX_NS - HOUR_NS + i * ND_WALL_STEP_NS / 10);
	assert_int_equal(TIME_NS + wall.offset_ns, UNIX_NS - HOUR_NS + ND_WALL_STEP_NS);
}

/* A machine that is on for longer than its wall clock is past 1970: the difference is negative. */
static void test_clock_that_was_never_set(void **state)
{
	struct nd_wall wall = {0};

	nd_wall_set(&wall, HOUR_NS, 10 * ND_NSEC_PER_SEC);
	assert_int_equal(HOUR_NS + wall.offset_ns, 10 * ND_NSEC_PER_SEC);
	nd_wall_set(&wall, HOUR_NS, UNIX_NS);
	assert_int_equal(HOUR_NS + wall.offset_ns, UNIX_NS);
}

static void test_read(void **state)
{
	uint64_t before_ns = nd_clock_realtime_ns(), time_ns;
	struct nd_wall wall = {0};

	time_ns = nd_clock_monotonic_ns();
	nd_wall_read(&wall);
	assert_in_range(time_ns + wall.offset_ns, before_ns - HOUR_NS, before_ns + HOUR_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_noise_is_no_step),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_clock_that_was_never_set),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
