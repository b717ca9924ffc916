/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/collections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/trace/requests.h"
#include "proto/limits.h"

/* What those beyond ND_TRACE_ROUTES_MAX are counted as. */
#define OTHERS "(others)"

/* Those of a request that is not over, or of none. */
struct waiting {
	UT_hash_handle hh;
	uint8_t span_id[ND_SPAN_ID_SIZE];
	struct nd_collected sum;
};

struct route {
	UT_hash_handle hh;
	struct nd_route_collected collected;
	char name[];
};

struct nd_collections {
	const struct nd_requests *requests;
	struct waiting *waiting;
	struct route *routes;
	struct nd_route_collected *list; /* what nd_collections_list() hands out */
};

struct nd_collections *nd_collections_new(const struct nd_requests *requests)
{
	struct nd_collections *c = calloc(1, sizeof(*c));

	if (c)
		c->requests = requests;
	return c;
}

void nd_collections_free(struct nd_collections *c)
{
	struct waiting *waiting, *next;
	struct route *route, *after;

	if (!c)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	waiting = c->waiting;
	HASH_CLEAR(hh, c->waiting);
	for (; waiting; waiting = next) {
		next = waiting->hh.next;
		free(waiting);
	}
	route = c->routes;
	HASH_CLEAR(hh, c->routes);
	for (; route; route = after) {
		after = route->hh.next;
		free(route);
	}
	free(c->list);
	free(c);
}

static struct waiting *find_waiting(const struct nd_collections *c,
				    const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	struct waiting *waiting;

	HASH_FIND(hh, c->waiting, span_id, ND_SPAN_ID_SIZE, waiting);
	return waiting;
}

/* NULL when out of memory. */
static struct waiting *add_waiting(struct nd_collections *c, const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return NULL;
	memcpy(waiting->span_id, span_id, ND_SPAN_ID_SIZE);
	HASH_ADD(hh, c->waiting, span_id, ND_SPAN_ID_SIZE, waiting);
	if (waiting->hh.tbl)
		return waiting;
	free(waiting);
	return NULL;
}

static struct route *add_route(struct nd_collections *c, const char *name)
{
	struct route *route = calloc(1, sizeof(*route) + strlen(name) + 1);

	if (!route)
		return NULL;
	strcpy(route->name, name);
	route->collected.name = route->name;
	HASH_ADD_STR(c->routes, name, route);
	if (route->hh.tbl)
		return route;
	free(route);
	return NULL;
}

/* NULL when out of memory. */
static struct route *find_route(struct nd_collections *c, const char *name)
{
	struct route *route;

	HASH_FIND_STR(c->routes, name, route);
	if (!route && HASH_COUNT(c->routes) >= ND_TRACE_ROUTES_MAX) {
		name = OTHERS;
		HASH_FIND_STR(c->routes, name, route);
	}
	return route ? route : add_route(c, name);
}

/* What there is of a request, as it is known by now. */
static struct nd_route_collected describe(const struct nd_collections *c,
					  const struct waiting *waiting)
{
	const struct nd_request *request = nd_requests_find(c->requests, waiting->span_id);
	struct nd_route_collected ret = {
		.name = nd_request_name(c->requests, waiting->span_id),
		.sum = waiting->sum,
		.has_request = request != NULL,
	};

	if (request) {
		memcpy(ret.trace_id, request->trace_id, sizeof(ret.trace_id));
		memcpy(ret.span_id, request->span_id, sizeof(ret.span_id));
	}
	return ret;
}

/* Add what is of the same name. */
static void merge(struct nd_route_collected *route, const struct nd_route_collected *more)
{
	struct nd_collected *sum = &route->sum;

	if (!sum->count || more->sum.longest_ns > sum->longest_ns) {
		sum->longest_ns = more->sum.longest_ns;
		route->has_request = more->has_request;
		memcpy(route->trace_id, more->trace_id, sizeof(route->trace_id));
		memcpy(route->span_id, more->span_id, sizeof(route->span_id));
	}
	sum->count += more->sum.count;
	sum->total_ns += more->sum.total_ns;
	sum->samples += more->sum.samples;
	sum->bytes += more->sum.bytes;
}

/* Charge its route. */
static int settle(struct nd_collections *c, struct waiting *waiting)
{
	const struct nd_route_collected collected = describe(c, waiting);
	struct route *route = find_route(c, collected.name);

	HASH_DEL(c->waiting, waiting);
	free(waiting);
	if (!route)
		return -ENOMEM;
	merge(&route->collected, &collected);
	return 0;
}

int nd_collections_add(struct nd_collections *c, const struct nd_event_gc *event, uint64_t bytes)
{
	const struct nd_request *request = nd_requests_find(c->requests, event->span_id);
	const uint8_t *span_id = request ? request->span_id : event->span_id;
	struct waiting *waiting = find_waiting(c, span_id);
	int ret = 0;

	if (!waiting)
		waiting = add_waiting(c, span_id);
	if (!waiting)
		return -ENOMEM;
	nd_collected_add(&waiting->sum, event, bytes);
	/* The first of the table's list came first. */
	while (!ret && HASH_COUNT(c->waiting) > ND_COLLECTED_REQUESTS_MAX)
		ret = settle(c, c->waiting);
	return ret;
}

int nd_collections_end_span(struct nd_collections *c, const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	struct waiting *waiting = find_waiting(c, span_id);

	return waiting ? settle(c, waiting) : 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct nd_route_collected *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int compare_times(const void *a, const void *b)
{
	const struct nd_route_collected *x = a, *y = b;

	if (x->sum.total_ns != y->sum.total_ns)
		return x->sum.total_ns < y->sum.total_ns ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* What waits is of routes that are there already, too. Returns how many are left. */
static size_t merge_names(struct nd_route_collected *list, size_t count)
{
	size_t i, kept = 0;

	for (i = 1; i < count; i++)
		if (strcmp(list[kept].name, list[i].name) != 0)
			list[++kept] = list[i];
		else
			merge(&list[kept], &list[i]);
	return count ? kept + 1 : 0;
}

const struct nd_route_collected *nd_collections_list(struct nd_collections *c, size_t *ret_count)
{
	size_t count = HASH_COUNT(c->routes) + HASH_COUNT(c->waiting), used = 0;
	struct nd_route_collected *list = calloc(count ? count : 1, sizeof(*list));
	const struct waiting *waiting;
	const struct route *route;

	*ret_count = 0;
	if (!list)
		return NULL;
	for (route = c->routes; route; route = route->hh.next)
		list[used++] = route->collected;
	for (waiting = c->waiting; waiting; waiting = waiting->hh.next)
		list[used++] = describe(c, waiting);
	qsort(list, used, sizeof(*list), compare_names);
	*ret_count = merge_names(list, used);
	qsort(list, *ret_count, sizeof(*list), compare_times);
	free(c->list);
	c->list = list;
	return list;
}
