/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/stall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"

static enum nd_frame_kind kind_of(const struct nd_profile *frames, const struct nd_call *call)
{
	uint32_t count;

	return nd_profile_frames(frames, &count)[call->frame].kind;
}

/* The innermost call of a kind, or `depth`. */
static size_t find_kind(const struct nd_profile *frames, const struct nd_call *calls, size_t depth,
			enum nd_frame_kind kind)
{
	size_t i;

	for (i = 0; i < depth; i++)
		if (kind_of(frames, &calls[i]) == kind)
			break;
	return i;
}

/*
 * Whose fault it is: the application's innermost function, else a package's, else Node's own; else
 * the outermost native one that is left, which is not ours to choose: the innermost.
 */
static size_t find_culprit(const struct nd_profile *frames, const struct nd_call *calls,
			   size_t depth)
{
	static const enum nd_frame_kind order[] = {ND_FRAME_JS, ND_FRAME_WASM, ND_FRAME_NPM,
						   ND_FRAME_NODE};
	size_t i, at;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		at = find_kind(frames, calls, depth, order[i]);
		if (at < depth)
			return at;
	}
	return 0;
}

/*
 * What the culprit had called, as far as that says something: the work that V8 does for it, else
 * the next function that is no plumbing between JavaScript and C++.
 */
static size_t find_callee(const struct nd_profile *frames, const struct nd_call *calls, size_t at)
{
	enum nd_frame_kind kind;
	const char *name;
	uint32_t count;
	size_t i;

	for (i = at; i-- > 0;) {
		kind = kind_of(frames, &calls[i]);
		name = nd_profile_frames(frames, &count)[calls[i].frame].name;
		if (*name == '(' &&
		    (kind == ND_FRAME_GC || kind == ND_FRAME_COMPILE || kind == ND_FRAME_REGEXP))
			return i;
	}
	for (i = at; i-- > 0;) {
		name = nd_profile_frames(frames, &count)[calls[i].frame].name;
		if (kind_of(frames, &calls[i]) != ND_FRAME_BUILTIN ||
		    (strncmp(name, "CEntry", 6) != 0 && strncmp(name, "Call", 4) != 0 &&
		     strncmp(name, "Construct", 9) != 0 && strncmp(name, "Interpreter", 11) != 0))
			return i;
	}
	return at;
}

/* The outermost call of the culprit's kind: the callback that Node called; `at` if there is none.
 */
static size_t find_entry(const struct nd_profile *frames, const struct nd_call *calls, size_t at,
			 size_t depth)
{
	enum nd_frame_kind kind = kind_of(frames, &calls[at]);
	size_t i;

	for (i = depth; i-- > at;)
		if (kind_of(frames, &calls[i]) == kind)
			return i;
	return at;
}

/* The nearest of those who empty the queues, on the way from the culprit to the root. */
static enum nd_queue find_queue(const struct nd_profile *frames, const struct nd_call *calls,
				size_t at, size_t depth)
{
	const struct nd_frame *frame;
	uint32_t count;
	size_t i;

	for (i = at; i < depth; i++) {
		frame = &nd_profile_frames(frames, &count)[calls[i].frame];
		if (frame->kind == ND_FRAME_BUILTIN && !strcmp(frame->name, "RunMicrotasks"))
			return ND_QUEUE_MICROTASK;
		if (frame->kind == ND_FRAME_NODE &&
		    !strcmp(frame->name, "processTicksAndRejections"))
			return ND_QUEUE_NEXT_TICK;
	}
	return ND_QUEUE_NONE;
}

static enum nd_stall_kind kind_of_leaf(const struct nd_profile *frames, const struct nd_call *leaf)
{
	switch (kind_of(frames, leaf)) {
	case ND_FRAME_GC:
		return ND_STALL_GC;
	case ND_FRAME_COMPILE:
		return ND_STALL_COMPILE;
	case ND_FRAME_REGEXP:
		return ND_STALL_REGEXP;
	case ND_FRAME_NATIVE:
	case ND_FRAME_KERNEL:
		return ND_STALL_NATIVE;
	case ND_FRAME_UNKNOWN:
		return ND_STALL_UNKNOWN;
	default:
		return ND_STALL_JS;
	}
}

