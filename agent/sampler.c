/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sampler.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/context.h"
#include "agent/control.h"
#include "agent/core.h"
#include "agent/thread.h"
#include "agent/trace_ids.h"
#include "agent/usage.h"
#include "common/clock.h"
#include "proto/sample.h"

/* How much of a stack is copied: some 300 frames; Node's usual stacks have 5 KB. */
#define STACK_BYTES (32u << 10)

/* Stacks of one stall: so often at first, and less when it has lasted for a while. */
#define SAMPLE_INTERVAL_NS	(10 * ND_NSEC_PER_MSEC)
#define SAMPLE_LONG_AFTER_NS	ND_NSEC_PER_SEC
#define SAMPLE_LONG_INTERVAL_NS (100 * ND_NSEC_PER_MSEC)

/* The signal that is ours, 0 before. */
static int own_signal;

/* Whether pages may have protection keys here. */
static bool keys_are_used;

#if defined(__x86_64__)
static void read_registers(const ucontext_t *context, struct nd_event_sample *event)
{
	event->pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
	event->sp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
	event->fp = (uint64_t)context->uc_mcontext.gregs[REG_RBP];
	event->bytecode_offset = (uint64_t)context->uc_mcontext.gregs[REG_R9];
}

static uintptr_t stack_pointer(const ucontext_t *context)
{
	return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}

static bool has_protection_keys(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && ecx & bit_OSPKE;
}

/*
 * A handler begins without access to memory that has a protection key, though what it interrupts
 * may be executed there: V8's compiled WebAssembly has one on Node 18 and 20. Its end brings back
 * what the thread had (pkeys(7)). WRPKRU: two bits for each key, no access and no writing.
 */
static void allow_reading(void)
{
	if (keys_are_used)
		__asm__ volatile(".byte 0x0f, 0x01, 0xef" ::"a"(0xaaaaaaa8u), "c"(0), "d"(0)
				 : "memory");
}

/* Whether the instruction before the pc, or at it where the call is made again, is "syscall". */
static bool is_at_syscall(const ucontext_t *context)
{
	uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	const uint8_t *code = (const uint8_t *)pc;

	/* The pages before and after need not be there. */
	return (pc % 4096 <= 4094 && code[0] == 0x0f && code[1] == 0x05) ||
	       (pc % 4096 >= 2 && code[-2] == 0x0f && code[-1] == 0x05);
}
#elif defined(__aarch64__)
static void read_registers(const ucontext_t *context, struct nd_event_sample *event)
{
	event->pc = context->uc_mcontext.pc;
	event->sp = context->uc_mcontext.sp;
	event->fp = context->uc_mcontext.regs[29];
	event->bytecode_offset = context->uc_mcontext.regs[19];
}

static uintptr_t stack_pointer(const ucontext_t *context)
{
	return context->uc_mcontext.sp;
}

static bool has_protection_keys(void)
{
	return false;
}

static void allow_reading(void)
{
}

/* As above: "svc #0". */
static bool is_at_syscall(const ucontext_t *context)
{
	uintptr_t pc = (uintptr_t)context->uc_mcontext.pc;
	const uint32_t *code = (const uint32_t *)pc;

	return code[0] == 0xd4000001 || (pc % 4096 >= 4 && code[-1] == 0xd4000001);
}
#else
#error "which registers hold pc, sp and fp here?"
#endif

/*
 * Call frames above the copy are not there; below its end all is the thread's own memory. memcpy()
 * is async-signal-safe in every libc.
 */
