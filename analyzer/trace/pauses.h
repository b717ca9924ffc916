/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_PAUSES_H
#define NODIAG_ANALYZER_TRACE_PAUSES_H

/*
 * When the garbage collector stopped which thread, and in which span: the last ND_TRACE_PAUSES_MAX
 * at most. Zeroed memory is an empty one.
 */

#include <stddef.h>
#include <stdint.h>

#include "analyzer/trace/allocation.h"
#include "proto/event.h"

struct nd_trace_request;

struct nd_pause {
	struct nd_event_gc event;
	uint64_t bytes; /* nd_allocation_add() */
};

/* What is known of a thread's allocation. */
struct nd_pauses_thread {
	uint32_t tid;
	struct nd_allocation allocation;
};

struct nd_pauses {
	struct nd_pause *list; /* in the order they came; of one thread none overlap */
	size_t count;
	struct nd_pauses_thread *threads;
	size_t thread_count;
};

void nd_pauses_fini(struct nd_pauses *pauses);

/* 0 or -ENOMEM. */
int nd_pauses_add(struct nd_pauses *pauses, const struct nd_event_gc *event);

/* How long a thread was stopped between two times, in nanoseconds. */
uint64_t nd_pauses_find(const struct nd_pauses *pauses, uint32_t tid, uint64_t start_ns,
			uint64_t end_ns);

/* Find `collected` of a request, whose nodes are known. */
void nd_pauses_charge(const struct nd_pauses *pauses, struct nd_trace_request *request);

#endif /* NODIAG_ANALYZER_TRACE_PAUSES_H */
