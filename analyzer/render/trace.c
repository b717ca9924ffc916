/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/trace.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/cell.h"
#include "analyzer/render/render.h"
#include "analyzer/render/request.h"
#include "analyzer/render/terminal.h"
#include "common/buf.h"
#include "common/clock.h"

/* Routes in the table. */
#define ROUTES_SHOWN 20

/* Spans shown below a request. */
#define SPANS_SHOWN 20

struct writer {
	const struct nd_profile *frames;
	bool colour;
	struct nd_buf *out;
};

static void add_route(const struct writer *w, const struct nd_trace_route *route)
{
	nd_cell_add_amount(w->out, route->count, NULL, 10);
	if (route->errors)
		nd_terminal_begin(w->out, w->colour, ND_TERMINAL_RED);
	nd_cell_add_amount(w->out, route->errors, NULL, 10);
	if (route->errors)
		nd_terminal_end(w->out, w->colour);
	nd_cell_add_time(w->out, nd_histogram_percentile(route->times, route->max_ns, 0.5), 10);
	nd_cell_add_time(w->out, nd_histogram_percentile(route->times, route->max_ns, 0.99), 10);
	nd_cell_add_time(w->out, route->max_ns, 10);
	if (route->unread)
		nd_cell_add_time(w->out, route->unread_max_ns, 10);
	else
		nd_cell_add_spaces(w->out, 10);
	nd_buf_add_str(w->out, "  ");
	nd_terminal_add(w->out, route->name);
	nd_buf_add_char(w->out, '\n');
}

static void add_routes(const struct writer *w, const struct nd_trace_answer *answer)
{
	uint64_t count = 0, errors = 0;
	size_t i;

	for (i = 0; i < answer->route_count; i++) {
		count += answer->routes[i].count;
		errors += answer->routes[i].errors;
	}
	nd_cell_add_amount(w->out, count, NULL, 0);
	nd_buf_addf(w->out, " request%s answered, ", count == 1 ? "" : "s");
	nd_cell_add_amount(w->out, errors, NULL, 0);
	nd_buf_add_str(w->out, " failed\n");
	if (!count)
		return;
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
	nd_buf_addf(w->out, "%10s%10s%10s%10s%10s%10s  %s\n", "count", "failed", "p50", "p99",
		    "max", "unread", "route");
	nd_terminal_end(w->out, w->colour);
	for (i = 0; i < answer->route_count && i < ROUTES_SHOWN; i++)
		add_route(w, &answer->routes[i]);
	if (i < answer->route_count)
		nd_buf_addf(w->out, "       ... and %zu more\n", answer->route_count - i);
}

/* "200", or what happened in its place. */
static void add_outcome(const struct writer *w, const struct nd_event_span *span, bool is_open)
{
	const char *error = nd_span_get_text(span, ND_SPAN_ERROR);
	bool failed = !is_open && nd_span_is_error(span);

	if (failed)
		nd_terminal_begin(w->out, w->colour, ND_TERMINAL_RED);
	if (is_open)
		nd_buf_add_str(w->out, "open");
	else if (*error)
		nd_terminal_add(w->out, error);
	else if (span->flags & ND_SPAN_ABORTED)
		nd_buf_add_str(w->out, "aborted");
	else if (span->kind == ND_SPAN_INTERNAL)
		nd_buf_add_str(w->out, "done");
	else if (span->status)
		nd_buf_addf(w->out, "%u", span->status);
	else
		nd_buf_add_str(w->out, "no answer");
	if (failed)
		nd_terminal_end(w->out, w->colour);
}

/* Whom it asked, and for what. */
static void add_target(const struct writer *w, const struct nd_event_span *span)
{
	nd_terminal_add(w->out, nd_span_get_text(span, ND_SPAN_METHOD));
	nd_buf_addf(w->out, " http%s://", span->flags & ND_SPAN_TLS ? "s" : "");
	nd_terminal_add(w->out, nd_span_get_text(span, ND_SPAN_HOST));
	if (span->port && span->port != (span->flags & ND_SPAN_TLS ? 443 : 80))
		nd_buf_addf(w->out, ":%u", span->port);
	nd_terminal_add(w->out, nd_span_get_text(span, ND_SPAN_PATH));
}

