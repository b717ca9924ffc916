/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/trace.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/render.h"
#include "analyzer/render/request.h"
#include "common/buf.h"

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

/* Words for good, whatever the ones for people become. */
static const char *const kinds[ND_SPAN_KIND_COUNT] = {
	[ND_SPAN_SERVER] = "server",
	[ND_SPAN_CLIENT] = "client",
	[ND_SPAN_INTERNAL] = "internal",
};

static void add_number(struct nd_buf *out, const char *key, uint64_t value)
{
	nd_buf_addf(out, ",\"%s\":%" PRIu64, key, value);
}

/* null where it is not known. */
static void add_known(struct nd_buf *out, const char *key, uint64_t value)
{
	if (value)
		add_number(out, key, value);
	else
		nd_buf_addf(out, ",\"%s\":null", key);
}

static void add_bool(struct nd_buf *out, const char *key, bool value)
{
	nd_buf_addf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void add_text(struct nd_buf *out, const char *key, const struct nd_event_span *span,
		     enum nd_span_text text)
{
	const char *str = nd_span_get_text(span, text);

	nd_buf_addf(out, ",\"%s\":", key);
	nd_json_add_string(out, *str ? str : NULL);
}

/* null where it is not known. */
static void add_id(struct nd_buf *out, const char *key, const uint8_t *id, size_t size)
{
	static const uint8_t none[16];
	size_t i;

	if (!memcmp(id, none, size)) {
		nd_buf_addf(out, "\"%s\":null", key);
		return;
	}
	nd_buf_addf(out, "\"%s\":\"", key);
	for (i = 0; i < size; i++)
		nd_buf_addf(out, "%02x", id[i]);
	nd_buf_add_char(out, '"');
}

static void add_ids(struct nd_buf *out, const struct nd_event_span *span)
{
	static const uint8_t none[8];
	bool observed = span->flags & ND_SPAN_OBSERVED;

	add_id(out, "trace_id", span->trace_id, sizeof(span->trace_id));
	nd_buf_add_char(out, ',');
	add_id(out, "span_id", observed ? span->seen_id : span->span_id, sizeof(none));
	nd_buf_add_char(out, ',');
	/* Nodiag's own ids mean nothing to those who know the other tracer's. */
	add_id(out, "parent_id", observed ? none : span->parent_id, sizeof(none));
	add_bool(out, "observed", observed);
}

static void add_span(struct nd_buf *out, const struct nd_event_span *span, bool is_open)
{
	char name[ND_ROUTE_NAME_MAX];

	add_ids(out, span);
	nd_buf_addf(out, ",\"kind\":\"%s\",\"name\":", kinds[span->kind]);
	nd_trace_name(span, name);
	nd_json_add_string(out, name);
	add_number(out, "tid", span->event.tid);
	add_number(out, "start_ns", span->start_ns);
	if (is_open)
		nd_buf_add_str(out, ",\"end_ns\":null");
	else
		add_number(out, "end_ns", span->event.time_ns);
	if (span->kind == ND_SPAN_INTERNAL)
		nd_buf_add_str(out, ",\"method\":null");
	else
		add_text(out, "method", span, ND_SPAN_METHOD);
	add_text(out, "route", span, ND_SPAN_ROUTE);
	add_text(out, "path", span, ND_SPAN_PATH);
	add_bool(out, "tls", span->flags & ND_SPAN_TLS);
	add_text(out, "host", span, ND_SPAN_HOST);
	add_known(out, "port", span->port);
	add_text(out, "peer", span, ND_SPAN_PEER);
	add_known(out, "status", span->status);
	add_bool(out, "failed", !is_open && nd_span_is_error(span));
	add_bool(out, "aborted", span->flags & ND_SPAN_ABORTED);
	add_text(out, "error", span, ND_SPAN_ERROR);
	if (span->http_version)
		nd_buf_addf(out, ",\"http_version\":\"%u.%u\"", span->http_version / 10u,
			    span->http_version % 10u);
	else
		nd_buf_add_str(out, ",\"http_version\":null");
}

static void add_stall(struct nd_buf *out, const struct nd_trace_request *request,
		      const struct nd_profile *frames)
{
	const struct nd_lag_stall *stall = &request->stall;
	const struct nd_event_span *span = request->stall_span;
	char name[ND_ROUTE_NAME_MAX];
	const struct nd_culprit *culprit = &stall->culprit;
	const struct nd_frame *frame;
	uint32_t count;

	nd_buf_addf(out, ",\"stall\":{\"kind\":\"%s\"", nd_stall_kind_key(culprit->kind));
	add_number(out, "start_ns", stall->start_ns);
	add_number(out, "end_ns", stall->end_ns);
	nd_buf_add_str(out, ",\"function\":");
	if (culprit->has_frame) {
		frame = &nd_profile_frames(frames, &count)[culprit->frame];
		nd_json_add_field(out, "{\"name\":", frame->name);
		nd_json_add_field(out, ",\"file\":", frame->file);
		add_number(out, "line", culprit->line ? culprit->line : frame->line);
		add_number(out, "column", culprit->line ? culprit->column : frame->column);
		nd_buf_addf(out, ",\"kind\":\"%s\"}", nd_frame_kind_name(frame->kind));
	} else {
		nd_buf_add_str(out, "null");
	}
	nd_buf_add_str(out, ",\"request\":");
	if (span)
		nd_trace_name(span, name);
	nd_request_add_json(out, span ? name : NULL, span ? span->trace_id : NULL,
			    span ? span->span_id : NULL);
	nd_buf_add_char(out, '}');
}

static void add_request(struct nd_buf *out, const struct nd_trace_request *request,
			const struct nd_profile *frames)
{
	size_t i;

	nd_buf_add_char(out, '{');
	add_span(out, request->span, request->is_open);
	add_number(out, "duration_ns", request->duration_ns);
	add_number(out, "blocked_ns", request->blocked_ns);
	add_number(out, "outside_ns", request->outside_ns);
	add_number(out, "gc_ns", request->gc_ns);
	nd_request_add_collected(out, &request->collected);
	add_number(out, "unread_ns", request->unread_ns);
	if (request->has_stall)
		add_stall(out, request, frames);
	else
		nd_buf_add_str(out, ",\"stall\":null");
	add_number(out, "spans_left_out", request->nodes_left_out);
	nd_buf_add_str(out, ",\"spans\":[");
	for (i = 1; i < request->node_count; i++) {
		nd_buf_addf(out, "%s{", i > 1 ? "," : "");
		add_span(out, request->nodes[i].span, request->nodes[i].is_open);
		add_number(out, "depth", request->nodes[i].depth);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "]}");
}

static void add_route(struct nd_buf *out, const struct nd_trace_route *route)
{
	nd_json_add_field(out, "{\"name\":", route->name);
	add_number(out, "count", route->count);
	add_number(out, "failed", route->errors);
	add_number(out, "total_ns", route->total_ns);
	add_number(out, "p50_ns", nd_histogram_percentile(route->times, route->max_ns, 0.5));
	add_number(out, "p90_ns", nd_histogram_percentile(route->times, route->max_ns, 0.9));
	add_number(out, "p99_ns", nd_histogram_percentile(route->times, route->max_ns, 0.99));
	add_number(out, "max_ns", route->max_ns);
	add_number(out, "unread", route->unread);
	add_number(out, "unread_max_ns", route->unread_max_ns);
	nd_buf_add_char(out, '}');
}

int nd_render_trace_json(const struct nd_trace_answer *answer, const struct nd_profile *frames,
			 struct nd_buf *out)
{
	size_t i;

	nd_buf_addf(out, "{\"format\":\"nodiag-trace\",\"version\":%d,\n\"routes\":[", VERSION);
	for (i = 0; i < answer->route_count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_route(out, &answer->routes[i]);
	}
	nd_buf_add_str(out, "],\n\"requests\":[");
	for (i = 0; i < answer->request_count; i++) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		add_request(out, &answer->requests[i], frames);
	}
	nd_buf_addf(out, "],\n\"left_out\":%" PRIu64 "}\n", answer->left_out);
	return nd_buf_error(out);
}
