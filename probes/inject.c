/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/inject.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "probes/tracee.h"

/* How long the loop has to come round before JavaScript is interrupted instead. */
#define POLL_WAIT_NS ND_NSEC_PER_SEC

/* How often JavaScript is looked for then, and how long the thread runs between two looks. */
#define JS_LOOKS  400
#define JS_NAP_NS 1000000

/* Between two looks for a stop that is about to come. */
#define NAP_NS 20000

/* A call that has not come back after so long hangs, which it must not where it is made. */
#define CALL_NS (10 * ND_NSEC_PER_SEC)

/* Signals that come during a call are kept for after it. */
#define SIGNALS_MAX 32

/* With all that AVX-512 and AMX add; the kernel says how much it is. */
#define XSTATE_BYTES 16384

/* What a function may use below its stack pointer; and room for the strings, above our frame. */
#define RED_ZONE     128
#define STRING_BYTES 4096

struct tracee {
	const struct nd_inject *inject;
	pid_t pid;
	int signals[SIGNALS_MAX];
	int signals_count;
	uint64_t stop_begin_ns;
	char why[256]; /* the dynamic linker did not load it, in its words; "" */
};

static void nap(long ns)
{
	struct timespec time = {.tv_nsec = ns};

	nanosleep(&time, NULL);
}

/* Wait for a stop. 0, -ETIMEDOUT, or -ESRCH when the process has ended. */
static int wait_for_stop(const struct tracee *t, uint64_t timeout_ns, int *ret_status)
{
	uint64_t end = nd_clock_monotonic_ns() + timeout_ns;
	pid_t pid;

	for (;;) {
		pid = waitpid(t->pid, ret_status, __WALL | WNOHANG);
		if (pid == t->pid)
			return WIFSTOPPED(*ret_status) ? 0 : -ESRCH;
		if (pid < 0 && errno != EINTR)
			return -ESRCH;
		if (nd_clock_monotonic_ns() >= end)
			return -ETIMEDOUT;
		nap(NAP_NS);
	}
}

/* The signal that a stop is about, 0 when it is one of ptrace's own. */
static int signal_of(int status)
{
	int signal = WSTOPSIG(status);

	return status >> 16 || signal == (SIGTRAP | 0x80) ? 0 : signal;
}

static void keep_signal(struct tracee *t, int status)
{
	int signal = signal_of(status);

	if (signal && t->signals_count < SIGNALS_MAX)
		t->signals[t->signals_count++] = signal;
}

#if defined(__x86_64__)

struct registers {
	struct user_regs_struct user;
	uint8_t xstate[XSTATE_BYTES];
	size_t xstate_size;
};

static int save_registers(const struct tracee *t, struct registers *ret)
{
	struct iovec user = {&ret->user, sizeof(ret->user)};
	struct iovec xstate = {ret->xstate, sizeof(ret->xstate)};

	if (ptrace(PTRACE_GETREGSET, t->pid, (void *)NT_PRSTATUS, &user) ||
	    ptrace(PTRACE_GETREGSET, t->pid, (void *)NT_X86_XSTATE, &xstate))
		return -errno;
	ret->xstate_size = xstate.iov_len;
	return 0;
}

/* About to enter one of these system calls; at the exit rax is its result. */
static bool is_at_poll(const struct registers *registers)
{
	const struct user_regs_struct *user = &registers->user;

	return user->rax == (unsigned long long)-ENOSYS &&
	       (user->orig_rax == SYS_epoll_wait || user->orig_rax == SYS_epoll_pwait);
}

static int set_user(const struct tracee *t, const struct user_regs_struct *user)
{
	struct iovec iov = {(void *)user, sizeof(*user)};

	return ptrace(PTRACE_SETREGSET, t->pid, (void *)NT_PRSTATUS, &iov) ? -errno : 0;
}

static int restore_registers(const struct tracee *t, const struct registers *saved)
{
	struct iovec xstate = {(void *)saved->xstate, saved->xstate_size};

	if (ptrace(PTRACE_SETREGSET, t->pid, (void *)NT_X86_XSTATE, &xstate))
		return -errno;
	return set_user(t, &saved->user);
}