void nd_stall_free(struct nd_stall *stall)
{
	size_t i;

	for (i = 0; stall && i < stall->stacks; i++)
		free(stall->stack[i].calls);
	free(stall);
}

int nd_stall_read_stack(const struct nd_profile *frames, const struct nd_event *event,
			const struct nd_call *calls, size_t depth, struct nd_stall_stack *ret_stack)
{
	const struct nd_event_sample *sample = (const void *)event;
	struct nd_stall_stack stack = {.time_ns = event->time_ns};
	size_t at, callee, entry, whole_depth = depth;

	depth = depth < ND_STALL_DEPTH_MAX ? depth : ND_STALL_DEPTH_MAX;
	stack.in_syscall = sample->syscall != -1;
	if (depth) {
		at = find_culprit(frames, calls, depth);
		stack.kind = kind_of_leaf(frames, &calls[0]);
		stack.has_frame = true;
		stack.frame = calls[at].frame;
		stack.line = calls[at].line;
		stack.column = calls[at].column;
		callee = find_callee(frames, calls, at);
		stack.has_callee = callee != at;
		stack.callee = callee != at ? calls[callee].frame : 0;
		entry = find_entry(frames, calls, at, whole_depth);
		stack.has_entry = calls[entry].frame != calls[at].frame &&
				  kind_of(frames, &calls[at]) != ND_FRAME_NODE;
		stack.entry = stack.has_entry ? calls[entry].frame : 0;
		stack.queue = find_queue(frames, calls, at, whole_depth);
		stack.calls = malloc(depth * sizeof(*calls));
		if (!stack.calls)
			return -ENOMEM;
		memcpy(stack.calls, calls, depth * sizeof(*calls));
		stack.depth = depth;
	}
	*ret_stack = stack;
	return 0;
}

static size_t count_in_syscalls(const struct nd_stall *stall)
{
	size_t i, count = stall->blocked;

	for (i = 0; i < stall->stacks; i++)
		count += stall->stack[i].in_syscall;
	return count;
}

/* Whether a stack is to be asked: all are, or only those in which it slept. */
static bool is_asked(const struct nd_stall *stall, size_t i, bool asleep)
{
	return !asleep || stall->stack[i].in_syscall;
}

/* What most of the stacks say that are asked; of as many each, what was first. */
static enum nd_stall_kind ask_stacks(const struct nd_stall *stall, bool asleep)
{
	size_t votes[ND_STALL_KIND_COUNT] = {0}, i;
	enum nd_stall_kind best = ND_STALL_UNKNOWN;

	for (i = 0; i < stall->stacks; i++)
		if (is_asked(stall, i, asleep))
			votes[stall->stack[i].kind]++;
	for (i = 0; i < stall->stacks; i++) {
		enum nd_stall_kind kind = stall->stack[i].kind;

		if (kind != ND_STALL_UNKNOWN &&
		    (best == ND_STALL_UNKNOWN ? votes[kind] > 0 : votes[kind] > votes[best]))
			best = kind;
	}
	return best;
}

/* For how long it neither ran nor could have; 0: not known. */
static uint64_t find_sleep_ns(const struct nd_event_stall *event, uint64_t wall_ns)
{
	uint64_t awake_ns = event->cpu_ns + event->run_delay_ns;

	return event->since_ns && awake_ns < wall_ns ? wall_ns - awake_ns : 0;
}

/*
 * Whether it could have run for half of the time. The delay is counted since the agent's thread
 * last looked before, and on a machine that gives it no CPU either, that may be long before: then
 * only what cannot have been before the stall is sure.
 */
