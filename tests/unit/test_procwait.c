/* SPDX-License-Identifier: Apache-2.0 */

/* What the kernel writes of a thread that waits, and what is no such text. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/procwait.h"

static void test_a_wait(void **state)
{
	struct nd_wait wait;

	assert_int_equal(nd_wait_decode("281 0xd 0x7ffe61f1 0x400 0xffffffff 0x0 0x8 0x7ffe61e0 "
					"0x7f4bd1\n",
					&wait),
			 0);
	assert_int_equal(wait.number, 281);
	assert_int_equal(wait.first_argument, 13);
	assert_int_equal(wait.sp, 0x7ffe61e0);
}

static void test_no_wait(void **state)
{
	struct nd_wait wait;

	assert_int_equal(nd_wait_decode("running\n", &wait), 0);
	assert_int_equal(wait.number, -1);
	assert_int_equal(nd_wait_decode("-1 0x7ffe61e0 0x7f4bd1\n", &wait), 0);
	assert_int_equal(wait.number, -1);
	assert_false(nd_wait_is_epoll(&wait));
}

static void test_other_texts(void **state)
{
	static const char *const texts[] = {"", "\n", "x", "-5 0x1 0x2", "281", "281 0xd 0x1 0x2"};
	struct nd_wait wait = {.number = 99};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(nd_wait_decode(texts[i], &wait), -EBADMSG);
	assert_int_equal(wait.number, 99);
}

static void test_epoll(void **state)
{
	struct nd_wait wait = {.number = SYS_epoll_pwait};

	assert_true(nd_wait_is_epoll(&wait));
	wait.number = SYS_read;
	assert_false(nd_wait_is_epoll(&wait));
}

static void test_own_stack(void **state)
{
	uint64_t start, here = (uint64_t)(uintptr_t)&start;

	assert_int_equal(nd_procfs_read_stack_start(getpid(), &start), 0);
	assert_true(here < start && start - here < 8u << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_wait),	    cmocka_unit_test(test_no_wait),
		cmocka_unit_test(test_other_texts), cmocka_unit_test(test_epoll),
		cmocka_unit_test(test_own_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
