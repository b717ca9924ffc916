/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_SPANS_H
#define NODIAG_ANALYZER_TRACE_SPANS_H

/*
 * The spans that are kept, by their ids, and how they belong together. Of more than can be kept the
 * slowest requests stay, with what belongs to them. For trace.c alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "proto/span.h"

/* How deep requests may have made one another, all in this program. */
#define ND_TRACE_DEPTH_MAX 32

struct nd_trace_entry {
	UT_hash_handle hh;
	uint8_t id[ND_SPAN_ID_SIZE];
	uint64_t unread_ns;	      /* how long it may have waited to be read; 0: it did not */
	uint64_t unread_stall_ns;     /* when the stall began that kept it unread */
	struct nd_event_span *span;   /* owned */
	struct nd_trace_entry *child; /* the last that nd_trace_spans_link() linked */
	struct nd_trace_entry *sibling;
	bool is_kept; /* by the thinning that is under way */
};

/* All zeros at first. */
struct nd_trace_spans {
	struct nd_trace_entry *set;
};

void nd_trace_spans_fini(struct nd_trace_spans *spans);

/* NULL: there is none of that id. */
struct nd_trace_entry *nd_trace_spans_find(const struct nd_trace_spans *spans,
					   const uint8_t id[ND_SPAN_ID_SIZE]);

/* Add a span whose id is new. It is freed where that fails: -ENOMEM. */
int nd_trace_spans_add(struct nd_trace_spans *spans, struct nd_event_span *span,
		       struct nd_trace_entry **ret_entry);

/* Forget the fastest requests where the spans have become too many. -ENOMEM. */
int nd_trace_spans_thin_out(struct nd_trace_spans *spans);

/* Let each span know of those that it is the parent of, until one is added. */
void nd_trace_spans_link(struct nd_trace_spans *spans);

/* NULL where it has none, or where that is not kept. */
struct nd_trace_entry *nd_trace_spans_find_parent(const struct nd_trace_spans *spans,
						  const struct nd_trace_entry *entry);

/*
 * The requests, slowest first, unread time included; the array is the caller's. NULL when out of
 * memory.
 */
struct nd_trace_entry **nd_trace_spans_sort_requests(const struct nd_trace_spans *spans,
						     uint64_t now_ns, size_t *ret_count);

/* Not over when it was looked at. */
static inline bool nd_trace_entry_is_open(const struct nd_trace_entry *entry)
{
	return entry->span->event.kind == ND_EVENT_SPAN_START;
}

static inline bool nd_trace_entry_is_request(const struct nd_trace_entry *entry)
{
	return entry->span->kind == ND_SPAN_SERVER;
}

/* How long it took; of one that is open, until now. */
uint64_t nd_trace_entry_duration(const struct nd_trace_entry *entry, uint64_t now_ns);

/* The same and its unread time: as long as its client may have waited. */
uint64_t nd_trace_entry_whole_duration(const struct nd_trace_entry *entry, uint64_t now_ns);

#endif /* NODIAG_ANALYZER_TRACE_SPANS_H */
