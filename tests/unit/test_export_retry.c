/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"
#include "proto/limits.h"

static void test_judge(void **state)
{
	static const long again[] = {429, 502, 503, 504};
	static const long never[] = {0,	  100, 301, 302, 307, 400, 401, 403,
				     404, 405, 408, 413, 415, 500, 501, 505};
	size_t i;

	assert_int_equal(nd_retry_judge(200), ND_VERDICT_SENT);
	assert_int_equal(nd_retry_judge(202), ND_VERDICT_SENT);
	for (i = 0; i < sizeof(again) / sizeof(again[0]); i++)
		assert_int_equal(nd_retry_judge(again[i]), ND_VERDICT_RETRY);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_int_equal(nd_retry_judge(never[i]), ND_VERDICT_REFUSED);
}

static void test_backoff(void **state)
{
	static const uint64_t seconds[] = {1, 2, 4, 8, 16, 30, 30, 30};
	struct nd_retry low = {0}, high = {0};
	uint64_t now_ns = 1000, base;
	size_t i;

	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		base = seconds[i] * ND_NSEC_PER_SEC;
		nd_retry_fail(&low, now_ns, 0, 0);
		nd_retry_fail(&high, now_ns, 0, UINT32_MAX);
		assert_int_equal(low.next_ns, now_ns + base / 5 * 4);
		assert_int_equal(high.next_ns, now_ns + base / 5 * 6);
		now_ns = high.next_ns;
	}
}

/* What was asked for is the least, however often it failed. */
static void test_pause(void **state)
{
	struct nd_retry retry = {0};

	nd_retry_fail(&retry, 0, 100 * ND_NSEC_PER_SEC, 0);
	assert_true(retry.next_ns >= 100 * ND_NSEC_PER_SEC);
	assert_true(retry.next_ns < 101 * ND_NSEC_PER_SEC);
	/* A pause that is shorter than ours changes nothing. */
	retry = (struct nd_retry){.failures = 10};
	nd_retry_fail(&retry, 0, ND_NSEC_PER_SEC, 0);
	assert_int_equal(retry.next_ns, 24 * ND_NSEC_PER_SEC);
}

/* 06 Nov 1994 08:49:37, the example of RFC 9110. */
#define EXAMPLE UINT64_C(784111777)

static const char *format_date(uint64_t unix_s)
{
	static char text[64];
	time_t time = (time_t)unix_s;

	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&time));
	return text;
}

static void check(const char *text, uint64_t now, uint64_t want)
{
	uint64_t got = 12345;

	assert_true(nd_retry_after_decode(text, "", now, &got));
	assert_int_equal(got, want);
	/* A clock that is an hour off changes nothing where the server says what time it is. */
	got = 12345;
	assert_true(nd_retry_after_decode(text, format_date(now), now + 3600, &got));
	assert_int_equal(got, want);
	assert_true(nd_retry_after_decode(text, format_date(now), now - 3600, &got));
	assert_int_equal(got, want);
}

static void test_retry_after(void **state)
{
	static const char *const wrong[] = {"",
					    "-1",
					    "1.5",
					    "soon",
					    "10 s",
					    "0x10",
					    "Sun, 06 Nov",
					    "+5",
					    "Sun, 06 Nov 1994 08:49:37 GMT x"};
	uint64_t got = 7;
	size_t i;

	check("0", 0, 0);
	check(" 120 ", 0, 120);
	check("99999999999999999999999999", 0, ND_RETRY_AFTER_MAX);
	check("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE - 30, 30);
	check("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE - 30, 30);
	check("Sun Nov  6 08:49:37 1994", EXAMPLE - 30, 30);
	/* In the past is now. */
	check("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE + 30, 0);
	check("Sun, 06 Nov 2094 08:49:37 GMT", EXAMPLE, ND_RETRY_AFTER_MAX);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(nd_retry_after_decode(wrong[i], "", 0, &got));
	assert_int_equal(got, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
