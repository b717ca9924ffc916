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

#define ND_WALK_READ(arg, dst, size, addr)   bpf_probe_read_user(dst, size, (const void *)(addr))
#define ND_WALK_READ_FRAME(arg, words, addr) read_frame(arg, words, addr)

struct window;
static __always_inline long read_frame(struct window *window, __u64 *words, __u64 addr);

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

/* Registers, by the names that the kernel has for them itself. */
struct pt_regs___kernel {
#if defined(__TARGET_ARCH_x86)
	unsigned long r9, bp, ip, sp, orig_ax;
#else
	__u64 regs[31], sp, pc;
	__s32 syscallno;
#endif
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

/* Samples that were lost; read by cpu.c. */
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
	__type(value, struct cpu_target);
} targets SEC(".maps");

/* A piece of the stack, which holds the next frames too: a read costs more than the bytes do. */
#define WINDOW_BYTES 512

/* No piece: nothing of user space lies here or above. */
#define WINDOW_NONE (1ull << 63)

struct window {
	__u64 start;
	__u64 words[WINDOW_BYTES / 8];
};

/* Where a sample is put together. What the verifier would follow value by value is here too. */
struct slot {
	struct nd_walk walk;
	struct cpu_target none; /* all 0 */
	struct window window;
	__u32 used; /* words of the record */
	struct cpu_record record;
};

/* One for each CPU; per-CPU maps do not allow values this large. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set to the number of CPUs */
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

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
		return (__u64)task->tgid << 32 | (__u32)task->pid;
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
	header->thread_start_ns = task->start_time;
}

static __always_inline void fill_registers(struct cpu_record *record, struct task_struct *task)
{
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(task);

	record->sp = regs->sp;
#if defined(__TARGET_ARCH_x86)
	record->pc = regs->ip;
	record->fp = regs->bp;
	record->bytecode_offset = regs->r9;
#else
	record->pc = regs->pc;
	record->fp = regs->regs[29];
	record->bytecode_offset = 0;
#endif
}

/* The kernel stack, if the tick came inside the kernel, whose addresses are the negative ones. */
static __always_inline void take_kernel_stack(struct bpf_perf_event_data *ctx,
					      struct cpu_record *record)
{
	long bytes = 0;

	if (kernel_stacks && (__s64)PT_REGS_IP(&ctx->regs) < 0)
		bytes = bpf_get_stack(ctx, record->words, ND_SAMPLE_KERNEL_MAX * sizeof(__u64), 0);
	record->kernel_depth = bytes > 0 ? bytes / sizeof(__u64) : 0;
}

static __always_inline long read_frame(struct window *window, __u64 *words, __u64 addr)
{
	__u64 at = addr - window->start;
	const __u64 *from;
	int i;

	barrier_var(at); /* so that the very value is checked that is used */
	if (at > WINDOW_BYTES - 8 * ND_WALK_WORDS) {
		window->start = WINDOW_NONE;
		if (bpf_probe_read_user(window->words, WINDOW_BYTES, (const void *)addr))
			return bpf_probe_read_user(words, 8 * ND_WALK_WORDS, (const void *)addr);
		window->start = addr;
		at = 0;
	}
	from = (void *)window->words + at;
	for (i = 0; i < ND_WALK_WORDS; i++)
		words[i] = from[i];
	return 0;
}

/* Put a frame behind the record's words, cut short if it is none of JavaScript. */
static __always_inline __u32 pack_frame(const struct nd_sample_frame *frame, __u64 *words)
{
	words[1] = frame->pc;
	if (!frame->shared) {
		words[0] = frame->marker & 1 ? 0 : frame->marker;
		return CPU_NATIVE_WORDS;
	}
	words[0] = frame->marker;
	words[2] = frame->shared;
	words[3] = frame->script;
	words[4] = frame->bytecode_array;
	words[5] = frame->bytecode_offset;
	words[6] = (__u64)frame->literal_id << 32 | frame->script_id;
	return CPU_JS_WORDS;
}

struct walk_context {
	struct slot *slot;
	struct cpu_target *target;
};

static long walk_frame(__u32 i, void *data)
{
	struct walk_context *c = data;
	struct slot *slot = c->slot;
	struct nd_sample_frame frame;
	__u32 used = slot->used;
	int ret;

	if (used > CPU_WORDS_MAX - CPU_JS_WORDS)
		return 1;
	ret = nd_walk_step(&slot->window, &c->target->layout, &c->target->maps, &slot->walk,
			   &frame);
	slot->used = used + pack_frame(&frame, slot->record.words + used);
	slot->record.depth = i + 1;
	return ret;
}

/*
 * Nobody is woken: nodiag looks a hundred times a second, and a wake-up for each sample would take
 * the CPU, and what its caches hold, from the very thread that is measured.
 */
