/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pprof.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"

static const struct nd_pprof_value_type types[] = {{"samples", "count"}, {"cpu", "nanoseconds"}};

/* What each test encodes, changed by it in one place. */
struct parts {
	struct nd_pprof_header header;
	struct nd_pprof_function function;
	struct nd_pprof_line lines[2];
	struct nd_pprof_location location;
	uint32_t stack[2];
	int64_t values[2];
	struct nd_pprof_label label;
	struct nd_pprof_sample sample;
};

static void init(struct parts *parts)
{
	*parts = (struct parts){
		.header = {.sample_types = types,
			   .sample_type_count = 2,
			   .default_sample_type = "cpu",
			   .period_type = {"cpu", "nanoseconds"},
			   .period = 10101010,
			   .time_ns = 1763600000123456789,
			   .duration_ns = INT64_C(10000000000)},
		.function = {.name = "hot", .file = "/app/a.js", .start_line = 3},
		.lines = {{.function = 0, .line = 5, .column = 2}, {.function = 0, .line = 9}},
		.location = {.mapping = 0, .address = 0x1234, .line_count = 2},
		.values = {3, INT64_MAX},
		.label = {.key = "pid", .num = 4242},
		.sample = {.depth = 2, .label_count = 1},
	};
	parts->location.lines = parts->lines;
	parts->sample.locations = parts->stack;
	parts->sample.values = parts->values;
	parts->sample.labels = &parts->label;
}

static void encode(const struct parts *parts, struct nd_buf *ret_out)
{
	struct nd_pprof_encoder *encoder;

	nd_buf_init(ret_out, 10000);
	encoder = nd_pprof_encoder_new(ret_out);
	assert_non_null(encoder);
	assert_int_equal(nd_pprof_encode_header(encoder, &parts->header), 0);
	assert_int_equal(nd_pprof_encode_mapping(encoder, "[js]"), 0);
	assert_int_equal(nd_pprof_encode_function(encoder, &parts->function), 0);
	assert_int_equal(nd_pprof_encode_location(encoder, &parts->location), 0);
	assert_int_equal(nd_pprof_encode_sample(encoder, &parts->sample), 0);
	assert_int_equal(nd_pprof_encode_end(encoder), 0);
	nd_pprof_encoder_free(encoder);
}

static void test_round_trip(void **state)
{
	struct parts parts;
	struct nd_pprof *pprof;
	struct nd_buf out;

	init(&parts);
	encode(&parts, &out);
	assert_int_equal(nd_pprof_decode(out.data, out.len, &pprof, NULL), 0);
	assert_int_equal(pprof->header.sample_type_count, 2);
	assert_string_equal(pprof->header.sample_types[1].type, "cpu");
	assert_string_equal(pprof->header.sample_types[1].unit, "nanoseconds");
	assert_string_equal(pprof->header.default_sample_type, "cpu");
	assert_string_equal(pprof->header.period_type.unit, "nanoseconds");
	assert_int_equal(pprof->header.period, 10101010);
	assert_true(pprof->header.time_ns == 1763600000123456789);
	assert_true(pprof->header.duration_ns == INT64_C(10000000000));
	assert_int_equal(pprof->mapping_count, 1);
	assert_string_equal(pprof->mappings[0], "[js]");
	assert_int_equal(pprof->function_count, 1);
	assert_string_equal(pprof->functions[0].name, "hot");
	assert_string_equal(pprof->functions[0].file, "/app/a.js");
	assert_int_equal(pprof->functions[0].start_line, 3);
	assert_int_equal(pprof->location_count, 1);
	assert_int_equal(pprof->locations[0].address, 0x1234);
	assert_int_equal(pprof->locations[0].line_count, 2);
	assert_int_equal(pprof->locations[0].lines[0].line, 5);
	assert_int_equal(pprof->locations[0].lines[0].column, 2);
	assert_int_equal(pprof->locations[0].lines[1].line, 9);
	assert_int_equal(pprof->sample_count, 1);
	assert_int_equal(pprof->samples[0].depth, 2);
	assert_int_equal(pprof->samples[0].locations[1], 0);
	assert_int_equal(pprof->samples[0].values[0], 3);
	assert_true(pprof->samples[0].values[1] == INT64_MAX);
	nd_pprof_free(pprof);
	nd_buf_fini(&out);
}

static void check_refused(const struct parts *parts, const char *why)
{
	struct nd_pprof *pprof;
	struct nd_err err;
	struct nd_buf out;

	encode(parts, &out);
	assert_int_equal(nd_pprof_decode(out.data, out.len, &pprof, &err), -EBADMSG);
	if (!strstr(err.what, why))
		fail_msg("'%s' is not in '%s'", why, err.what);
	nd_buf_fini(&out);
}

