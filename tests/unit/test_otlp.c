/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "proto/limits.h"
#include "proto/otlp.pb-c.h"

static const struct nd_otlp_attribute attributes[] = {
	{"http.request.method", ND_OTLP_STRING, {.string = "GET"}},
	{"http.response.status_code", ND_OTLP_INTEGER, {.integer = 0}},
	{"ratio", ND_OTLP_DOUBLE, {.number = 0.25}},
	{"yes", ND_OTLP_BOOL, {.yes = true}},
	{"none", ND_OTLP_STRING, {.string = NULL}},
};

#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static const struct nd_otlp_span_event event = {.time_unix_ns = 15, .name = "exception"};

static const struct nd_otlp_span span = {
	.trace_id = {1, 2, 3},
	.span_id = {4, 5},
	.trace_state = "a=b",
	.flags = ND_OTLP_SPAN_HAS_IS_REMOTE | ND_OTLP_SPAN_IS_REMOTE | 1,
	.name = "GET /orders/{id}",
	.kind = ND_OTLP_SPAN_SERVER,
	.start_unix_ns = 10,
	.end_unix_ns = 20,
	.attributes = {attributes, ATTRIBUTES},
	.events = &event,
	.event_count = 1,
	.status = ND_OTLP_STATUS_ERROR,
	.status_message = "no",
};

/* A whole request of these items, decoded. */
static Otlp__ExportTraceServiceRequest *send(const struct nd_buf *items)
{
	const struct nd_otlp_attributes none = {0};
	struct nd_buf resource, request;
	const struct nd_otlp_envelope envelope = {
		.resource = &resource, .scope = "nodiag", .scope_version = "1.2.3", .items = items};
	Otlp__ExportTraceServiceRequest *decoded;

	nd_buf_init(&resource, 1000);
	nd_buf_init(&request, 1 << 20);
	assert_int_equal(nd_otlp_encode_resource(&none, &resource), 0);
	assert_int_equal(nd_otlp_encode_request(&envelope, &request), 0);
	decoded = otlp__export_trace_service_request__unpack(NULL, request.len,
							     (const uint8_t *)request.data);
	assert_non_null(decoded);
	nd_buf_fini(&resource);
	nd_buf_fini(&request);
	return decoded;
}

static void check_attributes(Otlp__KeyValue **list)
{
	assert_string_equal(list[0]->key, "http.request.method");
	assert_string_equal(list[0]->value->string_value, "GET");
	/* A zero is a value, and not the absence of one. */
	assert_int_equal(list[1]->value->value_case, OTLP__ANY_VALUE__VALUE_INT_VALUE);
	assert_int_equal(list[1]->value->int_value, 0);
	assert_true(list[2]->value->double_value == 0.25);
	assert_true(list[3]->value->bool_value);
	assert_string_equal(list[4]->value->string_value, "");
}

static void test_span(void **state)
{
	const Otlp__Span *got;
	Otlp__ExportTraceServiceRequest *request;
	struct nd_otlp_span child = span;
	struct nd_buf items;

	child.parent_span_id[7] = 9;
	child.status = ND_OTLP_STATUS_UNSET;
	child.event_count = 0;
	nd_buf_init(&items, 1 << 20);
	assert_int_equal(nd_otlp_encode_span(&span, &items), 0);
	assert_int_equal(nd_otlp_encode_span(&child, &items), 0);
	request = send(&items);
	assert_int_equal(request->n_resource_spans, 1);
	assert_string_equal(request->resource_spans[0]->schema_url, ND_OTLP_SCHEMA_URL);
	assert_int_equal(request->resource_spans[0]->n_scope_spans, 1);
	assert_string_equal(request->resource_spans[0]->scope_spans[0]->scope->version, "1.2.3");
	assert_int_equal(request->resource_spans[0]->scope_spans[0]->n_spans, 2);
	got = request->resource_spans[0]->scope_spans[0]->spans[0];
	assert_int_equal(got->trace_id.len, 16);
	assert_memory_equal(got->trace_id.data, span.trace_id, 16);
	assert_int_equal(got->span_id.len, 8);
	assert_memory_equal(got->span_id.data, span.span_id, 8);
	assert_int_equal(got->parent_span_id.len, 0);
	assert_string_equal(got->trace_state, "a=b");
	assert_int_equal(got->flags, 0x301);
	assert_string_equal(got->name, "GET /orders/{id}");
	assert_int_equal(got->kind, OTLP__SPAN__SPAN_KIND__SPAN_KIND_SERVER);
	assert_int_equal(got->start_time_unix_nano, 10);
	assert_int_equal(got->end_time_unix_nano, 20);
	assert_int_equal(got->n_attributes, ATTRIBUTES);
	check_attributes(got->attributes);
	assert_int_equal(got->n_events, 1);
	assert_string_equal(got->events[0]->name, "exception");
	assert_int_equal(got->events[0]->time_unix_nano, 15);
	assert_int_equal(got->status->code, OTLP__STATUS__STATUS_CODE__STATUS_CODE_ERROR);
	assert_string_equal(got->status->message, "no");
	got = request->resource_spans[0]->scope_spans[0]->spans[1];
	assert_int_equal(got->parent_span_id.len, 8);
	assert_int_equal(got->parent_span_id.data[7], 9);
	assert_null(got->status);
	assert_int_equal(got->n_events, 0);
	otlp__export_trace_service_request__free_unpacked(request, NULL);
	nd_buf_fini(&items);
}

