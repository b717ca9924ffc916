/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * The CPU sampler: on each tick of a thread's cpu-clock event, walk its user stack by frame
 * pointers, take the identity of every JavaScript function on it, and the kernel stack, and put all
 * of it into the ring.
 *
 * Nothing of V8 is compiled in: the layout of each process comes from the `targets` map.
 */

#include <stdbool.h>

#include <asm/ptrace.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/cpu.h"

#define ND_WALK_READ(arg, dst, size, addr) bpf_probe_read_user(dst, size, (const void *)(addr))
#include "proto/walk.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The kernel's types, as far as they are read; libbpf finds where the fields are. */
struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct pid_namespace {
	struct ns_common ns;
} __attribute__((preserve_access_index));

struct upid {
	int nr;
	struct pid_namespace *ns;
} __attribute__((preserve_access_index));

struct pid {
	unsigned int level;
	struct upid numbers[1];
} __attribute__((preserve_access_index));

struct task_struct {
	int pid;
	int tgid;
	__u64 start_time;
	struct pid *thread_pid;
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));

/* nodiag's pid namespace: ids in the ring are as it sees them. */
const volatile unsigned int pid_namespace = 0;
const volatile bool pid_namespace_is_initial = true;

/* Also record processes that are not in `targets`: descendants that inherited the event. */
const volatile bool follow = false;
const volatile bool kernel_stacks = true;

/* Counters, read by cpu.c. */
__u64 samples;
__u64 ring_full;

/* The question and the answer of name_kernel_address(). */
__u64 kernel_address;
char kernel_name[CPU_KERNEL_NAME_MAX];

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, CPU_RING_BYTES);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CPU_TARGETS_MAX);
	__type(key, __u32); /* pid */
	__type(value, struct nd_walk_layout);
} targets SEC(".maps");

/* One sample under construction for each CPU; per-CPU maps do not allow values this large. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set to the number of CPUs */
	__type(key, __u32);
	__type(value, struct nd_sample_cpu);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CPU_IDLE_THREADS_MAX);
	__type(key, __u64); /* pid << 32 | tid */
	__type(value, struct cpu_idle);
} idle SEC(".maps");

/* A struct nd_sample_stack with room for its stack. */
struct tail {
	__u8 bytes[sizeof(struct nd_sample_stack) + ND_SAMPLE_TAIL_MAX];
} __attribute__((aligned(8)));

/* Likewise, where a walk broke off. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set to the number of CPUs */
	__type(key, __u32);
	__type(value, struct tail);
} tails SEC(".maps");

/* The number of `pid` in nodiag's namespace, 0 if it is not visible there. */
static __always_inline __u32 number_of(struct pid *pid)
{
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid upid;
	unsigned int i;

	for (i = 0; i < CPU_PID_LEVELS_MAX; i++) {
		if (i > level)
			break;
		if (bpf_core_read(&upid, sizeof(upid), &pid->numbers[i]))
			break;
		if (BPF_CORE_READ(upid.ns, ns.inum) == pid_namespace)
			return upid.nr;
	}
	return 0;
}