static void write_sample(struct nd_thread *thread, enum nd_sample_reason reason,
			 const ucontext_t *context)
{
	/* The kernel, too, leaves the red zone alone. */
	uintptr_t sp = stack_pointer(context), start = sp - ND_RED_ZONE;
	uint64_t span = nd_context_read(thread);
	struct nd_event_sample *event;
	uint32_t size, whole;

	if (start < thread->stack_start || sp >= thread->stack_end) {
		__atomic_fetch_add(&nd_agent.channel->samples_skipped, 1, __ATOMIC_RELAXED);
		return;
	}
	size = thread->stack_end - start < STACK_BYTES ? (uint32_t)(thread->stack_end - start)
						       : STACK_BYTES;
	whole = (uint32_t)sizeof(*event) + size + (span ? ND_SPAN_ID_SIZE : 0);
	event = nd_channel_begin(&thread->ring, ND_EVENT_SAMPLE, thread->tid,
				 nd_clock_monotonic_ns(), whole);
	if (!event)
		return;
	event->reason = reason;
	event->syscall = -1;
	if (is_at_syscall(context))
		event->syscall = thread->asleep_in >= 0 ? thread->asleep_in : -2;
	event->size = size;
	event->has_span = span != 0;
	read_registers(context, event);
	event->start = start;
	memcpy(event->stack, (const void *)start, size);
	if (span)
		nd_trace_name_span(thread, span, event->stack + size);
	nd_ring_commit(&thread->ring, event, whole);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	struct nd_thread *thread = nd_thread_self();
	int saved = errno;

	allow_reading();
	if (thread && nd_agent.active && info->si_code == SI_TIMER)
		write_sample(thread, ND_REASON_CPU, context);
	/* A stall that is over meanwhile is not looked at. */
	else if (thread && nd_agent.active && thread->stall_start_ns &&
		 thread->stall_start_ns == thread->slot->loop.busy_since_ns)
		write_sample(thread, ND_REASON_STALL, context);
	errno = saved;
}

bool nd_sampler_start(void)
{
	struct sigaction action = {.sa_sigaction = on_signal,
				   .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
	struct sigaction old;
	int signal;

	keys_are_used = has_protection_keys();
	sigemptyset(&action.sa_mask);
	for (signal = SIGRTMAX - 1; signal > SIGRTMIN && !own_signal; signal--) {
		if (sigaction(signal, NULL, &old) || old.sa_handler != SIG_DFL)
			continue;
		if (!sigaction(signal, &action, NULL))
			own_signal = signal;
	}
	return own_signal != 0;
}

void nd_sampler_stop(void)
{
	struct sigaction action = {.sa_handler = SIG_IGN}, old;

	if (!own_signal || sigaction(own_signal, NULL, &old) || old.sa_sigaction != on_signal)
		return;
	/* Ignoring drops what is on its way, which by default would end the process. */
	sigaction(own_signal, &action, NULL);
	action.sa_handler = SIG_DFL;
	sigaction(own_signal, &action, NULL);
	own_signal = 0;
}

void nd_sampler_add_timer(struct nd_thread *thread)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = own_signal};
	struct itimerspec spec = {0};

	if (thread->has_timer || !own_signal || !(nd_agent.wanted & ND_FEATURE_CPU) || !nd_agent.hz)
		return;
	event._sigev_un._tid = (pid_t)thread->tid;
	if (timer_create(thread->cpu_clock, &event, &thread->timer))
		return;
	spec.it_interval.tv_nsec = (long)(ND_NSEC_PER_SEC / nd_agent.hz);
	if (nd_agent.hz == 1)
		spec.it_interval = (struct timespec){.tv_sec = 1};
	spec.it_value = spec.it_interval;
	thread->has_timer = !timer_settime(thread->timer, 0, &spec, NULL);
	if (!thread->has_timer)
		timer_delete(thread->timer);
}

void nd_sampler_remove_timer(struct nd_thread *thread)
{
	if (!thread->has_timer)
		return;
	thread->has_timer = false;
	timer_delete(thread->timer);
}

/*
 * System calls that go on, or that V8 and libuv start again, after a signal was handled with
 * SA_RESTART (signal(7)). Others end early with EINTR, which a program may not expect.
 */
