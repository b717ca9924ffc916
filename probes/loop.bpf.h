/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef NODIAG_PROBES_LOOP_BPF_H
#define NODIAG_PROBES_LOOP_BPF_H

/*
 * How long event loops keep from polling, seen from the scheduler; a part of cpu.bpf.c, whose ticks
 * it lets through only while a loop is late.
 *
 * There is no tracing of system calls in it, because that slows down all of them, in all processes:
 * a loop that waits is a thread that sleeps in its epoll, and the turns of one that never has to
 * wait are counted by libuv itself, in the memory of the process.
 */

#include "proto/loop.h"

/* Loops that are watched at once, as many as an agent has slots for, with room. */
#define LOOPS_MAX 256

/* Stacks of one turn: at the pace of the agent, as many as the analyzer keeps. */
#define LOOP_STACKS_MAX	   128
#define LOOP_STACK_PACE_NS 8000000

/* Of task_struct.__state: it is about to be gone (TASK_DEAD). */
#define TASK_IS_DEAD 0x80

struct sched_info {
	unsigned long long run_delay;
} __attribute__((preserve_access_index));

struct task_struct___loop {
	unsigned int __state;
	struct sched_info sched_info;
} __attribute__((preserve_access_index));

/* The registers, by the kernel's own names for them. */
struct pt_regs___loop {
#if defined(__TARGET_ARCH_x86)
	unsigned long bp;
	unsigned long r9;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long sp;
#else
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 orig_x0;
	__s32 syscallno;
#endif
} __attribute__((preserve_access_index));

/* A turn that lasts so long is a stall; stacks are taken from half of it on. 0: all threads always.
 */
const volatile __u64 stall_ns = 0;

/*
 * The process whose loops are watched, as the kernel numbers it, 0 before it was met: all others on
 * the host are done with after one comparison.
 */
__u32 loop_tgid;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LOOPS_MAX);
	__type(key, __u64); /* pid << 32 | tid */
	__type(value, struct nd_loop_state);
} loops SEC(".maps");

static __always_inline struct nd_loop_state *find_loop(struct task_struct *task, __u64 *ret_ids)
{
	struct nd_loop_state *loop;

	if (loop_tgid && (__u32)task->tgid != loop_tgid)
		return NULL;
	*ret_ids = pid_namespace_is_initial ? (__u64)task->tgid << 32 | (__u32)task->pid
					    : ids_of(task);
	loop = bpf_map_lookup_elem(&loops, ret_ids);
	if (loop && !loop_tgid)
		loop_tgid = task->tgid;
	return loop;
}

/*
 * The kernel adds up what a thread waits for a CPU when it gets one. So what was added since it
 * last left a CPU is the wait that ended in between: it belongs to the turn, unless the turn began
 * there.
 */
static __always_inline void settle_delay(struct nd_loop_state *loop, struct task_struct *task)
{
	__u64 sum = ((struct task_struct___loop *)task)->sched_info.run_delay;
	__u64 wait = sum - loop->run_delay_ns;

	if (!loop->is_arriving) {
		loop->delayed_ns += wait;
		/* All of the time off the CPU was taken for sleep, where it left to sleep. */
		if (loop->left_asleep)
			loop->slept_ns -= wait < loop->slept_ns ? wait : loop->slept_ns;
	}
	loop->is_arriving = false;
	loop->run_delay_ns = sum;
}

static __always_inline void emit_stall(const struct nd_loop_state *loop, struct task_struct *task,
				       __u64 ids, __u64 end_ns)
{
	struct nd_sample_stall stall = {
		.start_ns = loop->counters.busy_since_ns,
		.slept_ns = loop->slept_ns,
		.delayed_ns = loop->delayed_ns,
		.longest_call = loop->longest_call,
	};

	fill_header(&stall.header, ND_SAMPLE_STALL, task, ids);
	stall.header.time_ns = end_ns;
	emit(&stall, sizeof(stall));
}

static __always_inline void count_turns(struct nd_loop_counters *counters, __u64 count,
					__u64 took_ns)
{
	__u32 index = nd_histogram_index(took_ns);

	if (index < ND_HISTOGRAM_BUCKETS)
		counters->delay[index] += count;
	counters->iterations += count;
	if (took_ns > counters->max_ns)
		counters->max_ns = took_ns;
}

