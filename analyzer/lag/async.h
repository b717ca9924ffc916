/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_LAG_ASYNC_H
#define NODIAG_ANALYZER_LAG_ASYNC_H

/*
 * Asynchronous resources: how many of each type there were, how long they lived, and where the
 * program created them. Takes the agent's sums of each thread, and adds them up.
 *
 * Not thread-safe. Functions that return int give 0 or -ENOMEM.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/event.h"

struct nd_async;

/* Resources of one type that one place created. Sums are estimates where the type's are. */
struct nd_async_site {
	const char *type;
	const char *function; /* "" where it has no name */
	const char *file;     /* "": no JavaScript of the program's */
	uint32_t line;	      /* from 1 */
	uint32_t column;
	uint64_t created;
	uint64_t alive;
	uint64_t ended;
	uint64_t total_us; /* lifetimes of those that ended */
	uint64_t max_us;
};

struct nd_async_type {
	const char *name; /* "Timeout", as Node.js calls it */
	uint64_t created;
	uint64_t alive;
	uint64_t ended;	   /* destroyed; of promises: settled */
	bool is_estimated; /* its call sites: there were too many to look at each */
	uint64_t total_us; /* lifetimes of those that ended */
	uint64_t max_us;
	uint64_t lifetime[ND_LIFETIME_BUCKETS];
	/* Most alive first, then most created. */
	const struct nd_async_site *sites;
	size_t sites_count;
};

/* What was told of a thread. */
struct nd_async_thread {
	uint32_t tid;
	uint32_t reason; /* enum nd_async_reason, or a newer one: why it is not followed */
};

/* What is missing. */
struct nd_async_losses {
	uint64_t resources; /* counted when created, and not followed */
	uint64_t sites;	    /* places that found no room, each time */
	uint64_t types;	    /* resources of types that found no room */
	uint64_t left_out;  /* sums that found no room here */
};

struct nd_async *nd_async_new(void);
void nd_async_free(struct nd_async *async);

/* An event of any kind; those that are about something else are ignored. */
int nd_async_add_event(struct nd_async *async, const struct nd_event *event, size_t size);

/* A thread has ended, and with it whatever was alive. */
void nd_async_end_thread(struct nd_async *async, uint32_t tid);

/* The threads that were told of; none where nobody followed resources. */
const struct nd_async_thread *nd_async_threads(const struct nd_async *async, size_t *ret_count);

/*
 * The types, most alive first, then most created; NULL when out of memory. Valid until the next
 * event, and the next call.
 */
const struct nd_async_type *nd_async_types(struct nd_async *async, size_t *ret_count);

void nd_async_get_losses(const struct nd_async *async, struct nd_async_losses *ret_losses);

/*
 * The lifetime below which `share` (0 to 1) of those that ended stayed, in microseconds: the middle
 * of a bucket, at most 25 % from the truth.
 */
uint64_t nd_async_percentile(const struct nd_async_type *type, double share);

/* The least lifetime in a bucket, in microseconds. */
uint64_t nd_async_bucket_start(int bucket);

#endif /* NODIAG_ANALYZER_LAG_ASYNC_H */
