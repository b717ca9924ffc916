/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_COLLECTIONS_H
#define NODIAG_ANALYZER_TRACE_COLLECTIONS_H

/*
 * Pauses of the garbage collector by the route of the request that the thread was working for when
 * it was stopped: "GET /users/:id", or "[no request]".
 *
 * V8 collects where an allocation finds no room. Mostly it does not come to that: when there is
 * little room left, V8 collects once the callbacks that are under way have returned, and that is in
 * no request. So a route is charged with what it could not wait for. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/trace/allocation.h"
#include "proto/event.h"

struct nd_collections;
struct nd_requests;

/* Of a route. */
struct nd_route_collected {
	const char *name; /* as nd_request_name() has it */
	struct nd_collected sum;
	bool has_request; /* else it was for none that is known */
	/* The one that the longest was for. */
	uint8_t trace_id[16];
	uint8_t span_id[ND_SPAN_ID_SIZE];
};

/* `requests`, which must outlive it, gets the spans, and before this. NULL when out of memory. */
struct nd_collections *nd_collections_new(const struct nd_requests *requests);
void nd_collections_free(struct nd_collections *collections);

/* A pause, which stands for so many bytes (nd_allocation_add()). 0 or -ENOMEM. */
int nd_collections_add(struct nd_collections *collections, const struct nd_event_gc *event,
		       uint64_t bytes);

/* A span is over: if it is a request, its route is known by now. 0 or -ENOMEM. */
int nd_collections_end_span(struct nd_collections *collections,
			    const uint8_t span_id[ND_SPAN_ID_SIZE]);

/*
 * Those with most time first; NULL when out of memory. Requests that are not over go by their path.
 * Borrowed until the next call.
 */
const struct nd_route_collected *nd_collections_list(struct nd_collections *collections,
						     size_t *ret_count);

#endif /* NODIAG_ANALYZER_TRACE_COLLECTIONS_H */
