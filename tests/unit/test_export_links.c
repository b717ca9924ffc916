/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/export/profile.h"
#include "analyzer/profile/import.h"
#include "analyzer/profile/profile.h"
#include "common/err.h"
#include "tests/known_recording.h"
#include "tests/unit/otlp_requests.h"

/* Of known_add_request(), of what it asked for, and of nothing that was recorded. */
static const uint8_t request_id[ND_SPAN_ID_SIZE] = {4, 5, 6};
static const uint8_t client_id[ND_SPAN_ID_SIZE] = {4, 5, 6, [7] = 9};
static const uint8_t other_id[ND_SPAN_ID_SIZE] = {8};
static const uint8_t unsampled_id[ND_SPAN_ID_SIZE] = {9};

static void add_sample(struct nd_recorder *recorder, const uint8_t *span_id, uint64_t passed_ns)
{
	struct nd_stack stack = {.weight = KNOWN_PERIOD,
				 .count = 1,
				 .pid = 4242,
				 .tid = 4242,
				 .time_ns = KNOWN_START_NS + passed_ns,
				 .calls = known_stacks[0].calls,
				 .depth = known_stacks[0].depth};

	if (span_id)
		memcpy(stack.span_id, span_id, ND_SPAN_ID_SIZE);
	assert_int_equal(nd_recorder_add_sample(recorder, &stack), 0);
}

static void add_unsampled(struct nd_recorder *recorder)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "", "/", "", "", ""};
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u = {.span = {.event = {ND_EVENT_SPAN, 4242, KNOWN_START_NS + 5},
			.start_ns = KNOWN_START_NS,
			.trace_id = {1},
			.flags = ND_SPAN_UNSAMPLED,
			.kind = ND_SPAN_SERVER}};

	memcpy(u.span.span_id, unsampled_id, sizeof(unsampled_id));
	nd_span_set_texts(&u.span, texts);
	assert_int_equal(nd_recorder_add_event(recorder, &u.span.event, nd_span_get_size(&u.span)),
			 0);
}

/* Samples of two moments, and spans of the second alone. */
static void record(struct nd_buf *file)
{
	struct nd_recorder *recorder = nd_recorder_new();

	assert_int_equal(known_add_header(recorder), 0);
	assert_int_equal(nd_recorder_add_thread(recorder, 4242, 4242, "node"), 0);
	add_sample(recorder, request_id, 1000);
	add_sample(recorder, NULL, 2000);
	assert_int_equal(known_flush(recorder, 1), 0);
	add_sample(recorder, client_id, 3000);
	add_sample(recorder, other_id, 4000);
	add_sample(recorder, unsampled_id, 5000);
	assert_int_equal(known_add_request(recorder, KNOWN_START_NS), 0);
	add_unsampled(recorder);
	assert_int_equal(known_flush(recorder, 2), 0);
	assert_int_equal(nd_recorder_finish(recorder, ND_END_INTERRUPT, KNOWN_END_NS), 0);
	nd_buf_init(file, ND_RECORDING_MAX);
	assert_int_equal(known_take(recorder, file), 0);
	nd_recorder_free(recorder);
}

static struct nd_profile *read_profile(const struct nd_buf *file)
{
	struct nd_profile *profile;

	assert_int_equal(nd_import_recording(file->data, file->len, false, &profile, NULL, NULL),
			 0);
	return profile;
}

static void test_spans_of_samples_are_found(void **state)
{
	static const uint8_t trace_id[16] = {1, 2, 3};
	struct nd_recorded_links *links;
	struct nd_profile *profile;
	struct nd_buf file;

	record(&file);
	profile = read_profile(&file);
	assert_int_equal(nd_recorded_links_new(profile, file.data, file.len, &links, NULL), 0);
	assert_memory_equal(nd_recorded_links_find(links, request_id), trace_id, 16);
	assert_memory_equal(nd_recorded_links_find(links, client_id), trace_id, 16);
	assert_null(nd_recorded_links_find(links, other_id));
	assert_null(nd_recorded_links_find(links, unsampled_id));
	nd_recorded_links_free(links);
	nd_profile_free(profile);
	nd_buf_fini(&file);
}

static void test_no_samples_no_links(void **state)
{
	struct nd_profile *profile = nd_profile_new(true);
	struct nd_recorded_links *links;
	struct nd_buf file;
	struct nd_err err;

	record(&file);
	assert_int_equal(nd_recorded_links_new(profile, file.data, file.len, &links, NULL), 0);
	assert_null(nd_recorded_links_find(links, request_id));
	nd_recorded_links_free(links);
	assert_int_not_equal(nd_recorded_links_new(profile, "nothing", 7, &links, &err), 0);
	nd_profile_free(profile);
	nd_buf_fini(&file);
}

/* Of five samples two have links: one for each span, and the first, which stands for none. */
static void test_they_are_in_the_profile(void **state)
{
	struct requests sent = {0};
	const struct nd_sink sink = {requests_add, &sent};
	struct nd_links links = {.find_trace = nd_recorded_links_find};
	Otlp__ExportProfilesServiceRequest *request;
	struct nd_recorded_links *recorded;
	struct nd_buf file, resource;
	const struct nd_source source = {&resource, "1.2.3"};
	const Otlp__Profile *sent_profile;
	struct nd_profile *profile;
	size_t i, linked = 0;

	record(&file);
	nd_buf_init(&resource, 1000);
	profile = read_profile(&file);
	assert_int_equal(nd_recorded_links_new(profile, file.data, file.len, &recorded, NULL), 0);
	links.arg = recorded;
	assert_int_equal(nd_export_profile(profile, &links, &source, &sink), 0);
	assert_int_equal(sent.count, 1);
	request = otlp__export_profiles_service_request__unpack(
		NULL, sent.request[0].len, (const uint8_t *)sent.request[0].data);
	assert_non_null(request);
	assert_int_equal(request->dictionary->n_link_table, 3);
	assert_int_equal(request->dictionary->link_table[1]->trace_id.data[2], 3);
	sent_profile = request->resource_profiles[0]->scope_profiles[0]->profiles[0];
	assert_int_equal(sent_profile->n_samples, 5);
	for (i = 0; i < sent_profile->n_samples; i++)
		linked += sent_profile->samples[i]->link_index != 0;
	assert_int_equal(linked, 2);
	otlp__export_profiles_service_request__free_unpacked(request, NULL);
	nd_recorded_links_free(recorded);
	nd_profile_free(profile);
	nd_buf_fini(&resource);
	nd_buf_fini(&file);
	requests_fini(&sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans_of_samples_are_found),
		cmocka_unit_test(test_no_samples_no_links),
		cmocka_unit_test(test_they_are_in_the_profile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
