/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/runtime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/symbols/memory.h"

/* What Node.js looks like from outside is tested with real ones, in tests/e2e/ps.test.mjs. */
static void test_processes_without_node(void **state)
{
	struct nd_runtimes *runtimes = nd_runtimes_new();
	struct nd_runtime *runtime = NULL;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_non_null(runtimes);
	assert_int_equal(nd_runtimes_find(runtimes, getpid(), &runtime), -ENOENT);
	/* By what is remembered of the file. */
	assert_int_equal(nd_runtimes_find(runtimes, getpid(), &runtime), -ENOENT);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(nd_runtimes_find(runtimes, pid, &runtime), -ESRCH);
	assert_null(runtime);
	nd_runtimes_free(runtimes);
	nd_runtimes_free(NULL);
}

/* A std::string as node::per_process::metadata begins with, in our own memory. */
struct metadata {
	const char *data;
	uint64_t length;
};

static bool read_version(const char *text, uint64_t length, char buf[16])
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	struct metadata metadata = {.data = text, .length = length};
	bool found;

	assert_non_null(memory);
	found = nd_runtime_read_version(memory, (uint64_t)(uintptr_t)&metadata, buf, 16);
	nd_memory_free(memory);
	return found;
}

static void test_versions(void **state)
{
	char buf[16];

	assert_true(read_version("22.23.3 and more", 7, buf));
	assert_string_equal(buf, "22.23.3");
	assert_true(read_version("9.0.0", 5, buf));
	/* Too short, too long, no version, nothing there. */
	assert_false(read_version("9.0", 3, buf));
	assert_false(read_version("22.23.3-nightly2026", 19, buf));
	assert_false(read_version("version", 7, buf));
	assert_false(read_version(".22.23.3", 8, buf));
	assert_false(read_version("22.23.3", UINT64_MAX, buf));
	assert_false(read_version(NULL, 7, buf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_processes_without_node),
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
