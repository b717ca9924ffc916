/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/gzip.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

/* Large enough for several rounds, and not to be packed to nothing. */
#define LEN 1000000

static char *new_data(void)
{
	char *data = malloc(LEN);
	uint32_t seed = 1;
	size_t i;

	assert_non_null(data);
	for (i = 0; i < LEN; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (char)(seed >> 27);
	}
	return data;
}

static void pack(const void *data, size_t len, struct nd_buf *ret_out)
{
	nd_buf_init(ret_out, 2 * LEN);
	assert_int_equal(nd_gzip(data, len, ret_out), 0);
	assert_true(nd_gzip_is(ret_out->data, ret_out->len));
}

static void check_unpack(const struct nd_buf *packed, size_t max, int want, const char *data,
			 size_t len)
{
	struct nd_buf out;

	nd_buf_init(&out, max);
	assert_int_equal(nd_gunzip(packed->data, packed->len, &out), want);
	if (!want) {
		assert_int_equal(out.len, len);
		assert_memory_equal(out.data, data, len);
	}
	nd_buf_fini(&out);
}

static void test_round_trip(void **state)
{
	char *data = new_data();
	struct nd_buf packed;

	pack(data, LEN, &packed);
	assert_true(packed.len < LEN);
	check_unpack(&packed, 2 * LEN, 0, data, LEN);
	nd_buf_fini(&packed);
	pack("", 0, &packed);
	check_unpack(&packed, 10, 0, "", 0);
	nd_buf_fini(&packed);
	free(data);
}

static void test_ceiling_is_exact(void **state)
{
	char *data = new_data();
	struct nd_buf packed;

	pack(data, LEN, &packed);
	check_unpack(&packed, LEN, 0, data, LEN);
	check_unpack(&packed, LEN - 1, -EFBIG, NULL, 0);
	nd_buf_fini(&packed);
	nd_buf_init(&packed, 1000);
	assert_int_equal(nd_gzip(data, LEN, &packed), -EFBIG);
	nd_buf_fini(&packed);
	free(data);
}

static void test_broken_files(void **state)
{
	char *data = new_data();
	struct nd_buf packed;
	size_t whole;

	pack(data, LEN, &packed);
	whole = packed.len;
	packed.len = whole - 1;
	check_unpack(&packed, LEN, -EBADMSG, NULL, 0);
	packed.len = 5;
	check_unpack(&packed, LEN, -EBADMSG, NULL, 0);
	packed.len = whole;
	packed.data[whole - 6] ^= 1; /* the checksum */
	check_unpack(&packed, LEN, -EBADMSG, NULL, 0);
	packed.data[whole - 6] ^= 1;
	nd_buf_add_str(&packed, "more");
	check_unpack(&packed, LEN, -EBADMSG, NULL, 0);
	nd_buf_fini(&packed);
	free(data);
}

static void test_files_in_a_row_are_one(void **state)
{
	struct nd_buf packed;

	pack("one ", 4, &packed);
	assert_int_equal(nd_gzip("two", 3, &packed), 0);
	check_unpack(&packed, 100, 0, "one two", 7);
	nd_buf_fini(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_ceiling_is_exact),
		cmocka_unit_test(test_broken_files),
		cmocka_unit_test(test_files_in_a_row_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
