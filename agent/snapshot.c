/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/dontfork.h"
#include "agent/node_abi.h"
#include "agent/snapshot_child.h"
#include "agent/thread.h"
#include "common/clock.h"

/*
 * What V8 takes for a snapshot: 7 to 11 times the heap was measured, and some for a small one; with
 * millions of tiny objects twice as much, which the limit leaves room for.
 */
#define NEED_FACTOR  12
#define NEED_LEAST   (64u << 20)
#define LIMIT_FACTOR 3

/* A child without an alarm could be left behind. */
#define TIMEOUT_MAX_S 86400

/* The child's own alarm comes first, and says more. */
#define KILL_AFTER_S 2

/* Who may touch the rest: in FORKING the thread that forks, else the agent's. */
enum state { IDLE, WANTED, FORKING, FORKED, CHILD };

static struct {
	int state;	  /* enum state */
	bool is_unwanted; /* nobody is told any more */
	int fd;
	struct nd_snapshot_wish wish;
	struct nd_forked forked;
	uint64_t due_ns; /* when the child is killed */
} snapshot = {.fd = -1};

static int get_state(void)
{
	return __atomic_load_n(&snapshot.state, __ATOMIC_ACQUIRE);
}

static void set_state(enum state state)
{
	__atomic_store_n(&snapshot.state, (int)state, __ATOMIC_RELEASE);
}

static bool change_state(enum state from, enum state to)
{
	int expected = from;

	return __atomic_compare_exchange_n(&snapshot.state, &expected, (int)to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

bool nd_snapshot_is_known(void)
{
	return nd_isolate_get_heap_profiler && nd_isolate_get_heap_statistics &&
	       (nd_heap_snapshot_take || nd_heap_snapshot_take_26) && nd_heap_snapshot_serialize;
}

int nd_snapshot_want(const struct nd_snapshot_wish *wish, int fd)
{
	if (get_state() != IDLE)
		return -EBUSY;
	if (!wish->timeout_s || wish->timeout_s > TIMEOUT_MAX_S)
		return -EINVAL;
	if (!nd_snapshot_child_prepare())
		return -ENOTSUP;
	snapshot.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (snapshot.fd < 0)
		return -errno;
	snapshot.wish = *wish;
	snapshot.is_unwanted = false;
	set_state(WANTED);
	return 0;
}

static void close_output(void)
{
	close(snapshot.fd);
	snapshot.fd = -1;
}

void nd_snapshot_cancel(void)
{
	snapshot.is_unwanted = true;
	if (change_state(WANTED, IDLE))
		close_output();
	else if (get_state() == CHILD)
		kill((pid_t)snapshot.forked.pid, SIGKILL);
}

bool nd_snapshot_is_busy(void)
{
	return get_state() != IDLE;
}

/* The process's end of the stream is closed: what there is to come is the child's. */
static void begin_child(void)
{
	close_output();
	if (snapshot.forked.result) {
		set_state(IDLE);
		return;
	}
	snapshot.due_ns = nd_clock_monotonic_ns() +
			  ((uint64_t)snapshot.wish.timeout_s + KILL_AFTER_S) * ND_NSEC_PER_SEC;
	set_state(CHILD);
	if (snapshot.is_unwanted)
		kill((pid_t)snapshot.forked.pid, SIGKILL);
}

/* True when the child has ended; one that was buried by somebody else has, too. */
static bool bury(int *ret_status)
{
	pid_t pid = waitpid((pid_t)snapshot.forked.pid, ret_status, __WALL | WNOHANG);

	if (pid < 0 && errno == ECHILD)
		*ret_status = 0;
	return pid > 0 || (pid < 0 && errno == ECHILD);
}

bool nd_snapshot_look(union nd_snapshot_news *ret_news)
{
	int status;

	switch (get_state()) {
	case FORKED:
		ret_news->forked = snapshot.forked;
		begin_child();
		return true;
	case CHILD:
		if (nd_clock_monotonic_ns() > snapshot.due_ns)
			kill((pid_t)snapshot.forked.pid, SIGKILL);
		if (!bury(&status))
			return false;
		ret_news->end = (struct nd_child_end){
			{ND_MESSAGE_CHILD_END, sizeof(ret_news->end)}, status, 0};
		set_state(IDLE);
		return true;
	default:
		return false;
	}
}

/*
 * No handlers of fork() run, in the process or in the child: they are other libraries', and may do
 * anything. No number for the child's end means that it is no signal.
 */
static pid_t fork_quietly(void)
{
	return (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
}

static int fork_child(struct nd_thread *thread, uint64_t limit_bytes)
{
	const struct nd_snapshot_child child = {
		.isolate = thread->isolate,
		.fd = snapshot.fd,
		.parent = getpid(),
		.timeout_s = snapshot.wish.timeout_s,
		.limit_bytes = limit_bytes,
		.key = snapshot.wish.flags & ND_SNAPSHOT_REDACT ? snapshot.wish.key : NULL,
	};
	struct nd_dontfork ranges;
	int ret = nd_dontfork_find(&ranges);
	pid_t pid;

	if (!ret)
		ret = nd_dontfork_share(&ranges);
	if (!ret) {
		pid = fork_quietly();
		if (!pid)
			nd_snapshot_child_run(&child);
		ret = pid < 0 ? -errno : 0;
		snapshot.forked.pid = (uint32_t)pid;
	}
	nd_dontfork_keep(&ranges);
	nd_dontfork_fini(&ranges);
	return ret;
}

static uint64_t choose_limit(uint64_t need)
{
	const struct nd_snapshot_wish *wish = &snapshot.wish;

	if (wish->limit_bytes)
		return wish->limit_bytes;
	return need * LIMIT_FACTOR < wish->free_bytes ? need * LIMIT_FACTOR : wish->free_bytes;
}

static int take(struct nd_thread *thread)
{
	const struct nd_snapshot_wish *wish = &snapshot.wish;
	struct nd_heap_statistics heap = {0};
	uint64_t need;

	if (!nd_thread_has_isolate(thread))
		return -ESRCH;
	nd_isolate_get_heap_statistics(thread->isolate, &heap);
	need = heap.used_heap_size * NEED_FACTOR + NEED_LEAST;
	snapshot.forked.used_bytes = heap.used_heap_size;
	snapshot.forked.need_bytes = need;
	if (need > wish->free_bytes || (wish->limit_bytes && need > wish->limit_bytes))
		return -ENOMEM;
	return fork_child(thread, choose_limit(need));
}

static bool is_wanted(const struct nd_thread *thread)
{
	return snapshot.wish.tid ? thread->tid == snapshot.wish.tid
				 : thread->slot->kind == ND_THREAD_MAIN;
}

void nd_snapshot_update(struct nd_thread *thread)
{
	uint64_t start;

	if (get_state() != WANTED || !is_wanted(thread) || !change_state(WANTED, FORKING))
		return;
	start = nd_clock_monotonic_ns();
	snapshot.forked =
		(struct nd_forked){.message = {ND_MESSAGE_FORKED, sizeof(snapshot.forked)}};
	snapshot.forked.result = take(thread);
	snapshot.forked.pause_ns = nd_clock_monotonic_ns() - start;
	set_state(FORKED);
}
