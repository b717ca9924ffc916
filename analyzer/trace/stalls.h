/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_STALLS_H
#define NODIAG_ANALYZER_TRACE_STALLS_H

/*
 * When which thread's loop was kept from polling: what requests had to wait for, before they were
 * read or after. The last ND_TRACE_STALLS_MAX at most. For trace.c alone.
 */

#include <stddef.h>
#include <stdint.h>

#include "analyzer/lag/lag.h"
#include "proto/span.h"

/* The last stall of a thread, which requests that are read next may have had to wait for. */
struct nd_trace_last_stall {
	uint32_t tid;
	uint64_t start_ns;
	uint64_t end_ns;
};

/* All zeros at first. */
struct nd_trace_stalls {
	struct nd_trace_last_stall *last; /* one for each thread that had any */
	size_t last_count;
	struct nd_lag_stall *list; /* in the order they came */
	size_t count;
};

struct nd_trace_interval {
	uint64_t start_ns;
	uint64_t end_ns;
};

void nd_trace_stalls_fini(struct nd_trace_stalls *stalls);

/* A stall that has just ended: who had to wait for it is read next. -ENOMEM. */
int nd_trace_stalls_add_last(struct nd_trace_stalls *stalls, const struct nd_event_stall *event);

/* The same stall, once it is known who made it. -ENOMEM. */
int nd_trace_stalls_add(struct nd_trace_stalls *stalls, const struct nd_lag_stall *stall);

/*
 * How long a request that is read now may have waited unread, in nanoseconds: one that is read
 * right after a stall may have come at any time of it, and `ret_stall_ns` is when that began. 0: it
 * did not wait.
 */
uint64_t nd_trace_stalls_find_unread(const struct nd_trace_stalls *stalls,
				     const struct nd_event_span *span, uint64_t *ret_stall_ns);

/*
 * How much of an interval stalls of the thread took, in nanoseconds; `ret_stall` is the one that
 * took most, untouched where none did. It may be NULL.
 */
uint64_t nd_trace_stalls_measure(const struct nd_trace_stalls *stalls, uint32_t tid,
				 struct nd_trace_interval in,
				 const struct nd_lag_stall **ret_stall);

/* The stall of a thread that began then; NULL: it is not kept. */
const struct nd_lag_stall *nd_trace_stalls_find(const struct nd_trace_stalls *stalls, uint32_t tid,
						uint64_t start_ns);

#endif /* NODIAG_ANALYZER_TRACE_STALLS_H */