static __always_inline __u64 ids_of(struct task_struct *task)
{
	__u64 pid, tid;

	if (pid_namespace_is_initial)
		return (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
	pid = number_of(BPF_CORE_READ(task, group_leader, thread_pid));
	tid = number_of(BPF_CORE_READ(task, thread_pid));
	return pid << 32 | tid;
}

static __always_inline void fill_header(struct nd_sample_header *header, __u32 kind,
					struct task_struct *task, __u64 ids)
{
	header->kind = kind;
	header->pid = ids >> 32;
	header->tid = (__u32)ids;
	header->time_ns = bpf_ktime_get_ns();
	header->thread_start_ns = BPF_CORE_READ(task, start_time);
}

static __always_inline void fill_registers(struct nd_sample_cpu *sample, struct task_struct *task)
{
	struct pt_regs regs = {};

	bpf_probe_read_kernel(&regs, sizeof(regs), (const void *)bpf_task_pt_regs(task));
	sample->pc = PT_REGS_IP(&regs);
	sample->sp = PT_REGS_SP(&regs);
	sample->fp = PT_REGS_FP(&regs);
#if defined(__TARGET_ARCH_x86)
	sample->bytecode_offset = regs.r9;
#else
	sample->bytecode_offset = 0;
#endif
}

struct walk_context {
	struct nd_sample_cpu *sample;
	struct nd_walk_layout layout;
	struct nd_walk walk;
};

static long walk_frame(__u32 i, void *data)
{
	struct walk_context *c = data;
	struct nd_sample_cpu *sample = c->sample;

	if (i >= ND_SAMPLE_FRAMES_MAX)
		return 1;
	sample->depth = i + 1;
	return nd_walk_step(NULL, &c->layout, &c->walk, &sample->frames[i]);
}

/*
 * Nobody is woken: nodiag looks a hundred times a second, and a wake-up for each sample would take
 * the CPU, and what its caches hold, from the very thread that is measured.
 */
static __always_inline void emit(void *record, __u64 size)
{
	if (bpf_ringbuf_output(&ring, record, size, BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&ring_full, 1);
}

/* A read that crosses the end of the stack fails as a whole, so the copy is made of pieces. */
#define TAIL_PIECE 1024

static __always_inline void emit_tail(const struct nd_sample_cpu *sample,
				      const struct nd_walk *walk)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct nd_sample_stack *tail = bpf_map_lookup_elem(&tails, &cpu);
	__u32 i, size;

	if (!tail)
		return;
	tail->header = sample->header;
	tail->header.kind = ND_SAMPLE_TAIL;
	tail->pc = walk->pc;
	tail->sp = walk->sp;
	tail->fp = walk->fp;
	tail->before_pc = walk->before.pc;
	tail->before_sp = walk->before.sp;
	tail->before_fp = walk->before.fp;
	tail->start = (walk->before.pc ? walk->before.sp : walk->sp) - ND_RED_ZONE;
	for (i = 0; i < ND_SAMPLE_TAIL_MAX / TAIL_PIECE; i++)
		if (bpf_probe_read_user(tail->stack + i * TAIL_PIECE, TAIL_PIECE,
					(const void *)(tail->start + i * TAIL_PIECE)))
			break;
	if (!i)
		return;
	size = i * TAIL_PIECE;
	tail->size = size;
	emit(tail, sizeof(*tail) + size);
}

static __always_inline void walk(struct nd_sample_cpu *sample, const struct nd_walk_layout *layout)
{
	struct walk_context c = {
		.sample = sample,
		.walk = {.pc = sample->pc,
			 .fp = sample->fp,
			 .sp = sample->sp,
			 .end = ND_WALK_TRUNCATED},
	};

	if (layout)
		c.layout = *layout;
	bpf_loop(ND_SAMPLE_FRAMES_MAX, walk_frame, &c, 0);
	sample->end = c.walk.end;
	if (layout && nd_walk_is_broken(&c.layout, &c.walk))
		emit_tail(sample, &c.walk);
}

#include "probes/loop.bpf.h"

SEC("perf_event")
int take_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u32 cpu = bpf_get_smp_processor_id();
	struct nd_walk_layout *layout;
	struct nd_sample_cpu *sample;
	__u64 ids = ids_of(task);
	__u32 pid = ids >> 32;
	__u32 depth;
	long bytes;

	layout = bpf_map_lookup_elem(&targets, &pid);
	sample = bpf_map_lookup_elem(&scratch, &cpu);
	if ((!layout && !follow) || !sample || (stall_ns && !is_late(task, ids)))
		return 0;
	__sync_fetch_and_add(&samples, 1);
	fill_header(&sample->header, ND_SAMPLE_CPU, task, ids);
	fill_registers(sample, task);
	if (bpf_probe_read_user(sample->top, sizeof(sample->top), (const void *)sample->sp))
		__builtin_memset(sample->top, 0, sizeof(sample->top));
	bytes = kernel_stacks ? bpf_get_stack(ctx, sample->kernel, sizeof(sample->kernel), 0) : 0;
	sample->kernel_depth = bytes > 0 ? bytes / 8 : 0;
	sample->has_layout = layout && layout->js_function_first;
	sample->depth = 0;
	walk(sample, layout);
	depth = sample->depth;
	if (depth > ND_SAMPLE_FRAMES_MAX)
		depth = ND_SAMPLE_FRAMES_MAX;
	emit(sample,
	     offsetof(struct nd_sample_cpu, frames) + depth * sizeof(struct nd_sample_frame));
	return 0;
}

/* A watched process became another program: its layout is void. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct nd_sample_header header = {};
	__u64 ids = ids_of(task);
	__u32 pid = ids >> 32;

	if (!bpf_map_lookup_elem(&targets, &pid))
		return 0;
	bpf_map_delete_elem(&targets, &pid);
	fill_header(&header, ND_SAMPLE_EXEC, task, ids);
	emit(&header, sizeof(header));
	return 0;
}

/* Whether the task waits in epoll, where an event loop is idle. */
static __always_inline bool is_polling(struct task_struct *task)
{
	struct pt_regs regs = {};

	bpf_probe_read_kernel(&regs, sizeof(regs), (const void *)bpf_task_pt_regs(task));
#if defined(__TARGET_ARCH_x86)
	return regs.orig_rax == 232 || regs.orig_rax == 281; /* epoll_wait, epoll_pwait */
#else
	return regs.syscallno == 22; /* epoll_pwait */
#endif
}

static __always_inline void begin_wait(struct task_struct *task, __u64 ids, __u64 now)
{
	struct cpu_idle fresh = {.since_ns = now};
	struct cpu_idle *wait;

	if (!is_polling(task))
		return;
	wait = bpf_map_lookup_elem(&idle, &ids);
	if (wait)
		wait->since_ns = now;
	else
		bpf_map_update_elem(&idle, &ids, &fresh, BPF_ANY);
}

static __always_inline void end_wait(__u64 ids, __u64 now)
{
	struct cpu_idle *wait = bpf_map_lookup_elem(&idle, &ids);

	if (!wait || !wait->since_ns)
		return;
	wait->total_ns += now - wait->since_ns;
	wait->since_ns = 0;
}

/* Measure how long the threads of the targets wait for events. */
SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 prev_ids = ids_of(prev), next_ids = ids_of(next);
	__u32 prev_pid = prev_ids >> 32, next_pid = next_ids >> 32;

	if (!preempt && prev_pid && bpf_map_lookup_elem(&targets, &prev_pid))
		begin_wait(prev, prev_ids, now);
	if (next_pid && bpf_map_lookup_elem(&targets, &next_pid))
		end_wait(next_ids, now);
	return 0;
}

/*
 * Run by cpu.c to name a kernel address: exact, whatever kptr_restrict says, and without reading
 * the quarter million lines of /proc/kallsyms.
 */
SEC("syscall")
int name_kernel_address(void *ctx)
{
	static const char format[] = "%ps";
	__u64 args[1] = {kernel_address};

	kernel_name[0] = '\0';
	bpf_snprintf(kernel_name, sizeof(kernel_name), format, args, sizeof(args));
	return 0;
}
