/* SPDX-License-Identifier: Apache-2.0 */

/* Snapshots of a child that knows what its threads do, and counts the signals it gets. */

#include "probes/snapshot.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/err.h"
#include "common/procfs.h"
#include "proto/sample.h"

#define SIGNALS 200000

/* Long enough for any machine to deliver the last of them. */
#define ANSWER_MS 20000

/* What each thread of the child has on its stack. */
static const char marks[3][16] = {"the main thread", "one that reads.", "one that spins."};

static int to_child[2];
static int from_child[2];
static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	signals++;
}

static void say_ready(void)
{
	if (write(from_child[1], "r", 1) != 1)
		_exit(1);
}

static void *read_nothing(void *arg)
{
	char mark[sizeof(marks[0])], c;

	memcpy(mark, marks[1], sizeof(mark));
	__asm__ volatile("" : : "r"(mark) : "memory");
	say_ready();
	while (read(to_child[0], &c, 1) < 0 && errno == EINTR)
		;
	return NULL;
}

static void *spin(void *arg)
{
	volatile uint64_t turns = 0;
	char mark[sizeof(marks[0])];

	memcpy(mark, marks[2], sizeof(mark));
	__asm__ volatile("" : : "r"(mark) : "memory");
	say_ready();
	for (;;)
		turns++;
	return NULL;
}

/* The main thread sleeps until it has got all signals, and says how many there were. */
static void live(bool with_threads)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	sigset_t set, before;
	char mark[sizeof(marks[0])];
	pthread_t thread;
	int count;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memcpy(mark, marks[0], sizeof(mark));
	__asm__ volatile("" : : "r"(mark) : "memory");
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &before);
	sigaction(SIGRTMIN, &action, NULL);
	if (with_threads && (pthread_create(&thread, NULL, read_nothing, NULL) ||
			     pthread_create(&thread, NULL, spin, NULL)))
		_exit(1);
	say_ready();
	while (signals < SIGNALS)
		sigsuspend(&before);
	count = signals;
	if (write(from_child[1], &count, sizeof(count)) != sizeof(count))
		_exit(1);
	for (;;)
		pause();
}

/* Wait until a thread sleeps where it stays. */
static void wait_for_sleep(pid_t pid, pid_t tid)
{
	char state = 'R';

	while (state != 'S') {
		usleep(1000);
		assert_int_equal(nd_procfs_read_state(pid, tid, &state), 0);
	}
}

static pid_t start(bool with_threads)
{
	int i, threads = with_threads ? 3 : 1;
	pid_t pid, *tids;
	size_t count;
	char ready;

	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		live(with_threads);
	for (i = 0; i < threads; i++)
		assert_int_equal(read(from_child[0], &ready, 1), 1);
	assert_int_equal(nd_procfs_read_threads(pid, &tids, &count), 0);
	assert_int_equal(count, threads);
	/* The last one spins. */
	for (i = 0; i < 2 && i < threads; i++)
		wait_for_sleep(pid, tids[i]);
	free(tids);
	return pid;
}

static void end(pid_t pid)
{
	int i;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (i = 0; i < 2; i++) {
		close(to_child[i]);
		close(from_child[i]);
	}
}

/* What the thread with that mark on its stack did; each has a stack, and one has the mark. */
static const struct nd_thread *find(const struct nd_snapshot *snapshot, const char *mark)
{
	const struct nd_thread *found = NULL;
	const struct nd_sample_stack *stack;
	size_t i;

	for (i = 0; i < snapshot->count; i++) {
		stack = snapshot->threads[i].stack;
		assert_non_null(stack);
		assert_int_equal(stack->header.kind, ND_SAMPLE_STACK);
		assert_int_equal(stack->sp - stack->start, ND_RED_ZONE);
		if (!memmem(stack->stack, stack->size, mark, sizeof(marks[0])))
			continue;
		assert_null(found);
		found = &snapshot->threads[i].info;
	}
	assert_non_null(found);
	return found;
}

