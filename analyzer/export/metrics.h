/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_METRICS_H
#define NODIAG_ANALYZER_EXPORT_METRICS_H

/*
 * What is known of event loops, as metrics of OpenTelemetry's semantic conventions (nodejs.*,
 * v8js.*), and as nodiag.* where these have no name for it. docs/internals/export.md lists them.
 *
 * Sums and histograms count from the start of the observation, gauges tell of the time since the
 * call before. The main thread's points have no attribute of their own, as in a program that
 * measures itself; those of workers have thread.id and thread.name.
 */

#include <stdint.h>
#include <sys/types.h>

struct nd_batch;
struct nd_lag;
struct nd_metrics;

/* The observation began at `start_ns`, which was `start_unix_ns`. NULL when out of memory. */
struct nd_metrics *nd_metrics_new(uint64_t start_ns, uint64_t start_unix_ns);
void nd_metrics_free(struct nd_metrics *metrics);

/*
 * The wall clock is `unix_offset_ns` ahead of the monotonic one, from now on. Who receives the
 * metrics takes another beginning for another process that counts from zero, so that this stays
 * what it was, unless it would come after what is told.
 */
void nd_metrics_set_clock(struct nd_metrics *metrics, uint64_t unix_offset_ns);

/*
 * Add what the loops did until `time_ns`. A loop that ended is in it once more and then no longer.
 * Errors as in analyzer/export/batch.h.
 */
int nd_metrics_add_loops(struct nd_metrics *metrics, struct nd_lag *lag, uint64_t time_ns,
			 struct nd_batch *batch);

/*
 * Add what the kernel counts of a running process, as process.* metrics; what may not be read is
 * left out. -ESRCH when it is gone.
 */
int nd_metrics_add_process(struct nd_metrics *metrics, pid_t pid, uint64_t time_ns,
			   struct nd_batch *batch);

#endif /* NODIAG_ANALYZER_EXPORT_METRICS_H */
