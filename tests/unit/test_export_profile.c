/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/utf8.h"
#include "tests/known_profile.h"
#include "tests/unit/otlp_requests.h"

/* More functions than one request holds. */
#define MANY 50000

static void send(const struct nd_profile *profile, struct requests *requests)
{
	struct nd_buf resource;
	const struct nd_source source = {&resource, "1.2.3"};
	const struct nd_sink sink = {requests_add, requests};

	nd_buf_init(&resource, 1000);
	assert_int_equal(nd_export_profile(profile, NULL, &source, &sink), 0);
	nd_buf_fini(&resource);
}

static Otlp__ExportProfilesServiceRequest *decode(const struct requests *requests, size_t i)
{
	Otlp__ExportProfilesServiceRequest *request = otlp__export_profiles_service_request__unpack(
		NULL, requests->request[i].len, (const uint8_t *)requests->request[i].data);

	assert_non_null(request);
	assert_int_equal(requests->items[i], 1);
	assert_int_equal(request->n_resource_profiles, 1);
	assert_int_equal(request->resource_profiles[0]->n_scope_profiles, 1);
	assert_int_equal(request->resource_profiles[0]->scope_profiles[0]->n_profiles, 1);
	return request;
}

static const Otlp__Profile *profile_of(const Otlp__ExportProfilesServiceRequest *request)
{
	return request->resource_profiles[0]->scope_profiles[0]->profiles[0];
}

/* Index 0 stands for nothing, and all others are within their tables. */
static void check_dictionary(const Otlp__ProfilesDictionary *d)
{
	size_t i, j;

	assert_string_equal(d->string_table[0], "");
	assert_int_equal(d->mapping_table[0]->filename_strindex, 0);
	assert_int_equal(d->location_table[0]->n_lines, 0);
	assert_int_equal(d->function_table[0]->name_strindex, 0);
	assert_int_equal(d->stack_table[0]->n_location_indices, 0);
	assert_int_equal(d->attribute_table[0]->key_strindex, 0);
	assert_int_equal(d->link_table[0]->trace_id.len, 16);
	for (i = 1; i < d->n_string_table; i++)
		for (j = 0; d->string_table[i][j];) {
			size_t len = nd_utf8_sequence(d->string_table[i] + j,
						      strlen(d->string_table[i] + j));

			assert_int_not_equal(len, 0);
			j += len;
		}
	for (i = 1; i < d->n_function_table; i++) {
		assert_true((size_t)d->function_table[i]->name_strindex < d->n_string_table);
		assert_true((size_t)d->function_table[i]->filename_strindex < d->n_string_table);
	}
	for (i = 1; i < d->n_location_table; i++) {
		assert_int_equal(d->location_table[i]->n_lines, 1);
		assert_true((size_t)d->location_table[i]->lines[0]->function_index <
			    d->n_function_table);
		assert_true((size_t)d->location_table[i]->mapping_index < d->n_mapping_table);
		assert_int_equal(d->location_table[i]->n_attribute_indices, 1);
	}
	for (i = 1; i < d->n_stack_table; i++)
		for (j = 0; j < d->stack_table[i]->n_location_indices; j++)
			assert_true((size_t)d->stack_table[i]->location_indices[j] <
				    d->n_location_table);
}

static const char *name_at(const Otlp__ProfilesDictionary *d, const Otlp__Sample *sample, size_t at)
{
	const Otlp__Stack *stack = d->stack_table[sample->stack_index];
	const Otlp__Location *location;

	if (at >= stack->n_location_indices)
		return "";
	location = d->location_table[stack->location_indices[at]];
	return d->string_table[d->function_table[location->lines[0]->function_index]
				       ->name_strindex];
}

static int64_t sum_of(const Otlp__Profile *profile)
{
	int64_t sum = 0;
	size_t i, j;

	for (i = 0; i < profile->n_samples; i++)
		for (j = 0; j < profile->samples[i]->n_values; j++)
			sum += profile->samples[i]->values[j];
	return sum;
}

/* The samples of a function that are on a thread. */
static const Otlp__Sample *find_sample(const Otlp__ExportProfilesServiceRequest *request,
				       const char *name, int64_t tid)
{
	const Otlp__Profile *profile = profile_of(request);
	const Otlp__ProfilesDictionary *d = request->dictionary;
	size_t i;

	for (i = 0; i < profile->n_samples; i++) {
		const Otlp__Sample *sample = profile->samples[i];
		const Otlp__KeyValueAndUnit *attribute =
			d->attribute_table[sample->n_attribute_indices
						   ? sample->attribute_indices[0]
						   : 0];

		if (!strcmp(name_at(d, sample, 0), name) &&
		    (!tid || attribute->value->int_value == tid))
			return sample;
	}
	return NULL;
}

