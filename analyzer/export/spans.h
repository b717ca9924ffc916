/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_SPANS_H
#define NODIAG_ANALYZER_EXPORT_SPANS_H

/*
 * HTTP requests (proto/span.h) as spans of OpenTelemetry, with the attributes of its stable
 * semantic conventions. Errors as in analyzer/export/batch.h.
 */

#include <stddef.h>
#include <stdint.h>

#include "analyzer/export/tail.h"

struct nd_batch;
struct nd_err;
struct nd_event_span;
struct nd_sink;
struct nd_source;

/* Add a request that is over and sound, unless its trace is not sampled. The wall clock is
 * `unix_offset_ns` ahead of its times. */
int nd_export_span(const struct nd_event_span *span, uint64_t unix_offset_ns,
		   struct nd_batch *batch);

/*
 * Give away the requests of a recording that were over: all of them, or those of the traces that
 * the rules keep, which are counted in `ret_counts`. -ENODATA when it has none, and as
 * nd_recording_open().
 */
struct nd_recorded_spans {
	const void *data;
	size_t len;
	const struct nd_source *source;
	const struct nd_sink *sink;
	struct nd_tail_rules tail;
};
int nd_export_recorded_spans(const struct nd_recorded_spans *what,
			     struct nd_tail_counts *ret_counts, struct nd_err *err);

#endif /* NODIAG_ANALYZER_EXPORT_SPANS_H */
