/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/snapshot.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "common/err.h"
#include "common/procfs.h"
#include "probes/syscalls.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* Of the time a process may be stopped: until when threads are waited for, and stacks copied. */
#define STOP_UNTIL_NS (3 * ND_NSEC_PER_MSEC)
#define COPY_UNTIL_NS (4 * ND_NSEC_PER_MSEC)

/* Between two looks for threads that have stopped; most need less than twice that. */
#define NAP_NS 20000

/* Passes over a process's threads until one finds no new thread; each thread starts few others. */
#define SEIZE_PASSES_MAX 16

/* How the kernel marks an interrupted system call that it will restart (linux/errno.h). */
#define KERNEL_ERESTARTSYS	     512
#define KERNEL_ERESTARTNOINTR	     513
#define KERNEL_ERESTARTNOHAND	     514
#define KERNEL_ERESTART_RESTARTBLOCK 516

enum tracee_phase {
	TRACEE_REFUSED,
	TRACEE_SEIZED,
	TRACEE_INTERRUPTED,
	TRACEE_STOPPED,
	TRACEE_GONE,
};

struct tracee {
	enum tracee_phase phase;
	int signal; /* it was about to get, and gets when it is let go */
	struct nd_snapshot_thread thread;
};

struct taker {
	pid_t pid;
	struct tracee *tracees;
	size_t count;
	size_t awaited; /* are interrupted, and have not stopped yet */
	struct nd_ranges memory;
	uint64_t begin_ns;
	uint64_t stopped_ns;
	int ret;
};

struct registers {
	uint64_t pc;
	uint64_t sp;
	uint64_t fp;
	uint64_t bytecode_offset; /* see struct nd_sample_stack */
	int syscall;		  /* -1: it is in none */
	bool waits;		  /* in that */
};

#if defined(__x86_64__)
static bool read_registers(pid_t tid, struct registers *ret)
{
	struct user_regs_struct user;
	struct iovec iov = {.iov_base = &user, .iov_len = sizeof(user)};
	long long result;

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) || iov.iov_len != sizeof(user))
		return false;
	*ret = (struct registers){
		.pc = user.rip,
		.sp = user.rsp,
		.fp = user.rbp,
		.bytecode_offset = user.r9,
		.syscall = (int)user.orig_rax,
	};
	result = (long long)user.rax;
	ret->waits = ret->syscall >= 0 &&
		     (result == -EINTR || result == -KERNEL_ERESTARTSYS ||
		      result == -KERNEL_ERESTARTNOINTR || result == -KERNEL_ERESTARTNOHAND ||
		      result == -KERNEL_ERESTART_RESTARTBLOCK);
	return true;
}
#elif defined(__aarch64__)
static bool read_registers(pid_t tid, struct registers *ret)
{
	struct user_regs_struct user;
	struct iovec iov = {.iov_base = &user, .iov_len = sizeof(user)};
	struct iovec call = {.iov_base = &ret->syscall, .iov_len = sizeof(ret->syscall)};

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) || iov.iov_len != sizeof(user))
		return false;
	*ret = (struct registers){
		.pc = user.pc,
		.sp = user.sp,
		.fp = user.regs[29],
		.bytecode_offset = user.regs[19],
		.syscall = -1,
	};
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &call))
		ret->syscall = -1;
	/* Here the kernel prepares a restart before it stops: the result is gone. */
	ret->waits = ret->syscall >= 0;
	return true;
}
#else
#error "which registers hold pc, sp and fp here?"
#endif

static struct tracee *find_tracee(const struct taker *taker, pid_t tid)
{
	size_t i;

	for (i = 0; i < taker->count; i++)
		if (taker->tracees[i].thread.info.tid == tid)
			return &taker->tracees[i];
	return NULL;
}

static enum tracee_phase seize(pid_t pid, pid_t tid)
{
	char state;

	if (!ptrace(PTRACE_SEIZE, tid, NULL, NULL))
		return TRACEE_SEIZED;
	/* One that has ended, but whose process has not noticed, is refused too. */
	if (errno == ESRCH || nd_procfs_read_state(pid, tid, &state) || state == 'Z' ||
	    state == 'X')
		return TRACEE_GONE;
	return TRACEE_REFUSED;
}