static void test_timeline(void **state)
{
	struct nd_profile *known = known_profile(true, false);
	struct requests requests = {0};
	Otlp__ExportProfilesServiceRequest *request;
	const Otlp__ProfilesDictionary *d;
	const Otlp__Profile *profile;
	const Otlp__Sample *sample;

	send(known, &requests);
	assert_int_equal(requests.count, 1);
	request = decode(&requests, 0);
	d = request->dictionary;
	profile = profile_of(request);
	check_dictionary(d);
	assert_string_equal(d->string_table[profile->sample_type->type_strindex], "cpu");
	assert_string_equal(d->string_table[profile->sample_type->unit_strindex], "nanoseconds");
	assert_int_equal(profile->period, KNOWN_PERIOD);
	assert_int_equal(profile->time_unix_nano, KNOWN_UNIX_NS);
	assert_int_equal(profile->profile_id.len, 16);
	assert_int_equal(sum_of(profile), KNOWN_TOTAL);
	sample = find_sample(request, "tiny", 4242);
	assert_non_null(sample);
	assert_int_equal(sample->n_values, 30);
	assert_int_equal(sample->n_timestamps_unix_nano, 30);
	assert_int_equal(sample->timestamps_unix_nano[0], KNOWN_UNIX_NS + KNOWN_PERIOD);
	assert_string_equal(name_at(d, sample, 1), "hot");
	assert_string_equal(name_at(d, sample, 2), "handler");
	/* Of recursion each call is there. */
	sample = find_sample(request, "fib", 4242);
	assert_string_equal(name_at(d, sample, 2), "fib");
	assert_non_null(find_sample(request, "hot", 4243));
	otlp__export_profiles_service_request__free_unpacked(request, NULL);
	requests_fini(&requests);
	nd_profile_free(known);
}

static const char *frame_type(const Otlp__ProfilesDictionary *d, const Otlp__Sample *sample)
{
	const Otlp__Stack *stack = d->stack_table[sample->stack_index];
	const Otlp__Location *location = d->location_table[stack->location_indices[0]];
	const Otlp__KeyValueAndUnit *attribute = d->attribute_table[location->attribute_indices[0]];

	assert_string_equal(d->string_table[attribute->key_strindex], "profile.frame.type");
	return attribute->value->string_value;
}

static void test_tree(void **state)
{
	struct nd_profile *known = known_profile(false, false);
	struct requests requests = {0};
	Otlp__ExportProfilesServiceRequest *request;
	const Otlp__Sample *sample;

	send(known, &requests);
	request = decode(&requests, 0);
	check_dictionary(request->dictionary);
	assert_int_equal(sum_of(profile_of(request)), KNOWN_TOTAL);
	sample = find_sample(request, "tiny", 0);
	assert_int_equal(sample->n_values, 1);
	assert_int_equal(sample->n_timestamps_unix_nano, 0);
	assert_int_equal(sample->n_attribute_indices, 0);
	assert_string_equal(frame_type(request->dictionary, sample), "v8js");
	sample = find_sample(request, "do_syscall_64", 0);
	assert_string_equal(frame_type(request->dictionary, sample), "kernel");
	sample = find_sample(request, "v8::internal::Heap::Scavenge", 0);
	assert_string_equal(frame_type(request->dictionary, sample), "native");
	otlp__export_profiles_service_request__free_unpacked(request, NULL);
	requests_fini(&requests);
	nd_profile_free(known);
}

/* A profile too large for one request is several, whose samples are all of it. */
static void test_split(void **state)
{
	struct nd_profile *large = nd_profile_new(false);
	struct requests requests = {0};
	struct nd_call calls[2] = {{0}};
	const struct nd_stack stack = {calls, 2, .weight = 5, .count = 1};
	char name[160];
	struct nd_frame frame = {.name = name, .file = "/app.js", .kind = ND_FRAME_JS};
	int64_t sum = 0;
	size_t i;

	assert_non_null(large);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%0150zu", i);
		assert_int_equal(nd_profile_add_frame(large, &frame, &calls[0].frame), 0);
		assert_int_equal(nd_profile_add_stack(large, &stack), 0);
	}
	send(large, &requests);
	assert_true(requests.count >= 2);
	for (i = 0; i < requests.count; i++) {
		Otlp__ExportProfilesServiceRequest *request = decode(&requests, i);

		assert_true(requests.request[i].len <= ND_OTLP_REQUEST_LIMIT + (64u << 10));
		check_dictionary(request->dictionary);
		sum += sum_of(profile_of(request));
		otlp__export_profiles_service_request__free_unpacked(request, NULL);
	}
	assert_int_equal(sum, MANY * 5);
	requests_fini(&requests);
	nd_profile_free(large);
}

static void test_empty(void **state)
{
	struct nd_profile *empty = nd_profile_new(true);
	struct requests requests = {0};

	send(empty, &requests);
	assert_int_equal(requests.count, 0);
	nd_profile_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeline),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
