/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_TRACE_H
#define NODIAG_ANALYZER_TRACE_TRACE_H

/*
 * What happened to the requests that a program answered: how long each took, what it asked others
 * meanwhile, and how long it had to wait because something else kept the event loop.
 *
 * Takes spans (proto/span.h) in any order, and stalls. Of requests there may be more than can be
 * kept: the slowest stay, all of them count for their route. Not thread-safe. Functions that return
 * int give 0 or -ENOMEM.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/lag/lag.h"
#include "analyzer/trace/allocation.h"
#include "analyzer/trace/route.h"
#include "proto/span.h"

struct nd_trace;

/* A span of a request's tree, parents before their children, these in the order they began. */
struct nd_trace_node {
	const struct nd_event_span *span;
	uint32_t depth; /* 0 for the request itself */
	bool is_open;	/* not over when it was looked at */
};

struct nd_trace_request {
	const struct nd_event_span *span;
	bool is_open;
	uint64_t duration_ns; /* of one that is open, until now */
	uint64_t blocked_ns;  /* its thread's loop was blocked by stalls, its own included */
	uint64_t outside_ns;  /* a request of its own was under way, and the loop was not blocked */
	uint64_t gc_ns; /* the collector stopped its thread, which may be in any of the above */
	struct nd_collected collected; /* in the middle of its own work */
	/*
	 * It was read right after a stall, so it may have been there for as long as that: the most
	 * that is added to what its client saw. 0: it did not have to wait.
	 */
	uint64_t unread_ns;
	bool has_stall;
	struct nd_lag_stall stall; /* the one that took most of its time, or kept it unread */
	const struct nd_event_span *stall_span; /* the request that it was for; NULL: not known */
	struct nd_trace_node *nodes;
	size_t node_count;
	uint64_t nodes_left_out; /* of more than ND_TRACE_NODES_MAX */
};

struct nd_trace_options {
	uint64_t slow_ns;  /* requests that took less, unread time included, are left out */
	const char *route; /* "/users/:id" or "GET /users/:id"; NULL: all of them */
	size_t max;	   /* so many requests at most: the slowest */
};

struct nd_trace_answer {
	struct nd_trace_request *requests; /* slowest first, unread time included */
	size_t request_count;
	const struct nd_trace_route *routes; /* most time first; borrowed until the next span */
	size_t route_count;
	uint64_t left_out; /* requests that were slow enough, and are not among these */
};

struct nd_trace *nd_trace_new(void);
void nd_trace_free(struct nd_trace *trace);

/* An event; of kinds that are of no use here, and of spans that are damaged, nothing is kept. */
int nd_trace_add_event(struct nd_trace *trace, const struct nd_event *event, size_t size);

/* A stall that nd_lag has decided about: fits nd_lag_set_listener(), with the trace as `arg`. */
int nd_trace_add_stall(void *arg, const struct nd_lag_stall *stall);

/* The answer so far. Its spans are borrowed until the next event; free it before. */
int nd_trace_make_answer(struct nd_trace *trace, const struct nd_trace_options *options,
			 uint64_t now_ns, struct nd_trace_answer *ret_answer);
void nd_trace_free_answer(struct nd_trace_answer *answer);

/* How many requests were answered, or are being. */
uint64_t nd_trace_count(const struct nd_trace *trace);

#endif /* NODIAG_ANALYZER_TRACE_TRACE_H */
