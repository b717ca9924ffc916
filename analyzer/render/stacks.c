/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/stacks/stacks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/render/render.h"
#include "analyzer/render/request.h"
#include "analyzer/render/terminal.h"
#include "analyzer/render/units.h"
#include "common/buf.h"
#include "proto/span.h"

/* Thread ids written out for threads that are shown as one. */
#define LISTED_MAX 8

#define TIMES "\xc3\x97"

struct writer {
	const struct nd_frame *frames;
	bool colour;
	struct nd_buf *out;
};

static bool is_script(const struct nd_frame *frame)
{
	return frame->kind == ND_FRAME_JS || frame->kind == ND_FRAME_NPM ||
	       frame->kind == ND_FRAME_NODE;
}

/* " (file:line:column)", by what is executing, else by the definition. */
static void add_place(const struct writer *w, const struct nd_call *call,
		      const struct nd_frame *frame)
{
	uint32_t line = call->line ? call->line : frame->line;
	uint32_t column = call->line ? call->column : frame->column;

	nd_buf_add_str(w->out, " (");
	nd_terminal_add(w->out, frame->file[0] ? frame->file : "unknown");
	if (line)
		nd_buf_addf(w->out, ":%" PRIu32 ":%" PRIu32, line, column);
	nd_buf_add_char(w->out, ')');
}

/* "  [TurboFan, inlined]": how a JavaScript call ran, and whether its place is only its start. */
static void add_notes(const struct writer *w, const struct nd_call *call,
		      const struct nd_frame *frame)
{
	const char *notes[] = {
		nd_tier_name(call->tier),
		call->inlined ? "inlined" : "",
		call->line || !frame->line ? "" : "definition",
	};
	const char *separator = "  [";
	size_t i;

	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
	for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		if (!notes[i][0])
			continue;
		nd_buf_addf(w->out, "%s%s", separator, notes[i]);
		separator = ", ";
	}
	if (*separator == ',')
		nd_buf_add_char(w->out, ']');
	nd_terminal_end(w->out, w->colour);
}

/* "  [libc.so.6]": where code lives that has no lines. */
static void add_module(const struct writer *w, const struct nd_frame *frame)
{
	const char *base = strrchr(frame->file, '/');

	if (frame->name[0] == '[' || frame->name[0] == '(')
		return;
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
	nd_buf_add_str(w->out, "  [");
	if (frame->file[0])
		nd_terminal_add(w->out, base ? base + 1 : frame->file);
	else
		nd_buf_add_str(w->out, nd_frame_kind_name(frame->kind));
	nd_buf_add_char(w->out, ']');
	nd_terminal_end(w->out, w->colour);
}

static void add_call(const struct writer *w, const struct nd_call *call, size_t times)
{
	const struct nd_frame *frame = &w->frames[call->frame];

	nd_buf_add_str(w->out, is_script(frame) ? "    at " : "       ");
	nd_terminal_begin(w->out, w->colour, nd_terminal_colours[frame->kind]);
	nd_terminal_add(w->out, frame->name);
	nd_terminal_end(w->out, w->colour);
	if (is_script(frame)) {
		add_place(w, call, frame);
		add_notes(w, call, frame);
	} else {
		add_module(w, frame);
	}
	if (times > 1)
		nd_buf_addf(w->out, "  " TIMES " %zu", times);
	nd_buf_add_char(w->out, '\n');
}

/* How many calls from the first on are at the same place of the same function: recursion. */
static size_t count_same(const struct nd_call *calls, size_t depth)
{
	size_t same = 1;

	while (same < depth && calls[same].frame == calls[0].frame &&
	       calls[same].line == calls[0].line && calls[same].column == calls[0].column)
		same++;
	return same;
}

static const char *missing_text(enum nd_thread_missing missing)
{
	static const char *const texts[ND_THREAD_MISSING_COUNT] = {
		[ND_THREAD_COMPLETE] = "it has no frames",
		[ND_THREAD_LATE] = "it did not stop in time",
		[ND_THREAD_TRACED] = "another process traces it",
		[ND_THREAD_KERNEL] = "the kernel does not show it",
		[ND_THREAD_UNREADABLE] = "its registers or its memory could not be read",
	};

	return texts[missing];
}

static void add_stack(const struct writer *w, const struct nd_thread_stack *thread)
{
	size_t i, same;

	for (i = 0; i < thread->depth; i += same) {
		same = count_same(&thread->calls[i], thread->depth - i);
		add_call(w, &thread->calls[i], same);
	}
	if (thread->rootless)
		nd_buf_add_str(w->out, "       [root missing]\n");
	if (!thread->depth)
		nd_buf_addf(w->out, "    no stack: %s\n", missing_text(thread->info.missing));
}

static void add_state(const struct writer *w, const struct nd_thread_stack *thread)
{
	static const char *const states[ND_THREAD_STATE_COUNT] = {
		[ND_THREAD_UNKNOWN] = "",
		[ND_THREAD_RUNNING] = "running",
		[ND_THREAD_SYSCALL] = "in",
		[ND_THREAD_WAITING] = "waiting in",
		[ND_THREAD_UNINTERRUPTIBLE] = "in uninterruptible sleep",
	};
	const struct nd_thread *info = &thread->info;
	const char *text = states[info->state];

	if (info->job_stopped)
		nd_buf_add_str(w->out, *text ? ": stopped by a signal, " : ": stopped by a signal");
	else if (*text)
		nd_buf_add_str(w->out, ": ");
	nd_buf_add_str(w->out, text);
	if (info->syscall[0])
		nd_buf_addf(w->out, info->state == ND_THREAD_UNINTERRUPTIBLE ? " in %s" : " %s",
			    info->syscall);
	if (thread->work == ND_FRAME_GC)
		nd_buf_add_str(w->out, ", collecting garbage");
	else if (thread->work == ND_FRAME_COMPILE)
		nd_buf_add_str(w->out, ", compiling");
}

