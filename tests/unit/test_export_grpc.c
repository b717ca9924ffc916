/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "proto/limits.h"

/* google.rpc.Status{code: 8, details: Any{RetryInfo{7 s}}}, in base64. */
#define SEVEN_SECONDS "CAgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIBw"

static void test_frame(void **state)
{
	struct nd_buf out;
	const void *message;
	size_t len = 0;

	nd_buf_init(&out, 1000);
	assert_int_equal(nd_grpc_frame("hello", 5, false, &out), 0);
	assert_int_equal(out.len, 10);
	assert_memory_equal(out.data, "\0\0\0\0\5hello", 10);
	message = nd_grpc_unframe(out.data, out.len, &len);
	assert_non_null(message);
	assert_int_equal(len, 5);
	assert_memory_equal(message, "hello", 5);
	assert_null(nd_grpc_unframe(out.data, out.len - 1, &len));
	assert_null(nd_grpc_unframe(out.data, 4, &len));
	nd_buf_reset(&out);
	assert_int_equal(nd_grpc_frame("hello", 5, true, &out), 0);
	assert_null(nd_grpc_unframe(out.data, out.len, &len));
	nd_buf_fini(&out);
}

static void check(const char *code, const char *details, enum nd_verdict want, uint64_t pause_s)
{
	struct nd_grpc_trailers trailers = {0};
	struct nd_grpc_status status;

	snprintf(trailers.status, sizeof(trailers.status), "%s", code);
	snprintf(trailers.message, sizeof(trailers.message), "no%%20%%zz%%41");
	snprintf(trailers.details, sizeof(trailers.details), "%s", details);
	nd_grpc_decode_trailers(&trailers, &status);
	assert_int_equal(status.verdict, want);
	assert_int_equal(status.pause_s, pause_s);
	assert_string_equal(status.message, "no %zzA");
}

static void test_codes(void **state)
{
	static const char *const again[] = {"1", "4", "10", "11", "14", "15"};
	static const char *const never[] = {"2", "3", "5", "6", "7", "9", "12", "13", "16", "99"};
	size_t i;

	check("0", "", ND_VERDICT_SENT, 0);
	for (i = 0; i < sizeof(again) / sizeof(again[0]); i++)
		check(again[i], "", ND_VERDICT_RETRY, 0);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		check(never[i], SEVEN_SECONDS, ND_VERDICT_REFUSED, 7);
	check("14", SEVEN_SECONDS, ND_VERDICT_RETRY, 7);
	check("14", SEVEN_SECONDS "==", ND_VERDICT_RETRY, 7);
	/* Exhausted for good, unless it says when to come back. */
	check("8", SEVEN_SECONDS, ND_VERDICT_RETRY, 7);
	check("8", "", ND_VERDICT_REFUSED, 0);
	check("8", "!", ND_VERDICT_REFUSED, 0);
	check("8", "CAg", ND_VERDICT_REFUSED, 0);
}

static void test_no_status(void **state)
{
	const struct nd_grpc_trailers none = {0}, wrong = {.status = "ok"};
	struct nd_grpc_status status;

	nd_grpc_decode_trailers(&none, &status);
	assert_int_equal(status.code, -1);
	nd_grpc_decode_trailers(&wrong, &status);
	assert_int_equal(status.code, -1);
	assert_int_equal(status.verdict, ND_VERDICT_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_no_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
