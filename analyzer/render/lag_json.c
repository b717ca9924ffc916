/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/lag.h"

#include <inttypes.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/lag_parts.h"
#include "analyzer/render/render.h"
#include "analyzer/render/request.h"
#include "analyzer/trace/requests.h"
#include "common/buf.h"

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

/* Words for good, whatever the ones for people become. */
static const char *const phases[ND_PHASE_COUNT] = {"timers", "poll", "check", "close", "other"};
static const char *const queues[ND_QUEUE_COUNT] = {NULL, "next_tick", "microtask"};
static const char *const gc_types[ND_GC_TYPES] = {"scavenge", "minor_mark_sweep", "mark_compact",
						  "incremental", "weak_callbacks"};

static void add_number(struct nd_buf *out, const char *key, uint64_t value)
{
	nd_buf_addf(out, ",\"%s\":%" PRIu64, key, value);
}

/* null where nobody knows. */
static void add_known(struct nd_buf *out, const char *key, bool is_known, uint64_t value)
{
	if (is_known)
		add_number(out, key, value);
	else
		nd_buf_addf(out, ",\"%s\":null", key);
}

static void add_delay(struct nd_buf *out, const struct nd_lag_loop *loop)
{
	const char *separator = "";
	uint32_t i;

	nd_buf_addf(out, ",\"delay\":{\"mean_ns\":%" PRIu64,
		    loop->iterations ? loop->busy_ns / loop->iterations : 0);
	add_number(out, "p50_ns", nd_lag_percentile(loop, 0.5));
	add_number(out, "p90_ns", nd_lag_percentile(loop, 0.9));
	add_number(out, "p99_ns", nd_lag_percentile(loop, 0.99));
	add_number(out, "p99_9_ns", nd_lag_percentile(loop, 0.999));
	add_number(out, "max_ns", loop->max_ns);
	nd_buf_add_str(out, ",\"buckets\":[");
	for (i = 0; i < ND_HISTOGRAM_BUCKETS; i++) {
		if (!loop->delay[i])
			continue;
		nd_buf_addf(out, "%s[%" PRIu64 ",%" PRIu64 "]", separator, nd_histogram_start(i),
			    loop->delay[i]);
		separator = ",";
	}
	nd_buf_add_str(out, "]}");
}

static void add_phases(struct nd_buf *out, const struct nd_lag_loop *loop)
{
	int i;

	if (!(loop->known & ND_LOOP_PHASES)) {
		nd_buf_add_str(out, ",\"phases_ns\":null");
		return;
	}
	nd_buf_add_str(out, ",\"phases_ns\":{");
	for (i = 0; i < ND_PHASE_COUNT; i++)
		nd_buf_addf(out, "%s\"%s\":%" PRIu64, i ? "," : "", phases[i], loop->phase_ns[i]);
	nd_buf_add_char(out, '}');
}

static void add_gc(struct nd_buf *out, const struct nd_lag_loop *loop)
{
	int i;

	if (!(loop->known & ND_LOOP_GC)) {
		nd_buf_add_str(out, ",\"gc\":null,\"heap\":null");
		return;
	}
	nd_buf_add_str(out, ",\"gc\":{");
	for (i = 0; i < ND_GC_TYPES; i++)
		nd_buf_addf(out,
			    "%s\"%s\":{\"count\":%" PRIu64 ",\"time_ns\":%" PRIu64
			    ",\"longest_ns\":%" PRIu64 "}",
			    i ? "," : "", gc_types[i], loop->gc_count[i], loop->gc_ns[i],
			    loop->gc_max_ns[i]);
	nd_buf_add_str(out, "},\"heap\":{\"used_bytes\":");
	nd_buf_addf(out, "%" PRIu64, loop->heap_used_bytes);
	add_number(out, "total_bytes", loop->heap_total_bytes);
	add_number(out, "limit_bytes", loop->heap_limit_bytes);
	add_number(out, "external_bytes", loop->external_bytes);
	add_number(out, "allocated_bytes", loop->allocated_bytes);
	add_number(out, "allocated_ns", loop->allocated_ns);
	nd_render_lag_memory_json(loop, out);
	nd_buf_add_char(out, '}');
}

static void add_handles(struct nd_buf *out, const struct nd_lag_loop *loop)
{
	const char *separator = "";
	int type;

	nd_buf_add_str(out, ",\"handles\":");
	if (!loop->has_handles) {
		nd_buf_add_str(out, "null,\"requests\":null");
		return;
	}
	nd_buf_add_char(out, '{');
	for (type = 0; type < ND_HANDLE_TYPES; type++) {
		if (!loop->handles_total[type] || !*nd_handle_text(type))
			continue;
		nd_buf_addf(out, "%s\"%s\":{\"active\":%" PRIu32 ",\"total\":%" PRIu32 "}",
			    separator, nd_handle_text(type), loop->handles_active[type],
			    loop->handles_total[type]);
		separator = ",";
	}
	nd_buf_addf(out, "},\"requests\":%" PRIu32, loop->requests);
}

