/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_BY_ROUTE_H
#define NODIAG_ANALYZER_TRACE_BY_ROUTE_H

/*
 * A profile whose stacks begin with the route of the request that they were for: "GET /users/:id",
 * or "[no request]".
 *
 * Stacks wait until their request is over, which is when its route is known. At most
 * ND_ROUTE_STACKS_MAX do; those that waited longest go by their request's path then. Not
 * thread-safe. Functions that return int give what nd_profile_add_stack() gives.
 */

#include <stddef.h>
#include <stdint.h>

#include "proto/event.h"

struct nd_by_route;
struct nd_profile;
struct nd_stack;

/* The profile must outlive it. NULL when out of memory. */
struct nd_by_route *nd_by_route_new(struct nd_profile *profile);
void nd_by_route_free(struct nd_by_route *routes);

/* An event, of which those of spans count; in any order with stacks. */
int nd_by_route_add_event(struct nd_by_route *routes, const struct nd_event *event, size_t size);

int nd_by_route_add_stack(struct nd_by_route *routes, const struct nd_stack *stack);

/* No more will come: what waits gets into the profile. */
int nd_by_route_finish(struct nd_by_route *routes);

/* Spans that were told of. */
uint64_t nd_by_route_spans(const struct nd_by_route *routes);

#endif /* NODIAG_ANALYZER_TRACE_BY_ROUTE_H */
