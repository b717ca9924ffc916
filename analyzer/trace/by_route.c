/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/by_route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/profile/profile.h"
#include "analyzer/trace/requests.h"
#include "proto/limits.h"
#include "proto/span.h"

/* What those beyond ND_TRACE_ROUTES_MAX are counted as. */
#define OTHERS "(others)"

/* A stack that waits, with room for its root. */
struct waiting_stack {
	struct waiting_stack *next;
	struct nd_stack stack;
	struct nd_call calls[];
};

/* Those of a span. */
struct waiting {
	UT_hash_handle hh;
	uint8_t span_id[ND_SPAN_ID_SIZE];
	struct waiting_stack *first, **end;
	size_t count;
};

struct route {
	UT_hash_handle hh;
	uint32_t frame;
	char name[];
};

struct nd_by_route {
	struct nd_profile *profile;
	struct nd_requests *requests;
	struct waiting *waiting;
	size_t count; /* stacks that wait */
	struct route *routes;
	uint64_t spans;
};

struct nd_by_route *nd_by_route_new(struct nd_profile *profile)
{
	struct nd_by_route *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->profile = profile;
	r->requests = nd_requests_new();
	if (r->requests)
		return r;
	free(r);
	return NULL;
}

static void free_waiting(struct waiting *waiting)
{
	struct waiting_stack *stack, *next;

	for (stack = waiting->first; stack; stack = next) {
		next = stack->next;
		free(stack);
	}
	free(waiting);
}

void nd_by_route_free(struct nd_by_route *r)
{
	struct waiting *waiting, *next;
	struct route *route, *after;

	if (!r)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	waiting = r->waiting;
	HASH_CLEAR(hh, r->waiting);
	for (; waiting; waiting = next) {
		next = waiting->hh.next;
		free_waiting(waiting);
	}
	route = r->routes;
	HASH_CLEAR(hh, r->routes);
	for (; route; route = after) {
		after = route->hh.next;
		free(route);
	}
	nd_requests_free(r->requests);
	free(r);
}

static struct route *add_route(struct nd_by_route *r, const char *name)
{
	const struct nd_frame frame = {.name = name, .kind = ND_FRAME_ROUTE};
	struct route *route = calloc(1, sizeof(*route) + strlen(name) + 1);

	if (!route)
		return NULL;
	strcpy(route->name, name);
	if (nd_profile_add_frame(r->profile, &frame, &route->frame)) {
		free(route);
		return NULL;
	}
	HASH_ADD_STR(r->routes, name, route);
	if (route->hh.tbl)
		return route;
	free(route);
	return NULL;
}

/* NULL when out of memory. */
static const struct route *find_route(struct nd_by_route *r, const char *name)
{
	struct route *route;

	HASH_FIND_STR(r->routes, name, route);
	if (!route && HASH_COUNT(r->routes) >= ND_TRACE_ROUTES_MAX) {
		name = OTHERS;
		HASH_FIND_STR(r->routes, name, route);
	}
	return route ? route : add_route(r, name);
}

/* Give a copy of a stack its root, and to the profile. */
static int add_copy(struct nd_by_route *r, struct waiting_stack *copy)
{
	const struct route *route =
		find_route(r, nd_request_name(r->requests, copy->stack.span_id));

	if (!route)
		return -ENOMEM;
	copy->calls[copy->stack.depth++] = (struct nd_call){.frame = route->frame};
	return nd_profile_add_stack(r->profile, &copy->stack);
}

static struct waiting_stack *copy_stack(const struct nd_stack *stack)
{
	/* The root must find room, too. */
	size_t depth = stack->depth < ND_STACK_DEPTH_MAX ? stack->depth : ND_STACK_DEPTH_MAX - 1;
	struct waiting_stack *copy = malloc(sizeof(*copy) + (depth + 1) * sizeof(struct nd_call));

	if (!copy)
		return NULL;
	copy->next = NULL;
	copy->stack = *stack;
	copy->stack.calls = copy->calls;
	copy->stack.depth = depth;
	if (depth)
		memcpy(copy->calls, stack->calls, depth * sizeof(struct nd_call));
	return copy;
}