static bool survives_signal(long number)
{
	static const long numbers[] = {
		SYS_read,	SYS_readv,    SYS_pread64,  SYS_preadv,		 SYS_write,
		SYS_writev,	SYS_pwrite64, SYS_pwritev,  SYS_openat,		 SYS_fsync,
		SYS_fdatasync,	SYS_futex,    SYS_wait4,    SYS_waitid,		 SYS_flock,
		SYS_fcntl,	SYS_ioctl,    SYS_connect,  SYS_accept4,	 SYS_recvfrom,
		SYS_recvmsg,	SYS_sendto,   SYS_sendmsg,  SYS_copy_file_range, SYS_epoll_pwait,
		SYS_getrandom,	SYS_mmap,     SYS_munmap,   SYS_madvise,	 SYS_mprotect,
#ifdef SYS_epoll_wait
		SYS_epoll_wait, SYS_open,     SYS_stat,	    SYS_lstat,		 SYS_unlink,
		SYS_rename,	SYS_mkdir,    SYS_rmdir,    SYS_getdents,	 SYS_readlink,
#endif
		SYS_newfstatat, SYS_statx,    SYS_unlinkat, SYS_getdents64,	 SYS_sendfile,
	};
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* Read a short file of one of our threads; false when it cannot be read. */
static bool read_task_file(const struct nd_thread *thread, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%u/%s", thread->tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return false;
	buf[len] = '\0';
	return true;
}

/* From the state in /proc/self/task/TID/stat, which stands behind the name in parentheses. */
static bool is_running(const struct nd_thread *thread)
{
	char text[128];
	const char *name_end;

	return read_task_file(thread, "stat", text, sizeof(text)) &&
	       (name_end = strrchr(text, ')')) && name_end[1] == ' ' && name_end[2] == 'R';
}

/* Where a thread sleeps, from /proc/self/task/TID/syscall; false while it runs. */
static bool is_asleep(const struct nd_thread *thread, long *ret_number, uint64_t *ret_sp,
		      uint64_t *ret_pc)
{
	char text[256], *end, *at;

	*ret_number = -1;
	*ret_sp = *ret_pc = 0;
	/* A process that gave up its privileges may not read it of itself (proc(5), "dumpable"). */
	if (!read_task_file(thread, "syscall", text, sizeof(text)))
		return !is_running(thread);
	*ret_number = strtol(text, &end, 10);
	if (end == text)
		return false; /* "running" */
	/* Six arguments lie between, then the stack pointer and the pc. */
	at = strrchr(text, ' ');
	if (at) {
		*ret_pc = strtoull(at, NULL, 16);
		*at = '\0';
		at = strrchr(text, ' ');
		*ret_sp = at ? strtoull(at, NULL, 16) : 0;
	}
	return true;
}

static void write_blocked(const struct nd_thread *thread, long number, uint64_t sp, uint64_t pc)
{
	struct nd_ring ring;
	struct nd_event_blocked *event;

	nd_control_get_ring(&ring);
	event = nd_channel_begin(&ring, ND_EVENT_BLOCKED, thread->tid, nd_clock_monotonic_ns(),
				 sizeof(*event));
	if (!event)
		return;
	event->start_ns = thread->stall_start_ns;
	event->pc = pc;
	event->sp = sp;
	event->syscall = (int32_t)number;
	event->pad = 0;
	nd_ring_commit(&ring, event, sizeof(*event));
}

static void send_signal(const struct nd_thread *thread)
{
	if (own_signal)
		syscall(SYS_tgkill, getpid(), thread->tid, own_signal);
}

static void take_stack(struct nd_thread *thread)
{
	uint64_t sp, pc;
	long number;
	bool asleep = is_asleep(thread, &number, &sp, &pc);

	__atomic_store_n(&thread->asleep_in, asleep ? (int32_t)number : -1, __ATOMIC_RELEASE);
	if (asleep && !survives_signal(number))
		write_blocked(thread, number, sp, pc);
	else
		send_signal(thread);
}

uint64_t nd_sampler_watch(struct nd_thread *thread, uint64_t now)
{
	uint64_t start = __atomic_load_n(&thread->slot->loop.busy_since_ns, __ATOMIC_RELAXED);
	uint64_t tick = nd_agent.threshold_ns / 2;

	if (!start || now < start + nd_agent.threshold_ns) {
		if (!start || start != thread->watched_start_ns)
			nd_usage_take(thread, now);
		thread->watched_start_ns = start;
		if (start && start + nd_agent.threshold_ns - now < tick)
			return start + nd_agent.threshold_ns - now;
		return tick;
	}
	if (thread->stall_start_ns != start) {
		__atomic_store_n(&thread->stall_start_ns, start, __ATOMIC_RELEASE);
		thread->next_sample_ns = now;
	}
	if (now >= thread->next_sample_ns) {
		take_stack(thread);
		thread->next_sample_ns =
			now + (now - start < SAMPLE_LONG_AFTER_NS ? SAMPLE_INTERVAL_NS
								  : SAMPLE_LONG_INTERVAL_NS);
	}
	return thread->next_sample_ns - now;
}

void nd_sampler_forget(struct nd_thread *thread)
{
	nd_usage_forget(thread);
	__atomic_store_n(&thread->stall_start_ns, 0, __ATOMIC_RELEASE);
}

void nd_sampler_wake(const struct nd_thread *thread)
{
	if (__atomic_load_n(&thread->slot->loop.idle_since_ns, __ATOMIC_RELAXED))
		send_signal(thread);
}

static void wake(struct nd_thread *thread, void *arg)
{
	nd_sampler_wake(thread);
}

void nd_sampler_wake_all(void)
{
	nd_thread_visit(wake, NULL);
}