/* What it was, and with what: "dns.lookup db.example". */
static void add_internal(const struct writer *w, const struct nd_event_span *span)
{
	static const enum nd_span_text with[] = {ND_SPAN_HOST, ND_SPAN_PATH};
	size_t i;

	nd_terminal_add(w->out, nd_span_get_text(span, ND_SPAN_METHOD));
	for (i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		if (*nd_span_get_text(span, with[i]))
			nd_buf_add_char(w->out, ' ');
		nd_terminal_add(w->out, nd_span_get_text(span, with[i]));
	}
	if (span->port)
		nd_buf_addf(w->out, ":%u", span->port);
}

static void add_name(const struct writer *w, const struct nd_event_span *span)
{
	const char *path = nd_span_get_text(span, ND_SPAN_PATH);
	char name[ND_ROUTE_NAME_MAX];

	nd_trace_name(span, name);
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_BOLD);
	nd_terminal_add(w->out, name);
	nd_terminal_end(w->out, w->colour);
	if (!strcmp(strchr(name, ' ') + 1, path))
		return;
	nd_buf_add_str(w->out, "  ");
	nd_terminal_add(w->out, path);
}

static void add_trace_id(const struct writer *w, const struct nd_event_span *span)
{
	if (!nd_span_has_trace(span))
		return;
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_DIM);
	nd_buf_add_str(w->out, "  trace ");
	nd_request_add_hex(w->out, span->trace_id, sizeof(span->trace_id));
	nd_terminal_end(w->out, w->colour);
}

/* Who blocked the loop, and how: "hash (app.js:12:3), native code". */
static void add_culprit(const struct writer *w, const struct nd_culprit *culprit)
{
	const struct nd_frame *frame;
	const char *file;
	uint32_t count;

	if (culprit->has_frame) {
		frame = &nd_profile_frames(w->frames, &count)[culprit->frame];
		file = frame->file;
		if (!strncmp(file, "file://", strlen("file://")))
			file += strlen("file://");
		nd_terminal_begin(w->out, w->colour, nd_terminal_colours[frame->kind]);
		nd_terminal_add(w->out, frame->name);
		nd_terminal_end(w->out, w->colour);
		if (*file)
			nd_buf_add_str(w->out, " (");
		nd_terminal_add(w->out, file);
		if (*file && culprit->line)
			nd_buf_addf(w->out, ":%" PRIu32 ":%" PRIu32, culprit->line,
				    culprit->column);
		nd_buf_add_str(w->out, *file ? "), " : ", ");
	}
	nd_buf_add_str(w->out, nd_stall_kind_text(culprit->kind));
}

/* For whom it was; another request is named in full, to be found among these. */
static void add_stall_span(const struct writer *w, const struct nd_trace_request *request)
{
	const struct nd_event_span *span = request->stall_span;
	char name[ND_ROUTE_NAME_MAX];

	if (!span)
		return;
	if (span == request->span) {
		nd_buf_add_str(w->out, ", for this request");
		return;
	}
	nd_trace_name(span, name);
	nd_buf_add_str(w->out, ", for ");
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_BOLD);
	nd_terminal_add(w->out, name);
	nd_terminal_end(w->out, w->colour);
	add_trace_id(w, span);
}

/* Which stall it was, where there is one to tell of, and that has been decided. */
static void add_stall(const struct writer *w, const struct nd_trace_request *request)
{
	if (request && request->has_stall) {
		nd_buf_add_str(w->out, ", ");
		nd_cell_add_time(w->out, request->stall.end_ns - request->stall.start_ns, 0);
		nd_buf_add_str(w->out, " by ");
		add_culprit(w, &request->stall.culprit);
		add_stall_span(w, request);
	}
	nd_buf_add_char(w->out, '\n');
}

/* Small amounts of what is always there only make the others hard to see. */
static bool is_worth_a_line(uint64_t ns, const struct nd_trace_request *request)
{
	return ns >= ND_NSEC_PER_MSEC && ns >= request->duration_ns / 20;
}

/* What the collector did in the middle of its work, and what it stands for. */
static void add_collected(const struct writer *w, const struct nd_collected *sum)
{
	if (sum->count) {
		nd_buf_addf(w->out, ", %" PRIu64 " time%s in the middle of its work: ", sum->count,
			    sum->count == 1 ? "" : "s");
		nd_cell_add_time(w->out, sum->total_ns, 0);
	}
	if (sum->samples >= ND_ALLOCATION_SAMPLES_MIN) {
		nd_buf_add_str(w->out, ", and about ");
		nd_cell_add_amount(w->out, sum->bytes, "bytes", 0);
		nd_buf_add_str(w->out, " allocated");
	}
	nd_buf_add_char(w->out, '\n');
}