static void test_what_threads_do(void **state)
{
	pid_t pid = start(true);
	struct nd_snapshot snapshot;
	const struct nd_thread *thread;

	assert_int_equal(nd_snapshot_take(pid, NULL, NULL, &snapshot, NULL), 0);
	assert_int_equal(snapshot.count, 3);
	assert_true(snapshot.stopped_ns > 0);
	thread = find(&snapshot, marks[0]);
	assert_ptr_equal(thread, &snapshot.threads[0].info);
	assert_int_equal(thread->tid, pid);
	assert_string_equal(thread->comm, "test_snapshot");
	assert_int_equal(thread->state, ND_THREAD_WAITING);
	assert_string_equal(thread->syscall, "rt_sigsuspend");
	thread = find(&snapshot, marks[1]);
	assert_int_equal(thread->state, ND_THREAD_WAITING);
	assert_string_equal(thread->syscall, "read");
	thread = find(&snapshot, marks[2]);
	assert_int_equal(thread->state, ND_THREAD_RUNNING);
	assert_string_equal(thread->syscall, "");
	nd_snapshot_fini(&snapshot);
	end(pid);
}

/*
 * Signals that are queued are never merged: each one that is sent must be counted. So many, that
 * some dozens are on their way just when the process is stopped.
 */
static pid_t start_sender(pid_t target)
{
	union sigval nothing = {0};
	pid_t pid = fork();
	int i = 0;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (i < SIGNALS)
		if (!sigqueue(target, SIGRTMIN, nothing))
			i++;
		else if (errno == EAGAIN)
			sched_yield();
		else
			_exit(1);
	_exit(0);
}

static void test_no_signal_is_lost(void **state)
{
	pid_t pid = start(false), sender = start_sender(pid);
	struct nd_snapshot snapshot;
	struct pollfd answer = {.fd = from_child[0], .events = POLLIN};
	int ret = 0, status, count = 0;

	while (!ret && !waitpid(sender, &status, WNOHANG)) {
		ret = nd_snapshot_take(pid, NULL, NULL, &snapshot, NULL);
		if (!ret)
			nd_snapshot_fini(&snapshot);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(status, 0);
	/* With one missing it would wait for ever. */
	if (poll(&answer, 1, ANSWER_MS) != 1)
		fail_msg("signals are missing");
	assert_int_equal(read(from_child[0], &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, SIGNALS);
	end(pid);
}

static void test_a_stopped_process(void **state)
{
	pid_t pid = start(true);
	struct nd_snapshot snapshot;
	int status;
	size_t i;

	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_int_equal(nd_snapshot_take(pid, NULL, NULL, &snapshot, NULL), 0);
	assert_int_equal(snapshot.count, 3);
	for (i = 0; i < snapshot.count; i++)
		assert_true(snapshot.threads[i].info.job_stopped);
	nd_snapshot_fini(&snapshot);
	assert_int_equal(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	end(pid);
}

static void test_a_process_that_is_traced(void **state)
{
	pid_t pid = start(false);
	struct nd_snapshot snapshot;
	struct nd_err err = {0};
	char by[64];

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(nd_snapshot_take(pid, NULL, NULL, &snapshot, &err), -EPERM);
	snprintf(by, sizeof(by), "is traced by process %d (test_snapshot)", getpid());
	assert_non_null(strstr(err.what, by));
	assert_true(err.hint[0] != '\0');
	end(pid);
}

static void test_a_process_that_is_gone(void **state)
{
	struct nd_snapshot snapshot;
	struct nd_err err = {0};
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(nd_snapshot_take(pid, NULL, NULL, &snapshot, &err), -ESRCH);
	assert_non_null(strstr(err.what, "has ended"));
}

/* Why nothing can be tested here, or NULL. */
static const char *reason_to_skip(void)
{
	pid_t pid;
	long ret;

#ifdef __SANITIZE_THREAD__
	return "ThreadSanitizer has threads of its own";
#endif
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	ret = ptrace(PTRACE_SEIZE, pid, NULL, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ret ? "ptrace is forbidden here" : NULL;
}

int main(void)
{
	const char *reason = reason_to_skip();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_threads_do),
		cmocka_unit_test(test_no_signal_is_lost),
		cmocka_unit_test(test_a_stopped_process),
		cmocka_unit_test(test_a_process_that_is_traced),
		cmocka_unit_test(test_a_process_that_is_gone),
	};

	if (reason) {
		printf("skipped: %s\n", reason);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
