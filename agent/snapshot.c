/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/control.h"
#include "agent/core.h"
#include "agent/dontfork.h"
#include "agent/node_abi.h"
#include "agent/snapshot_child.h"
#include "agent/snapshot_inside.h"
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

/*
 * What V8 gets when its limit is reached, so that it asks the program's own callback, which is
 * behind ours, or ends the program: a few of its pages.
 */
#define RAISE_BYTES (4u << 20)

/*
 * What is known of memory that is kept from children, so long. Where the program has mapped other
 * memory in its place since, that is kept from them, too, so it must not be old.
 */
#define KEPT_AGE_MAX_NS ND_NSEC_PER_SEC

/*
 * Who may touch the rest: in FORKING and INSIDE the thread whose heap it is; in IDLE nobody; else
 * the agent's. In INSIDE `forked` does not change, and in WRITTEN the thread is done.
 */
enum state { IDLE, TAKEN, WANTED, FORKING, FORKED, CHILD, INSIDE, WRITTEN };

static struct {
	int state;	  /* enum state */
	bool is_unwanted; /* nobody is told any more */
	bool is_begun;	  /* of INSIDE: that was told */
	int fd;
	struct nd_snapshot_wish wish;
	struct nd_forked forked;
	struct nd_written written;
	struct nd_dontfork kept;
	uint64_t kept_ns; /* when that was found */
	uint64_t due_ns;  /* when the child is killed */
} snapshot = {.fd = -1};

/* What is wanted when the heap is nearly full. Whoever takes it from there has the rest of it. */
static struct {
	bool is_set;
	int fd;
	struct nd_snapshot_wish wish;
} at_limit = {.fd = -1};

/* Of the main thread. */
static bool has_callback;

/* This is the child. */
static bool is_child;

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
	       (nd_heap_snapshot_take || nd_heap_snapshot_take_26) && nd_heap_snapshot_serialize &&
	       nd_heap_snapshot_delete;
}

bool nd_snapshot_knows_limit(void)
{
	return nd_isolate_add_near_limit && nd_isolate_remove_near_limit && nd_isolate_walk_heap;
}

