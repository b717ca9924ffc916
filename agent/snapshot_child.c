/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/snapshot_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "agent/child.h"
#include "agent/core.h"
#include "agent/got.h"
#include "agent/node_abi.h"
#include "agent/snapshot_write.h"
#include "agent/statm.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "proto/channel.h"

/* The first to go when memory runs out. */
#define OOM_SCORE "1000"

#define STATUS_FAILED 1

/*
 * What it takes for a child to be stuck: for so many seconds it used less CPU time in each than a
 * starving one gets, and nobody kept it from writing.
 */
#define STUCK_S	     5
#define STUCK_CPU_NS ND_NSEC_PER_MSEC

/* Its clock. */
static struct {
	uint32_t left_s;
	uint32_t idle_s;
	uint64_t cpu_ns;
	volatile bool is_sending;
} watch;

static int do_nothing(void)
{
	return 0;
}

/* With one thread that is for ever. */
static int wait_for_nobody(void)
{
	_exit(ND_CHILD_STUCK);
}

static int wait_for_semaphore(sem_t *semaphore)
{
	return sem_trywait(semaphore) ? wait_for_nobody() : 0;
}

/*
 * Node 26 waits by futex(2) itself, for good or for a while. Who passes the time with it must not
 * pass it for ever.
 */
static long call_kernel(long number, ...)
{
	long arg[6];
	int operation;
	va_list ap;
	size_t i;

	va_start(ap, number);
	for (i = 0; i < sizeof(arg) / sizeof(arg[0]); i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	operation = (int)arg[1] & FUTEX_CMD_MASK;
	if (number != SYS_futex)
		return syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	if (operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET)
		return 0;
	if (!arg[3])
		wait_for_nobody();
	errno = ETIMEDOUT;
	return -1;
}

/* Node wakes its event loop by the loop's eventfd, which is closed, and aborts if that fails. */
static ssize_t write_nothing(int fd, const void *data, size_t len)
{
	return (ssize_t)len;
}

/*
 * Threads that hold locks, or would be woken for a part of the work, are not here. V8 does what
 * they leave undone itself, but for what they were in the middle of.
 */
static struct {
	const char *name;
	void *function;
	struct nd_got_hook hook;
	bool is_needed; /* V8 calls it for a snapshot, in all versions */
	bool is_found;
} calls[] = {
	{.name = "pthread_mutex_lock", .is_needed = true, .function = (void *)do_nothing},
	{.name = "pthread_mutex_unlock", .is_needed = true, .function = (void *)do_nothing},
	{.name = "pthread_mutex_trylock", .function = (void *)do_nothing},
	{.name = "pthread_cond_signal", .is_needed = true, .function = (void *)do_nothing},
	{.name = "pthread_cond_broadcast", .function = (void *)do_nothing},
	{.name = "pthread_rwlock_rdlock", .function = (void *)do_nothing},
	{.name = "pthread_rwlock_wrlock", .function = (void *)do_nothing},
	{.name = "pthread_rwlock_unlock", .function = (void *)do_nothing},
	{.name = "pthread_cond_wait", .function = (void *)wait_for_nobody},
	{.name = "pthread_cond_timedwait", .function = (void *)wait_for_nobody},
	{.name = "sem_post", .function = (void *)do_nothing},
	{.name = "sem_wait", .function = (void *)wait_for_semaphore},
	{.name = "syscall", .function = (void *)call_kernel},
	{.name = "write", .is_needed = true, .function = (void *)write_nothing},
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

bool nd_snapshot_child_prepare(void)
{
	const void *node = (const void *)nd_heap_snapshot_serialize;
	size_t i;

	for (i = 0; i < CALLS; i++) {
		if (!calls[i].is_found)
			calls[i].is_found = nd_got_find(node, calls[i].name, &calls[i].hook);
		if (calls[i].is_needed && !calls[i].is_found)
			return false;
	}
	return true;
}

static bool replace_calls(void)
{
	size_t i;

	for (i = 0; i < CALLS; i++)
		if (calls[i].is_found && !nd_got_set(&calls[i].hook, calls[i].function))
			return false;
	return true;
}

static uint64_t get_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * ND_NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

/*
 * Each second. The C library's locks are its own, so a child that waits for one which another
 * thread held is found by what it does: nothing. When its time is over the signal is its end.
 */
static void on_second(int number)
{
	uint64_t cpu_ns = get_cpu_ns();

	if (!--watch.left_s) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	if (watch.is_sending || cpu_ns - watch.cpu_ns >= STUCK_CPU_NS)
		watch.idle_s = 0;
	else if (++watch.idle_s >= STUCK_S)
		_exit(ND_CHILD_STUCK);
	watch.cpu_ns = cpu_ns;
}

static void start_watch(uint32_t timeout_s)
{
	const struct itimerval second = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
	struct sigaction action = {.sa_handler = on_second, .sa_flags = SA_RESTART};

	watch.left_s = timeout_s;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &second, NULL);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return;
	written = write(fd, text, strlen(text));
	(void)written;
	close(fd);
}

static bool limit_memory(uint64_t bytes)
{
	/* What the program may write to of its own, which is the child's now as well. */
	uint64_t data = nd_statm_read(ND_STATM_DATA);
	struct rlimit limit;

	if (!data || getrlimit(RLIMIT_DATA, &limit))
		return false;
	if (data < limit.rlim_cur && bytes < limit.rlim_cur - data)
		limit.rlim_cur = data + bytes;
	return !setrlimit(RLIMIT_DATA, &limit);
}

/* Nothing of the program's is touched from here on. Returns the stream's descriptor, or -1. */
static int leave_program(const struct nd_snapshot_child *child)
{
	const struct rlimit no_core = {0, 0};
	int fd;

	nd_agent.active = false;
	nd_thread_forget_all();
	nd_child_forget_handlers();
	/* It ends with the process; who is orphaned already comes too late for the signal. */
	if (!child->outlives) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != child->parent)
			return -1;
	}
	start_watch(child->timeout_s);
	/* A session of its own: the scheduler's group and the terminal's are the program's. */
	setsid();
	prctl(PR_SET_NAME, "nodiag-heap");
	fd = nd_child_close_descriptors(child->fd);
	write_file("/proc/self/oom_score_adj", OOM_SCORE);
	if (child->is_nice)
		nd_child_be_nice();
	setrlimit(RLIMIT_CORE, &no_core);
	if (!limit_memory(child->limit_bytes))
		return -1;
	/* A pipe that takes core files would take this one; after it, /proc/self is root's. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return fd;
}

static bool send_all(struct nd_snapshot_writer *writer, const char *data, size_t size)
{
	ssize_t n;

	for (; size > 0; size -= (size_t)n, data += n) {
		watch.is_sending = true;
		n = send(writer->fd, data, size, MSG_NOSIGNAL);
		watch.is_sending = false;
		/* Nobody takes it any more. */
		if (n <= 0)
			return false;
	}
	return true;
}

_Noreturn void nd_snapshot_child_run(const struct nd_snapshot_child *child)
{
	struct nd_snapshot_writer writer = {.send = send_all, .key = child->key};
	const struct nd_heap_snapshot *heap;

	writer.fd = leave_program(child);
	if (writer.fd < 0 || !replace_calls())
		_exit(STATUS_FAILED);
	heap = nd_snapshot_take(child->isolate, &writer);
	_exit(heap && nd_snapshot_serialize(heap, &writer) ? 0 : STATUS_FAILED);
}