/* Let the system call that was about to begin not happen, and happen after all later. */
static int cancel_syscall(struct tracee *t, struct registers *saved)
{
	struct user_regs_struct user = saved->user;
	int status, ret;

	user.orig_rax = (unsigned long long)-1;
	ret = set_user(t, &user);
	if (ret)
		return ret;
	if (ptrace(PTRACE_SYSCALL, t->pid, NULL, NULL))
		return -errno;
	ret = wait_for_stop(t, CALL_NS, &status);
	if (ret)
		return ret;
	keep_signal(t, status);
	/* The instruction has two bytes; it is made again with the number it had. */
	saved->user.rip -= 2;
	saved->user.rax = saved->user.orig_rax;
	saved->user.orig_rax = (unsigned long long)-1;
	return 0;
}

/* Where our calls have their stack: below all that the thread's own functions use. */
static uint64_t call_stack(const struct registers *saved)
{
	return (saved->user.rsp - RED_ZONE - STRING_BYTES) & ~UINT64_C(15);
}

/* Write a string for the next call. Returns its address, 0 when it failed. */
static uint64_t put_string(const struct tracee *t, const struct registers *saved, const char *text)
{
	size_t size = strlen(text) + 1;
	uint64_t address = call_stack(saved);
	struct iovec local = {(void *)text, size}, remote = {(void *)(uintptr_t)address, size};

	if (size > STRING_BYTES ||
	    process_vm_writev(t->pid, &local, 1, &remote, 1, 0) != (ssize_t)size)
		return 0;
	return address;
}

/* Wait until the call returns to address 0, where there is nothing to run. */
static int wait_for_return(struct tracee *t)
{
	struct registers now;
	int status, ret;

	for (;;) {
		ret = wait_for_stop(t, CALL_NS, &status);
		if (!ret)
			ret = save_registers(t, &now);
		if (ret)
			return ret;
		if (WSTOPSIG(status) == SIGSEGV && now.user.rip == 0)
			return 0;
		if (WSTOPSIG(status) == SIGSEGV && !(status >> 16))
			return -EFAULT;
		keep_signal(t, status);
		if (ptrace(PTRACE_CONT, t->pid, NULL, NULL))
			return -errno;
	}
}

static int call(struct tracee *t, const struct registers *saved, uint64_t function, uint64_t arg0,
		uint64_t arg1, uint64_t *ret_result)
{
	struct user_regs_struct user = saved->user;
	uint64_t back = 0;
	struct iovec local = {&back, sizeof(back)}, remote;
	struct registers after;
	int ret;

	user.rsp = call_stack(saved) - sizeof(back);
	remote = (struct iovec){(void *)(uintptr_t)user.rsp, sizeof(back)};
	if (process_vm_writev(t->pid, &local, 1, &remote, 1, 0) != (ssize_t)sizeof(back))
		return -errno;
	user.rip = function;
	user.rdi = arg0;
	user.rsi = arg1;
	user.rax = 0;
	user.orig_rax = (unsigned long long)-1;
	user.eflags &= ~UINT64_C(0x400); /* the ABI wants the direction flag clear */
	ret = set_user(t, &user);
	if (!ret && ptrace(PTRACE_CONT, t->pid, NULL, NULL))
		ret = -errno;
	if (!ret)
		ret = wait_for_return(t);
	if (!ret)
		ret = save_registers(t, &after);
	if (!ret)
		*ret_result = after.user.rax;
	return ret;
}

static uint64_t program_counter(const struct registers *registers)
{
	return registers->user.rip;
}

#else

struct registers {
	int unused;
};

static bool is_at_poll(const struct registers *registers)
{
	return false;
}

static int save_registers(const struct tracee *t, struct registers *ret)
{
	return -ENOTSUP;
}

static int restore_registers(const struct tracee *t, const struct registers *saved)
{
	return -ENOTSUP;
}

static int cancel_syscall(struct tracee *t, struct registers *saved)
{
	return -ENOTSUP;
}

static uint64_t put_string(const struct tracee *t, const struct registers *saved, const char *text)
{
	return 0;
}

static int call(struct tracee *t, const struct registers *saved, uint64_t function, uint64_t arg0,
		uint64_t arg1, uint64_t *ret_result)
{
	return -ENOTSUP;
}