static struct waiting *find_waiting(const struct nd_by_route *r,
				    const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	struct waiting *waiting;

	HASH_FIND(hh, r->waiting, span_id, ND_SPAN_ID_SIZE, waiting);
	return waiting;
}

static void take_out(struct nd_by_route *r, struct waiting *waiting)
{
	HASH_DEL(r->waiting, waiting);
	r->count -= waiting->count;
}

/* What waits for a span goes into the profile. */
static int settle(struct nd_by_route *r, struct waiting *waiting)
{
	struct waiting_stack *copy;
	int ret = 0;

	take_out(r, waiting);
	for (copy = waiting->first; copy && !ret; copy = copy->next)
		ret = add_copy(r, copy);
	free_waiting(waiting);
	return ret;
}

static int wait_for(struct nd_by_route *r, const uint8_t span_id[ND_SPAN_ID_SIZE],
		    struct waiting_stack *copy)
{
	struct waiting *waiting = find_waiting(r, span_id);

	if (!waiting) {
		waiting = calloc(1, sizeof(*waiting));
		if (!waiting)
			return -ENOMEM;
		memcpy(waiting->span_id, span_id, ND_SPAN_ID_SIZE);
		waiting->end = &waiting->first;
		HASH_ADD(hh, r->waiting, span_id, ND_SPAN_ID_SIZE, waiting);
		if (!waiting->hh.tbl) {
			free(waiting);
			return -ENOMEM;
		}
	}
	*waiting->end = copy;
	waiting->end = &copy->next;
	waiting->count++;
	r->count++;
	return 0;
}

/* Add a copy, or keep it until it can be; it is not the caller's any more. */
static int add_or_keep(struct nd_by_route *r, struct waiting_stack *copy)
{
	const uint8_t *span_id = copy->stack.span_id;
	const struct nd_request *request =
		nd_span_id_is_set(span_id) ? nd_requests_find(r->requests, span_id) : NULL;
	int ret;

	if (!nd_span_id_is_set(span_id) || (request && request->is_over)) {
		ret = add_copy(r, copy);
		free(copy);
		return ret;
	}
	copy->next = NULL;
	ret = wait_for(r, request ? request->span_id : span_id, copy);
	if (ret)
		free(copy);
	return ret;
}

int nd_by_route_add_stack(struct nd_by_route *r, const struct nd_stack *stack)
{
	struct waiting_stack *copy = copy_stack(stack);
	int ret = copy ? add_or_keep(r, copy) : -ENOMEM;

	/* The first of the table's list came first. */
	while (!ret && r->count > ND_ROUTE_STACKS_MAX)
		ret = settle(r, r->waiting);
	return ret;
}

/* Of a span that was a part of a request, they wait for that one instead. */
static int look_again(struct nd_by_route *r, struct waiting *waiting)
{
	struct waiting_stack *copy = waiting->first, *next;
	int ret = 0;

	take_out(r, waiting);
	waiting->first = NULL;
	for (; copy; copy = next) {
		next = copy->next;
		if (ret)
			free(copy);
		else
			ret = add_or_keep(r, copy);
	}
	free_waiting(waiting);
	return ret;
}

int nd_by_route_add_event(struct nd_by_route *r, const struct nd_event *event, size_t size)
{
	const struct nd_event_span *span = (const void *)event;
	struct waiting *waiting;
	int ret;

	if ((event->kind != ND_EVENT_SPAN && event->kind != ND_EVENT_SPAN_START) ||
	    !nd_span_is_sound(event, size))
		return 0;
	r->spans += span->kind == ND_SPAN_SERVER;
	ret = nd_requests_add_event(r->requests, event, size);
	if (ret)
		return ret;
	waiting = find_waiting(r, span->span_id);
	return waiting && event->kind == ND_EVENT_SPAN ? look_again(r, waiting) : 0;
}

int nd_by_route_finish(struct nd_by_route *r)
{
	struct waiting *waiting, *next;
	int ret = 0;

	for (waiting = r->waiting; waiting && !ret; waiting = next) {
		next = waiting->hh.next;
		ret = settle(r, waiting);
	}
	return ret;
}

uint64_t nd_by_route_spans(const struct nd_by_route *r)
{
	return r->spans;
}
