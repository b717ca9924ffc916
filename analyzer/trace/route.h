/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_ROUTE_H
#define NODIAG_ANALYZER_TRACE_ROUTE_H

/*
 * Requests by their route: as the program's framework has it, else made of the path.
 */

#include <stddef.h>
#include <stdint.h>

#include "common/histogram.h"
#include "proto/span.h"

/* Room for a method and a route. */
#define ND_ROUTE_NAME_MAX (2 * ND_SPAN_TEXT_MAX)

struct nd_trace_route {
	char name[ND_ROUTE_NAME_MAX]; /* "GET /users/:id" */
	uint64_t count;
	uint64_t errors; /* nd_span_is_error() */
	uint64_t total_ns;
	uint64_t max_ns;
	uint64_t unread;	/* requests that may have lain unread while the loop was blocked */
	uint64_t unread_max_ns; /* how long, at the most */
	uint64_t times[ND_HISTOGRAM_BUCKETS];
};

struct nd_trace_routes;

/* NULL when out of memory. */
struct nd_trace_routes *nd_trace_routes_new(void);
void nd_trace_routes_free(struct nd_trace_routes *routes);

/* Count a request that is over, and that may have lain unread so long. 0 or -ENOMEM. */
int nd_trace_routes_add(struct nd_trace_routes *routes, const struct nd_event_span *span,
			uint64_t unread_ns);

/* Those with most time first; borrowed until the next is added. */
const struct nd_trace_route *nd_trace_routes_list(struct nd_trace_routes *routes,
						  size_t *ret_count);

/* What a request is called: "GET /users/:id". Parts of a path that look like ids are ":id". */
void nd_trace_name(const struct nd_event_span *span, char ret_name[ND_ROUTE_NAME_MAX]);

#endif /* NODIAG_ANALYZER_TRACE_ROUTE_H */
