/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_BATCH_H
#define NODIAG_ANALYZER_EXPORT_BATCH_H

/*
 * Items of one signal, made into requests that are not too large to be taken.
 *
 *	nd_batch_init(&batch, ND_OTLP_TRACES, &source, sink);
 *	for each: nd_otlp_encode_span(&span, &batch.items), then nd_batch_added(&batch, 1)
 *	nd_batch_flush(&batch, NULL);
 *	nd_batch_fini(&batch);
 *
 * Functions that return int give 0, what the sink says, -ENOMEM, or -EFBIG for one item that no
 * request can hold.
 */

#include "common/buf.h"
#include "proto/otlp.h"

/* Takes a whole request and how many items are in it. 0, or a negative errno that is passed on. */
struct nd_sink {
	int (*add)(void *arg, enum nd_otlp_signal signal, const struct nd_buf *request,
		   uint64_t items);
	void *arg;
};

/* Who sends; borrowed as long as there are batches. */
struct nd_source {
	const struct nd_buf *resource; /* as nd_otlp_encode_resource() made it */
	const char *version;	       /* of nodiag */
};

struct nd_batch {
	enum nd_otlp_signal signal;
	const struct nd_source *source;
	struct nd_sink sink;
	struct nd_buf items;
	uint64_t count;
};

void nd_batch_init(struct nd_batch *batch, enum nd_otlp_signal signal,
		   const struct nd_source *source, struct nd_sink sink);
void nd_batch_fini(struct nd_batch *batch);

/* So many items were encoded: give them away if they are a request by now. */
int nd_batch_added(struct nd_batch *batch, uint64_t count);

/* Encode a metric, unless it has no points, which count as items. */
int nd_batch_add_metric(struct nd_batch *batch, const struct nd_otlp_metric *metric);

/* Give away what there is, if there is anything. `dictionary` is that of profiles, or NULL. */
int nd_batch_flush(struct nd_batch *batch, const struct nd_buf *dictionary);

#endif /* NODIAG_ANALYZER_EXPORT_BATCH_H */
