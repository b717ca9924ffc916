/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/channel.h"
#include "proto/span.h"

static const char *const texts[ND_SPAN_TEXTS] = {"GET",	      "/users/:id", "/users/1",
						 "localhost", "",	    "ECONNRESET"};

static struct nd_event_span *make_span(void)
{
	struct nd_event_span *span = calloc(1, nd_span_size(texts));

	assert_non_null(span);
	*span = (struct nd_event_span){
		.event = {ND_EVENT_SPAN, 1, 2000},
		.start_ns = 1000,
		.status = 200,
		.kind = ND_SPAN_SERVER,
	};
	nd_span_set_texts(span, texts);
	return span;
}

static void test_texts_come_back(void **state)
{
	struct nd_event_span *span = make_span();
	int i;

	assert_true(nd_span_is_sound(&span->event, nd_span_size(texts)));
	assert_int_equal(nd_span_get_size(span), nd_span_size(texts));
	for (i = 0; i < ND_SPAN_TEXTS; i++)
		assert_string_equal(nd_span_get_text(span, i), texts[i]);
	assert_true(nd_span_size(texts) <= ND_SPAN_SIZE_MAX);
	free(span);
}

static void test_what_is_damaged_is_not_sound(void **state)
{
	struct nd_event_span *span = make_span();
	size_t size = nd_span_size(texts);

	assert_false(nd_span_is_sound(&span->event, size - 1));
	assert_false(nd_span_is_sound(&span->event, sizeof(*span) - 1));
	span->text_size[ND_SPAN_METHOD]--;
	assert_false(nd_span_is_sound(&span->event, size));
	span->text_size[ND_SPAN_METHOD] = 0;
	assert_false(nd_span_is_sound(&span->event, size));
	nd_span_set_texts(span, texts);
	span->kind = ND_SPAN_KIND_COUNT;
	assert_false(nd_span_is_sound(&span->event, size));
	span->kind = ND_SPAN_CLIENT;
	span->start_ns = 2001;
	assert_false(nd_span_is_sound(&span->event, size));
	span->start_ns = 2000;
	assert_true(nd_span_is_sound(&span->event, size));
	free(span);
}

/* Readers have room for so much of each, while its size would say more. */
static void test_texts_that_are_too_long_are_not_sound(void **state)
{
	char path[UINT8_MAX], *end = path + ND_SPAN_TEXT_MAX - 1;
	const char *const with[ND_SPAN_TEXTS] = {"GET", "", path, "", "", ""};
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX + sizeof(path)];
	} u = {.span = {.event = {ND_EVENT_SPAN, 1, 2}, .kind = ND_SPAN_SERVER}};

	memset(path, 'a', sizeof(path));
	*end = '\0';
	nd_span_set_texts(&u.span, with);
	assert_true(nd_span_is_sound(&u.span.event, nd_span_size(with)));
	end[0] = 'a';
	end[1] = '\0';
	nd_span_set_texts(&u.span, with);
	assert_false(nd_span_is_sound(&u.span.event, nd_span_size(with)));
	end[1] = 'a';
	path[sizeof(path) - 1] = '\0';
	nd_span_set_texts(&u.span, with);
	assert_false(nd_span_is_sound(&u.span.event, nd_span_size(with)));
}

/* By the conventions a client's 404 is an error, a server's is not. */
static void test_what_counts_as_an_error(void **state)
{
	static const char *const fine[ND_SPAN_TEXTS] = {"", "", "", "", "", ""};
	struct nd_event_span *span = make_span();

	assert_true(nd_span_is_error(span));
	nd_span_set_texts(span, fine);
	assert_false(nd_span_is_error(span));
	span->status = 404;
	assert_false(nd_span_is_error(span));
	span->kind = ND_SPAN_CLIENT;
	assert_true(nd_span_is_error(span));
	span->kind = ND_SPAN_SERVER;
	span->status = 500;
	assert_true(nd_span_is_error(span));
	span->status = 200;
	span->flags = ND_SPAN_ABORTED;
	assert_true(nd_span_is_error(span));
	free(span);
}

static void test_a_parent_is_an_id_that_is_not_zero(void **state)
{
	struct nd_event_span *span = make_span();

	assert_false(nd_span_has_parent(span));
	span->parent_id[7] = 1;
	assert_true(nd_span_has_parent(span));
	free(span);
}

static void test_lists_of_spans(void **state)
{
	const char *unknown = "";

	assert_int_equal(nd_span_features_parse(NULL, &unknown), 0);
	assert_null(unknown);
	assert_int_equal(nd_span_features_parse("", &unknown), 0);
	assert_null(unknown);
	assert_int_equal(nd_span_features_parse("fs,dns", &unknown),
			 ND_FEATURE_SPANS_FS | ND_FEATURE_SPANS_DNS);
	assert_null(unknown);
	assert_int_equal(nd_span_features_parse("all", NULL), ND_FEATURE_SPANS);
	assert_int_equal(nd_span_features_parse("tls,http,fs2", &unknown), ND_FEATURE_SPANS_TLS);
	assert_string_equal(unknown, "http,fs2");
	assert_int_equal(nd_span_features_parse(",", &unknown), 0);
	assert_string_equal(unknown, ",");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_come_back),
		cmocka_unit_test(test_what_is_damaged_is_not_sound),
		cmocka_unit_test(test_texts_that_are_too_long_are_not_sound),
		cmocka_unit_test(test_what_counts_as_an_error),
		cmocka_unit_test(test_a_parent_is_an_id_that_is_not_zero),
		cmocka_unit_test(test_lists_of_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
