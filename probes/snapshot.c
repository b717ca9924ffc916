/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/snapshot.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/err.h"
#include "common/procfs.h"
#include "probes/syscalls.h"
#include "probes/tracee.h"
#include "proto/limits.h"

/* Of the time a process may be stopped: until when threads are waited for, and stacks copied. */
#define STOP_UNTIL_NS (3 * ND_NSEC_PER_MSEC)
#define COPY_UNTIL_NS (4 * ND_NSEC_PER_MSEC)

/* How long those that are late are waited for, each alone, while the others run again. */
#define LATE_NS (500 * ND_NSEC_PER_MSEC)

/*
 * Most threads have stopped by then. After that nodiag sleeps between two looks, so that the others
 * get a CPU to stop on; not before, since it may not get its own back at once.
 */
#define SPIN_NS 100000
#define NAP_NS	20000

/* A sleep after which the scheduler gives a thread a full slice of a CPU. */
#define REST_NS ND_NSEC_PER_MSEC

/* Threads that are born to those that have not stopped yet; a thread starts few others. */
#define PASSES_MAX 16

struct taker {
	pid_t pid;
	nd_snapshot_look *look;
	void *arg;
	struct nd_tracee *tracees;
	size_t count;
	size_t awaited; /* are interrupted, and have not stopped yet */
	struct nd_ranges memory;
	pid_t tracer;	     /* nodiag's thread that traces */
	uint64_t begin_ns;   /* of stopping */
	uint64_t looked_ns;  /* when no thread was found to have stopped */
	uint64_t stopped_ns; /* how long any thread was stopped, at most */
};

static struct nd_tracee *find_tracee(const struct taker *taker, pid_t tid)
{
	size_t i;

	for (i = 0; i < taker->count; i++)
		if (taker->tracees[i].thread.info.tid == tid)
			return &taker->tracees[i];
	return NULL;
}

static int add_tracee(struct taker *taker, pid_t tid)
{
	size_t count = taker->count;
	struct nd_tracee *grown;

	if (count >= ND_SNAPSHOT_THREADS_MAX)
		return -E2BIG;
	if ((count & (count - 1)) == 0) {
		grown = reallocarray(taker->tracees, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		taker->tracees = grown;
	}
	taker->tracees[taker->count++] = (struct nd_tracee){
		.thread.info = {.tid = tid, .missing = ND_THREAD_LATE},
	};
	return 0;
}

/* List threads that were not there before; returns how many there are. */
static int list_new(struct taker *taker)
{
	pid_t *tids;
	size_t count, i;
	int ret = nd_procfs_read_threads(taker->pid, &tids, &count), added = 0;

	if (ret)
		return ret;
	for (i = 0; i < count && !ret; i++) {
		if (find_tracee(taker, tids[i]))
			continue;
		ret = add_tracee(taker, tids[i]);
		added++;
	}
	free(tids);
	return ret ? ret : added;
}

/* What takes time and can be done before anything is stopped. */
static int prepare(struct taker *taker)
{
	struct nd_tracee *tracee;
	char state;
	size_t i;
	int ret = nd_procfs_read_writable(taker->pid, ND_MAPS_MAX, &taker->memory);

	if (!ret)
		ret = list_new(taker);
	for (i = 0; i < taker->count; i++) {
		tracee = &taker->tracees[i];
		tracee->sleeps =
			!nd_procfs_read_state(taker->pid, tracee->thread.info.tid, &state) &&
			state == 'S';
	}
	return ret < 0 ? ret : 0;
}

static void stop(struct taker *taker, struct nd_tracee *tracee)
{
	nd_tracee_stop(tracee);
	taker->awaited += tracee->phase == ND_TRACEE_INTERRUPTED;
}

static void stop_listed(struct taker *taker, bool sleeps)
{
	size_t i;

	for (i = 0; i < taker->count; i++)
		if (taker->tracees[i].phase == ND_TRACEE_LISTED &&
		    taker->tracees[i].sleeps == sleeps)
			stop(taker, &taker->tracees[i]);
}

static uint64_t since_begin(const struct taker *taker)
{
	return nd_clock_monotonic_ns() - taker->begin_ns;
}

/* The next thread that has stopped, or ended; NULL when there are no more or `until_ns` is past. */
static struct nd_tracee *wait_for_stop(struct taker *taker, uint64_t until_ns)
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};
	struct nd_tracee *tracee;
	int status;
	pid_t tid;

	while (taker->awaited) {
		tid = waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG);
		tracee = tid > 0 ? find_tracee(taker, tid) : NULL;
		if (tracee && tracee->phase == ND_TRACEE_INTERRUPTED) {
			nd_tracee_note(tracee, status);
			taker->awaited--;
			return tracee;
		}
		if (tid < 0 || since_begin(taker) >= until_ns)
			break;
		taker->looked_ns = nd_clock_monotonic_ns();
		if (!tid && since_begin(taker) >= SPIN_NS)
			nanosleep(&nap, NULL);
	}
	return NULL;
}

