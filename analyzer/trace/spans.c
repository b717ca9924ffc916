/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/spans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

static void free_entry(struct nd_trace_entry *entry)
{
	free(entry->span);
	free(entry);
}

void nd_trace_spans_fini(struct nd_trace_spans *spans)
{
	struct nd_trace_entry *entry = spans->set, *next;

	/* uthash keeps its elements in a list too, which outlives the table. */
	HASH_CLEAR(hh, spans->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free_entry(entry);
	}
}

struct nd_trace_entry *nd_trace_spans_find(const struct nd_trace_spans *spans,
					   const uint8_t id[ND_SPAN_ID_SIZE])
{
	struct nd_trace_entry *entry;

	HASH_FIND(hh, spans->set, id, sizeof(entry->id), entry);
	return entry;
}

/* Put an entry that is in no set into the trace's; frees it where that fails. */
static int put_entry(struct nd_trace_spans *spans, struct nd_trace_entry *entry)
{
	memcpy(entry->id, entry->span->span_id, sizeof(entry->id));
	HASH_ADD(hh, spans->set, id, sizeof(entry->id), entry);
	if (entry->hh.tbl)
		return 0;
	free_entry(entry);
	return -ENOMEM;
}

int nd_trace_spans_add(struct nd_trace_spans *spans, struct nd_event_span *span,
		       struct nd_trace_entry **ret_entry)
{
	struct nd_trace_entry *entry = calloc(1, sizeof(*entry));
	int ret;

	if (!entry) {
		free(span);
		return -ENOMEM;
	}
	entry->span = span;
	ret = put_entry(spans, entry);
	if (!ret)
		*ret_entry = entry;
	return ret;
}

struct nd_trace_entry *nd_trace_spans_find_parent(const struct nd_trace_spans *spans,
						  const struct nd_trace_entry *entry)
{
	struct nd_trace_entry *parent = NULL;

	if (nd_span_has_parent(entry->span))
		parent = nd_trace_spans_find(spans, entry->span->parent_id);
	return parent == entry ? NULL : parent;
}

void nd_trace_spans_link(struct nd_trace_spans *spans)
{
	struct nd_trace_entry *entry, *parent;

	for (entry = spans->set; entry; entry = entry->hh.next)
		entry->child = entry->sibling = NULL;
	for (entry = spans->set; entry; entry = entry->hh.next) {
		parent = nd_trace_spans_find_parent(spans, entry);
		if (!parent)
			continue;
		entry->sibling = parent->child;
		parent->child = entry;
	}
}

uint64_t nd_trace_entry_duration(const struct nd_trace_entry *entry, uint64_t now_ns)
{
	const struct nd_event_span *span = entry->span;
	uint64_t end_ns = nd_trace_entry_is_open(entry) ? now_ns : span->event.time_ns;

	return end_ns > span->start_ns ? end_ns - span->start_ns : 0;
}

uint64_t nd_trace_entry_whole_duration(const struct nd_trace_entry *entry, uint64_t now_ns)
{
	return entry->unread_ns + nd_trace_entry_duration(entry, now_ns);
}

static int compare_entries(const void *a, const void *b, void *now_ns)
{
	const struct nd_trace_entry *x = *(struct nd_trace_entry *const *)a,
				    *y = *(struct nd_trace_entry *const *)b;
	uint64_t x_ns = nd_trace_entry_whole_duration(x, *(uint64_t *)now_ns);
	uint64_t y_ns = nd_trace_entry_whole_duration(y, *(uint64_t *)now_ns);

	if (x_ns != y_ns)
		return x_ns < y_ns ? 1 : -1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

struct nd_trace_entry **nd_trace_spans_sort_requests(const struct nd_trace_spans *spans,
						     uint64_t now_ns, size_t *ret_count)
{
	struct nd_trace_entry **list =
		calloc(HASH_COUNT(spans->set) + 1, sizeof(struct nd_trace_entry *));
	struct nd_trace_entry *entry;

	*ret_count = 0;
	if (!list)
		return NULL;
	for (entry = spans->set; entry; entry = entry->hh.next)
		if (nd_trace_entry_is_request(entry))
			list[(*ret_count)++] = entry;
	if (*ret_count)
		qsort_r(list, *ret_count, sizeof(struct nd_trace_entry *), compare_entries,
			&now_ns);
	return list;
}

static void keep_tree(struct nd_trace_entry *entry, int depth)
{
	struct nd_trace_entry *child;

	if (entry->is_kept || depth > ND_TRACE_DEPTH_MAX)
		return;
	entry->is_kept = true;
	for (child = entry->child; child; child = child->sibling)
		keep_tree(child, depth + 1);
}

static int drop_others(struct nd_trace_spans *spans)
{
	struct nd_trace_entry *entry = spans->set, *next;
	int ret = 0;

	HASH_CLEAR(hh, spans->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		if (entry->is_kept && !ret) {
			ret = put_entry(spans, entry);
			continue;
		}
		free_entry(entry);
	}
	return ret;
}

int nd_trace_spans_thin_out(struct nd_trace_spans *spans)
{
	struct nd_trace_entry **list, *entry;
	size_t count, i;

	if (HASH_COUNT(spans->set) < ND_TRACE_SPANS_MAX)
		return 0;
	nd_trace_spans_link(spans);
	list = nd_trace_spans_sort_requests(spans, UINT64_MAX, &count);
	if (!list)
		return -ENOMEM;
	for (entry = spans->set; entry; entry = entry->hh.next)
		entry->is_kept = false;
	for (i = 0; i < count && i < ND_TRACE_REQUESTS_MAX; i++)
		keep_tree(list[i], 0);
	free(list);
	return drop_others(spans);
}
