/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/spans.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/known_recording.h"
#include "tests/unit/otlp_requests.h"

#define OFFSET UINT64_C(5000000000)

struct fixture {
	struct requests requests;
	struct nd_buf resource;
	struct nd_source source;
	Otlp__ExportTraceServiceRequest *request;
};

static int init(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	nd_buf_init(&f.resource, 1000);
	f.source = (struct nd_source){&f.resource, "1.2.3"};
	*state = &f;
	return 0;
}

static int fini(void **state)
{
	struct fixture *f = *state;

	if (f->request)
		otlp__export_trace_service_request__free_unpacked(f->request, NULL);
	requests_fini(&f->requests);
	nd_buf_fini(&f->resource);
	return 0;
}

static const Otlp__ScopeSpans *decode(struct fixture *f)
{
	assert_int_equal(f->requests.count, 1);
	f->request = otlp__export_trace_service_request__unpack(
		NULL, f->requests.request[0].len, (const uint8_t *)f->requests.request[0].data);
	assert_non_null(f->request);
	return f->request->resource_spans[0]->scope_spans[0];
}

/* A request that is sent alone. */
static const Otlp__Span *send(struct fixture *f, struct nd_event_span head,
			      const char *const texts[ND_SPAN_TEXTS])
{
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u = {.span = head};
	struct nd_batch batch;

	nd_span_set_texts(&u.span, texts);
	nd_batch_init(&batch, ND_OTLP_TRACES, &f->source,
		      (struct nd_sink){requests_add, &f->requests});
	assert_int_equal(nd_export_span(&u.span, OFFSET, &batch), 0);
	assert_int_equal(nd_batch_flush(&batch, NULL), 0);
	nd_batch_fini(&batch);
	return decode(f)->spans[0];
}

static void check(const Otlp__Span *span, const char *key, const char *want)
{
	const char *value = find_attribute(span->attributes, span->n_attributes, key);

	if (!want) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_string_equal(value, want);
}

static int64_t number_of(const Otlp__Span *span, const char *key)
{
	size_t i;

	for (i = 0; i < span->n_attributes; i++)
		if (!strcmp(span->attributes[i]->key, key))
			return span->attributes[i]->value->int_value;
	return -1;
}

static void test_recording(void **state)
{
	struct fixture *f = *state;
	const struct nd_sink sink = {requests_add, &f->requests};
	struct nd_recorded_spans what;
	struct nd_tail_counts counts;
	const Otlp__ScopeSpans *spans;
	const Otlp__Span *server, *client;
	struct nd_buf file;

	nd_buf_init(&file, ND_RECORDING_MAX);
	assert_int_equal(known_record(&file), 0);
	what = (struct nd_recorded_spans){file.data, file.len, &f->source, &sink, {0}};
	/* One trace, and its server's span took 90 ms. */
	what.tail.slow_ns = UINT64_C(91000000);
	assert_int_equal(nd_export_recorded_spans(&what, &counts, NULL), 0);
	assert_int_equal(f->requests.count, 0);
	assert_int_equal(counts.dropped, 1);
	what.tail.slow_ns = UINT64_C(90000000);
	assert_int_equal(nd_export_recorded_spans(&what, &counts, NULL), 0);
	assert_int_equal(counts.kept, 1);
	nd_buf_fini(&file);
	spans = decode(f);
	assert_int_equal(f->requests.items[0], spans->n_spans);
	assert_true(spans->n_spans >= 2);
	server = spans->spans[0];
	client = spans->spans[1];
	assert_string_equal(server->name, "GET /users/:id");
	assert_int_equal(server->kind, OTLP__SPAN__SPAN_KIND__SPAN_KIND_SERVER);
	check(server, "http.request.method", "GET");
	check(server, "http.route", "/users/:id");
	check(server, "url.path", "/users/7");
	check(server, "url.scheme", "http");
	check(server, "server.address", "shop.example");
	check(server, "client.address", "::1");
	check(server, "network.protocol.version", "1.1");
	check(server, "error.type", NULL);
	assert_int_equal(number_of(server, "http.response.status_code"), 200);
	assert_int_equal(number_of(server, "server.port"), 8080);
	assert_null(server->status);
	assert_true(server->start_time_unix_nano > KNOWN_UNIX_NS);
	assert_int_equal(server->end_time_unix_nano - server->start_time_unix_nano, 90000000);
	assert_int_equal(server->parent_span_id.data[0], 7);
	/* What it asked for is its child, in the same trace. */
	assert_memory_equal(client->trace_id.data, server->trace_id.data, 16);
	assert_memory_equal(client->parent_span_id.data, server->span_id.data, 8);
	assert_string_equal(client->name, "POST");
	assert_int_equal(client->kind, OTLP__SPAN__SPAN_KIND__SPAN_KIND_CLIENT);
	check(client, "url.full", "https://stock:8080/items");
	check(client, "url.path", NULL);
	check(client, "error.type", "ECONNRESET");
	assert_int_equal(number_of(client, "http.response.status_code"), -1);
	assert_int_equal(client->status->code, OTLP__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
}

#define HOUR_NS (3600 * ND_NSEC_PER_SEC)

/* Three requests: before the wall clock is set an hour ahead, while it is, and when it is back. */
static void record_steps(struct nd_buf *file)
{
	struct nd_recorder *recorder = nd_recorder_new();
	uint64_t i, time_ns, ahead_ns;

	assert_non_null(recorder);
	assert_int_equal(known_add_header(recorder), 0);
	for (i = 0; i < 3; i++) {
		time_ns = KNOWN_START_NS + i * KNOWN_SPAN_NS;
		ahead_ns = i == 1 ? HOUR_NS : 0;
		assert_int_equal(known_add_request(recorder, time_ns), 0);
		time_ns += KNOWN_SPAN_NS;
		assert_int_equal(
			nd_recorder_flush(recorder, time_ns,
					  KNOWN_UNIX_NS + (time_ns - KNOWN_START_NS) + ahead_ns,
					  NULL, 0),
			0);
	}
	assert_int_equal(nd_recorder_finish(recorder, ND_END_INTERRUPT, time_ns), 0);
	assert_int_equal(known_take(recorder, file), 0);
	nd_recorder_free(recorder);
}

static void test_clock_steps(void **state)
{
	struct fixture *f = *state;
	const struct nd_sink sink = {requests_add, &f->requests};
	struct nd_recorded_spans what;
	struct nd_tail_counts counts;
	const Otlp__ScopeSpans *spans;
	struct nd_buf file;
	uint64_t i, start_ns;

	nd_buf_init(&file, ND_RECORDING_MAX);
	record_steps(&file);
	what = (struct nd_recorded_spans){file.data, file.len, &f->source, &sink, {0}};
	assert_int_equal(nd_export_recorded_spans(&what, &counts, NULL), 0);
	nd_buf_fini(&file);
	spans = decode(f);
	assert_int_equal(spans->n_spans, 6);
	for (i = 0; i < 3; i++) {
		start_ns = KNOWN_UNIX_NS + i * KNOWN_SPAN_NS + (i == 1 ? HOUR_NS : 0);
		assert_int_equal(spans->spans[2 * i]->start_time_unix_nano, start_ns);
		assert_int_equal(spans->spans[2 * i]->end_time_unix_nano, start_ns + 90000000);
		/* What it asked for begins 10 ms later. */
		assert_int_equal(spans->spans[2 * i + 1]->start_time_unix_nano,
				 start_ns + 10000000);
	}
}

static void test_unknown_method(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"BREW", "/pot", "/pot/\xff", "", "", ""};
	const Otlp__Span *span =
		send(*state, (struct nd_event_span){.kind = ND_SPAN_SERVER, .status = 404}, texts);

	assert_string_equal(span->name, "HTTP /pot");
	check(span, "http.request.method", "_OTHER");
	check(span, "http.request.method_original", "BREW");
	check(span, "url.path", "/pot/\xef\xbf\xbd");
	/* That is the client's mistake, and no error of the server. */
	assert_null(span->status);
	assert_int_equal(span->parent_span_id.len, 0);
	assert_int_equal(span->flags, 0x101);
}