static uint64_t program_counter(const struct registers *registers)
{
	return 0;
}

#endif

/* Stop the thread wherever it is. */
static int interrupt(struct tracee *t)
{
	int status, ret;

	if (ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL))
		return -errno;
	t->stop_begin_ns = nd_clock_monotonic_ns();
	ret = wait_for_stop(t, ND_NSEC_PER_SEC, &status);
	if (!ret)
		keep_signal(t, status);
	return ret;
}

/* Let it run from stop to stop until it is about to poll. -ETIMEDOUT leaves it running. */
static int find_poll(struct tracee *t, struct registers *ret_registers)
{
	uint64_t end = nd_clock_monotonic_ns() + POLL_WAIT_NS, now;
	int status = 0, ret;

	for (;;) {
		now = nd_clock_monotonic_ns();
		if (ptrace(PTRACE_SYSCALL, t->pid, NULL, (void *)(long)signal_of(status)))
			return -errno;
		ret = now < end ? wait_for_stop(t, end - now, &status) : -ETIMEDOUT;
		if (ret)
			return ret;
		t->stop_begin_ns = nd_clock_monotonic_ns();
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		ret = save_registers(t, ret_registers);
		if (ret || is_at_poll(ret_registers))
			return ret;
	}
}

/* Interrupt it until that happens to be in JavaScript. */
static int find_js(struct tracee *t, struct registers *ret_registers)
{
	int look, ret;

	for (look = 0; look < JS_LOOKS; look++) {
		ret = interrupt(t);
		if (!ret)
			ret = save_registers(t, ret_registers);
		if (ret)
			return ret;
		if (t->inject->is_js(t->inject->arg, program_counter(ret_registers)))
			return 0;
		if (ptrace(PTRACE_CONT, t->pid, NULL, NULL))
			return -errno;
		nap(JS_NAP_NS);
	}
	return -EBUSY;
}

/* Write the library into a memory file of the process, by its name in /proc. */
static int fill_file(const struct tracee *t, const char *path)
{
	const char *at = t->inject->image;
	size_t left = t->inject->image_size;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	for (; left && n >= 0; at += n, left -= (size_t)n)
		n = write(fd, at, left);
	close(fd);
	return n < 0 ? -EIO : 0;
}

/* Make that memory file, and write its name for the process into `path`. */
static int make_file(struct tracee *t, const struct registers *saved, char *path, size_t size)
{
	uint64_t name = put_string(t, saved, t->inject->image_name), fd;
	char outer[64];
	int ret;

	if (!t->inject->memfd_create_address || !name)
		return -ENOTSUP;
	ret = call(t, saved, t->inject->memfd_create_address, name, MFD_CLOEXEC, &fd);
	if (ret)
		return ret;
	if ((int)fd < 0)
		return -ENOMEM;
	snprintf(outer, sizeof(outer), "/proc/%d/fd/%d", t->pid, (int)fd);
	snprintf(path, size, "/proc/self/fd/%d", (int)fd);
	return fill_file(t, outer);
}

/* Ask the process's dynamic linker why it did not load the library. */
static void ask_why(struct tracee *t, const struct registers *saved)
{
	uint64_t address = 0;
	struct iovec local = {t->why, sizeof(t->why) - 1}, remote;

	if (!t->inject->dlerror_address ||
	    call(t, saved, t->inject->dlerror_address, 0, 0, &address) || !address)
		return;
	/* A read that crosses into memory that is not there gives what is. */
	remote = (struct iovec){(void *)(uintptr_t)address, sizeof(t->why) - 1};
	if (process_vm_readv(t->pid, &local, 1, &remote, 1, 0) <= 0)
		t->why[0] = '\0';
}

static int load_library(struct tracee *t, const struct registers *saved, uint64_t *ret_library)
{
	const char *path = t->inject->library;
	uint64_t string;
	char made[64];
	int ret = 0;

	if (!path) {
		ret = make_file(t, saved, made, sizeof(made));
		path = made;
	}
	if (ret)
		return ret;
	string = put_string(t, saved, path);
	if (!string)
		return -EFAULT;
	ret = call(t, saved, t->inject->dlopen_address, string, 2 /* RTLD_NOW */, ret_library);
	if (ret || *ret_library)
		return ret;
	ask_why(t, saved);
	return -ELIBACC;
}

