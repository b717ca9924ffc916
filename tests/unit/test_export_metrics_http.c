/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/metrics_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/export/metrics.h"
#include "proto/span.h"
#include "tests/unit/otlp_requests.h"

#define START_NS UINT64_C(1000000000)
#define UNIX_NS	 UINT64_C(1700000000000000000)
#define MS	 UINT64_C(1000000)

struct fixture {
	struct requests sent;
	struct nd_buf resource;
	struct nd_source source;
	struct nd_batch batch;
	struct nd_metrics *metrics;
	struct nd_metrics_http *requests;
	Otlp__ExportMetricsServiceRequest *request;
};

static int init(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	nd_buf_init(&f.resource, 1000);
	f.source = (struct nd_source){&f.resource, "1.2.3"};
	nd_batch_init(&f.batch, ND_OTLP_METRICS, &f.source,
		      (struct nd_sink){requests_add, &f.sent});
	f.metrics = nd_metrics_new(START_NS, UNIX_NS);
	f.requests = nd_metrics_http_new();
	*state = &f;
	return f.metrics && f.requests ? 0 : -1;
}

static int fini(void **state)
{
	struct fixture *f = *state;

	if (f->request)
		otlp__export_metrics_service_request__free_unpacked(f->request, NULL);
	nd_metrics_http_free(f->requests);
	nd_metrics_free(f->metrics);
	nd_batch_fini(&f->batch);
	nd_buf_fini(&f->resource);
	requests_fini(&f->sent);
	return 0;
}

static void add(struct fixture *f, struct nd_event_span head,
		const char *const texts[ND_SPAN_TEXTS])
{
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u = {.span = head};

	nd_span_set_texts(&u.span, texts);
	assert_int_equal(nd_metrics_http_add(f->requests, &u.span), 0);
}

/* A request to a server that took so long. */
static struct nd_event_span served(uint64_t ms, uint16_t status)
{
	return (struct nd_event_span){.event = {ND_EVENT_SPAN, 1, START_NS + ms * MS},
				      .start_ns = START_NS,
				      .kind = ND_SPAN_SERVER,
				      .status = status,
				      .http_version = 11};
}

static const Otlp__Metric *tell(struct fixture *f, const char *name)
{
	if (!f->request) {
		assert_int_equal(nd_metrics_add_http(f->metrics, f->requests, START_NS + 500 * MS,
						     &f->batch),
				 0);
		assert_int_equal(nd_batch_flush(&f->batch, NULL), 0);
		if (!f->sent.count)
			return NULL;
		f->request = requests_metrics(&f->sent, 0);
	}
	return find_metric(f->request, name);
}

static const char *attribute(const Otlp__HistogramDataPoint *point, const char *key)
{
	return find_attribute(point->attributes, point->n_attributes, key);
}

static void test_none(void **state)
{
	assert_null(tell(*state, "http.server.request.duration"));
}

static void test_server(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET",	 "/users/:id", "/users/7",
							 "shop", "::1",	       ""};
	const Otlp__HistogramDataPoint *point;
	struct nd_event_span unsampled = served(30, 200);
	const Otlp__Metric *metric;
	struct fixture *f = *state;

	add(f, served(30, 200), texts);
	/* Whether it is sent as a span changes nothing. */
	unsampled.flags = ND_SPAN_UNSAMPLED;
	add(f, unsampled, texts);
	add(f, served(20000, 200), texts);
	add(f, served(1, 503), texts);
	metric = tell(f, "http.server.request.duration");
	assert_string_equal(metric->unit, "s");
	assert_int_equal(metric->histogram->n_data_points, 2);
	point = metric->histogram->data_points[0];
	assert_int_equal(point->count, 3);
	assert_true(point->sum > 20.059 && point->sum < 20.061);
	assert_int_equal(point->n_explicit_bounds, 14);
	assert_int_equal(point->n_bucket_counts, 15);
	assert_int_equal(point->bucket_counts[3], 2);
	assert_int_equal(point->bucket_counts[14], 1);
	assert_int_equal(point->start_time_unix_nano, UNIX_NS);
	assert_int_equal(point->time_unix_nano, UNIX_NS + 500 * MS);
	assert_string_equal(attribute(point, "http.request.method"), "GET");
	assert_string_equal(attribute(point, "http.route"), "/users/:id");
	assert_string_equal(attribute(point, "url.scheme"), "http");
	assert_string_equal(attribute(point, "network.protocol.version"), "1.1");
	assert_null(attribute(point, "error.type"));
	assert_null(attribute(point, "server.address"));
	point = metric->histogram->data_points[1];
	assert_string_equal(attribute(point, "error.type"), "503");
	assert_null(tell(f, "http.client.request.duration"));
}