static __always_inline void begin_turn(struct nd_loop_state *loop, __u64 now)
{
	loop->counters.busy_since_ns = now;
	loop->seen_ns = now;
	loop->slept_ns = 0;
	loop->delayed_ns = 0;
	loop->longest_ns = 0;
	loop->longest_call = -1;
	loop->stacks = 0;
	loop->stack_ns = 0;
}

/*
 * `count` turns have ended since the current one began; what came after the last of them begins at
 * `end_ns`. Where there was more than one since the last look, nobody saw when the first ended: if
 * it was late already, it lasted to that look at least, and the others share what is left; else all
 * of them share the time.
 */
static __always_inline void end_turns(struct nd_loop_state *loop, struct task_struct *task,
				      __u64 ids, __u64 count, __u64 end_ns)
{
	struct nd_loop_counters *counters = &loop->counters;
	__u64 first_end_ns = count == 1 ? end_ns : loop->seen_ns;
	__u64 first_ns = first_end_ns - counters->busy_since_ns;

	counters->busy_ns += end_ns - counters->busy_since_ns;
	if (first_ns >= stall_ns) {
		emit_stall(loop, task, ids, first_end_ns);
		counters->stalls++;
		counters->stall_ns += first_ns;
	} else if (count > 1) {
		count_turns(counters, count, (end_ns - counters->busy_since_ns) / count);
		return;
	}
	count_turns(counters, 1, first_ns);
	if (count > 1)
		count_turns(counters, count - 1, (end_ns - first_end_ns) / (count - 1));
}

/* When the loop's time was set last, in nanoseconds. */
static __always_inline __u64 read_time(const struct nd_loop_state *loop)
{
	__u64 ms = 0;

	bpf_probe_read_user(&ms, sizeof(ms), (const void *)loop->place.time_address);
	return ms * 1000000;
}

/*
 * The turns that began since the last look, by libuv's own count; the first look only takes note of
 * that. Only in the thread itself.
 */
static __always_inline __u64 count_new_turns(struct nd_loop_state *loop)
{
	__u64 counts[2], turns = 0;

	if (bpf_probe_read_user(counts, sizeof(counts), (const void *)loop->place.turns_address))
		return 0;
	if (loop->turns) {
		turns = counts[0] - loop->turns;
		loop->counters.events += counts[1] - loop->events;
	}
	loop->turns = counts[0];
	loop->events = counts[1];
	return turns;
}

/*
 * See whether a thread that is not idle has polled since the last look, without sleeping there.
 * Where libuv does not count, a time that was set since is taken for a new turn.
 */
static __always_inline void look(struct nd_loop_state *loop, struct task_struct *task, __u64 ids,
				 __u64 now)
{
	bool counts = loop->place.turns_address != 0;
	__u64 turns = counts ? count_new_turns(loop) : 0, time_ns;

	if (turns || !counts) {
		time_ns = read_time(loop);
		if (!counts)
			turns = time_ns > loop->seen_ns;
		if (time_ns < loop->seen_ns || time_ns > now)
			time_ns = now;
	}
	if (turns) {
		end_turns(loop, task, ids, turns, time_ns);
		begin_turn(loop, time_ns);
	}
	loop->seen_ns = now;
}

static __always_inline void begin_poll(struct nd_loop_state *loop, struct task_struct *task,
				       __u64 ids, __u64 now)
{
	/* Without a count it is a new turn; with one it may be the same poll, begun anew. */
	__u64 turns = loop->place.turns_address ? count_new_turns(loop) : 1;

	if (turns)
		end_turns(loop, task, ids, turns, now);
	else
		loop->counters.busy_ns += now - loop->counters.busy_since_ns;
	loop->counters.busy_since_ns = 0;
	loop->counters.idle_since_ns = now;
}

/* The number of the system call that a thread is in, -1 for none; what it polls. */
static __always_inline int get_call(struct pt_regs___loop *regs, int *ret_epoll_fd)
{
	*ret_epoll_fd = -1;
#if defined(__TARGET_ARCH_x86)
	if (regs->orig_ax == 232 || regs->orig_ax == 281) /* epoll_wait, epoll_pwait */
		*ret_epoll_fd = (int)regs->di;
	return (int)regs->orig_ax;
#else
	if (regs->syscallno == 22) /* epoll_pwait */
		*ret_epoll_fd = (int)regs->orig_x0;
	return regs->syscallno;
#endif
}

