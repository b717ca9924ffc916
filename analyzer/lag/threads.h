/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_LAG_THREADS_H
#define NODIAG_ANALYZER_LAG_THREADS_H

/*
 * The threads that were observed, and what is told of each by counters and by events but stalls.
 * Of one id there may be several, of which one lives at most. For lag.c alone.
 */

#include "analyzer/lag/lag.h"
#include "analyzer/trace/allocation.h"

struct nd_stall;

struct nd_lag_thread {
	struct nd_lag_loop loop;
	uint64_t busy_since_ns; /* 0: its loop is idle */
	uint32_t phase;
	bool is_final;	       /* its counters have been read for the last time */
	struct nd_stall *open; /* what is known of the iteration that lasts, or NULL; owned */
	struct nd_allocation allocation;
};

/* All zeros at first, but for `known`. */
struct nd_lag_threads {
	uint32_t known; /* enum nd_loop_known: what the source of events measures */
	struct nd_lag_thread *list;
	size_t count;
	uint64_t left_out;	   /* of more than ND_LAG_THREADS_MAX: those that ended first */
	struct nd_lag_loop *loops; /* what nd_lag_threads_list() hands out */
};

void nd_lag_threads_fini(struct nd_lag_threads *threads);

/* The thread of that id that lives, or one that did, or NULL; valid until one is added. */
struct nd_lag_thread *nd_lag_threads_find(struct nd_lag_threads *threads, uint32_t tid);

/* The same, added where there is none. 0 with NULL where there is no place for it; -ENOMEM. */
int nd_lag_threads_get(struct nd_lag_threads *threads, uint32_t tid,
		       struct nd_lag_thread **ret_thread);

/* nd_lag_set_counters(). */
int nd_lag_threads_set_counters(struct nd_lag_threads *threads, const struct nd_channel_slot *first,
				const struct nd_channel_slot *now, uint64_t start_ns,
				uint64_t now_ns);

/* An event about a thread that is there; one of another kind, or too short, is ignored. */
void nd_lag_threads_add_event(struct nd_lag_threads *threads, const struct nd_event *event,
			      size_t size);

/* A pause of the collector: how many bytes it stands for, by nd_allocation_add(). */
uint64_t nd_lag_threads_add_gc(struct nd_lag_threads *threads, const struct nd_event_gc *event);

/* nd_lag_loops(). */
const struct nd_lag_loop *nd_lag_threads_list(struct nd_lag_threads *threads, size_t *ret_count);

#endif /* NODIAG_ANALYZER_LAG_THREADS_H */
