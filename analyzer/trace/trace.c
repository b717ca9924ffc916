/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/trace/pauses.h"
#include "analyzer/trace/spans.h"
#include "analyzer/trace/stalls.h"
#include "proto/limits.h"

struct nd_trace {
	struct nd_trace_spans spans;
	struct nd_trace_stalls stalls;
	struct nd_trace_routes *routes;
	struct nd_pauses pauses;
	uint64_t count; /* of requests */
};

struct nd_trace *nd_trace_new(void)
{
	struct nd_trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return NULL;
	trace->routes = nd_trace_routes_new();
	if (trace->routes)
		return trace;
	nd_trace_free(trace);
	return NULL;
}

void nd_trace_free(struct nd_trace *trace)
{
	if (!trace)
		return;
	nd_trace_spans_fini(&trace->spans);
	nd_trace_stalls_fini(&trace->stalls);
	nd_trace_routes_free(trace->routes);
	nd_pauses_fini(&trace->pauses);
	free(trace);
}

/* The span is the trace's from now on, or freed. */
static int add_new(struct nd_trace *trace, struct nd_event_span *span)
{
	struct nd_trace_entry *entry;
	int ret = nd_trace_spans_add(&trace->spans, span, &entry);

	if (ret || !nd_trace_entry_is_request(entry))
		return ret;
	trace->count++;
	entry->unread_ns =
		nd_trace_stalls_find_unread(&trace->stalls, span, &entry->unread_stall_ns);
	return 0;
}

/* A span that begins, or that ends: then it takes the place of what was known at its beginning. */
static int add_span(struct nd_trace *trace, const struct nd_event_span *span)
{
	size_t size = nd_span_get_size(span);
	struct nd_event_span *copy;
	struct nd_trace_entry *entry = nd_trace_spans_find(&trace->spans, span->span_id);
	int ret = 0;

	/* Whoever says the same twice, or of two spans, is not to be trusted with a third. */
	if (entry && (!nd_trace_entry_is_open(entry) || span->event.kind == ND_EVENT_SPAN_START))
		return 0;
	copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, span, size);
	if (entry) {
		free(entry->span);
		entry->span = copy;
	} else {
		ret = add_new(trace, copy);
	}
	if (!ret && span->kind == ND_SPAN_SERVER && span->event.kind == ND_EVENT_SPAN)
		ret = nd_trace_routes_add(trace->routes, span, entry ? entry->unread_ns : 0);
	return ret ? ret : nd_trace_spans_thin_out(&trace->spans);
}

int nd_trace_add_event(struct nd_trace *trace, const struct nd_event *event, size_t size)
{
	if (event->kind == ND_EVENT_STALL && size >= sizeof(struct nd_event_stall))
		return nd_trace_stalls_add_last(&trace->stalls, (const void *)event);
	if (event->kind == ND_EVENT_GC && size >= sizeof(struct nd_event_gc))
		return nd_pauses_add(&trace->pauses, (const void *)event);
	if (event->kind != ND_EVENT_SPAN && event->kind != ND_EVENT_SPAN_START)
		return 0;
	return nd_span_is_sound(event, size) ? add_span(trace, (const void *)event) : 0;
}

int nd_trace_add_stall(void *arg, const struct nd_lag_stall *stall)
{
	struct nd_trace *trace = arg;

	return nd_trace_stalls_add(&trace->stalls, stall);
}