static void test_client(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"BREW", "", "/x", "stock\xff", "", ""};
	struct nd_event_span span = served(5, 404);
	const Otlp__HistogramDataPoint *point;
	const Otlp__Metric *metric;

	span.kind = ND_SPAN_CLIENT;
	span.port = 8080;
	add(*state, span, texts);
	metric = tell(*state, "http.client.request.duration");
	point = metric->histogram->data_points[0];
	/* 5 ms are not longer than the first bound. */
	assert_int_equal(point->bucket_counts[0], 1);
	assert_string_equal(attribute(point, "http.request.method"), "_OTHER");
	assert_string_equal(attribute(point, "server.address"), "stock\xef\xbf\xbd");
	assert_string_equal(attribute(point, "error.type"), "404");
	assert_null(attribute(point, "url.scheme"));
	assert_null(tell(*state, "http.server.active_requests"));
}

static void test_active(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "", "/", "", "", ""};
	struct nd_event_span span = served(0, 0);
	const Otlp__Metric *metric;
	uint8_t id;

	span.event.kind = ND_EVENT_SPAN_START;
	for (id = 1; id <= 3; id++) {
		span.span_id[0] = id;
		add(*state, span, texts);
	}
	span = served(4, 200);
	span.span_id[0] = 2;
	add(*state, span, texts);
	/* One that began before anybody looked was never counted. */
	span.span_id[0] = 9;
	add(*state, span, texts);
	metric = tell(*state, "http.server.active_requests");
	assert_false(metric->sum->is_monotonic);
	assert_int_equal(metric->sum->n_data_points, 1);
	assert_int_equal(metric->sum->data_points[0]->as_int, 2);
}

/* The program's own tracer has told of them; one may be found out only after it began. */
static void test_observed(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "", "/", "", "", ""};
	struct nd_event_span span = served(0, 0);
	const Otlp__Metric *metric;

	span.event.kind = ND_EVENT_SPAN_START;
	add(*state, span, texts);
	span.flags = ND_SPAN_OBSERVED;
	span.span_id[0] = 1;
	add(*state, span, texts);
	span = served(4, 200);
	span.flags = ND_SPAN_OBSERVED;
	add(*state, span, texts);
	span.span_id[0] = 1;
	add(*state, span, texts);
	metric = tell(*state, "http.server.active_requests");
	assert_int_equal(metric->sum->data_points[0]->as_int, 0);
	assert_null(tell(*state, "http.server.request.duration"));
}

/* The last point stands for all that are one set too many. */
static void test_overflow(void **state)
{
	const char *texts[ND_SPAN_TEXTS] = {"GET", "", "/", "", "", ""};
	const Otlp__HistogramDataPoint *point;
	const Otlp__Metric *metric;
	char route[16];
	int i;

	for (i = 0; i < ND_REQUEST_SERIES_MAX + 7; i++) {
		snprintf(route, sizeof(route), "/%d", i);
		texts[ND_SPAN_ROUTE] = route;
		add(*state, served(1, 200), texts);
	}
	metric = tell(*state, "http.server.request.duration");
	assert_int_equal(metric->histogram->n_data_points, ND_REQUEST_SERIES_MAX + 1);
	point = metric->histogram->data_points[ND_REQUEST_SERIES_MAX];
	assert_int_equal(point->count, 7);
	assert_int_equal(point->n_attributes, 1);
	assert_string_equal(point->attributes[0]->key, "otel.metric.overflow");
	assert_true(point->attributes[0]->value->bool_value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, init, fini),
		cmocka_unit_test_setup_teardown(test_server, init, fini),
		cmocka_unit_test_setup_teardown(test_client, init, fini),
		cmocka_unit_test_setup_teardown(test_active, init, fini),
		cmocka_unit_test_setup_teardown(test_observed, init, fini),
		cmocka_unit_test_setup_teardown(test_overflow, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
