/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_TAIL_H
#define NODIAG_ANALYZER_EXPORT_TAIL_H

/*
 * Tail sampling: which traces are worth sending, decided when they are over, as far as one process
 * sees them.
 *
 * Spans of a trace wait until none of them goes on any more. The trace is kept as soon as a rule
 * holds, and dropped when it is over and none does; what comes of it later shares its fate, but
 * that a slow or failed span is kept in any case. What waits is bounded, in traces, bytes and time
 * (proto/limits.h): beyond that the oldest is dropped, since no rule held until then.
 *
 * Not thread-safe.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_event_span;
struct nd_tail;

/* A trace is kept when any of these holds; where none is set, all are, and no span waits. */
struct nd_tail_rules {
	uint64_t slow_ns; /* it lasts so long, from its first span on; 0: does not count */
	bool errors;	  /* a span of it has failed */
	/*
	 * It is one of so many, by its id: services that keep one in the same number keep the same
	 * ones, and so do samplers that follow OpenTelemetry (consistent probability). 0: none.
	 */
	uint32_t one_in;
};

struct nd_tail_counts {
	uint64_t kept; /* traces */
	uint64_t dropped;
	uint64_t early; /* of these, before they were over */
};

static inline bool nd_tail_is_set(const struct nd_tail_rules *rules)
{
	return rules->slow_ns || rules->errors || rules->one_in;
}

/*
 * `keep` gets the spans that are kept; what it returns but 0 is handed on. NULL when out of memory.
 */
struct nd_tail *nd_tail_new(const struct nd_tail_rules *rules,
			    int (*keep)(void *arg, const struct nd_event_span *span), void *arg);
void nd_tail_free(struct nd_tail *tail);

/*
 * A span that has begun, or one that is over; sound. Those that the sampler of the process, or of
 * whoever called it, decided against are dropped, and do not count. These functions return 0,
 * -ENOMEM, or what `keep` does.
 */
int nd_tail_add(struct nd_tail *tail, const struct nd_event_span *span);

/* So late it is: decide what can be decided. About once a second. */
int nd_tail_settle(struct nd_tail *tail, uint64_t now_ns);

/* Nothing more will come. What was not over is kept: whoever made it so is of interest. */
int nd_tail_finish(struct nd_tail *tail);

void nd_tail_get_counts(const struct nd_tail *tail, struct nd_tail_counts *ret_counts);

#endif /* NODIAG_ANALYZER_EXPORT_TAIL_H */
