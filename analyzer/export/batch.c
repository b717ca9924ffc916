/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/batch.h"

#include "proto/limits.h"

#define SCOPE "nodiag"

void nd_batch_init(struct nd_batch *batch, enum nd_otlp_signal signal,
		   const struct nd_source *source, struct nd_sink sink)
{
	*batch = (struct nd_batch){.signal = signal, .source = source, .sink = sink};
	nd_buf_init(&batch->items, ND_OTLP_REQUEST_MAX);
}

void nd_batch_fini(struct nd_batch *batch)
{
	nd_buf_fini(&batch->items);
}

int nd_batch_add_metric(struct nd_batch *batch, const struct nd_otlp_metric *metric)
{
	int ret;

	if (!metric->point_count)
		return 0;
	ret = nd_otlp_encode_metric(metric, &batch->items);
	return ret ? ret : nd_batch_added(batch, metric->point_count);
}

int nd_batch_flush(struct nd_batch *batch, const struct nd_buf *dictionary)
{
	const struct nd_otlp_envelope envelope = {
		.resource = batch->source->resource,
		.scope = SCOPE,
		.scope_version = batch->source->version,
		.items = &batch->items,
		.dictionary = dictionary,
	};
	struct nd_buf request;
	int ret = nd_buf_error(&batch->items);

	if (ret || !batch->count)
		return ret;
	nd_buf_init(&request, ND_OTLP_REQUEST_MAX);
	ret = nd_otlp_encode_request(&envelope, &request);
	if (!ret)
		ret = batch->sink.add(batch->sink.arg, batch->signal, &request, batch->count);
	nd_buf_fini(&request);
	nd_buf_reset(&batch->items);
	batch->count = 0;
	return ret;
}

int nd_batch_added(struct nd_batch *batch, uint64_t count)
{
	batch->count += count;
	return batch->items.len < ND_OTLP_REQUEST_LIMIT ? nd_buf_error(&batch->items)
							: nd_batch_flush(batch, NULL);
}
