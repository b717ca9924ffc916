/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/trace/pauses.h"
#include "proto/limits.h"

/* How deep requests may have made one another, all in this program. */
#define DEPTH_MAX 32

/*
 * Between a turn's end and the beginning of the next, in which what came meanwhile is read, lies
 * one call of epoll that does not wait; so long may that take on a machine that is busy.
 */
#define NEXT_TURN_NS UINT64_C(200000)

/* A span that is kept. */
struct entry {
	UT_hash_handle hh;
	uint8_t id[8];
	uint64_t unread_ns;
	uint64_t unread_stall_ns; /* when the stall began that kept it unread */
	struct nd_event_span *span;
	struct entry *child; /* the last that was linked; links are made anew for each answer */
	struct entry *sibling;
	bool is_kept; /* by the thinning that is under way */
};

/* The last stall of a thread, which those that are read next may have had to wait for. */
struct last_stall {
	uint32_t tid;
	uint64_t start_ns;
	uint64_t end_ns;
};

struct nd_trace {
	struct entry *set;
	struct last_stall *last; /* one for each thread that had any */
	size_t last_count;
	struct nd_trace_routes *routes;
	struct nd_pauses pauses;
	struct nd_lag_stall *stalls; /* in the order they came */
	size_t stall_count;
	uint64_t count; /* of requests */
};

struct interval {
	uint64_t start_ns;
	uint64_t end_ns;
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

static void free_entry(struct entry *entry)
{
	free(entry->span);
	free(entry);
}

void nd_trace_free(struct nd_trace *trace)
{
	struct entry *entry, *next;

	if (!trace)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	entry = trace->set;
	HASH_CLEAR(hh, trace->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free_entry(entry);
	}
	nd_trace_routes_free(trace->routes);
	nd_pauses_fini(&trace->pauses);
	free(trace->last);
	free(trace->stalls);
	free(trace);
}

static bool is_open(const struct entry *entry)
{
	return entry->span->event.kind == ND_EVENT_SPAN_START;
}

static bool is_request(const struct entry *entry)
{
	return entry->span->kind == ND_SPAN_SERVER;
}

static struct entry *find_parent(const struct nd_trace *trace, const struct entry *entry)
{
	struct entry *parent = NULL;

	if (nd_span_has_parent(entry->span))
		HASH_FIND(hh, trace->set, entry->span->parent_id, sizeof(entry->id), parent);
	return parent == entry ? NULL : parent;
}

/* Let each span know of those that it is the parent of. */
static void link_children(struct nd_trace *trace)
{
	struct entry *entry, *parent;

	for (entry = trace->set; entry; entry = entry->hh.next)
		entry->child = entry->sibling = NULL;
	for (entry = trace->set; entry; entry = entry->hh.next) {
		parent = find_parent(trace, entry);
		if (!parent)
			continue;
		entry->sibling = parent->child;
		parent->child = entry;
	}
}

static uint64_t duration(const struct nd_event_span *span, uint64_t now_ns)
{
	uint64_t end_ns = span->event.kind == ND_EVENT_SPAN_START ? now_ns : span->event.time_ns;

	return end_ns > span->start_ns ? end_ns - span->start_ns : 0;
}

/* As long as its client may have waited. */
static uint64_t whole_duration(const struct entry *entry, uint64_t now_ns)
{
	return entry->unread_ns + duration(entry->span, now_ns);
}

static int compare_entries(const void *a, const void *b, void *now_ns)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
	uint64_t x_ns = whole_duration(x, *(uint64_t *)now_ns);
	uint64_t y_ns = whole_duration(y, *(uint64_t *)now_ns);