static int add_tracee(struct taker *taker, pid_t tid)
{
	size_t count = taker->count;
	struct tracee *grown;

	if (count >= ND_SNAPSHOT_THREADS_MAX)
		return -E2BIG;
	if ((count & (count - 1)) == 0) {
		grown = reallocarray(taker->tracees, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		taker->tracees = grown;
	}
	taker->tracees[count] = (struct tracee){
		.phase = seize(taker->pid, tid),
		.thread.info = {.tid = tid, .missing = ND_THREAD_LATE},
	};
	taker->count++;
	return 0;
}

/* Become the tracer of threads that were not there before; returns how many there were. */
static int seize_new(struct taker *taker)
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

/* Nothing is stopped by this yet. */
static int seize_all(struct taker *taker)
{
	int pass, ret = 1;

	for (pass = 0; pass < SEIZE_PASSES_MAX && ret > 0; pass++)
		ret = seize_new(taker);
	return ret < 0 ? ret : 0;
}

static void interrupt_seized(struct taker *taker)
{
	struct tracee *tracee;
	size_t i;

	for (i = 0; i < taker->count; i++) {
		tracee = &taker->tracees[i];
		if (tracee->phase != TRACEE_SEIZED)
			continue;
		tracee->phase = TRACEE_GONE;
		if (ptrace(PTRACE_INTERRUPT, tracee->thread.info.tid, NULL, NULL))
			continue;
		tracee->phase = TRACEE_INTERRUPTED;
		taker->awaited++;
	}
}

/*
 * A stop is ours, or that of a signal on its way, which then comes first; ours is dropped when the
 * thread is let go. Registers are those of the same moment.
 */
static void note_stop(struct taker *taker, pid_t tid, int status)
{
	struct tracee *tracee = find_tracee(taker, tid);

	if (!tracee || tracee->phase != TRACEE_INTERRUPTED)
		return;
	taker->awaited--;
	if (!WIFSTOPPED(status)) {
		tracee->phase = TRACEE_GONE;
		return;
	}
	tracee->phase = TRACEE_STOPPED;
	if (status >> 16 == PTRACE_EVENT_STOP)
		tracee->thread.info.job_stopped = WSTOPSIG(status) != SIGTRAP;
	else
		tracee->signal = WSTOPSIG(status);
}

static uint64_t since_begin(const struct taker *taker)
{
	return nd_clock_monotonic_ns() - taker->begin_ns;
}

static void wait_for_stops(struct taker *taker)
{
	static const struct timespec nap = {.tv_nsec = NAP_NS};
	int status;
	pid_t tid;

	while (taker->awaited) {
		tid = waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG);
		if (tid > 0)
			note_stop(taker, tid, status);
		else if (tid < 0 || since_begin(taker) >= STOP_UNTIL_NS)
			break;
		else
			nanosleep(&nap, NULL);
	}
}

/* Where the mapping ends that holds `sp`; that of a main thread may have grown down to it since. */
static uint64_t find_stack_end(const struct taker *taker, uint64_t sp)
{
	size_t low = 0, high = taker->memory.count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (taker->memory.range[mid].end <= sp)
			low = mid + 1;
		else
			high = mid;
	}
	return low < taker->memory.count ? taker->memory.range[low].end : sp;
}

static struct nd_sample_stack *copy_stack(const struct taker *taker, pid_t tid,
					  const struct registers *registers, size_t size)
{
	struct nd_sample_stack *stack = malloc(sizeof(*stack) + size);
	struct iovec local, remote;
	ssize_t n;

	if (!stack)
		return NULL;
	*stack = (struct nd_sample_stack){
		.header = {.kind = ND_SAMPLE_STACK,
			   .pid = (uint32_t)taker->pid,
			   .tid = (uint32_t)tid,
			   .time_ns = taker->begin_ns},
		.pc = registers->pc,
		.sp = registers->sp,
		.fp = registers->fp,
		.bytecode_offset = registers->bytecode_offset,
		.start = registers->sp - ND_RED_ZONE,
	};
	local = (struct iovec){.iov_base = stack->stack, .iov_len = size};
	remote = (struct iovec){.iov_base = (void *)(uintptr_t)stack->start, .iov_len = size};
	n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
	if (n > ND_RED_ZONE) {
		stack->size = (uint64_t)n;
		return stack;
	}
	free(stack);
	return NULL;
}

static void note_state(struct nd_thread *info, const struct registers *registers)
{
	info->state = ND_THREAD_RUNNING;
	if (registers->syscall < 0)
		return;
	info->state = registers->waits ? ND_THREAD_WAITING : ND_THREAD_SYSCALL;
	nd_syscall_name(registers->syscall, info->syscall, sizeof(info->syscall));
}

static void copy_thread(const struct taker *taker, struct nd_snapshot_thread *thread)
{
	struct nd_thread *info = &thread->info;
	struct registers registers;
	uint64_t size;

	if (since_begin(taker) >= COPY_UNTIL_NS)
		return;
	info->missing = ND_THREAD_UNREADABLE;
	if (!read_registers(info->tid, &registers))
		return;
	note_state(info, &registers);
	size = find_stack_end(taker, registers.sp) - registers.sp + ND_RED_ZONE;
	info->cut = size > ND_SNAPSHOT_STACK_MAX;
	if (info->cut)
		size = ND_SNAPSHOT_STACK_MAX;
	thread->stack = copy_stack(taker, info->tid, &registers, size);
	if (thread->stack)
		info->missing = ND_THREAD_COMPLETE;
}

