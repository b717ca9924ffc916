/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/route.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Parts of a path that are told apart: what is deeper are files or data. */
#define PARTS_MAX 6

/* A part that is longer is no word. */
#define WORD_MAX 40

/* What those beyond ND_TRACE_ROUTES_MAX are counted as. */
#define OTHERS "(others)"

struct entry {
	UT_hash_handle hh;
	struct nd_trace_route route;
};

struct nd_trace_routes {
	struct entry *set;
	struct nd_trace_route *list; /* what nd_trace_routes_list() hands out */
};

/* Numbers, UUIDs, hashes, tokens, addresses: what differs from one request to the next. */
static bool is_id(const char *part, size_t len)
{
	size_t digits = 0, hex = 0, i;

	for (i = 0; i < len; i++) {
		if (part[i] == '@' || part[i] == '%')
			return true;
		digits += isdigit((unsigned char)part[i]) != 0;
		hex += isxdigit((unsigned char)part[i]) || part[i] == '-';
	}
	if (len && digits == len)
		return true;
	if (len > WORD_MAX)
		return true;
	return digits && ((len >= 8 && hex == len) || (len >= 16 && digits * 4 >= len));
}

/* Append what `path` is with its ids taken out. */
static void add_template(const char *path, char *ret, size_t size)
{
	size_t used = strlen(ret), len;
	int parts;

	for (parts = 0; *path == '/' && used + 1 < size; parts++) {
		len = strcspn(path + 1, "/");
		if (parts == PARTS_MAX) {
			snprintf(ret + used, size - used, "/*");
			return;
		}
		if (path[1] != ':' && is_id(path + 1, len))
			snprintf(ret + used, size - used, "/:id");
		else
			snprintf(ret + used, size - used, "/%.*s", (int)len, path + 1);
		used = strlen(ret);
		path += 1 + len;
	}
	/* "*" of OPTIONS, or the pattern of a framework's own. */
	if (!parts)
		snprintf(ret + used, size - used, "%s", path);
}

void nd_trace_name(const struct nd_event_span *span, char ret_name[ND_ROUTE_NAME_MAX])
{
	const char *route = nd_span_get_text(span, ND_SPAN_ROUTE);

	if (span->kind == ND_SPAN_INTERNAL) {
		snprintf(ret_name, ND_ROUTE_NAME_MAX, "%s", nd_span_get_text(span, ND_SPAN_METHOD));
		return;
	}
	snprintf(ret_name, ND_ROUTE_NAME_MAX, "%s ", nd_span_get_text(span, ND_SPAN_METHOD));
	add_template(*route ? route : nd_span_get_text(span, ND_SPAN_PATH), ret_name,
		     ND_ROUTE_NAME_MAX);
}

struct nd_trace_routes *nd_trace_routes_new(void)
{
	return calloc(1, sizeof(struct nd_trace_routes));
}

void nd_trace_routes_free(struct nd_trace_routes *routes)
{
	struct entry *entry, *next;

	if (!routes)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	entry = routes->set;
	HASH_CLEAR(hh, routes->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free(entry);
	}
	free(routes->list);
	free(routes);
}

static struct entry *find_entry(struct nd_trace_routes *routes, const char *name)
{
	struct entry *entry;

	HASH_FIND_STR(routes->set, name, entry);
	if (entry || (HASH_COUNT(routes->set) >= ND_TRACE_ROUTES_MAX && strcmp(name, OTHERS) != 0))
		return entry ? entry : find_entry(routes, OTHERS);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	snprintf(entry->route.name, sizeof(entry->route.name), "%s", name);
	HASH_ADD_STR(routes->set, route.name, entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	return entry;
}

int nd_trace_routes_add(struct nd_trace_routes *routes, const struct nd_event_span *span,
			uint64_t unread_ns)
{
	uint64_t took = span->event.time_ns - span->start_ns;
	char name[ND_ROUTE_NAME_MAX];
	struct nd_trace_route *route;
	struct entry *entry;

	nd_trace_name(span, name);
	entry = find_entry(routes, name);
	if (!entry)
		return -ENOMEM;
	route = &entry->route;
	route->count++;
	route->errors += nd_span_is_error(span);
	route->total_ns += took;
	route->unread += unread_ns != 0;
	if (unread_ns > route->unread_max_ns)
		route->unread_max_ns = unread_ns;
	route->times[nd_histogram_index(took)]++;
	if (took > route->max_ns)
		route->max_ns = took;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct nd_trace_route *x = a, *y = b;

	if (x->total_ns != y->total_ns)
		return x->total_ns < y->total_ns ? 1 : -1;
	return strcmp(x->name, y->name);
}

const struct nd_trace_route *nd_trace_routes_list(struct nd_trace_routes *routes, size_t *ret_count)
{
	size_t count = HASH_COUNT(routes->set);
	struct nd_trace_route *list = calloc(count ? count : 1, sizeof(*list));
	struct entry *entry;

	*ret_count = 0;
	if (!list)
		return NULL;
	for (entry = routes->set; entry; entry = entry->hh.next)
		list[(*ret_count)++] = entry->route;
	qsort(list, *ret_count, sizeof(*list), compare);
	free(routes->list);
	routes->list = list;
	return list;
}