static bool take_at_limit(void)
{
	bool expected = true;

	return __atomic_compare_exchange_n(&at_limit.is_set, &expected, false, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Whether no child takes part. */
static bool is_alone(const struct nd_snapshot_wish *wish)
{
	return wish->flags & (ND_SNAPSHOT_INSIDE | ND_SNAPSHOT_WEIGH);
}

static int find_kept(void)
{
	nd_dontfork_fini(&snapshot.kept);
	snapshot.kept_ns = nd_clock_monotonic_ns();
	return nd_dontfork_find(&snapshot.kept);
}

static int want_now(const struct nd_snapshot_wish *wish, int fd)
{
	int ret;

	if (!change_state(IDLE, TAKEN))
		return -EBUSY;
	ret = is_alone(wish) ? 0 : find_kept();
	if (ret) {
		nd_dontfork_fini(&snapshot.kept);
		set_state(IDLE);
		return ret;
	}
	snapshot.fd = fd;
	snapshot.wish = *wish;
	snapshot.is_unwanted = false;
	snapshot.is_begun = false;
	set_state(WANTED);
	return 0;
}

static int want_at_limit(const struct nd_snapshot_wish *wish, int fd)
{
	if (__atomic_load_n(&at_limit.is_set, __ATOMIC_ACQUIRE))
		return -EBUSY;
	at_limit.fd = fd;
	at_limit.wish = *wish;
	__atomic_store_n(&at_limit.is_set, true, __ATOMIC_RELEASE);
	return 0;
}

int nd_snapshot_want(const struct nd_snapshot_wish *wish, int fd)
{
	int copy, ret;

	if (!wish->timeout_s || wish->timeout_s > TIMEOUT_MAX_S ||
	    (is_alone(wish) && wish->flags & ND_SNAPSHOT_AT_LIMIT))
		return -EINVAL;
	if (!is_alone(wish) && !nd_snapshot_child_prepare())
		return -ENOTSUP;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return -errno;
	ret = wish->flags & ND_SNAPSHOT_AT_LIMIT ? want_at_limit(wish, copy) : want_now(wish, copy);
	if (ret)
		close(copy);
	return ret;
}

/* What was there for the thread that takes it. */
static void release(void)
{
	close(snapshot.fd);
	snapshot.fd = -1;
	nd_dontfork_fini(&snapshot.kept);
}

bool nd_snapshot_is_at_limit(void)
{
	return snapshot.wish.flags & ND_SNAPSHOT_AT_LIMIT;
}

void nd_snapshot_cancel(bool limit)
{
	if (limit && take_at_limit()) {
		close(at_limit.fd);
		at_limit.fd = -1;
		return;
	}
	if (nd_snapshot_is_at_limit() != limit)
		return;
	__atomic_store_n(&snapshot.is_unwanted, true, __ATOMIC_RELAXED);
	if (change_state(WANTED, IDLE))
		release();
	else if (get_state() == CHILD)
		kill((pid_t)snapshot.forked.pid, SIGKILL);
}

void nd_snapshot_set_free(uint64_t bytes)
{
	__atomic_store_n(&at_limit.wish.free_bytes, bytes, __ATOMIC_RELAXED);
}

bool nd_snapshot_is_busy(void)
{
	return get_state() != IDLE;
}

/* The process's end of the stream is closed: what there is to come is the child's. */
static void begin_child(void)
{
	release();
	if (snapshot.forked.result || snapshot.wish.flags & ND_SNAPSHOT_WEIGH) {
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

/* That the thread has begun comes first, even when it is done already. */
static bool look_inside(enum state state, union nd_snapshot_news *ret_news)
{
	if (!snapshot.is_begun) {
		ret_news->forked = snapshot.forked;
		snapshot.is_begun = true;
		return true;
	}
	if (state != WRITTEN)
		return false;
	ret_news->written = snapshot.written;
	release();
	set_state(IDLE);
	return true;
}

bool nd_snapshot_look(union nd_snapshot_news *ret_news)
{
	enum state state = (enum state)get_state();
	int status;

	switch (state) {
	case INSIDE:
	case WRITTEN:
		return look_inside(state, ret_news);
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
		/* If the heap is full before this one is written, it is the one that shows it. */
		.outlives = nd_snapshot_is_at_limit() ||
			    __atomic_load_n(&at_limit.is_set, __ATOMIC_RELAXED),
		.is_nice = !nd_snapshot_is_at_limit(),
		.timeout_s = snapshot.wish.timeout_s,
		.limit_bytes = limit_bytes,
		.key = snapshot.wish.flags & ND_SNAPSHOT_REDACT ? snapshot.wish.key : NULL,
	};
	bool is_known =
		snapshot.kept.list && nd_clock_monotonic_ns() - snapshot.kept_ns < KEPT_AGE_MAX_NS;
	int ret = is_known ? 0 : find_kept();
	pid_t pid;

	if (!ret)
		ret = nd_dontfork_share_all();
	if (!ret) {
		pid = fork_quietly();
		if (!pid) {
			is_child = true;
			nd_snapshot_child_run(&child);
		}
		ret = pid < 0 ? -errno : 0;
		snapshot.forked.pid = (uint32_t)pid;
	}
	nd_dontfork_keep(&snapshot.kept);
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

	/* In a collection, as at the limit, there is no context. */
	if (nd_isolate_try_get_current() != thread->isolate ||
	    (!nd_snapshot_is_at_limit() && !nd_isolate_in_context(thread->isolate)))
		return -ESRCH;
	nd_isolate_get_heap_statistics(thread->isolate, &heap);
	need = heap.used_heap_size * NEED_FACTOR + NEED_LEAST;
	snapshot.forked.used_bytes = heap.used_heap_size;
	snapshot.forked.need_bytes = need;
	/* That is for who asks to judge; it is given up before memory runs out. */
	if (wish->flags & (ND_SNAPSHOT_INSIDE | ND_SNAPSHOT_WEIGH))
		return 0;
	if (need > wish->free_bytes || (wish->limit_bytes && need > wish->limit_bytes))
		return -ENOMEM;
	return fork_child(thread, choose_limit(need));
}

static void fork_now(struct nd_thread *thread)
{
	uint64_t start = nd_clock_monotonic_ns();

	snapshot.forked.result = take(thread);
	snapshot.forked.pause_ns = nd_clock_monotonic_ns() - start;
	set_state(FORKED);
}

/* The agent's thread tells that it has begun, while it lasts, and that it is over. */
static void take_inside(struct nd_thread *thread)
{
	const struct nd_snapshot_inside inside = {
		.isolate = thread->isolate,
		.fd = snapshot.fd,
		.timeout_s = snapshot.wish.timeout_s,
		.free_bytes = snapshot.wish.free_bytes,
		.is_unwanted = &snapshot.is_unwanted,
		.key = snapshot.wish.flags & ND_SNAPSHOT_REDACT ? snapshot.wish.key : NULL,
	};
	uint64_t start = nd_clock_monotonic_ns();
	int saved = errno;

	snapshot.forked.result = take(thread);
	if (snapshot.forked.result) {
		set_state(FORKED);
		return;
	}
	set_state(INSIDE);
	nd_control_wake();
	snapshot.written = (struct nd_written){
		.message = {ND_MESSAGE_WRITTEN, sizeof(snapshot.written)},
		.result = nd_snapshot_inside_run(&inside),
	};
	snapshot.written.pause_ns = nd_clock_monotonic_ns() - start;
	set_state(WRITTEN);
	nd_control_wake();
	errno = saved;
}

static void fork_at_limit(struct nd_thread *thread, size_t limit)
{
	struct nd_code_statistics ignored;

	if (!thread || !take_at_limit())
		return;
	/* One that is being taken just now shows the same, and outlives the process. */
	if (!change_state(IDLE, FORKING)) {
		close(at_limit.fd);
		return;
	}
	/* This is right behind a collection: the child would wait for those who still sweep. */
	nd_isolate_walk_heap(thread->isolate, &ignored);
	snapshot.wish = at_limit.wish;
	snapshot.fd = at_limit.fd;
	snapshot.is_unwanted = false;
	snapshot.forked = (struct nd_forked){
		.message = {ND_MESSAGE_FORKED, sizeof(snapshot.forked)},
		.limit_bytes = limit,
		.raised_bytes = RAISE_BYTES,
	};
	fork_now(thread);
	nd_control_wake();
}

/* Once: V8 calls the callback that was added last, so the program's own are asked next. */
static size_t on_near_limit(void *data, size_t current, size_t initial)
{
	int saved = errno;

	/* V8 collects garbage there, with the same full heap. */
	if (is_child)
		return 2 * current;
	if (nd_agent.active)
		fork_at_limit(nd_thread_self(), current);
	/* Only now: the child needs it. */
	has_callback = false;
	nd_isolate_remove_near_limit(nd_isolate_try_get_current(), on_near_limit, 0);
	errno = saved;
	return current + RAISE_BYTES;
}

static void set_callback(struct nd_thread *thread, bool is_wanted)
{
	if (thread->slot->kind != ND_THREAD_MAIN || is_wanted == has_callback)
		return;
	has_callback = is_wanted;
	if (is_wanted)
		nd_isolate_add_near_limit(thread->isolate, on_near_limit, NULL);
	else
		nd_isolate_remove_near_limit(thread->isolate, on_near_limit, 0);
}

void nd_snapshot_unhook(struct nd_thread *thread)
{
	if (nd_thread_has_isolate(thread))
		set_callback(thread, false);
}

static bool is_wanted(const struct nd_thread *thread)
{
	return snapshot.wish.tid ? thread->tid == snapshot.wish.tid
				 : thread->slot->kind == ND_THREAD_MAIN;
}

void nd_snapshot_update(struct nd_thread *thread)
{
	set_callback(thread, __atomic_load_n(&at_limit.is_set, __ATOMIC_RELAXED));
	if (get_state() != WANTED || !is_wanted(thread) || !change_state(WANTED, FORKING))
		return;
	snapshot.forked =
		(struct nd_forked){.message = {ND_MESSAGE_FORKED, sizeof(snapshot.forked)}};
	if (snapshot.wish.flags & ND_SNAPSHOT_WEIGH || !(snapshot.wish.flags & ND_SNAPSHOT_INSIDE))
		fork_now(thread);
	else
		take_inside(thread);
}