/* The kernel's name of a thread, where that was given by the application. */
static void add_comm(const struct writer *w, const struct nd_process_stacks *process,
		     const struct nd_thread_stack *thread)
{
	if (thread->role != ND_ROLE_WORKER && thread->role != ND_ROLE_OTHER)
		return;
	if (!thread->info.comm[0] || !strcmp(thread->info.comm, process->threads[0].info.comm))
		return;
	nd_buf_add_str(w->out, " \"");
	nd_terminal_add(w->out, thread->info.comm);
	nd_buf_add_char(w->out, '"');
}

/* "worker 4250 "mailer": waiting in futex", or "4 V8 helpers (4243, 4244, 4245, 4246): ...". */
static void add_heading(const struct writer *w, const struct nd_process_stacks *process,
			const struct nd_thread_stack *const *threads, size_t count)
{
	size_t i;

	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_BOLD);
	if (count == 1) {
		nd_buf_addf(w->out, "%s %d", nd_thread_role_name(threads[0]->role, false),
			    threads[0]->info.tid);
	} else {
		nd_buf_addf(w->out, "%zu %s (", count, nd_thread_role_name(threads[0]->role, true));
		for (i = 0; i < count && i < LISTED_MAX; i++)
			nd_buf_addf(w->out, i ? ", %d" : "%d", threads[i]->info.tid);
		nd_buf_add_str(w->out, count > LISTED_MAX ? ", ...)" : ")");
	}
	add_comm(w, process, threads[0]);
	nd_terminal_end(w->out, w->colour);
	add_state(w, threads[0]);
	if (count == 1 && threads[0]->info.later_ns)
		nd_buf_addf(w->out, " (%.0f ms later)", (double)threads[0]->info.later_ns / 1e6);
	nd_buf_add_char(w->out, '\n');
}

/* "    for GET /users/17, begun 3.2 s ago, trace 4bf92f3577b34da6a3ce929d0e0e4736". */
static void add_request(const struct writer *w, const struct nd_thread_stack *thread)
{
	const struct nd_event_span *span = thread->request;
	char age[ND_UNITS_MAX];

	if (!span)
		return;
	nd_buf_add_str(w->out, "    for ");
	nd_terminal_add(w->out, nd_span_get_text(span, ND_SPAN_METHOD));
	nd_buf_add_char(w->out, ' ');
	nd_terminal_add(w->out, nd_span_get_text(span, ND_SPAN_PATH));
	nd_units_weight(thread->request_ns, "nanoseconds", age);
	nd_buf_addf(w->out, ", begun %s ago", age);
	if (span->status)
		nd_buf_addf(w->out, ", answered with %d", span->status);
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
	nd_buf_add_str(w->out, ", trace ");
	nd_request_add_hex(w->out, span->trace_id, sizeof(span->trace_id));
	nd_terminal_end(w->out, w->colour);
	nd_buf_add_char(w->out, '\n');
}

/* Move the threads that are like the first together; returns how many there are. */
static size_t gather(const struct nd_thread_stack **threads, size_t count)
{
	const struct nd_thread_stack *found;
	size_t i, j, alike = 1;

	for (i = 1; i < count; i++) {
		if (!nd_thread_stack_is_like(threads[0], threads[i]))
			continue;
		found = threads[i];
		for (j = i; j > alike; j--)
			threads[j] = threads[j - 1];
		threads[alike++] = found;
	}
	return alike;
}

static void sort_by_role(const struct nd_process_stacks *process,
			 const struct nd_thread_stack **ret_threads)
{
	size_t i, count = 0;
	int role;

	for (role = 0; role < ND_ROLE_COUNT; role++)
		for (i = 0; i < process->count; i++)
			if (process->threads[i].role == (enum nd_thread_role)role)
				ret_threads[count++] = &process->threads[i];
}

static int add_process(const struct writer *w, const struct nd_process_stacks *process)
{
	const struct nd_thread_stack **threads =
		calloc(process->count + 1, sizeof(const struct nd_thread_stack *));
	size_t i, alike;

	if (!threads)
		return -ENOMEM;
	sort_by_role(process, threads);
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_BOLD);
	nd_buf_addf(w->out, "process %d: ", process->pid);
	nd_terminal_add(w->out, process->title);
	nd_terminal_end(w->out, w->colour);
	nd_buf_addf(w->out, "%s%s\n", process->runtime[0] ? ", " : "", process->runtime);
	for (i = 0; i < process->count; i += alike) {
		alike = gather(threads + i, process->count - i);
		nd_buf_add_char(w->out, '\n');
		add_heading(w, process, threads + i, alike);
		add_request(w, threads[i]);
		add_stack(w, threads[i]);
	}
	free(threads);
	return 0;
}

int nd_render_stacks(const struct nd_stacks *stacks, bool colour, struct nd_buf *out)
{
	uint32_t unused;
	struct writer w = {
		.frames = nd_profile_frames(stacks->profile, &unused),
		.colour = colour,
		.out = out,
	};
	size_t i;
	int ret = 0;

	for (i = 0; i < stacks->count && !ret; i++) {
		if (i)
			nd_buf_add_char(out, '\n');
		ret = add_process(&w, &stacks->processes[i]);
	}
	return ret ? ret : nd_buf_error(out);
}