/*
 * What is neither of the two is its own: between them, its thread ran for it, or for others in
 * turns that are too short to be stalls, or it waited for what is no request.
 */
static void add_rest(const struct writer *w, const struct nd_trace_request *request)
{
	uint64_t told_ns = request->blocked_ns + request->outside_ns, rest_ns = 0;

	if (told_ns < request->duration_ns)
		rest_ns = request->duration_ns - told_ns;
	if (is_worth_a_line(rest_ns, request)) {
		nd_cell_add_time(w->out, rest_ns, 17);
		nd_buf_add_str(w->out, "  it ran, or waited for something else\n");
	}
	if (is_worth_a_line(request->gc_ns, request)) {
		nd_buf_add_str(w->out, "of it");
		nd_cell_add_time(w->out, request->gc_ns, 12);
		nd_buf_add_str(w->out, "  garbage was collected");
		add_collected(w, &request->collected);
	}
}

static void add_waits(const struct writer *w, const struct nd_trace_request *request)
{
	/* The stall is the one that took most of either. */
	bool is_before = request->unread_ns > request->blocked_ns;

	if (request->unread_ns) {
		nd_buf_add_str(w->out, "up to ");
		nd_cell_add_time(w->out, request->unread_ns, 11);
		nd_buf_add_str(w->out, "  more it lay unread, since the loop was blocked");
		add_stall(w, is_before ? request : NULL);
	}
	if (request->blocked_ns) {
		nd_cell_add_time(w->out, request->blocked_ns, 17);
		nd_buf_add_str(w->out, "  the loop was blocked");
		add_stall(w, is_before ? NULL : request);
	}
	if (request->outside_ns) {
		nd_cell_add_time(w->out, request->outside_ns, 17);
		nd_buf_add_str(w->out, "  waited for others\n");
	}
	add_rest(w, request);
}

static void add_span(const struct writer *w, const struct nd_trace_request *request,
		     const struct nd_trace_node *node)
{
	const struct nd_event_span *span = node->span;
	uint64_t start_ns = request->span->start_ns;

	nd_buf_add_char(w->out, '+');
	nd_cell_add_time(w->out, span->start_ns > start_ns ? span->start_ns - start_ns : 0, 16);
	if (node->is_open)
		nd_cell_add_spaces(w->out, 12);
	else
		nd_cell_add_time(w->out, span->event.time_ns - span->start_ns, 12);
	nd_cell_add_spaces(w->out, 2 * (size_t)node->depth);
	add_outcome(w, span, node->is_open);
	nd_buf_add_str(w->out, "  ");
	if (span->kind == ND_SPAN_CLIENT)
		add_target(w, span);
	else if (span->kind == ND_SPAN_INTERNAL)
		add_internal(w, span);
	else
		add_name(w, span);
	nd_buf_add_char(w->out, '\n');
}

static void add_request(const struct writer *w, const struct nd_trace_request *request)
{
	uint64_t more = request->nodes_left_out;
	size_t i;

	nd_cell_add_time(w->out, request->duration_ns, 10);
	nd_buf_add_str(w->out, "  ");
	add_outcome(w, request->span, request->is_open);
	nd_buf_add_str(w->out, "  ");
	add_name(w, request->span);
	add_trace_id(w, request->span);
	nd_buf_add_char(w->out, '\n');
	add_waits(w, request);
	for (i = 1; i < request->node_count && i <= SPANS_SHOWN; i++)
		add_span(w, request, &request->nodes[i]);
	more += request->node_count > i ? request->node_count - i : 0;
	if (more)
		nd_buf_addf(w->out, "                 ... and %" PRIu64 " more\n", more);
}

int nd_render_trace(const struct nd_trace_answer *answer, const struct nd_profile *frames,
		    bool colour, struct nd_buf *out)
{
	struct writer w = {.frames = frames, .colour = colour, .out = out};
	size_t i;

	add_routes(&w, answer);
	if (answer->request_count)
		nd_buf_add_str(out, "\nthe slowest:\n");
	for (i = 0; i < answer->request_count; i++)
		add_request(&w, &answer->requests[i]);
	if (answer->left_out)
		nd_buf_addf(out, "       ... and %" PRIu64 " more\n", answer->left_out);
	return nd_buf_error(out);
}
