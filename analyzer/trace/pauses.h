/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_PAUSES_H
#define NODIAG_ANALYZER_TRACE_PAUSES_H

/*
 * When the garbage collector stopped which thread: the last ND_TRACE_PAUSES_MAX at most. Zeroed
 * memory is an empty one; free `list` at the end.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_event_gc;

struct nd_pause {
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t tid;
};

struct nd_pauses {
	struct nd_pause *list; /* in the order they came; of one thread none overlap */
	size_t count;
};

/* 0 or -ENOMEM. */
int nd_pauses_add(struct nd_pauses *pauses, const struct nd_event_gc *event);

/* How long a thread was stopped between two times, in nanoseconds. */
uint64_t nd_pauses_find(const struct nd_pauses *pauses, uint32_t tid, uint64_t start_ns,
			uint64_t end_ns);

#endif /* NODIAG_ANALYZER_TRACE_PAUSES_H */