static void test_indexes_that_point_nowhere(void **state)
{
	struct parts parts;

	init(&parts);
	parts.lines[1].function = 7;
	check_refused(&parts, "location 1 names function 8");
	init(&parts);
	parts.location.mapping = 1;
	check_refused(&parts, "location 1 names mapping 2");
	init(&parts);
	parts.stack[1] = 1;
	check_refused(&parts, "sample 0 names location 2");
	init(&parts);
	parts.stack[0] = ND_PPROF_NONE;
	check_refused(&parts, "sample 0 names location 0");
	init(&parts);
	parts.header.sample_type_count = 0;
	check_refused(&parts, "no sample type");
}

/* A location needs neither a mapping nor a function. */
static void test_what_is_unknown(void **state)
{
	struct parts parts;
	struct nd_pprof *pprof;
	struct nd_buf out;

	init(&parts);
	parts.location.mapping = ND_PPROF_NONE;
	parts.lines[0].function = ND_PPROF_NONE;
	encode(&parts, &out);
	assert_int_equal(nd_pprof_decode(out.data, out.len, &pprof, NULL), 0);
	assert_int_equal(pprof->locations[0].mapping, ND_PPROF_NONE);
	assert_int_equal(pprof->locations[0].lines[0].function, ND_PPROF_NONE);
	nd_pprof_free(pprof);
	nd_buf_fini(&out);
}

static void check_bytes(const char *bytes, size_t len, const char *why)
{
	struct nd_pprof *pprof;
	struct nd_err err;

	assert_int_equal(nd_pprof_decode(bytes, len, &pprof, &err), -EBADMSG);
	if (!strstr(err.what, why))
		fail_msg("'%s' is not in '%s'", why, err.what);
}

#define CHECK_BYTES(bytes, why) check_bytes(bytes, sizeof(bytes) - 1, why)

static void test_hand_made_files(void **state)
{
	CHECK_BYTES("", "first string");
	CHECK_BYTES("\x0a", "broken protobuf");
	CHECK_BYTES("\x32\x01x", "first string");
	CHECK_BYTES("\x32\x00\x0a\x02\x08\x05", "1 strings, not 5");
	CHECK_BYTES("\x32\x00\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "not -1");
	/* Two functions of one id, a function of id 0, a sample without values. */
	CHECK_BYTES("\x32\x00\x0a\x00\x2a\x02\x08\x09\x2a\x02\x08\x09",
		    "function id 9 is given twice");
	CHECK_BYTES("\x32\x00\x0a\x00\x2a\x00", "function id 0 is reserved");
	CHECK_BYTES("\x32\x00\x0a\x00\x12\x00", "sample 0 has 0 values of 1 types");
}

/* Ids are any numbers, in any order; lists of numbers need not be packed. */
static void test_ids_are_any_numbers(void **state)
{
	static const char bytes[] = "\x32\x00\x32\x01"
				    "f\x0a\x00"
				    "\x22\x08\x08\xe8\x07\x22\x03\x08\xff\x7f"
				    "\x22\x06\x08\x03\x22\x02\x08\x02"
				    "\x2a\x05\x08\xff\x7f\x10\x01\x2a\x02\x08\x02"
				    "\x12\x07\x08\x03\x08\xe8\x07\x10\x05";
	struct nd_pprof *pprof;

	assert_int_equal(nd_pprof_decode(bytes, sizeof(bytes) - 1, &pprof, NULL), 0);
	assert_int_equal(pprof->samples[0].depth, 2);
	assert_int_equal(pprof->samples[0].locations[0], 1);
	assert_int_equal(pprof->samples[0].locations[1], 0);
	assert_int_equal(pprof->samples[0].values[0], 5);
	assert_int_equal(pprof->locations[0].lines[0].function, 0);
	assert_int_equal(pprof->locations[1].lines[0].function, 1);
	assert_string_equal(pprof->functions[0].name, "f");
	nd_pprof_free(pprof);
}

static void test_full_buffer(void **state)
{
	struct parts parts;
	struct nd_pprof_encoder *encoder;
	struct nd_buf out;

	init(&parts);
	nd_buf_init(&out, 8);
	encoder = nd_pprof_encoder_new(&out);
	assert_int_equal(nd_pprof_encode_header(encoder, &parts.header), -EFBIG);
	nd_pprof_encoder_free(encoder);
	nd_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_indexes_that_point_nowhere),
		cmocka_unit_test(test_what_is_unknown),
		cmocka_unit_test(test_hand_made_files),
		cmocka_unit_test(test_ids_are_any_numbers),
		cmocka_unit_test(test_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
