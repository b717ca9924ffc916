/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_ALLOCATION_H
#define NODIAG_ANALYZER_TRACE_ALLOCATION_H

/*
 * How much a thread allocates, from nothing but the events of its collector: what the heap has at
 * the beginning of a collection, and had not at the end of the one before, was allocated between.
 *
 * V8 collects its young generation each time that a certain number of bytes was allocated there, so
 * each of these collections is a sample by bytes. The others come when they come: what was
 * allocated before one of them is added to the next that is a sample.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_event_gc;

/* Of a thread; zeroed memory is one of which nothing is known. */
struct nd_allocation {
	bool is_known;	     /* there was a collection */
	uint64_t since_ns;   /* the end of the first one */
	uint64_t end_ns;     /* of the last, */
	uint64_t used_bytes; /* which left so much */
	uint64_t bytes;	     /* allocated, and not told of yet */
};

/*
 * The next collection of the thread, in the order of their ends. Returns how many bytes it stands
 * for as a sample; 0 when it is none.
 */
uint64_t nd_allocation_add(struct nd_allocation *allocation, const struct nd_event_gc *event);

/* What several collections took, and what they stand for. */
struct nd_collected {
	uint64_t count;
	uint64_t total_ns;
	uint64_t longest_ns;
	uint64_t samples; /* those of `count` that stand for bytes, */
	uint64_t bytes;	  /* and these */
};

/* One more, which stands for so many bytes. */
void nd_collected_add(struct nd_collected *sum, const struct nd_event_gc *event, uint64_t bytes);

/*
 * So many samples make an estimate: with fewer, one collection that happened to be for another
 * would change it by much.
 */
#define ND_ALLOCATION_SAMPLES_MIN 8

#endif /* NODIAG_ANALYZER_TRACE_ALLOCATION_H */
