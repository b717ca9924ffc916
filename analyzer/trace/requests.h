/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_REQUESTS_H
#define NODIAG_ANALYZER_TRACE_REQUESTS_H

/*
 * Which request a span belongs to, for what carries no more than a span's id: samples, stalls,
 * pauses of the collector.
 *
 * A request's route is known only when it is over; before, it is called by its path. Of more spans
 * than ND_REQUESTS_MAX the oldest are forgotten, those that somebody wants last.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/event.h"

struct nd_request {
	uint8_t span_id[ND_SPAN_ID_SIZE];
	uint8_t trace_id[16];
	const char *name; /* nd_trace_name(): "GET /users/:id" */
	bool is_over;
};

struct nd_requests;

/* NULL when out of memory. */
struct nd_requests *nd_requests_new(void);
void nd_requests_free(struct nd_requests *requests);

/* An event, of which those of spans count. 0 or -ENOMEM. */
int nd_requests_add_event(struct nd_requests *requests, const struct nd_event *event, size_t size);

/*
 * The request that a server answered in this span, or in a parent of it; NULL where none is known.
 * Borrowed until the next event.
 */
const struct nd_request *nd_requests_find(const struct nd_requests *requests,
					  const uint8_t span_id[ND_SPAN_ID_SIZE]);

/*
 * What the request of a span is called, also where there is none: "[no request]" for an id of all
 * zeros, "[unknown request]" for one whose beginning was before the observation, or was lost.
 * Borrowed until the next event.
 */
const char *nd_request_name(const struct nd_requests *requests,
			    const uint8_t span_id[ND_SPAN_ID_SIZE]);

/* Whether no span was told of, which is so where none are followed. */
bool nd_requests_is_empty(const struct nd_requests *requests);

/* Keep what is known, or will be, of this span and its parents. */
void nd_requests_want(struct nd_requests *requests, const uint8_t span_id[ND_SPAN_ID_SIZE]);

/* Whether an id is one. */
bool nd_span_id_is_set(const uint8_t span_id[ND_SPAN_ID_SIZE]);

#endif /* NODIAG_ANALYZER_TRACE_REQUESTS_H */
