/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_EXPORTER_H
#define NODIAG_ANALYZER_EXPORT_EXPORTER_H

/*
 * Sends requests of OTLP to a collector, in order, one at a time for each signal, and keeps them in
 * a queue until they are taken:
 *
 *	nd_exporter_open(&options, &settings, &exporter, err);
 *	loop:
 *		nd_exporter_add(), or a batch (analyzer/export/batch.h) whose sink is
 *		nd_exporter_sink();
 *		nd_exporter_flush(exporter, a short time);
 *	nd_exporter_flush(exporter, a longer time);
 *	nd_exporter_close(exporter);
 *
 * A request that was not taken is sent again where the protocol allows that (analyzer/export/
 * retry.h). Nothing here waits longer than it is told to. Not thread-safe.
 */

#include <stddef.h>
#include <stdint.h>

#include "analyzer/export/batch.h"
#include "proto/otlp.h"

struct nd_err;
struct nd_export_options;
struct nd_exporter;

struct nd_exporter_settings {
	const char *version; /* of nodiag, for User-Agent */
	const char *queue;   /* a folder, or NULL for memory */
	uint64_t queue_bytes;
};

/* Of the items of one signal, since it was opened. */
struct nd_export_counts {
	uint64_t added;
	uint64_t sent;	   /* and taken */
	uint64_t rejected; /* by an answer that took the others of its request */
	uint64_t refused;  /* with their whole request */
	uint64_t dropped;  /* because the queue was full */
	uint64_t waiting;  /* in the queue now, also from earlier */
};

/* `options` must outlive the exporter. -EBUSY when another process uses the queue, -ENOMEM. */
int nd_exporter_open(const struct nd_export_options *options,
		     const struct nd_exporter_settings *settings, struct nd_exporter **ret_exporter,
		     struct nd_err *err);

/* Ends without waiting; what waits in a folder stays there. */
void nd_exporter_close(struct nd_exporter *exporter);

/* Put a request with so many items into the queue. -ENOSPC and the like, -ENOMEM. */
int nd_exporter_add(struct nd_exporter *exporter, enum nd_otlp_signal signal,
		    const struct nd_buf *request, uint64_t items, struct nd_err *err);

/* The same for a batch. */
struct nd_sink nd_exporter_sink(struct nd_exporter *exporter);

/*
 * Send what is due, for at most `for_ns`. Returns 0 when nothing waits any more, 1 when something
 * does: it returns early where all that waits has to pause. -ENOMEM, or why the queue cannot be
 * read.
 */
int nd_exporter_flush(struct nd_exporter *exporter, uint64_t for_ns);

void nd_exporter_get_counts(const struct nd_exporter *exporter, enum nd_otlp_signal signal,
			    struct nd_export_counts *ret_counts);

/* Requests in the queue that were damaged, and lost. */
uint64_t nd_exporter_damaged(const struct nd_exporter *exporter);

/*
 * What the last request of a signal that was not taken met with: "http://host:4318/v1/metrics: HTTP
 * 503, too busy; trying again". "" when there is none, or when it was taken after all. Has no
 * secrets in it, and nothing that acts on a terminal.
 */
const char *nd_exporter_problem(const struct nd_exporter *exporter, enum nd_otlp_signal signal);

#endif /* NODIAG_ANALYZER_EXPORT_EXPORTER_H */