static void test_server_error(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "", "/", "", "", ""};
	const Otlp__Span *span =
		send(*state,
		     (struct nd_event_span){.kind = ND_SPAN_SERVER,
					    .status = 503,
					    .http_version = 20,
					    .flags = ND_SPAN_TLS | ND_SPAN_REMOTE_PARENT},
		     texts);

	assert_string_equal(span->name, "GET");
	check(span, "error.type", "503");
	check(span, "url.scheme", "https");
	check(span, "network.protocol.version", "2");
	assert_int_equal(span->status->code, OTLP__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
	assert_int_equal(span->flags, 0x301);
}

static void test_client(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "", "/a", "::1", "::1", ""};
	const Otlp__Span *span = send(*state,
				      (struct nd_event_span){.kind = ND_SPAN_CLIENT,
							     .status = 404,
							     .port = 80,
							     .flags = ND_SPAN_ABORTED},
				      texts);

	check(span, "url.full", "http://[::1]/a");
	check(span, "error.type", "aborted");
	assert_int_equal(span->status->code, OTLP__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
}

static void test_internal(void **state)
{
	static const char *const lookup[ND_SPAN_TEXTS] = {"dns.lookup", "", "",
							  "db.example", "", "ENOTFOUND"};
	const Otlp__Span *span =
		send(*state, (struct nd_event_span){.kind = ND_SPAN_INTERNAL}, lookup);

	assert_string_equal(span->name, "dns.lookup");
	assert_int_equal(span->kind, OTLP__SPAN__SPAN_KIND__SPAN_KIND_INTERNAL);
	check(span, "dns.question.name", "db.example");
	check(span, "error.type", "ENOTFOUND");
	check(span, "http.request.method", NULL);
	check(span, "server.address", NULL);
	assert_int_equal(span->status->code, OTLP__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
}

static void test_connect(void **state)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"tcp.connect", "", "", "::1", "::1", ""};
	const Otlp__Span *span =
		send(*state, (struct nd_event_span){.kind = ND_SPAN_INTERNAL, .port = 5432}, texts);

	assert_string_equal(span->name, "tcp.connect");
	check(span, "network.peer.address", "::1");
	assert_int_equal(number_of(span, "network.peer.port"), 5432);
	check(span, "dns.question.name", NULL);
	assert_null(span->status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_recording, init, fini),
		cmocka_unit_test_setup_teardown(test_clock_steps, init, fini),
		cmocka_unit_test_setup_teardown(test_unknown_method, init, fini),
		cmocka_unit_test_setup_teardown(test_server_error, init, fini),
		cmocka_unit_test_setup_teardown(test_client, init, fini),
		cmocka_unit_test_setup_teardown(test_internal, init, fini),
		cmocka_unit_test_setup_teardown(test_connect, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