static int call_all(struct tracee *t, const struct registers *saved, enum nd_start_place place)
{
	uint64_t library = 0, function = 0, name, ignored;
	int ret = load_library(t, saved, &library);

	if (ret)
		return ret;
	name = put_string(t, saved, t->inject->symbol);
	ret = name ? call(t, saved, t->inject->dlsym_address, library, name, &function) : -EFAULT;
	if (!ret && !function)
		return -ELIBACC;
	return ret ? ret : call(t, saved, function, place, 0, &ignored);
}

/* The thread stands where it may be borrowed. */
static int borrow(struct tracee *t, struct registers *saved, enum nd_start_place place,
		  struct nd_injected *ret_injected)
{
	int ret = 0, restored;

	if (place == ND_START_AT_POLL)
		ret = cancel_syscall(t, saved);
	if (!ret)
		ret = call_all(t, saved, place);
	restored = restore_registers(t, saved);
	ret_injected->place = place;
	ret_injected->stopped_ns = nd_clock_monotonic_ns() - t->stop_begin_ns;
	return ret ? ret : restored;
}

static int find_and_borrow(struct tracee *t, struct nd_injected *ret_injected)
{
	enum nd_start_place place = ND_START_AT_POLL;
	uint64_t begin = nd_clock_monotonic_ns();
	struct registers saved = {0};
	int ret = interrupt(t);

	if (!ret)
		ret = find_poll(t, &saved);
	if (ret == -ETIMEDOUT) {
		place = ND_START_IN_JS;
		ret = find_js(t, &saved);
	}
	if (ret)
		return ret;
	ret_injected->waited_ns = t->stop_begin_ns - begin;
	return borrow(t, &saved, place, ret_injected);
}

/* Let go, and send on what came meanwhile. */
static void detach(struct tracee *t)
{
	int status, i;

	/* One that runs must stop to be let go. */
	if (ptrace(PTRACE_DETACH, t->pid, NULL, NULL) &&
	    !ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL) &&
	    !wait_for_stop(t, ND_NSEC_PER_SEC, &status)) {
		keep_signal(t, status);
		ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
	}
	for (i = 0; i < t->signals_count; i++)
		syscall(SYS_tgkill, t->pid, t->pid, t->signals[i]);
}

static int explain(const struct tracee *t, int ret, struct nd_err *err)
{
	pid_t pid = t->pid;

	switch (ret) {
	case -ESRCH:
		return nd_err_set(err, ret, "process %d is gone", pid);
	case -EBUSY:
		nd_err_set(err, ret, "%d is in native code that does not return", pid);
		return nd_err_hint(err, "nodiag stack %d shows where; try again later", pid);
	case -ELIBACC:
		return nd_err_set(err, ret, "%d could not load the agent%s%s", pid,
				  t->why[0] ? ": " : "", t->why);
	case -EPERM:
		return nd_tracee_explain_refusal(pid, err);
	default:
		return nd_err_set_errno(err, ret, "cannot attach to %d", pid);
	}
}

int nd_inject(const struct nd_inject *inject, struct nd_injected *ret_injected, struct nd_err *err)
{
	struct tracee t = {.inject = inject, .pid = inject->pid};
	sigset_t all, old;
	char state;
	int ret;

	if (!nd_procfs_read_state(t.pid, t.pid, &state) && (state == 'T' || state == 't')) {
		nd_err_set(err, -EBUSY, "%d is stopped, by a signal or a debugger", t.pid);
		return nd_err_hint(err, "kill -CONT %d lets it go on", t.pid);
	}
	/* From here on the process depends on us: nothing may end us on the way. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if (ptrace(PTRACE_SEIZE, t.pid, NULL, (void *)PTRACE_O_TRACESYSGOOD)) {
		ret = -errno;
	} else {
		ret = find_and_borrow(&t, ret_injected);
		if (ret != -ESRCH)
			detach(&t);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return ret ? explain(&t, ret, err) : 0;
}
