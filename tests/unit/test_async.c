/* SPDX-License-Identifier: Apache-2.0 */

/* Sums of asynchronous resources, made up, into an answer: analyzer/lag/async.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/lag/async.h"
#include "analyzer/render/lag_parts.h"
#include "common/buf.h"
#include "proto/limits.h"

static int set_up(void **state)
{
	*state = nd_async_new();
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	nd_async_free(*state);
	return 0;
}

static void tell_state(struct nd_async *async, uint32_t tid, uint32_t reason)
{
	const struct nd_event_async event = {
		.event = {ND_EVENT_ASYNC, tid, 1}, .reason = reason, .resources_lost = 2};

	assert_int_equal(nd_async_add_event(async, &event.event, sizeof(event)), 0);
}

static void tell_type(struct nd_async *async, uint32_t tid, const char *name, uint64_t created,
		      uint64_t alive)
{
	struct nd_event_async_type event = {
		.event = {ND_EVENT_ASYNC_TYPE, tid, 1},
		.created = created,
		.alive = alive,
		.ended = created - alive,
		.looks = created,
		.total_us = (created - alive) * 100,
		.max_us = created > alive ? 100 : 0,
	};

	snprintf(event.name, sizeof(event.name), "%s", name);
	/* 100 us is in [96, 128). */
	event.lifetime[13] = (uint32_t)(created - alive);
	assert_int_equal(nd_async_add_event(async, &event.event, sizeof(event)), 0);
}

static void tell_site(struct nd_async *async, uint32_t tid, const char *function, uint32_t line,
		      uint64_t created, uint64_t alive)
{
	struct nd_event_async_site event = {
		.event = {ND_EVENT_ASYNC_SITE, tid, 1},
		.type = "Timeout",
		.file = "file:///app/timers.mjs",
		.line = line,
		.column = 3,
		.created = created,
		.alive = alive,
		.ended = created - alive,
	};

	snprintf(event.function, sizeof(event.function), "%s", function);
	assert_int_equal(nd_async_add_event(async, &event.event, sizeof(event)), 0);
}

static void test_threads_add_up_and_later_sums_replace_earlier_ones(void **state)
{
	const struct nd_async_type *types;
	size_t count;

	tell_type(*state, 1, "Timeout", 5, 5);
	tell_type(*state, 1, "Timeout", 10, 4);
	tell_type(*state, 2, "Timeout", 3, 3);
	tell_type(*state, 2, "TCPWRAP", 100, 1);
	types = nd_async_types(*state, &count);
	assert_int_equal(count, 2);
	assert_string_equal(types[0].name, "Timeout");
	assert_int_equal(types[0].created, 13);
	assert_int_equal(types[0].alive, 7);
	assert_int_equal(types[0].ended, 6);
	assert_int_equal(types[0].lifetime[13], 6);
	assert_false(types[0].is_estimated);
	assert_string_equal(types[1].name, "TCPWRAP");
}

static void test_places_are_with_their_type_most_alive_first(void **state)
{
	const struct nd_async_type *types;
	size_t count;

	tell_type(*state, 1, "Timeout", 20, 9);
	tell_type(*state, 1, "PROMISE", 20, 2);
	tell_site(*state, 1, "poll", 7, 11, 1);
	tell_site(*state, 1, "leak", 12, 4, 4);
	tell_site(*state, 2, "leak", 12, 5, 4);
	types = nd_async_types(*state, &count);
	assert_int_equal(count, 2);
	assert_int_equal(types[0].sites_count, 2);
	assert_string_equal(types[0].sites[0].function, "leak");
	assert_int_equal(types[0].sites[0].alive, 8);
	assert_int_equal(types[0].sites[0].created, 9);
	assert_string_equal(types[0].sites[1].function, "poll");
	assert_int_equal(types[1].sites_count, 0);
}

static void test_nothing_is_alive_of_a_thread_that_ended(void **state)
{
	const struct nd_async_type *types;
	size_t count;

	tell_type(*state, 1, "Timeout", 2, 1);
	tell_type(*state, 2, "Timeout", 9, 9);
	tell_site(*state, 2, "leak", 12, 9, 9);
	nd_async_end_thread(*state, 2);
	types = nd_async_types(*state, &count);
	assert_int_equal(types[0].alive, 1);
	assert_int_equal(types[0].created, 11);
	assert_int_equal(types[0].sites[0].alive, 0);
}

static void test_where_not_each_was_looked_at_it_is_said(void **state)
{
	struct nd_event_async_type event = {
		.event = {ND_EVENT_ASYNC_TYPE, 1, 1}, .name = "PROMISE", .created = 10, .looks = 9};
	const struct nd_async_type *types;
	size_t count;

	nd_async_add_event(*state, &event.event, sizeof(event));
	types = nd_async_types(*state, &count);
	assert_true(types[0].is_estimated);
}

