/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_METRICS_IMPL_H
#define NODIAG_ANALYZER_EXPORT_METRICS_IMPL_H

/* What metrics.c, metrics_process.c and interval.c share. */

#include <stddef.h>
#include <stdint.h>

#include "proto/otlp.h"

struct nd_lag_loop;
struct nd_loop_history;

struct nd_metrics {
	uint64_t start_ns;
	uint64_t start_unix_ns;		/* as it was told: it moves only where it must */
	uint64_t process_start_unix_ns; /* the same of the process; 0: not told yet */
	uint64_t unix_offset_ns;
	struct nd_loop_history *histories; /* of each loop that is told of */
	size_t history_count;
};

/* A moment by the wall clock. */
uint64_t nd_metrics_unix_ns(const struct nd_metrics *metrics, uint64_t time_ns);

/* Where the middle of a bucket of common/histogram.h is, in seconds. */
double nd_bucket_middle(uint32_t bucket);

/* The gauges nodejs.eventloop.delay.*. */
enum nd_delay {
	ND_DELAY_MIN,
	ND_DELAY_MAX,
	ND_DELAY_MEAN,
	ND_DELAY_STDDEV,
	ND_DELAY_P50,
	ND_DELAY_P90,
	ND_DELAY_P99,
	ND_DELAY_COUNT
};

/* A loop, and what it did since the last time. */
struct nd_loop_view {
	const struct nd_lag_loop *loop;
	uint64_t busy_ns;
	uint64_t idle_ns;
	uint64_t iterations;
	double delay[ND_DELAY_COUNT]; /* seconds */
	struct nd_otlp_attribute attributes[2];
	size_t attribute_count;
};

/*
 * What the loops did since the last call: `views` has room for all of them, and those that ended
 * before are left out. 0 or -ENOMEM.
 */
int nd_metrics_look(struct nd_metrics *metrics, const struct nd_lag_loop *loops, size_t count,
		    struct nd_loop_view *views, size_t *ret_count);

#endif /* NODIAG_ANALYZER_EXPORT_METRICS_IMPL_H */