/* Stop what was seized, copy what has stopped, let it go. */
static void hold(struct taker *taker)
{
	size_t i;

	taker->begin_ns = nd_clock_monotonic_ns();
	do {
		interrupt_seized(taker);
		wait_for_stops(taker);
		/* A thread may have been born to one that still ran. */
	} while (since_begin(taker) < STOP_UNTIL_NS && seize_new(taker) > 0);
	for (i = 0; i < taker->count; i++)
		if (taker->tracees[i].phase == TRACEE_STOPPED)
			copy_thread(taker, &taker->tracees[i].thread);
	for (i = 0; i < taker->count; i++)
		if (taker->tracees[i].phase == TRACEE_STOPPED)
			ptrace(PTRACE_DETACH, taker->tracees[i].thread.info.tid, NULL,
			       (void *)(intptr_t)taker->tracees[i].signal);
	taker->stopped_ns = since_begin(taker);
}

/*
 * Runs in a thread of its own, since the kernel lets go all that a thread traces when the thread
 * ends: also those that have not stopped yet and so cannot be detached.
 */
static void *take(void *arg)
{
	struct sched_param first = {.sched_priority = 1};
	struct taker *taker = arg;

	/* While others wait for us, nobody comes before us; where that is not permitted, so be it.
	 */
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	taker->ret = nd_procfs_read_writable(taker->pid, ND_MAPS_MAX, &taker->memory);
	if (!taker->ret)
		taker->ret = seize_all(taker);
	if (!taker->ret)
		hold(taker);
	return NULL;
}

static int run_taker(struct taker *taker)
{
	sigset_t all, before;
	pthread_t thread;
	int ret;

	/* Nothing may stop nodiag while it stops others. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&thread, NULL, take, taker);
	if (!ret)
		pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret ? ret : taker->ret;
}

static int read_yama_scope(void)
{
	FILE *f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (f && fscanf(f, "%d", &scope) != 1)
		scope = 0;
	if (f)
		fclose(f);
	return scope;
}

static int explain_refusal(pid_t pid, struct nd_err *err)
{
	char comm[32];
	pid_t tracer;

	if (!nd_procfs_read_tracer(pid, &tracer) && tracer) {
		if (nd_procfs_read_comm(tracer, tracer, comm, sizeof(comm)))
			comm[0] = '\0';
		nd_err_set(err, -EPERM, "process %d is traced by process %d (%s)", pid, tracer,
			   comm);
		return nd_err_hint(err, "let that one detach or end first; a process has one "
					"tracer at a time");
	}
	nd_err_set_errno(err, -EPERM, "cannot stop process %d", pid);
	if (read_yama_scope())
		return nd_err_hint(err,
				   "run it with sudo, or grant cap_sys_ptrace, or set "
				   "kernel.yama.ptrace_scope to 0 (it is %d)",
				   read_yama_scope());
	return nd_err_hint(err, "run it with sudo, or as the user that runs process %d", pid);
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

static void describe(pid_t pid, struct tracee *tracee)
{
	struct nd_thread *info = &tracee->thread.info;
	pid_t tracer;

	if (nd_procfs_read_comm(pid, info->tid, info->comm, sizeof(info->comm)))
		info->comm[0] = '\0';
	if (tracee->phase == TRACEE_REFUSED)
		info->missing = !nd_procfs_read_tracer(info->tid, &tracer) && tracer
					? ND_THREAD_TRACED
					: ND_THREAD_KERNEL;
	else if (info->missing == ND_THREAD_LATE)
		describe_late(pid, info);
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
		if (taker->tracees[i].phase == TRACEE_GONE)
			continue;
		describe(taker->pid, &taker->tracees[i]);
		refused += taker->tracees[i].phase == TRACEE_REFUSED;
		threads[count++] = taker->tracees[i].thread;
	}
	if (refused == count)
		free(threads);
	if (!count)
		return nd_err_set(err, -ESRCH, "process %d has ended", taker->pid);
	if (refused == count)
		return explain_refusal(taker->pid, err);
	*ret = (struct nd_snapshot){
		.threads = threads, .count = count, .stopped_ns = taker->stopped_ns};
	return 0;
}

int nd_snapshot_take(pid_t pid, struct nd_snapshot *ret_snapshot, struct nd_err *err)
{
	struct taker taker = {.pid = pid};
	int ret = run_taker(&taker);

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
