/* SPDX-License-Identifier: Apache-2.0 */

/* Where sockets are: proto/socket.h. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/socket.h"

static void expect(int choice, const char *own, const char *runtime, const char *folder)
{
	char buf[64];

	assert_int_equal(nd_socket_make_folder(choice, own, runtime, 1000, buf, sizeof(buf)), 0);
	assert_string_equal(buf, folder);
}

static void expect_end(int choice, const char *own, const char *runtime)
{
	char buf[64];

	assert_int_equal(nd_socket_make_folder(choice, own, runtime, 1000, buf, sizeof(buf)),
			 -ENOENT);
}

static void test_folders_in_order(void **state)
{
	expect(0, NULL, NULL, "/tmp/nodiag-1000");
	expect_end(1, NULL, NULL);
	expect(0, "", "", "/tmp/nodiag-1000");
	expect_end(1, "", "");
	expect(0, NULL, "/run/user/1000", "/run/user/1000/nodiag");
	expect(1, NULL, "/run/user/1000", "/tmp/nodiag-1000");
	expect_end(2, NULL, "/run/user/1000");
}

static void test_what_the_user_names_is_the_only_one(void **state)
{
	expect(0, "/run/mine", "/run/user/1000", "/run/mine");
	expect_end(1, "/run/mine", "/run/user/1000");
}

/* A place that is too long is passed over, not cut. */
static void test_what_does_not_fit(void **state)
{
	char exact[sizeof("/run/u/nodiag")], small[sizeof(exact) - 1];

	assert_int_equal(nd_socket_make_folder(0, NULL, "/run/u", 0, exact, sizeof(exact)), 0);
	assert_int_equal(nd_socket_make_folder(0, NULL, "/run/u", 0, small, sizeof(small)),
			 -ERANGE);
	assert_int_equal(nd_socket_make_folder(0, "/a/long/folder", NULL, 0, small, 8), -ERANGE);
	assert_int_equal(nd_socket_make_path("/run/u", 4242, exact, sizeof(exact)), -ERANGE);
}

static void test_paths(void **state)
{
	char buf[64];

	assert_int_equal(nd_socket_make_path("/run/u/nodiag", 4242, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "/run/u/nodiag/4242.sock");
	assert_int_equal(nd_socket_make_lock_path("/run/u", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "/run/u/analyzer.lock");
	assert_int_equal(nd_socket_make_lock_path("/run/u", buf, 8), -ERANGE);
}

/* Others may neither have made the folder nor enter it. */
static void test_a_folder_is_for_its_user_alone(void **state)
{
	char folder[] = "/tmp/nodiag-test-XXXXXX", link[64], inner[64];

	assert_non_null(mkdtemp(folder));
	snprintf(inner, sizeof(inner), "%s/inner", folder);
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(nd_socket_claim_folder(inner), 0);
	assert_int_equal(nd_socket_claim_folder(inner), 0);
	assert_int_equal(symlink(inner, link), 0);
	assert_int_equal(nd_socket_claim_folder(link), -EPERM);
	assert_int_equal(chmod(inner, 0750), 0);
	assert_int_equal(nd_socket_claim_folder(inner), -EPERM);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(nd_socket_claim_folder(inner), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders_in_order),
		cmocka_unit_test(test_what_the_user_names_is_the_only_one),
		cmocka_unit_test(test_what_does_not_fit),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_a_folder_is_for_its_user_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
