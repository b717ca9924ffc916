/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_METRICS_HTTP_H
#define NODIAG_ANALYZER_EXPORT_METRICS_HTTP_H

/*
 * HTTP requests as metrics of OpenTelemetry's semantic conventions: http.server.request.duration,
 * http.client.request.duration and http.server.active_requests.
 *
 * All requests count, whether their spans are sent or not: that is what makes these sums right
 * where traces are sampled.
 */

#include <stdint.h>

struct nd_batch;
struct nd_event_span;
struct nd_metrics;
struct nd_metrics_http;

/* NULL when out of memory. */
struct nd_metrics_http *nd_metrics_http_new(void);
void nd_metrics_http_free(struct nd_metrics_http *requests);

/*
 * A request that has begun, or one that is over; sound. Sets of attributes beyond
 * ND_REQUEST_SERIES_MAX are one, which has otel.metric.overflow. 0 or -ENOMEM.
 */
int nd_metrics_http_add(struct nd_metrics_http *requests, const struct nd_event_span *span);

/* Add all until `time_ns`; nothing as long as there was none. Errors as in analyzer/export/batch.h.
 */
int nd_metrics_add_http(const struct nd_metrics *metrics, const struct nd_metrics_http *requests,
			uint64_t time_ns, struct nd_batch *batch);

#endif /* NODIAG_ANALYZER_EXPORT_METRICS_HTTP_H */