static int compare_intervals(const void *a, const void *b)
{
	const struct nd_trace_interval *x = a, *y = b;

	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* What a request asked others for, as far as it lies within its own time. */
static size_t list_outside(const struct nd_trace_entry *entry, struct nd_trace_interval within,
			   struct nd_trace_interval *ret_list)
{
	const struct nd_trace_entry *child;
	struct nd_trace_interval in;
	size_t count = 0;

	for (child = entry->child; child && count < ND_TRACE_NODES_MAX; child = child->sibling) {
		if (child->span->kind != ND_SPAN_CLIENT)
			continue;
		in.start_ns = child->span->start_ns;
		in.end_ns = in.start_ns + nd_trace_entry_duration(child, within.end_ns);
		if (in.start_ns < within.start_ns)
			in.start_ns = within.start_ns;
		if (in.end_ns > within.end_ns)
			in.end_ns = within.end_ns;
		if (in.end_ns > in.start_ns)
			ret_list[count++] = in;
	}
	if (count > 1)
		qsort(ret_list, count, sizeof(*ret_list), compare_intervals);
	return count;
}

/* Where several were under way at once, their time counts once. */
static uint64_t find_outside(const struct nd_trace *trace, const struct nd_trace_entry *entry,
			     struct nd_trace_interval within)
{
	struct nd_trace_interval list[ND_TRACE_NODES_MAX], in;
	size_t count = list_outside(entry, within, list), i;
	uint64_t seen_ns = within.start_ns, total = 0;

	for (i = 0; i < count; i++) {
		in = list[i];
		if (in.start_ns < seen_ns)
			in.start_ns = seen_ns;
		if (in.end_ns <= in.start_ns)
			continue;
		seen_ns = in.end_ns;
		total += in.end_ns - in.start_ns -
			 nd_trace_stalls_measure(&trace->stalls, entry->span->event.tid, in, NULL);
	}
	return total;
}

static int compare_starts(const void *a, const void *b)
{
	const struct nd_trace_entry *x = *(struct nd_trace_entry *const *)a,
				    *y = *(struct nd_trace_entry *const *)b;

	return x->span->start_ns < y->span->start_ns ? -1 : x->span->start_ns > y->span->start_ns;
}

/* A span of the request, and what belongs to it. */
static void add_nodes(struct nd_trace_request *request, const struct nd_trace_entry *entry,
		      uint32_t depth)
{
	const struct nd_trace_entry *children[ND_TRACE_CHILDREN_MAX], *child;
	size_t count = 0, i;

	if (request->node_count == ND_TRACE_NODES_MAX || depth > ND_TRACE_DEPTH_MAX) {
		request->nodes_left_out++;
		return;
	}
	request->nodes[request->node_count++] =
		(struct nd_trace_node){entry->span, depth, nd_trace_entry_is_open(entry)};
	for (child = entry->child; child; child = child->sibling)
		if (count < ND_TRACE_CHILDREN_MAX)
			children[count++] = child;
		else
			request->nodes_left_out++;
	qsort(children, count, sizeof(struct nd_trace_entry *), compare_starts);
	for (i = 0; i < count; i++)
		add_nodes(request, children[i], depth + 1);
}

/* The request that a stall was for. */
static const struct nd_event_span *find_stall_span(const struct nd_trace *trace,
						   const struct nd_lag_stall *stall)
{
	const struct nd_trace_entry *entry =
		nd_trace_spans_find(&trace->spans, stall->culprit.span_id);
	int depth;

	for (depth = 0; entry && !nd_trace_entry_is_request(entry) && depth < ND_TRACE_DEPTH_MAX;
	     depth++)
		entry = nd_trace_spans_find_parent(&trace->spans, entry);
	return entry && nd_trace_entry_is_request(entry) ? entry->span : NULL;
}

static int describe(const struct nd_trace *trace, const struct nd_trace_entry *entry,
		    uint64_t now_ns, struct nd_trace_request *ret)
{
	const struct nd_event_span *span = entry->span;
	const struct nd_lag_stall *stall = NULL;
	struct nd_trace_interval within = {span->start_ns,
					   span->start_ns + nd_trace_entry_duration(entry, now_ns)};

	*ret = (struct nd_trace_request){
		.span = span,
		.is_open = nd_trace_entry_is_open(entry),
		.duration_ns = nd_trace_entry_duration(entry, now_ns),
		.unread_ns = entry->unread_ns,
		.outside_ns = find_outside(trace, entry, within),
		.gc_ns = nd_pauses_find(&trace->pauses, span->event.tid, within.start_ns,
					within.end_ns),
		.nodes = calloc(ND_TRACE_NODES_MAX, sizeof(*ret->nodes)),
	};
	if (!ret->nodes)
		return -ENOMEM;
	ret->blocked_ns = nd_trace_stalls_measure(&trace->stalls, span->event.tid, within, &stall);
	if (ret->unread_ns > ret->blocked_ns)
		stall = nd_trace_stalls_find(&trace->stalls, span->event.tid,
					     entry->unread_stall_ns);
	ret->has_stall = stall != NULL;
	if (stall) {
		ret->stall = *stall;
		ret->stall_span = find_stall_span(trace, stall);
	}
	add_nodes(ret, entry, 0);
	nd_pauses_charge(&trace->pauses, ret);
	return 0;
}

static bool is_wanted(const struct nd_trace_entry *entry, const struct nd_trace_options *options,
		      uint64_t now_ns)
{
	char name[ND_ROUTE_NAME_MAX];
	const char *route;

	if (nd_trace_entry_whole_duration(entry, now_ns) < options->slow_ns)
		return false;
	if (!options->route)
		return true;
	nd_trace_name(entry->span, name);
	route = strchr(name, ' ');
	return !strcmp(name, options->route) || !strcmp(route + 1, options->route);
}

static int fill_answer(const struct nd_trace *trace, const struct nd_trace_options *options,
		       uint64_t now_ns, struct nd_trace_entry *const *list, size_t count,
		       struct nd_trace_answer *answer)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		if (!is_wanted(list[i], options, now_ns))
			continue;
		if (answer->request_count == options->max) {
			answer->left_out++;
			continue;
		}
		ret = describe(trace, list[i], now_ns, &answer->requests[answer->request_count]);
		answer->request_count += !ret;
	}
	return ret;
}

int nd_trace_make_answer(struct nd_trace *trace, const struct nd_trace_options *options,
			 uint64_t now_ns, struct nd_trace_answer *ret_answer)
{
	struct nd_trace_answer answer = {0};
	struct nd_trace_entry **list;
	size_t count;
	int ret = -ENOMEM;

	nd_trace_spans_link(&trace->spans);
	list = nd_trace_spans_sort_requests(&trace->spans, now_ns, &count);
	answer.requests = calloc(options->max + 1, sizeof(*answer.requests));
	answer.routes = nd_trace_routes_list(trace->routes, &answer.route_count);
	if (list && answer.requests && answer.routes)
		ret = fill_answer(trace, options, now_ns, list, count, &answer);
	free(list);
	if (ret) {
		nd_trace_free_answer(&answer);
		return ret;
	}
	*ret_answer = answer;
	return 0;
}

void nd_trace_free_answer(struct nd_trace_answer *answer)
{
	size_t i;

	for (i = 0; answer->requests && i < answer->request_count; i++)
		free(answer->requests[i].nodes);
	free(answer->requests);
	*answer = (struct nd_trace_answer){0};
}

uint64_t nd_trace_count(const struct nd_trace *trace)
{
	return trace->count;
}
