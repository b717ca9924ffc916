/* SPDX-License-Identifier: Apache-2.0 */
#include "common/procstat.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"

/* A Node.js in a container, as its host sees it; shortened. */
static const char node_status[] = "Name:\tnode\n"
				  "Umask:\t0022\n"
				  "State:\tS (sleeping)\n"
				  "Tgid:\t4242\n"
				  "Ngid:\t0\n"
				  "Pid:\t4242\n"
				  "PPid:\t4200\n"
				  "TracerPid:\t0\n"
				  "Uid:\t0\t1000\t1000\t1000\n"
				  "Gid:\t1000\t1000\t1000\t1000\n"
				  "Groups:\t1000 \n"
				  "NStgid:\t4242\t17\n"
				  "NSpid:\t4242\t17\n"
				  "NSpgid:\t4242\t17\n"
				  "VmPeak:\t  643592 kB\n"
				  "VmRSS:\t   49180 kB\n"
				  "RssAnon:\t    9000 kB\n"
				  "Threads:\t11\n"
				  "SigCgt:\t0000000188004602\n"
				  "CapInh:\t0000000000000000\n"
				  "CapEff:\t000000c000280000\n"
				  "NoNewPrivs:\t1\n"
				  "Seccomp:\t2\n"
				  "Seccomp_filters:\t1\n";

static void test_status(void **state)
{
	struct nd_proc_status status;

	assert_int_equal(nd_proc_status_decode(node_status, &status), 0);
	assert_int_equal(status.ppid, 4200);
	assert_int_equal(status.uid, 1000);
	assert_int_equal(status.rss_bytes, 49180 * 1024);
	assert_int_equal(status.threads, 11);
	assert_int_equal(status.namespace_pid, 17);
	assert_int_equal(status.pid_namespaces, 2);
	assert_int_equal(status.capabilities,
			 ND_CAP_SYS_PTRACE | ND_CAP_SYS_ADMIN | ND_CAP_PERFMON | ND_CAP_BPF);
	assert_true(status.has_seccomp_filter);
}

/* A zombie and a kernel thread have no memory, an old kernel no namespaces. */
static void test_status_without_some(void **state)
{
	struct nd_proc_status status;

	assert_int_equal(nd_proc_status_decode("Name:\tx\nUid:\t7\t8\t9\t9\n", &status), 0);
	assert_int_equal(status.uid, 8);
	assert_int_equal(status.rss_bytes, 0);
	assert_int_equal(status.pid_namespaces, 0);
	assert_false(status.has_seccomp_filter);
	/* The kernel escapes line ends in names, so that none can look like another line. */
	assert_int_equal(nd_proc_status_decode("Name:\tx\\nUid: 0 0\nUid:\t7\t8\t9\t9\n", &status),
			 0);
	assert_int_equal(status.uid, 8);
}

static void test_no_status(void **state)
{
	static const char *const texts[] = {
		"", "\n", "Uid", "Uid:", "Uid:\n", "Uid:\tx", "Uid:\t1", "Xid:\t1\t1\n"};
	struct nd_proc_status status = {.uid = 42};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (nd_proc_status_decode(texts[i], &status) != -EBADMSG)
			fail_msg("'%s' was taken", texts[i]);
	assert_int_equal(status.uid, 42);
}

static void test_start(void **state)
{
	/* Names may hold what the fields are told apart by. */
	static const char *const texts[] = {
		"4242 (node) S 4200 4242 4242 0 -1 4194304 1 0 2 0 3 4 5 6 20 0 11 0 98765 1 2 3\n",
		"4242 (a) b (c) S 1 2 3 0 -1 4 1 0 2 0 3 4 5 6 20 0 11 0 98765 1 2\n",
		"4242 () S 1 2 3 0 -1 4 1 0 2 0 3 4 5 6 20 0 11 0 98765",
	};
	static const char *const broken[] = {
		"",
		"4242",
		"4242 (node",
		"4242 (node)",
		"4242 (node) S 1 2 3",
		"4242 (node) S 1 2 3 0 -1 4 1 0 2 0 3 4 5 6 20 0 11 0 x"};
	uint64_t ticks = 0;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(nd_proc_stat_decode_start(texts[i], &ticks), 0);
		assert_int_equal(ticks, 98765);
	}
	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
		assert_int_equal(nd_proc_stat_decode_start(broken[i], &ticks), -EBADMSG);
}

static void test_own_process(void **state)
{
	struct nd_proc_status status;
	uint64_t age, cpu, cpu_later;
	bool elsewhere = true;
	volatile int i;

	assert_int_equal(nd_procfs_read_status(getpid(), &status), 0);
	assert_int_equal(status.uid, geteuid());
	assert_int_equal(status.ppid, getppid());
	assert_int_equal(status.threads, 1);
	assert_int_equal(status.namespace_pid, getpid());
	assert_int_equal(status.pid_namespaces, 1);
	assert_true(status.rss_bytes > 0);
	assert_int_equal(nd_procfs_read_age(getpid(), &age), 0);
	assert_true(age < 3600 * ND_NSEC_PER_SEC);
	assert_int_equal(nd_procfs_read_cpu(getpid(), &cpu), 0);
	for (i = 0; i < 1000000; i++)
		;
	assert_int_equal(nd_procfs_read_cpu(getpid(), &cpu_later), 0);
	assert_true(cpu_later > cpu);
	assert_int_equal(nd_procfs_is_elsewhere(getpid(), "mnt", &elsewhere), 0);
	assert_false(elsewhere);
}

static void test_a_process_that_is_gone(void **state)
{
	struct nd_proc_status status;
	uint64_t number;
	bool elsewhere;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(nd_procfs_read_status(pid, &status), -ESRCH);
	assert_int_equal(nd_procfs_read_age(pid, &number), -ESRCH);
	assert_int_equal(nd_procfs_read_cpu(pid, &number), -ESRCH);
	assert_int_equal(nd_procfs_is_elsewhere(pid, "mnt", &elsewhere), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),	    cmocka_unit_test(test_status_without_some),
		cmocka_unit_test(test_no_status),   cmocka_unit_test(test_start),
		cmocka_unit_test(test_own_process), cmocka_unit_test(test_a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