static void look_at(const struct taker *taker, const struct nd_tracee *tracee)
{
	if (taker->look && tracee->thread.stack)
		taker->look(taker->arg, tracee->thread.info.tid);
}

/* Stop all threads and copy what has stopped. The end of this thread lets them go. */
static void take_all(struct taker *taker)
{
	struct nd_tracee *tracee;
	size_t i;
	int pass;

	taker->begin_ns = nd_clock_monotonic_ns();
	for (pass = 0; pass < PASSES_MAX && since_begin(taker) < STOP_UNTIL_NS; pass++) {
		if (pass && list_new(taker) <= 0)
			break;
		/* One that is woken may take the CPU from us, so those that run come first. */
		stop_listed(taker, false);
		stop_listed(taker, true);
		while (wait_for_stop(taker, STOP_UNTIL_NS))
			;
	}
	for (i = 0; i < taker->count && since_begin(taker) < COPY_UNTIL_NS; i++)
		if (taker->tracees[i].phase == ND_TRACEE_STOPPED)
			nd_tracee_copy(&taker->tracees[i], taker->pid, &taker->memory,
				       taker->begin_ns);
	for (i = 0; i < taker->count && since_begin(taker) < COPY_UNTIL_NS; i++)
		if (taker->tracees[i].phase == ND_TRACEE_STOPPED)
			look_at(taker, &taker->tracees[i]);
	for (i = 0; i < taker->count; i++) {
		tracee = &taker->tracees[i];
		if (tracee->phase == ND_TRACEE_STOPPED && tracee->signal)
			nd_tracee_release(tracee);
	}
	taker->stopped_ns = since_begin(taker);
}

static bool is_late(const struct nd_tracee *tracee)
{
	return tracee->thread.info.missing == ND_THREAD_LATE &&
	       (tracee->phase == ND_TRACEE_INTERRUPTED || tracee->phase == ND_TRACEE_STOPPED);
}

/*
 * On a busy machine a thread may not get the CPU that it needs to stop. The others run again now;
 * each of these is copied as soon as it has stopped, and let go.
 */
static void take_late(struct taker *taker)
{
	struct nd_tracee *tracee;
	uint64_t until_ns = since_begin(taker) + LATE_NS, later_ns, held_ns;
	size_t i;

	taker->awaited = 0;
	for (i = 0; i < taker->count; i++)
		if (is_late(&taker->tracees[i]))
			stop(taker, &taker->tracees[i]);
	taker->looked_ns = nd_clock_monotonic_ns();
	while ((tracee = wait_for_stop(taker, until_ns))) {
		if (tracee->phase != ND_TRACEE_STOPPED)
			continue;
		later_ns = since_begin(taker);
		nd_tracee_copy(tracee, taker->pid, &taker->memory, taker->begin_ns + later_ns);
		look_at(taker, tracee);
		nd_tracee_release(tracee);
		tracee->thread.info.later_ns = later_ns;
		held_ns = nd_clock_monotonic_ns() - taker->looked_ns;
		if (held_ns > taker->stopped_ns)
			taker->stopped_ns = held_ns;
	}
}

/* Get ready to hold the CPU for as long as others wait for us. */
static void begin_tracing(struct taker *taker)
{
	static const struct timespec rest = {.tv_nsec = REST_NS};
	struct sched_param first = {.sched_priority = 1};

	taker->tracer = gettid();
	/* Where this is not permitted, what the scheduler owes to one that slept must do. */
	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &first))
		nanosleep(&rest, NULL);
}

static void *trace_all(void *arg)
{
	begin_tracing(arg);
	take_all(arg);
	return NULL;
}

static void *trace_late(void *arg)
{
	begin_tracing(arg);
	take_late(arg);
	return NULL;
}

/*
 * Trace in a thread of its own, since the kernel lets go all that a thread traces when it ends: at
 * once, and also what has not stopped yet and so cannot be detached.
 */
static int run_tracer(struct taker *taker, void *(*trace)(void *arg))
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};
	pthread_t thread;
	int ret = pthread_create(&thread, NULL, trace, taker);

	if (ret)
		return -ret;
	pthread_join(thread, NULL);
	/* It is joined a moment before the kernel has done with it. */
	while (!tgkill(getpid(), taker->tracer, 0))
		nanosleep(&nap, NULL);
	return 0;
}

