/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/trace/route.h"
#include "proto/limits.h"
#include "proto/span.h"

/* How deep spans may lie in one another within a program. */
#define DEPTH_MAX 32

struct entry {
	UT_hash_handle hh;
	uint8_t parent_id[ND_SPAN_ID_SIZE];
	bool is_request; /* and not a part of one */
	bool is_wanted;
	struct nd_request request;
	char *name;
};

struct nd_requests {
	struct entry *set;
};

struct nd_requests *nd_requests_new(void)
{
	return calloc(1, sizeof(struct nd_requests));
}

static void free_entry(struct entry *entry)
{
	free(entry->name);
	free(entry);
}

void nd_requests_free(struct nd_requests *requests)
{
	struct entry *entry, *next;

	if (!requests)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	entry = requests->set;
	HASH_CLEAR(hh, requests->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free_entry(entry);
	}
	free(requests);
}

bool nd_span_id_is_set(const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	static const uint8_t none[ND_SPAN_ID_SIZE];

	return memcmp(span_id, none, sizeof(none)) != 0;
}

static struct entry *find_entry(const struct nd_requests *requests,
				const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	struct entry *entry;

	HASH_FIND(hh, requests->set, span_id, ND_SPAN_ID_SIZE, entry);
	return entry;
}

/* Put an entry that is in no set into this one; frees it where that fails. */
static struct entry *put_entry(struct nd_requests *requests, struct entry *entry)
{
	HASH_ADD(hh, requests->set, request.span_id, ND_SPAN_ID_SIZE, entry);
	if (entry->hh.tbl)
		return entry;
	free_entry(entry);
	return NULL;
}

/* Forget the first of those that nobody wants, or of all, until there are `left`. */
static void forget(struct nd_requests *requests, size_t left, bool unwanted_only)
{
	struct entry *entry = requests->set, *next;
	size_t count = HASH_COUNT(requests->set);
	bool is_needed;

	HASH_CLEAR(hh, requests->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		is_needed = unwanted_only && (entry->is_wanted || !entry->request.is_over);
		if (count <= left || is_needed) {
			put_entry(requests, entry);
			continue;
		}
		count--;
		free_entry(entry);
	}
}

/* Half of the room at once, so that it is seldom done. */
static void make_room(struct nd_requests *requests)
{
	if (HASH_COUNT(requests->set) < ND_REQUESTS_MAX)
		return;
	forget(requests, ND_REQUESTS_MAX / 2, true);
	forget(requests, ND_REQUESTS_MAX / 4 * 3, false);
}

static struct entry *add_entry(struct nd_requests *requests, const struct nd_event_span *span)
{
	struct entry *entry;

	make_room(requests);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	memcpy(entry->request.span_id, span->span_id, ND_SPAN_ID_SIZE);
	return put_entry(requests, entry);
}

/* Parts of a request have no name of their own here. */
static int set_name(struct entry *entry, const struct nd_event_span *span)
{
	char name[ND_ROUTE_NAME_MAX];

	if (!entry->is_request)
		return 0;
	nd_trace_name(span, name);
	free(entry->name);
	entry->name = strdup(name);
	entry->request.name = entry->name;
	return entry->name ? 0 : -ENOMEM;
}

int nd_requests_add_event(struct nd_requests *requests, const struct nd_event *event, size_t size)
{
	const struct nd_event_span *span = (const void *)event;
	struct entry *entry;

	if ((event->kind != ND_EVENT_SPAN_START && event->kind != ND_EVENT_SPAN) ||
	    !nd_span_is_sound(event, size))
		return 0;
	entry = find_entry(requests, span->span_id);
	/* As nd_trace_add_event(): the first that is said is believed. */
	if (entry && (entry->request.is_over || event->kind == ND_EVENT_SPAN_START))
		return 0;
	if (!entry)
		entry = add_entry(requests, span);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->parent_id, span->parent_id, ND_SPAN_ID_SIZE);
	memcpy(entry->request.trace_id, span->trace_id, sizeof(entry->request.trace_id));
	entry->is_request = span->kind == ND_SPAN_SERVER;
	entry->request.is_over = event->kind == ND_EVENT_SPAN;
	if (!set_name(entry, span))
		return 0;
	HASH_DEL(requests->set, entry);
	free_entry(entry);
	return -ENOMEM;
}

const struct nd_request *nd_requests_find(const struct nd_requests *requests,
					  const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	const struct entry *entry = find_entry(requests, span_id);
	int depth;

	for (depth = 0; entry && !entry->is_request && depth < DEPTH_MAX; depth++)
		entry = find_entry(requests, entry->parent_id);
	return entry && entry->is_request ? &entry->request : NULL;
}

const char *nd_request_name(const struct nd_requests *requests,
			    const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	const struct nd_request *request;

	if (!nd_span_id_is_set(span_id))
		return "[no request]";
	request = nd_requests_find(requests, span_id);
	return request ? request->name : "[unknown request]";
}

bool nd_requests_is_empty(const struct nd_requests *requests)
{
	return !requests->set;
}

void nd_requests_want(struct nd_requests *requests, const uint8_t span_id[ND_SPAN_ID_SIZE])
{
	struct entry *entry = find_entry(requests, span_id);
	int depth;

	for (depth = 0; entry && depth < DEPTH_MAX; depth++) {
		entry->is_wanted = true;
		entry = entry->is_request ? NULL : find_entry(requests, entry->parent_id);
	}
}