static __always_inline long emit(void *record, __u64 size)
{
	return bpf_ringbuf_output(&ring, record, size, BPF_RB_NO_WAKEUP);
}

/* A read that crosses the end of the stack fails as a whole, so the copy is made of pieces. */
#define TAIL_PIECE 1024

/* Copy the stack from `copy->start` up; returns the size of the record, 0 when there is none. */
static __always_inline __u64 fill_copy(struct nd_sample_stack *copy)
{
	__u32 i, size;

	for (i = 0; i < ND_SAMPLE_TAIL_MAX / TAIL_PIECE; i++)
		if (bpf_probe_read_user(copy->stack + i * TAIL_PIECE, TAIL_PIECE,
					(const void *)(copy->start + i * TAIL_PIECE)))
			break;
	size = i * TAIL_PIECE;
	copy->size = size;
	return size ? sizeof(*copy) + size : 0;
}

static __always_inline void emit_tail(const struct cpu_record *record, const struct nd_walk *walk)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct nd_sample_stack *tail = bpf_map_lookup_elem(&tails, &cpu);
	__u64 size;

	if (!tail)
		return;
	tail->header = record->header;
	tail->header.kind = ND_SAMPLE_TAIL;
	tail->pc = walk->pc;
	tail->sp = walk->sp;
	tail->fp = walk->fp;
	tail->before_pc = walk->before.pc;
	tail->before_sp = walk->before.sp;
	tail->before_fp = walk->before.fp;
	tail->start = (walk->before.pc ? walk->before.sp : walk->sp) - ND_RED_ZONE;
	size = fill_copy(tail);
	if (size)
		emit(tail, size);
}

/*
 * A process that started a moment ago, and whose V8 nobody knows yet: user space will, and walks a
 * copy. False when there is no stack to be copied.
 */
static __always_inline bool emit_early(const struct cpu_record *record)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct nd_sample_stack *copy = bpf_map_lookup_elem(&tails, &cpu);
	__u64 size;

	if (!copy)
		return false;
	copy->header = record->header;
	copy->header.kind = ND_SAMPLE_STACK;
	copy->pc = record->pc;
	copy->sp = record->sp;
	copy->fp = record->fp;
	copy->bytecode_offset = record->bytecode_offset;
	copy->start = record->sp - ND_RED_ZONE;
	size = fill_copy(copy);
	if (size && emit(copy, size))
		__sync_fetch_and_add(&ring_full, 1);
	return size != 0;
}

static __always_inline void walk(struct slot *slot, struct cpu_target *target)
{
	struct walk_context c = {.slot = slot, .target = target ?: &slot->none};
	struct cpu_record *record = &slot->record;

	slot->walk = (struct nd_walk){
		.pc = record->pc,
		.fp = record->fp,
		.sp = record->sp,
		.end = ND_WALK_TRUNCATED,
	};
	slot->window.start = WINDOW_NONE;
	slot->used = record->kernel_depth;
	record->depth = 0;
	bpf_loop(ND_SAMPLE_FRAMES_MAX, walk_frame, &c, 0);
	record->end = slot->walk.end;
	if (target && nd_walk_is_broken(&target->layout, &slot->walk))
		emit_tail(record, &slot->walk);
}

#include "probes/loop.bpf.h"

SEC("perf_event")
int take_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu_target *target;
	struct cpu_record *record;
	__u64 ids = ids_of(task);
	__u32 pid = ids >> 32;
	struct slot *slot;
	__u64 used;

	target = bpf_map_lookup_elem(&targets, &pid);
	slot = bpf_map_lookup_elem(&slots, &cpu);
	if ((!target && !follow) || !slot || (stall_ns && !is_late(task, ids)))
		return 0;
	record = &slot->record;
	fill_header(&record->header, ND_SAMPLE_CPU, task, ids);
	fill_registers(record, task);
	if (!target && emit_early(record))
		return 0;
	if (bpf_probe_read_user(record->top, sizeof(record->top), (const void *)record->sp))
		__builtin_memset(record->top, 0, sizeof(record->top));
	take_kernel_stack(ctx, record);
	record->has_layout = target && target->layout.js_function_first;
	walk(slot, target);
	used = slot->used;
	if (used > CPU_WORDS_MAX)
		used = CPU_WORDS_MAX;
	if (emit(record, offsetof(struct cpu_record, words) + used * sizeof(__u64)))
		__sync_fetch_and_add(&ring_full, 1);
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
	struct pt_regs___kernel *regs = (void *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax == 232 || regs->orig_ax == 281; /* epoll_wait, epoll_pwait */
#else
	return regs->syscallno == 22; /* epoll_pwait */
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
