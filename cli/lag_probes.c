/* SPDX-License-Identifier: Apache-2.0 */

/* Event loops as the kernel sees them; docs/internals/lag.md says how. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "analyzer/symbols/symbolizer.h"
#include "cli/lag_source.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "probes/sampler.h"
#include "proto/limits.h"
#include "proto/loop.h"
#include "proto/sample.h"

/* Looks at a thread's loop for each threshold of its CPU time, and the fewest in a second. */
#define LOOKS_PER_THRESHOLD 4
#define HZ_MIN		    99

/* How often new threads are looked for. */
#define FIND_INTERVAL_NS ND_NSEC_PER_SEC

/* How often the stack of a thread is taken that has not moved since. */
#define STOPPED_INTERVAL_NS (200 * ND_NSEC_PER_MSEC)

/* A thread of the process. */
struct watched {
	pid_t tid;
	bool has_loop;	  /* else it was seen to have none of Node.js */
	uint32_t index;	  /* among those that have */
	uint64_t left_ns; /* when it left the CPU, at the last stack that was taken of it so */
	uint64_t look_ns; /* when that was */
};

struct lag_probes {
	struct nd_sampler *sampler;
	struct watched *watched;
	size_t count;
	uint32_t loops; /* that were found so far */
	uint64_t stacks;
	uint64_t find_ns; /* when threads were looked for last */
	bool has_main;	  /* the main thread's loop was found */
	bool has_exec;	  /* the process is another program now */
	bool is_late;
	bool trace; /* spans are asked for, which only the agent has */
	uint64_t left_out;
	const struct lag_observation *o; /* while records are handed on */
};

static struct watched *find_watched(struct lag_probes *p, pid_t tid)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->watched[i].tid == tid)
			return &p->watched[i];
	return NULL;
}