static void test_percentiles_are_within_their_bucket(void **state)
{
	struct nd_async_type type = {.max_us = 100000};
	int i;

	assert_int_equal(nd_async_percentile(&type, 0.5), 0);
	type.lifetime[0] = 1;
	type.lifetime[13] = 98;
	type.lifetime[32] = 1;
	assert_in_range(nd_async_percentile(&type, 0.5), 96, 128);
	assert_in_range(nd_async_percentile(&type, 0.99), 65536, 98304);
	for (i = 1; i < ND_LIFETIME_BUCKETS; i++)
		assert_true(nd_async_bucket_start(i) > nd_async_bucket_start(i - 1));
	assert_int_equal(nd_async_bucket_start(13), 96);
	assert_true(nd_async_bucket_start(ND_LIFETIME_BUCKETS) == UINT64_C(1) << 32);
}

static void test_texts_without_an_end_and_short_events_do_no_harm(void **state)
{
	struct nd_event_async_site site = {.event = {ND_EVENT_ASYNC_SITE, 1, 1}, .alive = 1};
	struct nd_event_async_type type = {.event = {ND_EVENT_ASYNC_TYPE, 1, 1}, .alive = 1};
	const struct nd_async_type *types;
	size_t count;

	memset(site.type, 'x', sizeof(site.type));
	memset(site.function, 'x', sizeof(site.function));
	memset(site.file, 'x', sizeof(site.file));
	memset(type.name, 'x', sizeof(type.name));
	assert_int_equal(nd_async_add_event(*state, &site.event, sizeof(site)), 0);
	assert_int_equal(nd_async_add_event(*state, &type.event, sizeof(type)), 0);
	assert_int_equal(nd_async_add_event(*state, &type.event, sizeof(type.event)), 0);
	types = nd_async_types(*state, &count);
	assert_int_equal(count, 1);
	assert_int_equal(strlen(types[0].name), ND_ASYNC_TYPE_NAME - 1);
	assert_int_equal(types[0].sites_count, 1);
}

static void test_more_types_than_there_is_room_for_are_counted(void **state)
{
	struct nd_async_losses losses;
	char name[16];
	size_t count;
	int i;

	for (i = 0; i < ND_ASYNC_TYPES_MAX + 3; i++) {
		snprintf(name, sizeof(name), "T%d", i);
		tell_type(*state, 1, name, 1, 1);
	}
	nd_async_types(*state, &count);
	nd_async_get_losses(*state, &losses);
	assert_int_equal(count, ND_ASYNC_TYPES_MAX);
	assert_int_equal(losses.left_out, 3);
}

static void test_threads_say_why_they_are_not_followed(void **state)
{
	const struct nd_async_thread *threads;
	struct nd_async_losses losses;
	size_t count;

	tell_state(*state, 1, ND_ASYNC_OK);
	tell_state(*state, 2, ND_ASYNC_HIDDEN);
	tell_state(*state, 2, ND_ASYNC_HIDDEN);
	threads = nd_async_threads(*state, &count);
	assert_int_equal(count, 2);
	assert_int_equal(threads[1].tid, 2);
	assert_int_equal(threads[1].reason, ND_ASYNC_HIDDEN);
	nd_async_get_losses(*state, &losses);
	assert_int_equal(losses.resources, 4);
}

static void test_the_text_names_places_and_the_json_is_there(void **state)
{
	struct nd_buf out;

	nd_buf_init(&out, ND_OUTPUT_MAX);
	assert_int_equal(nd_render_async(*state, false, &out), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(nd_render_async_json(*state, &out), 0);
	nd_buf_add_char(&out, '\0');
	assert_string_equal(out.data, "null");
	nd_buf_reset(&out);
	tell_state(*state, 1, ND_ASYNC_OK);
	tell_type(*state, 1, "Timeout", 20, 9);
	tell_site(*state, 1, "", 12, 20, 9);
	assert_int_equal(nd_render_async(*state, false, &out), 0);
	nd_buf_add_char(&out, '\0');
	assert_non_null(strstr(out.data, "  Timeout\n"));
	assert_non_null(strstr(out.data, "(anonymous) (/app/timers.mjs:12:3)\n"));
	nd_buf_reset(&out);
	assert_int_equal(nd_render_async_json(*state, &out), 0);
	nd_buf_add_char(&out, '\0');
	assert_non_null(strstr(out.data, "\"type\":\"Timeout\",\"created\":20,\"alive\":9"));
	assert_non_null(strstr(out.data, "\"buckets\":[[96000,11]]"));
	nd_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_threads_add_up_and_later_sums_replace_earlier_ones, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places_are_with_their_type_most_alive_first,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_is_alive_of_a_thread_that_ended,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_where_not_each_was_looked_at_it_is_said,
						set_up, tear_down),
		cmocka_unit_test(test_percentiles_are_within_their_bucket),
		cmocka_unit_test_setup_teardown(
			test_texts_without_an_end_and_short_events_do_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_more_types_than_there_is_room_for_are_counted,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads_say_why_they_are_not_followed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_the_text_names_places_and_the_json_is_there,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