/* Keep where the thread stops running, and see what it does there. */
static __always_inline void stop_running(struct nd_loop_state *loop, struct task_struct *task,
					 __u64 ids, __u64 now)
{
	struct pt_regs___loop *regs = (void *)bpf_task_pt_regs(task);
	int epoll_fd, call = get_call(regs, &epoll_fd);

	loop->call = loop->left_asleep ? call : -1;
	/* A thread that is preempted in its poll polls, too. */
	if (epoll_fd >= 0 && epoll_fd == loop->place.epoll_fd) {
		begin_poll(loop, task, ids, now);
		return;
	}
	loop->sp = regs->sp;
#if defined(__TARGET_ARCH_x86)
	loop->pc = regs->ip;
	loop->fp = regs->bp;
	loop->bytecode_offset = regs->r9;
#else
	loop->pc = regs->pc;
	loop->fp = regs->regs[29];
#endif
	look(loop, task, ids, now);
}

static __always_inline void leave_cpu(struct task_struct *task, bool preempt, __u64 now)
{
	__u32 state = ((struct task_struct___loop *)task)->__state;
	__u64 ids;
	struct nd_loop_state *loop = find_loop(task, &ids);

	if (!loop || loop->has_ended)
		return;
	settle_delay(loop, task);
	/* Without a wish to sleep, a thread is preempted, also on its way back from the kernel. */
	loop->left_asleep = state && !preempt;
	loop->has_ended = (state & TASK_IS_DEAD) != 0;
	if (!loop->counters.busy_since_ns)
		return;
	if (loop->has_ended) {
		loop->counters.busy_ns += now - loop->counters.busy_since_ns;
		loop->counters.busy_since_ns = 0;
	} else {
		stop_running(loop, task, ids, now);
	}
	loop->left_ns = now;
}

static __always_inline void get_cpu(struct task_struct *task, __u64 now)
{
	__u64 ids, off_ns;
	struct nd_loop_state *loop = find_loop(task, &ids);
	struct nd_loop_counters *counters;

	if (!loop || !loop->left_ns)
		return;
	counters = &loop->counters;
	off_ns = now - loop->left_ns;
	loop->left_ns = 0;
	if (counters->idle_since_ns) {
		counters->idle_ns += now - counters->idle_since_ns;
		counters->idle_since_ns = 0;
		begin_turn(loop, now);
		loop->is_arriving = true;
		return;
	}
	/* It was looked at when it left the CPU, and without one it has not polled. */
	loop->seen_ns = now;
	if (!loop->left_asleep)
		return;
	loop->slept_ns += off_ns;
	if (off_ns > loop->longest_ns) {
		loop->longest_ns = off_ns;
		loop->longest_call = loop->call;
	}
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_loop_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns();

	leave_cpu(prev, preempt, now);
	get_cpu(next, now);
	return 0;
}

/* On a tick of a thread: whether it has a loop that is late, and it is time for a stack. */
static __always_inline bool is_late(struct task_struct *task, __u64 ids)
{
	struct nd_loop_state *loop = bpf_map_lookup_elem(&loops, &ids);
	struct nd_sample_late late = {};
	__u64 now = bpf_ktime_get_ns();

	if (!loop || !loop->counters.busy_since_ns)
		return false;
	settle_delay(loop, task);
	look(loop, task, ids, now);
	if (now - loop->counters.busy_since_ns < stall_ns / 2 || loop->stacks >= LOOP_STACKS_MAX ||
	    now - loop->stack_ns < LOOP_STACK_PACE_NS)
		return false;
	if (!loop->stacks) {
		late.start_ns = loop->counters.busy_since_ns;
		fill_header(&late.header, ND_SAMPLE_LATE, task, ids);
		emit(&late, sizeof(late));
	}
	loop->stacks++;
	loop->stack_ns = now;
	return true;
}

#endif /* NODIAG_PROBES_LOOP_BPF_H */