static int add_watched(struct lag_probes *p, pid_t tid, bool has_loop)
{
	struct watched *grown = reallocarray(p->watched, p->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	p->watched = grown;
	p->watched[p->count++] =
		(struct watched){.tid = tid, .has_loop = has_loop, .index = p->loops};
	p->loops += has_loop;
	return 0;
}

/* See whether a thread has a loop, where that can be told by now. */
static int try_thread(struct lag_probes *p, pid_t tid)
{
	const struct lag_observation *o = p->o;
	bool is_main = tid == o->pid;
	struct nd_loop_place place;
	int ret = nd_symbolizer_find_loop(o->symbolizer, o->pid, tid, &place);

	/* A process that starts gets its loop later. */
	if (ret == -ENOENT && !is_main)
		return add_watched(p, tid, false);
	if (ret)
		return ret == -ENOMEM ? ret : 0;
	ret = nd_sampler_add_loop(p->sampler, o->pid, tid, &place);
	if (ret == -E2BIG)
		p->left_out++;
	if (is_main && !ret) {
		p->has_main = true;
		o->sink.ops->set_known(o->sink.impl, place.turns_address ? ND_LOOP_EVENTS : 0);
	}
	return ret == -ESRCH ? 0 : add_watched(p, tid, !ret);
}

static int find_loops(struct lag_probes *p)
{
	pid_t *tids;
	size_t count, i;
	int ret = nd_procfs_read_threads(p->o->pid, &tids, &count);

	p->find_ns = nd_clock_monotonic_ns();
	if (ret)
		return ret == -ENOMEM ? ret : 0;
	for (i = 0; i < count && !ret; i++)
		if (!find_watched(p, tids[i]))
			ret = try_thread(p, tids[i]);
	free(tids);
	return ret;
}

static int add_event(struct lag_probes *p, const struct nd_event *event, size_t size)
{
	return p->o->sink.ops->add_event(p->o->sink.impl, event, size);
}

/* The thread's turn began at `time_ns`: what was taken of it before is of another. */
static int forget_before(struct lag_probes *p, uint32_t tid, uint64_t time_ns)
{
	const struct nd_event forget = {ND_EVENT_FORGET, tid, time_ns};

	return add_event(p, &forget, sizeof(forget));
}

static int add_named_stack(struct lag_probes *p, uint32_t tid, uint64_t time_ns, int32_t call,
			   const struct nd_named_stack *stack)
{
	const struct nd_event_sample event = {
		.event = {.kind = ND_EVENT_SAMPLE, .tid = tid, .time_ns = time_ns},
		.reason = ND_REASON_STALL,
		.syscall = call,
	};

	p->stacks++;
	return p->o->sink.ops->add_stack(p->o->sink.impl, &event, NULL, stack->calls, stack->depth);
}

static int handle_sample(struct lag_probes *p, const struct nd_sample_header *record)
{
	struct nd_named_stack stack = {0};
	int ret = nd_symbolizer_name_sample(p->o->symbolizer, record, &stack);

	if (record->kind == ND_SAMPLE_TAIL || ret == -ENOMEM)
		return ret;
	return add_named_stack(p, record->tid, record->time_ns, -1, &stack);
}

static int handle_stall(struct lag_probes *p, const struct nd_sample_stall *stall)
{
	uint64_t wall_ns = stall->header.time_ns - stall->start_ns;
	uint64_t off_ns = stall->slept_ns + stall->delayed_ns;
	const struct nd_event_stall event = {
		.event = {ND_EVENT_STALL, stall->header.tid, stall->header.time_ns},
		.start_ns = stall->start_ns,
		.since_ns = stall->start_ns,
		.cpu_ns = wall_ns > off_ns ? wall_ns - off_ns : 0,
		.run_delay_ns = stall->delayed_ns,
	};
	const struct nd_event_blocked blocked = {
		.event = {ND_EVENT_BLOCKED, stall->header.tid, stall->header.time_ns},
		.start_ns = stall->start_ns,
		.syscall = stall->longest_call,
	};
	int ret = forget_before(p, stall->header.tid, stall->start_ns);

	if (!ret)
		ret = add_event(p, &event.event, sizeof(event));
	if (ret || stall->slept_ns < wall_ns / 2)
		return ret;
	return add_event(p, &blocked.event, sizeof(blocked));
}

static int handle_record(void *arg, const struct nd_sample_header *record)
{
	struct lag_probes *p = arg;

	switch (record->kind) {
	case ND_SAMPLE_EXEC:
		p->has_exec = true;
		return 0;
	case ND_SAMPLE_LATE:
		return forget_before(p, record->tid,
				     ((const struct nd_sample_late *)record)->start_ns);
	case ND_SAMPLE_STALL:
		return handle_stall(p, (const struct nd_sample_stall *)record);
	default:
		return handle_sample(p, record);
	}
}

static bool is_stopped_late(const struct lag_probes *p, const struct nd_loop_state *state,
			    uint64_t now_ns)
{
	return state->left_ns && lag_is_late(&state->counters, p->o->threshold_ns, now_ns);
}

/*
 * The stack of a thread that sleeps while its loop is late. The kernel keeps its registers from
 * when it fell asleep; the stack stays as it is until it wakes, so what was read of one that sleeps
 * on is true.
 */
static int look_at_stopped(struct lag_probes *p, struct watched *w,
			   const struct nd_loop_state *state, uint64_t now_ns)
{
	const struct nd_sample_stack record = {
		.header = {.kind = ND_SAMPLE_STACK,
			   .pid = (uint32_t)p->o->pid,
			   .tid = (uint32_t)w->tid,
			   .time_ns = now_ns},
		.pc = state->pc,
		.sp = state->sp,
		.fp = state->fp,
		.bytecode_offset = state->bytecode_offset,
		.start = state->sp,
	};
	struct nd_named_stack stack = {0};
	struct nd_loop_state after;
	int ret;

	if (!is_stopped_late(p, state, now_ns) ||
	    (w->left_ns == state->left_ns && now_ns - w->look_ns < STOPPED_INTERVAL_NS))
		return 0;
	ret = forget_before(p, (uint32_t)w->tid, state->counters.busy_since_ns);
	if (ret)
		return ret;
	nd_symbolizer_end_batch(p->o->symbolizer);
	ret = nd_symbolizer_name_sample(p->o->symbolizer, &record.header, &stack);
	if (ret == -ENOMEM || nd_sampler_get_loop(p->sampler, p->o->pid, w->tid, &after) ||
	    after.left_ns != state->left_ns)
		return ret == -ENOMEM ? ret : 0;
	w->left_ns = state->left_ns;
	w->look_ns = now_ns;
	return add_named_stack(p, (uint32_t)w->tid, now_ns, state->call, &stack);
}

static int update_loop(struct lag_probes *p, struct watched *w)
{
	static const struct nd_channel_slot zero;
	const struct lag_observation *o = p->o;
	struct nd_channel_slot slot = {.state = ND_SLOT_LIVE, .tid = (uint32_t)w->tid};
	/* These counters begin when their loop was first seen. */
	struct lag_counters counters = {.index = w->index, .first = &zero, .now = &slot};
	struct nd_loop_state state;
	int ret;

	if (nd_sampler_get_loop(p->sampler, o->pid, w->tid, &state))
		return 0;
	counters.now_ns = nd_clock_monotonic_ns();
	slot.kind = w->tid == o->pid ? ND_THREAD_MAIN : ND_THREAD_WORKER;
	slot.start_ns = state.counters.start_ns;
	slot.loop = state.counters;
	if (state.has_ended)
		slot.state = ND_SLOT_ENDED;
	p->is_late |= lag_is_late(&state.counters, o->threshold_ns, counters.now_ns);
	ret = o->sink.ops->set_counters(o->sink.impl, &counters);
	return ret ? ret : look_at_stopped(p, w, &state, counters.now_ns);
}

static int probes_read(void *impl, const struct lag_observation *o)
{
	struct lag_probes *p = impl;
	size_t i;
	int ret;

	p->o = o;
	p->is_late = false;
	ret = nd_sampler_poll(p->sampler, 0, handle_record, p);
	for (i = 0; i < p->count && ret >= 0; i++)
		if (p->watched[i].has_loop)
			ret = update_loop(p, &p->watched[i]);
	nd_symbolizer_end_batch(o->symbolizer);
	if (ret >= 0 && nd_clock_monotonic_ns() - p->find_ns >= FIND_INTERVAL_NS)
		ret = find_loops(p);
	return ret < 0 ? ret : 0;
}

static int probes_start(void *impl, const struct lag_observation *o, struct nd_err *err)
{
	struct lag_probes *p = impl;
	int ret;

	p->o = o;
	p->trace = o->trace;
	if (nd_sampler_set_layout(p->sampler, o->pid, o->layout))
		return nd_err_set(err, -E2BIG, "too many processes");
	ret = nd_sampler_add_process(p->sampler, o->pid, false, err);
	if (ret)
		return ret;
	ret = find_loops(p);
	return ret ? nd_err_set_errno(err, ret, "cannot find the event loops of %d", o->pid) : 0;
}

/* An iteration that goes on is no stall yet where it has not lasted so long. */
static int forget_open(struct lag_probes *p, pid_t tid)
{
	uint64_t now_ns = nd_clock_monotonic_ns();
	struct nd_loop_state state;

	if (nd_sampler_get_loop(p->sampler, p->o->pid, tid, &state) ||
	    (state.counters.busy_since_ns &&
	     now_ns - state.counters.busy_since_ns >= p->o->threshold_ns))
		return 0;
	return forget_before(p, (uint32_t)tid, now_ns);
}

/* From outside nobody can be asked. */
static void probes_ask(void *impl)
{
}

static int probes_finish(void *impl, const struct lag_observation *o)
{
	struct lag_probes *p = impl;
	size_t i;
	int ret = 0;

	p->o = o;
	for (i = 0; i < p->count && !ret; i++)
		if (p->watched[i].has_loop)
			ret = forget_open(p, p->watched[i].tid);
	return ret;
}

static bool probes_is_late(void *impl)
{
	struct lag_probes *p = impl;

	return p->is_late;
}

static void probes_report(void *impl, struct lag_report *ret_report)
{
	struct lag_probes *p = impl;
	struct nd_sampler_stats stats;

	nd_sampler_get_stats(p->sampler, &stats);
	*ret_report = (struct lag_report){
		.stacks = p->stacks,
		.dropped = stats.ring_full,
		.left_out = p->left_out + stats.unwatched,
		.reason = p->has_main ? "" : "the main thread's event loop was not found",
		.untraced = p->trace ? "there is no agent in it" : "",
		.unread = "",
	};
}

static bool probes_is_over(void *impl, const struct lag_observation *o)
{
	struct lag_probes *p = impl;

	return p->has_exec || (kill(o->pid, 0) && errno == ESRCH);
}

static void probes_close(void *impl)
{
	struct lag_probes *p = impl;

	nd_sampler_close(p->sampler);
	free(p->watched);
	free(p);
}

static const struct lag_source_ops probes_ops = {
	.name = "eBPF, from outside",
	.adds = "phases, exact GC pauses, the heap, and stacks of threads that run at a fixed pace",
	.start = probes_start,
	.read = probes_read,
	.ask = probes_ask,
	.finish = probes_finish,
	.is_over = probes_is_over,
	.is_late = probes_is_late,
	.report = probes_report,
	.close = probes_close,
};

int lag_probes_open(uint64_t threshold_ns, struct lag_source *ret_source, struct nd_err *err)
{
	uint64_t hz = LOOKS_PER_THRESHOLD * ND_NSEC_PER_SEC / threshold_ns;
	struct nd_sampler_options sampler = {.stall_ns = threshold_ns};
	struct lag_probes *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return nd_err_set(err, -ENOMEM, "out of memory");
	sampler.hz = hz < HZ_MIN	      ? HZ_MIN
		     : hz > ND_SAMPLER_HZ_MAX ? ND_SAMPLER_HZ_MAX
					      : (unsigned int)hz;
	ret = nd_sampler_open(&sampler, &p->sampler, NULL, err);
	if (ret) {
		free(p);
		return ret;
	}
	*ret_source = (struct lag_source){&probes_ops, p};
	return 0;
}