static void add_loop(struct nd_buf *out, const struct nd_lag_loop *loop)
{
	nd_buf_addf(out, "{\"tid\":%" PRIu32 ",\"kind\":\"%s\",\"ended\":%s", loop->tid,
		    loop->kind == ND_THREAD_MAIN ? "main" : "worker",
		    loop->ended ? "true" : "false");
	add_number(out, "observed_ns", loop->observed_ns);
	add_number(out, "busy_ns", loop->busy_ns);
	add_number(out, "idle_ns", loop->idle_ns);
	add_number(out, "iterations", loop->iterations);
	add_known(out, "events", loop->known & ND_LOOP_EVENTS, loop->events);
	add_number(out, "stalls", loop->stalls);
	add_number(out, "stall_ns", loop->stall_ns);
	add_delay(out, loop);
	add_phases(out, loop);
	add_gc(out, loop);
	add_handles(out, loop);
	nd_buf_add_char(out, '}');
}

static void add_frame(struct nd_buf *out, const struct nd_profile *profile, uint32_t index,
		      uint32_t line, uint32_t column)
{
	uint32_t count;
	const struct nd_frame *frame = &nd_profile_frames(profile, &count)[index];

	nd_buf_add_str(out, "{\"name\":");
	nd_json_add_string(out, frame->name);
	nd_buf_add_str(out, ",\"file\":");
	nd_json_add_string(out, frame->file);
	add_number(out, "line", line ? line : frame->line);
	add_number(out, "column", line ? column : frame->column);
	nd_buf_addf(out, ",\"kind\":\"%s\"}", nd_frame_kind_name(frame->kind));
}

static void add_culprit(struct nd_buf *out, const struct nd_profile *frames,
			const struct nd_culprit *culprit, const struct nd_request *request)
{
	size_t i;

	nd_buf_addf(out, "{\"count\":%" PRIu64, culprit->count);
	add_number(out, "longest_ns", culprit->longest_ns);
	add_number(out, "total_ns", culprit->total_ns);
	add_number(out, "going_on", culprit->going_on);
	add_number(out, "tid", culprit->tid);
	nd_buf_addf(out, ",\"kind\":\"%s\",\"phase\":", nd_stall_kind_key(culprit->kind));
	nd_buf_addf(out, culprit->has_phase ? "\"%s\"" : "null", phases[culprit->phase]);
	nd_buf_add_str(out, ",\"queue\":");
	nd_json_add_string(out, queues[culprit->queue]);
	nd_buf_add_str(out, ",\"syscall\":");
	nd_buf_addf(out, culprit->syscall < 0 ? "null" : "%" PRId32, culprit->syscall);
	nd_buf_add_str(out, ",\"function\":");
	if (culprit->has_frame)
		add_frame(out, frames, culprit->frame, culprit->line, culprit->column);
	else
		nd_buf_add_str(out, "null");
	nd_buf_add_str(out, ",\"in\":");
	if (culprit->has_callee)
		add_frame(out, frames, culprit->callee, 0, 0);
	else
		nd_buf_add_str(out, "null");
	nd_buf_add_str(out, ",\"from\":");
	if (culprit->has_entry)
		add_frame(out, frames, culprit->entry, 0, 0);
	else
		nd_buf_add_str(out, "null");
	nd_buf_add_str(out, ",\"request\":");
	nd_request_add_json(out, request ? request->name : NULL, request ? request->trace_id : NULL,
			    request ? request->span_id : NULL);
	nd_buf_add_str(out, ",\"stack\":[");
	for (i = 0; i < culprit->depth; i++) {
		nd_buf_add_str(out, i ? "," : "");
		add_frame(out, frames, culprit->calls[i].frame, culprit->calls[i].line,
			  culprit->calls[i].column);
	}
	nd_buf_add_str(out, "]}");
}

int nd_render_lag_json(struct nd_lag *lag, const struct nd_profile *frames, uint64_t threshold_ns,
		       struct nd_buf *out)
{
	const struct nd_culprit *culprits;
	const struct nd_lag_loop *loops;
	size_t count, i;
	int ret;

	nd_buf_addf(out, "{\"format\":\"nodiag-lag\",\"version\":%d", VERSION);
	add_number(out, "threshold_ns", threshold_ns);
	nd_buf_add_str(out, ",\n\"loops\":[");
	loops = nd_lag_loops(lag, &count);
	for (i = 0; i < count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_loop(out, &loops[i]);
	}
	nd_buf_add_str(out, "],\n\"stalls\":[");
	culprits = nd_lag_culprits(lag, &count);
	for (i = 0; i < count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_culprit(out, frames, &culprits[i],
			    nd_requests_find(nd_lag_requests(lag), culprits[i].span_id));
	}
	nd_buf_add_str(out, "],\n\"collections\":");
	ret = nd_render_lag_collections_json(lag, out);
	if (ret)
		return ret;
	nd_buf_add_str(out, ",\n\"async\":");
	ret = nd_render_async_json(nd_lag_async(lag), out);
	nd_buf_add_str(out, "}\n");
	return ret ? ret : nd_buf_error(out);
}
