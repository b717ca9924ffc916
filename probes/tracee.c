/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/tracee.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "common/err.h"
#include "common/procfs.h"
#include "probes/syscalls.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* How the kernel marks an interrupted system call that it will restart (linux/errno.h). */
#define KERNEL_ERESTARTSYS	     512
#define KERNEL_ERESTARTNOINTR	     513
#define KERNEL_ERESTARTNOHAND	     514
#define KERNEL_ERESTART_RESTARTBLOCK 516

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

void nd_tracee_stop(struct nd_tracee *tracee)
{
	pid_t tid = tracee->thread.info.tid;

	tracee->signal = 0;
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL))
		tracee->phase = errno == ESRCH ? ND_TRACEE_GONE : ND_TRACEE_REFUSED;
	else if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL))
		tracee->phase = ND_TRACEE_GONE;
	else
		tracee->phase = ND_TRACEE_INTERRUPTED;
}

/*
 * A stop is ours, or that of a signal on its way, which then comes first; ours is dropped when the
 * thread is let go. Registers are those of the same moment.
 */
void nd_tracee_note(struct nd_tracee *tracee, int status)
{
	if (!WIFSTOPPED(status)) {
		tracee->phase = ND_TRACEE_GONE;
		return;
	}
	tracee->phase = ND_TRACEE_STOPPED;
	if (status >> 16 == PTRACE_EVENT_STOP)
		tracee->thread.info.job_stopped = WSTOPSIG(status) != SIGTRAP;
	else
		tracee->signal = WSTOPSIG(status);
}

/* Where the mapping ends that holds `sp`; that of a main thread may have grown down to it since. */
static uint64_t find_stack_end(const struct nd_ranges *memory, uint64_t sp)
{
	size_t low = 0, high = memory->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (memory->range[mid].end <= sp)
			low = mid + 1;
		else
			high = mid;
	}
	return low < memory->count ? memory->range[low].end : sp;
}

static struct nd_sample_stack *copy_stack(const struct nd_tracee *tracee,
					  const struct registers *registers, size_t size)
{
	struct nd_sample_stack *stack = malloc(sizeof(*stack) + size);
	struct iovec local, remote;
	ssize_t n;

	if (!stack)
		return NULL;
	*stack = (struct nd_sample_stack){
		.header = {.kind = ND_SAMPLE_STACK, .tid = (uint32_t)tracee->thread.info.tid},
		.pc = registers->pc,
		.sp = registers->sp,
		.fp = registers->fp,
		.bytecode_offset = registers->bytecode_offset,
		.start = registers->sp - ND_RED_ZONE,
	};
	local = (struct iovec){.iov_base = stack->stack, .iov_len = size};
	remote = (struct iovec){.iov_base = (void *)(uintptr_t)stack->start, .iov_len = size};
	n = process_vm_readv(tracee->thread.info.tid, &local, 1, &remote, 1, 0);
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

void nd_tracee_copy(struct nd_tracee *tracee, pid_t pid, const struct nd_ranges *memory,
		    uint64_t time_ns)
{
	struct nd_thread *info = &tracee->thread.info;
	struct nd_sample_stack *stack;
	struct registers registers;
	uint64_t size;

	info->missing = ND_THREAD_UNREADABLE;
	if (!read_registers(info->tid, &registers))
		return;
	note_state(info, &registers);
	size = find_stack_end(memory, registers.sp) - registers.sp + ND_RED_ZONE;
	if (size > ND_SNAPSHOT_STACK_MAX)
		size = ND_SNAPSHOT_STACK_MAX;
	stack = copy_stack(tracee, &registers, size);
	if (!stack)
		return;
	stack->header.pid = (uint32_t)pid;
	stack->header.time_ns = time_ns;
	tracee->thread.stack = stack;
	info->missing = ND_THREAD_COMPLETE;
}

void nd_tracee_release(const struct nd_tracee *tracee)
{
	ptrace(PTRACE_DETACH, tracee->thread.info.tid, NULL, (void *)(intptr_t)tracee->signal);
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

int nd_tracee_explain_refusal(pid_t pid, struct nd_err *err)
{
	char comm[32];
	pid_t tracer;

	if (!nd_procfs_read_tracer(pid, &tracer) && tracer) {
		if (nd_procfs_read_comm(tracer, tracer, comm, sizeof(comm)))
			comm[0] = '\0';
		nd_err_set(err, -EPERM, "process %d is traced by process %d (%s)", pid, tracer,
			   comm);
		return nd_err_hint(err, "let that one detach or end first: nobody can trace it "
					"beside");
	}
	nd_err_set_errno(err, -EPERM, "cannot stop process %d", pid);
	if (read_yama_scope())
		return nd_err_hint(err,
				   "run it with sudo, or grant cap_sys_ptrace, or set "
				   "kernel.yama.ptrace_scope to 0 (it is %d)",
				   read_yama_scope());
	return nd_err_hint(err, "run it with sudo, or as the user that runs process %d", pid);
}