	if (x_ns != y_ns)
		return x_ns < y_ns ? 1 : -1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

/* The requests, slowest first. NULL when out of memory. */
static struct entry **sort_requests(const struct nd_trace *trace, uint64_t now_ns,
				    size_t *ret_count)
{
	struct entry **list = calloc(HASH_COUNT(trace->set) + 1, sizeof(struct entry *));
	struct entry *entry;

	*ret_count = 0;
	if (!list)
		return NULL;
	for (entry = trace->set; entry; entry = entry->hh.next)
		if (is_request(entry))
			list[(*ret_count)++] = entry;
	if (*ret_count)
		qsort_r(list, *ret_count, sizeof(struct entry *), compare_entries, &now_ns);
	return list;
}

static void keep_tree(struct entry *entry, int depth)
{
	struct entry *child;

	if (entry->is_kept || depth > DEPTH_MAX)
		return;
	entry->is_kept = true;
	for (child = entry->child; child; child = child->sibling)
		keep_tree(child, depth + 1);
}

/* Put an entry that is in no set into the trace's; frees it where that fails. */
static int put_entry(struct nd_trace *trace, struct entry *entry)
{
	memcpy(entry->id, entry->span->span_id, sizeof(entry->id));
	HASH_ADD(hh, trace->set, id, sizeof(entry->id), entry);
	if (entry->hh.tbl)
		return 0;
	free_entry(entry);
	return -ENOMEM;
}

static int drop_others(struct nd_trace *trace)
{
	struct entry *entry = trace->set, *next;
	int ret = 0;

	HASH_CLEAR(hh, trace->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		if (entry->is_kept && !ret) {
			ret = put_entry(trace, entry);
			continue;
		}
		free_entry(entry);
	}
	return ret;
}

/* Keep the slowest requests with what belongs to them; of those that are open, nobody knows yet. */
static int thin_out(struct nd_trace *trace)
{
	struct entry **list, *entry;
	size_t count, i;

	link_children(trace);
	list = sort_requests(trace, UINT64_MAX, &count);
	if (!list)
		return -ENOMEM;
	for (entry = trace->set; entry; entry = entry->hh.next)
		entry->is_kept = false;
	for (i = 0; i < count && i < ND_TRACE_REQUESTS_MAX; i++)
		keep_tree(list[i], 0);
	free(list);
	return drop_others(trace);
}

static struct last_stall *find_last(const struct nd_trace *trace, uint32_t tid)
{
	size_t i;

	for (i = 0; i < trace->last_count; i++)
		if (trace->last[i].tid == tid)
			return &trace->last[i];
	return NULL;
}

/* Events of a thread come in order: those who may have waited for this stall are next. */
static int add_last(struct nd_trace *trace, const struct nd_event_stall *event)
{
	struct last_stall *last = find_last(trace, event->event.tid), *grown;
	size_t count = trace->last_count;

	if (!last && count < ND_LAG_THREADS_MAX && !(count & (count - 1))) {
		grown = reallocarray(trace->last, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		trace->last = grown;
	}
	if (!last && count < ND_LAG_THREADS_MAX)
		last = &trace->last[trace->last_count++];
	if (last)
		*last = (struct last_stall){event->event.tid, event->start_ns,
					    event->event.time_ns};
	return 0;
}

/* A request that is read right after a stall may have come at any time of it. */
static void find_unread(const struct nd_trace *trace, struct entry *entry)
{
	const struct nd_event_span *span = entry->span;
	const struct last_stall *last = find_last(trace, span->event.tid);

	if (!last || span->turn_ns < last->end_ns || span->turn_ns - last->end_ns > NEXT_TURN_NS)
		return;
	entry->unread_ns = span->start_ns - last->start_ns;
	entry->unread_stall_ns = last->start_ns;
}

/* The span is the entry's from now on, or freed. */
static int add_entry(struct nd_trace *trace, struct nd_event_span *span)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	int ret;

	if (!entry) {
		free(span);
		return -ENOMEM;
	}
	entry->span = span;
	ret = put_entry(trace, entry);
	if (ret || !is_request(entry))
		return ret;
	trace->count++;
	find_unread(trace, entry);
	return 0;
}

/* A span that begins, or that ends: then it takes the place of what was known at its beginning. */
static int add_span(struct nd_trace *trace, const struct nd_event_span *span)
{
	size_t size = nd_span_get_size(span);
	struct nd_event_span *copy;
	struct entry *entry;
	int ret = 0;

	HASH_FIND(hh, trace->set, span->span_id, sizeof(entry->id), entry);
	/* Whoever says the same twice, or of two spans, is not to be trusted with a third. */
	if (entry && (!is_open(entry) || span->event.kind == ND_EVENT_SPAN_START))
		return 0;
	copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, span, size);
	if (entry) {
		free(entry->span);
		entry->span = copy;
	} else {
		ret = add_entry(trace, copy);
	}
	if (!ret && span->kind == ND_SPAN_SERVER && span->event.kind == ND_EVENT_SPAN)
		ret = nd_trace_routes_add(trace->routes, span, entry ? entry->unread_ns : 0);
	if (!ret && HASH_COUNT(trace->set) >= ND_TRACE_SPANS_MAX)
		ret = thin_out(trace);
	return ret;
}

