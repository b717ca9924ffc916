/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/stacks/stacks.h"

#include <inttypes.h>

#include "analyzer/render/json_text.h"
#include "analyzer/render/render.h"
#include "analyzer/render/request.h"
#include "analyzer/trace/route.h"
#include "common/buf.h"
#include "proto/span.h"

/* Grows by one when a field changes its meaning or goes; docs/format-json.md. */
#define VERSION 1

/* Words for good; NULL where the field is null. */
static const char *const role_keys[ND_ROLE_COUNT] = {
	[ND_ROLE_MAIN] = "main",
	[ND_ROLE_WORKER] = "worker",
	[ND_ROLE_OTHER] = "other",
	[ND_ROLE_POOL] = "pool",
	[ND_ROLE_V8] = "v8",
	[ND_ROLE_V8_DELAYED] = "v8_delayed",
	[ND_ROLE_DEBUG_SIGNAL] = "debug_signal",
	[ND_ROLE_INSPECTOR] = "inspector",
	[ND_ROLE_IO_URING] = "io_uring",
};

static const char *const state_keys[ND_THREAD_STATE_COUNT] = {
	[ND_THREAD_UNKNOWN] = "unknown",
	[ND_THREAD_RUNNING] = "running",
	[ND_THREAD_SYSCALL] = "syscall",
	[ND_THREAD_WAITING] = "waiting",
	[ND_THREAD_UNINTERRUPTIBLE] = "uninterruptible",
};

static const char *const missing_keys[ND_THREAD_MISSING_COUNT] = {
	[ND_THREAD_COMPLETE] = NULL,	       [ND_THREAD_LATE] = "late",
	[ND_THREAD_TRACED] = "traced",	       [ND_THREAD_KERNEL] = "kernel",
	[ND_THREAD_UNREADABLE] = "unreadable",
};

static void add_bool(struct nd_buf *out, const char *key, bool value)
{
	nd_buf_add_str(out, key);
	nd_buf_add_str(out, value ? "true" : "false");
}

static void add_call(struct nd_buf *out, const struct nd_call *call, const struct nd_frame *frame)
{
	nd_json_add_field(out, "{\"name\":", frame->name);
	nd_json_add_field(out, ",\"file\":", frame->file);
	nd_buf_addf(out, ",\"line\":%" PRIu32 ",\"column\":%" PRIu32, call->line, call->column);
	nd_buf_addf(out, ",\"kind\":\"%s\",\"tier\":\"%s\"", nd_frame_kind_name(frame->kind),
		    nd_json_tier_keys[call->tier]);
	add_bool(out, ",\"inlined\":", call->inlined);
	nd_buf_addf(out, ",\"definition\":{\"line\":%" PRIu32 ",\"column\":%" PRIu32 "}}",
		    frame->line, frame->column);
}

static void add_request(struct nd_buf *out, const struct nd_thread_stack *thread)
{
	const struct nd_event_span *span = thread->request;
	char name[ND_ROUTE_NAME_MAX];

	nd_buf_add_str(out, ",\"request\":");
	if (!span) {
		nd_request_add_json(out, NULL, NULL, NULL);
		nd_buf_add_str(out, ",\"request_path\":null,\"request_ns\":null");
		return;
	}
	nd_trace_name(span, name);
	nd_request_add_json(out, name, span->trace_id, span->span_id);
	nd_json_add_field(out, ",\"request_path\":", nd_span_get_text(span, ND_SPAN_PATH));
	nd_buf_addf(out, ",\"request_ns\":%" PRIu64, thread->request_ns);
}

static void add_thread(struct nd_buf *out, const struct nd_thread_stack *thread,
		       const struct nd_frame *frames)
{
	const struct nd_thread *info = &thread->info;
	size_t i;

	nd_buf_addf(out, "{\"tid\":%d,\"role\":\"%s\"", info->tid, role_keys[thread->role]);
	nd_json_add_field(out, ",\"name\":", info->comm);
	nd_buf_addf(out, ",\"state\":\"%s\"", state_keys[info->state]);
	nd_json_add_field(out, ",\"syscall\":", info->syscall[0] ? info->syscall : NULL);
	add_bool(out, ",\"stopped\":", info->job_stopped);
	nd_buf_addf(out, ",\"later_ns\":%" PRIu64, info->later_ns);
	nd_json_add_field(out,
			  ",\"work\":", thread->work ? nd_frame_kind_name(thread->work) : NULL);
	nd_json_add_field(out, ",\"missing\":", missing_keys[info->missing]);
	add_bool(out, ",\"truncated\":", thread->truncated);
	add_bool(out, ",\"rootless\":", thread->rootless);
	add_request(out, thread);
	nd_buf_add_str(out, ",\"stack\":[");
	for (i = 0; i < thread->depth; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_call(out, &thread->calls[i], &frames[thread->calls[i].frame]);
	}
	nd_buf_add_str(out, "]}");
}

static void add_process(struct nd_buf *out, const struct nd_process_stacks *process,
			const struct nd_frame *frames)
{
	size_t i;

	nd_buf_addf(out, "{\"pid\":%d", process->pid);
	nd_json_add_field(out, ",\"title\":", process->title);
	nd_json_add_field(out, ",\"command\":", process->command);
	nd_json_add_field(out, ",\"runtime\":", process->runtime);
	nd_buf_addf(out, ",\"time_unix_ns\":%" PRIu64, process->time_unix_ns);
	nd_buf_addf(out, ",\"stopped_ns\":%" PRIu64, process->stopped_ns);
	nd_buf_add_str(out, ",\"threads\":[");
	for (i = 0; i < process->count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_thread(out, &process->threads[i], frames);
	}
	nd_buf_add_str(out, "]}");
}

int nd_render_stacks_json(const struct nd_stacks *stacks, struct nd_buf *out)
{
	uint32_t unused;
	const struct nd_frame *frames = nd_profile_frames(stacks->profile, &unused);
	size_t i;

	nd_buf_addf(out, "{\"format\":\"nodiag-stack\",\"version\":%d,\n", VERSION);
	nd_json_add_losses(out, stacks->profile);
	nd_buf_add_str(out, ",\n\"processes\":[");
	for (i = 0; i < stacks->count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_process(out, &stacks->processes[i], frames);
	}
	nd_buf_add_str(out, "]}\n");
	return nd_buf_error(out);
}