static int take(struct taker *taker)
{
	size_t i, late = 0;
	int ret = prepare(taker);

	if (!ret)
		ret = run_tracer(taker, trace_all);
	if (ret)
		return ret;
	for (i = 0; i < taker->count; i++)
		late += is_late(&taker->tracees[i]);
	/* Should this fail they stay without stacks, which is told. */
	if (late)
		run_tracer(taker, trace_late);
	return 0;
}

/* Take it with all signals blocked: nothing may stop nodiag while it stops others. */
static int take_undisturbed(struct taker *taker)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = take(taker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/* Say what is known of a thread that did not stop. */
static void describe_late(pid_t pid, struct nd_thread *info)
{
	int number = -1;
	char state;

	if (nd_procfs_read_state(pid, info->tid, &state))
		return;
	info->state = state == 'R' ? ND_THREAD_RUNNING : ND_THREAD_UNKNOWN;
	if (state != 'D')
		return;
	info->state = ND_THREAD_UNINTERRUPTIBLE;
	if (!nd_procfs_read_syscall(pid, info->tid, &number) && number >= 0)
		nd_syscall_name(number, info->syscall, sizeof(info->syscall));
}

static void describe(pid_t pid, struct nd_tracee *tracee)
{
	struct nd_thread *info = &tracee->thread.info;
	pid_t tracer;

	if (nd_procfs_read_comm(pid, info->tid, info->comm, sizeof(info->comm)))
		info->comm[0] = '\0';
	if (tracee->phase == ND_TRACEE_REFUSED)
		info->missing = !nd_procfs_read_tracer(info->tid, &tracer) && tracer
					? ND_THREAD_TRACED
					: ND_THREAD_KERNEL;
	else if (info->missing == ND_THREAD_LATE)
		describe_late(pid, info);
}

/* One that has ended, but is still there for its process, is refused too. */
static bool has_ended(pid_t pid, const struct nd_tracee *tracee)
{
	char state;

	if (tracee->phase == ND_TRACEE_REFUSED)
		return nd_procfs_read_state(pid, tracee->thread.info.tid, &state) || state == 'Z' ||
		       state == 'X';
	return tracee->phase == ND_TRACEE_GONE;
}

/* Keep the threads that were there, and tell what nobody had time for. */
static int collect(struct taker *taker, struct nd_snapshot *ret, struct nd_err *err)
{
	struct nd_snapshot_thread *threads = calloc(taker->count + 1, sizeof(*threads));
	size_t i, count = 0, refused = 0;

	for (i = 0; i < taker->count && !threads; i++)
		free(taker->tracees[i].thread.stack);
	if (!threads)
		return nd_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < taker->count; i++) {
		if (has_ended(taker->pid, &taker->tracees[i]))
			continue;
		describe(taker->pid, &taker->tracees[i]);
		refused += taker->tracees[i].phase == ND_TRACEE_REFUSED;
		threads[count++] = taker->tracees[i].thread;
	}
	if (refused == count)
		free(threads);
	if (!count)
		return nd_err_set(err, -ESRCH, "process %d has ended", taker->pid);
	if (refused == count)
		return nd_tracee_explain_refusal(taker->pid, err);
	*ret = (struct nd_snapshot){
		.threads = threads, .count = count, .stopped_ns = taker->stopped_ns};
	return 0;
}

int nd_snapshot_take(pid_t pid, nd_snapshot_look *look, void *arg, struct nd_snapshot *ret_snapshot,
		     struct nd_err *err)
{
	struct taker taker = {.pid = pid, .look = look, .arg = arg};
	int ret = take_undisturbed(&taker);

	if (ret == -ESRCH)
		nd_err_set(err, ret, "process %d has ended", pid);
	else if (ret == -E2BIG)
		nd_err_set(err, ret, "process %d has more than %d threads", pid,
			   ND_SNAPSHOT_THREADS_MAX);
	else if (ret)
		nd_err_set_errno(err, ret, "cannot look into process %d", pid);
	else
		ret = collect(&taker, ret_snapshot, err);
	free(taker.memory.range);
	free(taker.tracees);
	return ret;
}

void nd_snapshot_fini(struct nd_snapshot *snapshot)
{
	size_t i;

	for (i = 0; i < snapshot->count; i++)
		free(snapshot->threads[i].stack);
	free(snapshot->threads);
	*snapshot = (struct nd_snapshot){0};
}