int nd_trace_add_event(struct nd_trace *trace, const struct nd_event *event, size_t size)
{
	if (event->kind == ND_EVENT_STALL && size >= sizeof(struct nd_event_stall))
		return add_last(trace, (const void *)event);
	if (event->kind == ND_EVENT_GC && size >= sizeof(struct nd_event_gc))
		return nd_pauses_add(&trace->pauses, (const void *)event);
	if (event->kind != ND_EVENT_SPAN && event->kind != ND_EVENT_SPAN_START)
		return 0;
	return nd_span_is_sound(event, size) ? add_span(trace, (const void *)event) : 0;
}

int nd_trace_add_stall(void *arg, const struct nd_lag_stall *stall)
{
	struct nd_trace *trace = arg;
	size_t count = trace->stall_count, half = ND_TRACE_STALLS_MAX / 2;
	struct nd_lag_stall *grown;

	if (count == ND_TRACE_STALLS_MAX) {
		memmove(trace->stalls, trace->stalls + half, half * sizeof(*stall));
		trace->stall_count = half;
	} else if (!(count & (count - 1))) {
		grown = reallocarray(trace->stalls, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		trace->stalls = grown;
	}
	trace->stalls[trace->stall_count++] = *stall;
	return 0;
}

/* How much of an interval stalls of the thread took; the one that took most. */
static uint64_t find_blocked(const struct nd_trace *trace, uint32_t tid, struct interval in,
			     const struct nd_lag_stall **ret_stall)
{
	const struct nd_lag_stall *stall;
	uint64_t start_ns, end_ns, total = 0, most = 0;
	size_t i;

	for (i = 0; i < trace->stall_count; i++) {
		stall = &trace->stalls[i];
		start_ns = stall->start_ns > in.start_ns ? stall->start_ns : in.start_ns;
		end_ns = stall->end_ns < in.end_ns ? stall->end_ns : in.end_ns;
		if (stall->culprit.tid != tid || end_ns <= start_ns)
			continue;
		total += end_ns - start_ns;
		if (end_ns - start_ns <= most)
			continue;
		most = end_ns - start_ns;
		if (ret_stall)
			*ret_stall = stall;
	}
	return total;
}

static const struct nd_lag_stall *find_stall(const struct nd_trace *trace, uint32_t tid,
					     uint64_t start_ns)
{
	size_t i;

	for (i = trace->stall_count; i-- > 0;)
		if (trace->stalls[i].start_ns == start_ns && trace->stalls[i].culprit.tid == tid)
			return &trace->stalls[i];
	return NULL;
}

static int compare_intervals(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* What a request asked others for, as far as it lies within its own time. */
static size_t list_outside(const struct entry *entry, struct interval within,
			   struct interval *ret_list)
{
	const struct entry *child;
	struct interval in;
	size_t count = 0;

	for (child = entry->child; child && count < ND_TRACE_NODES_MAX; child = child->sibling) {
		if (child->span->kind != ND_SPAN_CLIENT)
			continue;
		in.start_ns = child->span->start_ns;
		in.end_ns = in.start_ns + duration(child->span, within.end_ns);
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
static uint64_t find_outside(const struct nd_trace *trace, const struct entry *entry,
			     struct interval within)
{
	struct interval list[ND_TRACE_NODES_MAX], in;
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
			 find_blocked(trace, entry->span->event.tid, in, NULL);
	}
	return total;
}

static int compare_starts(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	return x->span->start_ns < y->span->start_ns ? -1 : x->span->start_ns > y->span->start_ns;
}

/* A request's spans; `room` has place for ND_TRACE_NODES_MAX. */
static void add_nodes(struct nd_trace_request *request, const struct entry *entry, uint32_t depth)
{
	const struct entry *children[ND_TRACE_CHILDREN_MAX], *child;
	size_t count = 0, i;

	if (request->node_count == ND_TRACE_NODES_MAX || depth > DEPTH_MAX) {
		request->nodes_left_out++;
		return;
	}
	request->nodes[request->node_count++] =
		(struct nd_trace_node){entry->span, depth, is_open(entry)};
	for (child = entry->child; child; child = child->sibling)
		if (count < ND_TRACE_CHILDREN_MAX)
			children[count++] = child;
		else
			request->nodes_left_out++;
	qsort(children, count, sizeof(struct entry *), compare_starts);
	for (i = 0; i < count; i++)
		add_nodes(request, children[i], depth + 1);
}

/* The request that a stall was for. */
static const struct nd_event_span *find_stall_span(const struct nd_trace *trace,
						   const struct nd_lag_stall *stall)
{
	const struct entry *entry;
	int depth;

	HASH_FIND(hh, trace->set, stall->culprit.span_id, sizeof(entry->id), entry);
	for (depth = 0; entry && !is_request(entry) && depth < DEPTH_MAX; depth++)
		entry = find_parent(trace, entry);
	return entry && is_request(entry) ? entry->span : NULL;
}

static int describe(const struct nd_trace *trace, const struct entry *entry, uint64_t now_ns,
		    struct nd_trace_request *ret)
{
	const struct nd_event_span *span = entry->span;
	const struct nd_lag_stall *stall = NULL;
	struct interval within = {span->start_ns, span->start_ns + duration(span, now_ns)};

	*ret = (struct nd_trace_request){
		.span = span,
		.is_open = is_open(entry),
		.duration_ns = duration(span, now_ns),
		.unread_ns = entry->unread_ns,
		.outside_ns = find_outside(trace, entry, within),
		.gc_ns = nd_pauses_find(&trace->pauses, span->event.tid, within.start_ns,
					within.end_ns),
		.nodes = calloc(ND_TRACE_NODES_MAX, sizeof(*ret->nodes)),
	};
	if (!ret->nodes)
		return -ENOMEM;
	ret->blocked_ns = find_blocked(trace, span->event.tid, within, &stall);
	if (ret->unread_ns > ret->blocked_ns)
		stall = find_stall(trace, span->event.tid, entry->unread_stall_ns);
	ret->has_stall = stall != NULL;
	if (stall) {
		ret->stall = *stall;
		ret->stall_span = find_stall_span(trace, stall);
	}
	add_nodes(ret, entry, 0);
	nd_pauses_charge(&trace->pauses, ret);
	return 0;
}

static bool is_wanted(const struct entry *entry, const struct nd_trace_options *options,
		      uint64_t now_ns)
{
	char name[ND_ROUTE_NAME_MAX];
	const char *route;

	if (whole_duration(entry, now_ns) < options->slow_ns)
		return false;
	if (!options->route)
		return true;
	nd_trace_name(entry->span, name);
	route = strchr(name, ' ');
	return !strcmp(name, options->route) || !strcmp(route + 1, options->route);
}

static int fill_answer(const struct nd_trace *trace, const struct nd_trace_options *options,
		       uint64_t now_ns, struct entry *const *list, size_t count,
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
	struct entry **list;
	size_t count;
	int ret = -ENOMEM;

	link_children(trace);
	list = sort_requests(trace, now_ns, &count);
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
