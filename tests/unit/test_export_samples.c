/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/profile.h"
#include "proto/span.h"
#include "tests/unit/otlp_requests.h"

#define START_NS UINT64_C(1000000000)
#define UNIX_NS	 UINT64_C(1700000000000000000)
#define PERIOD	 UINT64_C(10000000)

static bool has_string(const Otlp__ExportProfilesServiceRequest *request, const char *text)
{
	const Otlp__ProfilesDictionary *dictionary = request->dictionary;
	size_t i;

	for (i = 0; i < dictionary->n_string_table; i++)
		if (!strcmp(dictionary->string_table[i], text))
			return true;
	return false;
}

static uint32_t add_frame(struct nd_profile *frames, const char *name)
{
	const struct nd_frame frame = {.name = name, .file = "/a.js", .kind = ND_FRAME_JS};
	uint32_t id;

	assert_int_equal(nd_profile_add_frame(frames, &frame, &id), 0);
	return id;
}

static Otlp__ExportProfilesServiceRequest *decode(const struct requests *sent, size_t i)
{
	Otlp__ExportProfilesServiceRequest *request = otlp__export_profiles_service_request__unpack(
		NULL, sent->request[i].len, (const uint8_t *)sent->request[i].data);

	assert_non_null(request);
	return request;
}

/* The one that the last sample is of. */
static void add_span(struct nd_samples *samples)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "", "/", "", "", ""};
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u = {.span = {.event = {ND_EVENT_SPAN_START, 7, START_NS},
			.start_ns = START_NS,
			.kind = ND_SPAN_SERVER}};

	memset(u.span.trace_id, 9, sizeof(u.span.trace_id));
	memset(u.span.span_id, 7, sizeof(u.span.span_id));
	nd_span_set_texts(&u.span, texts);
	assert_int_equal(nd_samples_add_span(samples, &u.span), 0);
}

static void add_sample(struct nd_samples *samples, struct nd_stack *stack, uint64_t time_ns)
{
	stack->time_ns = time_ns;
	assert_int_equal(nd_samples_add(samples, stack), 0);
}

/* Of test_intervals(). */
static void expect_first(const struct requests *sent)
{
	Otlp__ExportProfilesServiceRequest *request = decode(sent, 0);
	const Otlp__Profile *profile =
		request->resource_profiles[0]->scope_profiles[0]->profiles[0];

	assert_int_equal(profile->time_unix_nano, UNIX_NS);
	assert_int_equal(profile->duration_nano, 100);
	assert_int_equal(profile->period, PERIOD);
	assert_int_equal(profile->n_samples, 1);
	assert_int_equal(profile->samples[0]->n_values, 2);
	assert_int_equal(profile->samples[0]->values[0], PERIOD);
	assert_int_equal(profile->samples[0]->timestamps_unix_nano[1], UNIX_NS + 6);
	assert_true(has_string(request, "early"));
	otlp__export_profiles_service_request__free_unpacked(request, NULL);
}

static void expect_second(const struct requests *sent)
{
	Otlp__ExportProfilesServiceRequest *request = decode(sent, 1);
	const Otlp__Profile *profile =
		request->resource_profiles[0]->scope_profiles[0]->profiles[0];

	assert_int_equal(profile->time_unix_nano, UNIX_NS + 200);
	assert_int_equal(profile->samples[0]->timestamps_unix_nano[0], UNIX_NS + 250);
	assert_true(has_string(request, "late"));
	/* The first link stands for none. */
	assert_int_equal(request->dictionary->n_link_table, 2);
	assert_int_equal(profile->samples[0]->link_index, 1);
	assert_int_equal(request->dictionary->link_table[1]->trace_id.data[15], 9);
	assert_int_equal(request->dictionary->link_table[1]->span_id.data[0], 7);
	assert_false(has_string(request, "early"));
	otlp__export_profiles_service_request__free_unpacked(request, NULL);
}

/* Each interval has its own samples, and no name that only an earlier one had. */
static void test_intervals(void **state)
{
	struct requests sent = {0};
	const struct nd_sink sink = {requests_add, &sent};
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_samples *samples = nd_samples_new(frames, PERIOD, START_NS);
	struct nd_call calls[2] = {0};
	struct nd_stack stack = {.calls = calls, .depth = 2, .count = 1, .tid = 7};
	struct nd_buf resource;
	struct nd_source source = {&resource, "1.2.3"};

	nd_buf_init(&resource, 1000);
	calls[0].frame = add_frame(frames, "early");
	calls[1].frame = add_frame(frames, "main");
	add_sample(samples, &stack, START_NS + 5);
	add_sample(samples, &stack, START_NS + 6);
	assert_int_equal(
		nd_samples_flush(samples, START_NS + 100, UNIX_NS - START_NS, &source, &sink), 0);
	/* Nothing was sampled in the next. */
	assert_int_equal(
		nd_samples_flush(samples, START_NS + 200, UNIX_NS - START_NS, &source, &sink), 0);
	calls[0].frame = add_frame(frames, "late");
	memset(stack.span_id, 7, sizeof(stack.span_id));
	add_span(samples);
	add_sample(samples, &stack, START_NS + 250);
	assert_int_equal(
		nd_samples_flush(samples, START_NS + 300, UNIX_NS - START_NS, &source, &sink), 0);
	assert_int_equal(sent.count, 2);

	expect_first(&sent);
	expect_second(&sent);
	nd_samples_free(samples);
	nd_profile_free(frames);
	nd_buf_fini(&resource);
	requests_fini(&sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