static void test_too_many_attributes(void **state)
{
	struct nd_otlp_attribute many[ND_OTLP_ATTRIBUTES_MAX + 3];
	struct nd_otlp_span large = span;
	Otlp__ExportTraceServiceRequest *request;
	const Otlp__Span *got;
	struct nd_buf items;
	size_t i;

	for (i = 0; i < ND_OTLP_ATTRIBUTES_MAX + 3; i++)
		many[i] = attributes[0];
	large.attributes = (struct nd_otlp_attributes){many, ND_OTLP_ATTRIBUTES_MAX + 3};
	nd_buf_init(&items, 1 << 20);
	assert_int_equal(nd_otlp_encode_span(&large, &items), 0);
	request = send(&items);
	got = request->resource_spans[0]->scope_spans[0]->spans[0];
	assert_int_equal(got->n_attributes, ND_OTLP_ATTRIBUTES_MAX);
	assert_int_equal(got->dropped_attributes_count, 3);
	otlp__export_trace_service_request__free_unpacked(request, NULL);
	nd_buf_fini(&items);
}

static void test_ceiling(void **state)
{
	struct nd_buf items;

	nd_buf_init(&items, 100);
	assert_int_equal(nd_otlp_encode_span(&span, &items), -EFBIG);
	nd_buf_fini(&items);
}

static void test_response(void **state)
{
	/* partial_success{rejected: 3, error_message: "too old"}, and with -1. */
	static const uint8_t partial[] = {0x0a, 0x0b, 0x08, 3,	 0x12, 7,  't',
					  'o',	'o',  ' ',  'o', 'l',  'd'};
	static const uint8_t negative[] = {0x0a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
	struct nd_otlp_answer answer = {.rejected = 7};
	char *large = calloc(1, ND_OTLP_RESPONSE_MAX + 1);

	assert_int_equal(nd_otlp_decode_response("", 0, &answer), 0);
	assert_int_equal(answer.rejected, 0);
	/* What the collector answers to profiles: a partial success of everything. */
	assert_int_equal(nd_otlp_decode_response("\x0a\x00", 2, &answer), 0);
	assert_int_equal(answer.rejected, 0);
	assert_string_equal(answer.message, "");
	assert_int_equal(nd_otlp_decode_response(partial, sizeof(partial), &answer), 0);
	assert_int_equal(answer.rejected, 3);
	assert_string_equal(answer.message, "too old");
	assert_int_equal(nd_otlp_decode_response(negative, sizeof(negative), &answer), 0);
	assert_int_equal(answer.rejected, 0);
	assert_int_equal(nd_otlp_decode_response("\xff\xff", 2, &answer), -EBADMSG);
	assert_int_equal(nd_otlp_decode_response(partial, 5, &answer), -EBADMSG);
	assert_non_null(large);
	assert_int_equal(nd_otlp_decode_response(large, ND_OTLP_RESPONSE_MAX + 1, &answer),
			 -EBADMSG);
	free(large);
}

static void test_status(void **state)
{
	struct nd_otlp_answer answer;

	assert_int_equal(nd_otlp_decode_status("\x08\x03\x12\x02no", 6, &answer), 0);
	assert_string_equal(answer.message, "no");
	assert_int_equal(nd_otlp_decode_status("\x12\x05no", 4, &answer), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span),	cmocka_unit_test(test_too_many_attributes),
		cmocka_unit_test(test_ceiling), cmocka_unit_test(test_response),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