static bool was_descheduled(const struct nd_stall *stall, uint64_t wall_ns, bool surely)
{
	const struct nd_event_stall *event = &stall->event;
	uint64_t before_ns = 0;

	if (surely && event->since_ns < event->start_ns)
		before_ns = event->start_ns - event->since_ns;
	return event->since_ns && event->run_delay_ns >= wall_ns - wall_ns / 2 + before_ns;
}

/*
 * The measured times decide where they can: pauses of the collector are exact, and so is the CPU
 * time; the stacks say whether a thread that used none had asked the kernel for something. The
 * collector also sleeps, until its helpers are done, and they may be those who got no CPU.
 */
enum nd_stall_kind nd_stall_find_kind(const struct nd_stall *stall)
{
	const struct nd_event_stall *event = &stall->event;
	uint64_t wall = event->event.time_ns - event->start_ns;
	uint64_t sleep = find_sleep_ns(event, wall);
	size_t looks = stall->stacks + stall->blocked;
	bool was_asked = 2 * count_in_syscalls(stall) > looks; /* the kernel, for something */

	if (event->gc_ns >= wall - wall / 2)
		return ND_STALL_GC;
	if (was_descheduled(stall, wall, true) ||
	    (!was_asked && was_descheduled(stall, wall, false)))
		return ND_STALL_DESCHEDULED;
	if (was_asked || sleep >= wall - wall / 2)
		return ask_stacks(stall, true) == ND_STALL_GC ? ND_STALL_GC : ND_STALL_BLOCKED;
	if (event->since_ns && event->run_delay_ns > event->cpu_ns && event->run_delay_ns >= sleep)
		return ND_STALL_DESCHEDULED;
	return ask_stacks(stall, false);
}

enum nd_phase nd_stall_find_phase(const struct nd_stall *stall)
{
	enum nd_phase phase, best = ND_PHASE_TIMERS;

	for (phase = ND_PHASE_TIMERS; phase < ND_PHASE_COUNT; phase++)
		if (stall->event.phase_ns[phase] > stall->event.phase_ns[best])
			best = phase;
	return best;
}

static bool is_alike(const struct nd_stall_stack *a, const struct nd_stall_stack *b)
{
	return a->has_frame && b->has_frame && a->frame == b->frame &&
	       a->has_callee == b->has_callee && a->callee == b->callee &&
	       a->has_entry == b->has_entry && a->entry == b->entry;
}

/* Of a stall that was a sleep, only the stacks count in which it slept, where there are any. */
const struct nd_stall_stack *nd_stall_find_stack(const struct nd_stall *stall)
{
	const struct nd_stall_stack *best = NULL;
	size_t i, j, votes, most = 0;
	bool asleep = nd_stall_find_kind(stall) == ND_STALL_BLOCKED &&
		      count_in_syscalls(stall) > stall->blocked;

	for (i = 0; i < stall->stacks; i++) {
		if (!is_asked(stall, i, asleep))
			continue;
		votes = 0;
		for (j = 0; j < stall->stacks; j++)
			votes += is_alike(&stall->stack[i], &stall->stack[j]);
		if (votes > most) {
			most = votes;
			best = &stall->stack[i];
		}
	}
	return best;
}

void nd_stall_find_span(const struct nd_stall *stall, uint8_t ret_id[ND_SPAN_ID_SIZE])
{
	size_t i, j, votes, most = 0;

	memset(ret_id, 0, ND_SPAN_ID_SIZE);
	for (i = 0; i < stall->stacks; i++) {
		votes = 0;
		for (j = 0; j < stall->stacks; j++)
			votes += !memcmp(stall->stack[i].span_id, stall->stack[j].span_id,
					 ND_SPAN_ID_SIZE);
		if (votes <= most)
			continue;
		most = votes;
		memcpy(ret_id, stall->stack[i].span_id, ND_SPAN_ID_SIZE);
	}
}
