/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_UNIT_OTLP_REQUESTS_H
#define NODIAG_TESTS_UNIT_OTLP_REQUESTS_H

/*
 * A sink that keeps the requests, and what looks into them with the messages of proto/otlp.proto.
 */

#include <stdlib.h>
#include <string.h>

#include "analyzer/export/batch.h"
#include "proto/limits.h"
#include "proto/otlp.pb-c.h"

#define REQUESTS_MAX 64

struct requests {
	struct nd_buf request[REQUESTS_MAX];
	uint64_t items[REQUESTS_MAX];
	size_t count;
};

static inline int requests_add(void *arg, enum nd_otlp_signal signal, const struct nd_buf *request,
			       uint64_t items)
{
	struct requests *requests = arg;
	struct nd_buf *copy = &requests->request[requests->count];

	assert_true(requests->count < REQUESTS_MAX);
	nd_buf_init(copy, ND_OTLP_REQUEST_MAX);
	assert_int_equal(nd_buf_add(copy, request->data, request->len), 0);
	requests->items[requests->count++] = items;
	return 0;
}

static inline void requests_fini(struct requests *requests)
{
	size_t i;

	for (i = 0; i < requests->count; i++)
		nd_buf_fini(&requests->request[i]);
}

static inline Otlp__ExportMetricsServiceRequest *requests_metrics(const struct requests *requests,
								  size_t i)
{
	Otlp__ExportMetricsServiceRequest *request = otlp__export_metrics_service_request__unpack(
		NULL, requests->request[i].len, (const uint8_t *)requests->request[i].data);

	assert_non_null(request);
	assert_int_equal(request->n_resource_metrics, 1);
	assert_int_equal(request->resource_metrics[0]->n_scope_metrics, 1);
	return request;
}

static inline const Otlp__Metric *find_metric(const Otlp__ExportMetricsServiceRequest *request,
					      const char *name)
{
	const Otlp__ScopeMetrics *scope = request->resource_metrics[0]->scope_metrics[0];
	size_t i;

	for (i = 0; i < scope->n_metrics; i++)
		if (!strcmp(scope->metrics[i]->name, name))
			return scope->metrics[i];
	return NULL;
}

/* The value of a string attribute, or NULL. */
static inline const char *find_attribute(Otlp__KeyValue **list, size_t count, const char *key)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(list[i]->key, key))
			return list[i]->value->string_value;
	return NULL;
}

#endif /* NODIAG_TESTS_UNIT_OTLP_REQUESTS_H */
