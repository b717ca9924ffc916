/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/object.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "tests/unit/v8_heap.h"

static struct heap h;

static int setup(void **state)
{
	heap_init(&h, "24.21.0");
	return 0;
}

static int teardown(void **state)
{
	heap_fini(&h);
	return 0;
}

static uint64_t new_two_byte(const uint16_t *units, uint32_t count)
{
	uint64_t string = new_object(&h, SEQ, h.heap.layout->string_chars + 2 * (size_t)count);

	put_u32(string, h.heap.layout->string_length, count);
	memcpy(heap_at(string, h.heap.layout->string_chars), units, 2 * (size_t)count);
	return string;
}

static uint64_t new_cons(uint64_t first, uint64_t second, uint32_t length)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t string = new_object(&h, CONS, 40);

	put_u32(string, layout->string_length, length);
	put(string, layout->cons_first, first);
	put(string, layout->cons_second, second);
	return string;
}

static uint64_t new_sliced(uint64_t parent, int32_t offset, uint32_t length)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t string = new_object(&h, SLICED, 40);

	put_u32(string, layout->string_length, length);
	put(string, layout->sliced_parent, parent);
	put(string, layout->sliced_offset, smi(offset));
	return string;
}

static uint64_t new_thin(uint64_t actual, uint32_t length)
{
	uint64_t string = new_object(&h, THIN, 40);

	put_u32(string, h.heap.layout->string_length, length);
	put(string, h.heap.layout->thin_actual, actual);
	return string;
}

static uint64_t new_external(uint32_t type, const void *data, uint32_t length)
{
	uint64_t string = new_object(&h, EXTERNAL | type, 40);

	put_u32(string, h.heap.layout->string_length, length);
	put(string, h.heap.layout->external_data, (uint64_t)(uintptr_t)data);
	return string;
}

static void check(uint64_t string, const char *want)
{
	struct nd_buf out;

	nd_memory_forget(h.heap.memory);
	nd_buf_init(&out, 1 << 20);
	assert_int_equal(nd_v8_read_string(&h.heap, string, 1000, &out), 0);
	assert_string_equal(out.data, want);
	nd_buf_fini(&out);
}

static void check_bad(uint64_t string)
{
	struct nd_buf out;

	nd_memory_forget(h.heap.memory);
	nd_buf_init(&out, 1 << 20);
	assert_int_equal(nd_v8_read_string(&h.heap, string, 1000, &out), -EBADMSG);
	nd_buf_fini(&out);
}

static void test_flat_strings(void **state)
{
	static const uint16_t kanji[] = {0x6f22, 'x', 0x5b57};
	static const char outside[] = "outside", latin[] = "caf\xe9";

	check(new_string(&h, ""), "");
	check(new_string(&h, "hello"), "hello");
	check(new_string(&h, "\xe9\xff"), "\xc3\xa9\xc3\xbf");
	check(new_two_byte(kanji, 3), "\xe6\xbc\xa2x\xe5\xad\x97");
	check(new_external(ONE_BYTE, outside, 7), "outside");
	check(new_external(ONE_BYTE, latin, 4), "caf\xc3\xa9");
	check(new_external(0, kanji, 2), "\xe6\xbc\xa2x");
	check_bad(new_external(ONE_BYTE | UNCACHED, outside, 7));
	check_bad(new_external(ONE_BYTE, NULL, 7));
	check_bad(new_external(ONE_BYTE, h.bytes + HEAP_BYTES - 3, 7));
}

static void test_surrogates(void **state)
{
	static const uint16_t pair[] = {0xd83d, 0xdd25}, lone_low[] = {'a', 0xdd25, 'b'},
			      lone_high[] = {0xd83d, 'b', 0xd83d}, high[] = {'x', 0xd83d},
			      low[] = {0xdd25, 'y'};

	check(new_two_byte(pair, 2), "\xf0\x9f\x94\xa5");
	check(new_two_byte(lone_low, 3), "a\xef\xbf\xbd"
					 "b");
	check(new_two_byte(lone_high, 3), "\xef\xbf\xbd"
					  "b\xef\xbf\xbd");
	/* A pair that two pieces share. */
	check(new_cons(new_two_byte(high, 2), new_two_byte(low, 2), 4), "x\xf0\x9f\x94\xa5y");
}

static void test_strings_of_strings(void **state)
{
	static const uint16_t star[] = {0x2605};
	uint64_t ab = new_string(&h, "ab"), cde = new_string(&h, "cde"), text;

	text = new_cons(ab, cde, 5);
	check(text, "abcde");
	text = new_cons(text, new_cons(new_two_byte(star, 1), text, 6), 11);
	check(text, "abcde\xe2\x98\x85"
		    "abcde");
	check(new_sliced(new_string(&h, "0123456789"), 3, 4), "3456");
	check(new_thin(cde, 3), "cde");
	check(new_thin(new_thin(text, 11), 11), "abcde\xe2\x98\x85"
						"abcde");
	/* Slices of what is not flat any more start and end anywhere. */
	check(new_sliced(new_thin(text, 11), 1, 3), "bcd");
	check(new_sliced(text, 4, 3), "e\xe2\x98\x85"
				      "a");
	check(new_sliced(text, 6, 5), "abcde");
	check(new_sliced(new_sliced(text, 1, 9), 6, 2), "bc");
	check(new_sliced(text, 11, 0), "");
}

static void test_strings_that_lie_about_their_length(void **state)
{
	uint64_t ab = new_string(&h, "ab"), none = new_object(&h, 500, 40);

	check_bad(new_cons(ab, ab, 5));
	check(new_cons(ab, ab, 3), "aba");
	check_bad(new_cons(none, ab, 3));
	check_bad(new_cons(ab, none, 3));
	check_bad(new_sliced(ab, 1, 2));
	check_bad(new_sliced(ab, -1, 1));
	check_bad(new_sliced(ab, INT32_MAX, 1));
	check_bad(new_thin(ab, 3));
	check_bad(new_thin(none, 1));
	check_bad(new_external(ONE_BYTE, "x", 0x80000000));
	/* A representation that there is not. */
	memcpy(heap_at(none, 0), heap_at(new_object(&h, 4, 40), 0), 8);
	put_u32(none, h.heap.layout->string_length, 1);
	check_bad(none);
	put_u32(ab, h.heap.layout->string_length, UINT32_MAX);
	check_bad(ab);
	assert_int_equal(nd_v8_string_length(&h.heap, ab), -1);
}

static void test_strings_that_contain_themselves(void **state)
{
	uint64_t a = new_string(&h, "a"), text = new_cons(a, a, 500);

	put(text, h.heap.layout->cons_first, text);
	check_bad(text);
	text = new_cons(a, a, 1000);
	put(text, h.heap.layout->cons_second, text);
	check_bad(text);
	text = new_thin(a, 1);
	put(text, h.heap.layout->thin_actual, text);
	check_bad(text);
	text = new_sliced(a, 0, 1);
	put(text, h.heap.layout->sliced_parent, text);
	check_bad(text);
}

/* A tree that is no cycle, yet has 2^40 leaves. */
static void test_strings_that_never_end(void **state)
{
	uint64_t text = new_string(&h, "a");
	struct nd_buf out;
	int i;

	for (i = 1; i <= 40; i++)
		text = new_cons(text, text, i < 30 ? 1u << i : 1u << 29);
	nd_buf_init(&out, 1 << 29);
	assert_int_equal(nd_v8_read_string(&h.heap, text, 1 << 29, &out), -EBADMSG);
	assert_true(out.len <= 65536);
	nd_buf_fini(&out);
}

static void test_limits(void **state)
{
	uint64_t text = new_string(&h, "hello");
	struct nd_buf out;

	nd_buf_init(&out, 4);
	assert_int_equal(nd_v8_read_string(&h.heap, text, 4, &out), -EFBIG);
	assert_int_equal(out.len, 0);
	assert_int_equal(nd_buf_error(&out), 0);
	assert_int_equal(nd_v8_read_string(&h.heap, text, 5, &out), -EFBIG);
	assert_string_equal(out.data, "hell");
	nd_buf_fini(&out);
}

static int count_units(void *arg, const void *chars, size_t count, bool two_byte)
{
	*(size_t *)arg += count;
	return *(size_t *)arg > 100000 ? 42 : 0;
}

/* Strings come in pieces, and who reads may stop. */
static void test_visit(void **state)
{
	uint64_t text = new_object(&h, SEQ, 16 + 2 * 150000);
	size_t count = 0;

	put_u32(text, h.heap.layout->string_length, 70000);
	assert_int_equal(nd_v8_visit_string(&h.heap, text, 70000, count_units, &count), 0);
	assert_int_equal(count, 70000);
	put_u32(text, h.heap.layout->string_length, 150000);
	count = 0;
	nd_memory_forget(h.heap.memory);
	assert_int_equal(nd_v8_visit_string(&h.heap, text, 150000, count_units, &count), 42);
	assert_true(count < 150000);
}

static void test_no_strings(void **state)
{
	uint64_t text = new_string(&h, "x");

	assert_true(nd_v8_is_string(&h.heap, text));
	assert_int_equal(nd_v8_string_length(&h.heap, text), 1);
	assert_false(nd_v8_is_string(&h.heap, weak(text)));
	assert_false(nd_v8_is_string(&h.heap, text - 1));
	assert_false(nd_v8_is_string(&h.heap, smi(77)));
	assert_false(nd_v8_is_string(&h.heap, 0));
	assert_false(nd_v8_is_string(&h.heap, UINT64_MAX - 2));
	assert_false(nd_v8_is_string(&h.heap, new_object(&h, 128, 40)));
	check_bad(weak(text));
	check_bad(new_object(&h, 128, 40));
}

static uint64_t element(uint64_t array, uint32_t index)
{
	nd_memory_forget(h.heap.memory);
	return nd_v8_element(&h.heap, array, index);
}

static void test_elements(void **state)
{
	uint64_t array = new_array(&h, FIXED_ARRAY, 3);

	put_element(&h, array, 0, smi(10));
	put_element(&h, array, 2, smi(12));
	assert_int_equal(element(array, 0), smi(10));
	assert_int_equal(element(array, 2), smi(12));
	assert_int_equal(element(array, 3), 0);
	assert_int_equal(element(array, UINT32_MAX), 0);
	assert_int_equal(element(smi(5), 0), 0);
	put(array, h.heap.layout->array_length, smi(-1));
	assert_int_equal(element(array, 0), 0);
	put(array, h.heap.layout->array_length, array);
	assert_int_equal(element(array, 0), 0);
	/* A length that reaches beyond memory. */
	put(array, h.heap.layout->array_length, smi(INT32_MAX));
	assert_int_equal(element(array, 0), smi(10));
	assert_int_equal(element(array, HEAP_BYTES / 8), 0);
}

static void check_bytes(uint64_t array, int want, const char *bytes, size_t size)
{
	uint8_t *got = NULL;
	size_t got_size = 99;

	nd_memory_forget(h.heap.memory);
	assert_int_equal(nd_v8_read_byte_array(&h.heap, array, 1000, &got, &got_size), want);
	assert_int_equal(got_size, want ? 99 : size);
	if (!want)
		assert_memory_equal(got, bytes, size);
	free(got);
}

static void test_byte_arrays(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t array = new_byte_array(&h, "bytes", 5);

	check_bytes(array, 0, "bytes", 5);
	check_bytes(new_byte_array(&h, "", 0), 0, "", 0);
	check_bytes(new_object(&h, layout->byte_array_types[1], 40), 0, "", 0);
	check_bytes(new_object(&h, FIXED_ARRAY, 40), -EBADMSG, NULL, 0);
	check_bytes(smi(0), -EBADMSG, NULL, 0);
	check_bytes(weak(array), -EBADMSG, NULL, 0);
	put(array, layout->array_length, smi(1001));
	check_bytes(array, -EFBIG, NULL, 0);
	put(array, layout->array_length, smi(-1));
	check_bytes(array, -EBADMSG, NULL, 0);
	put(array, layout->array_length, 5);
	check_bytes(array, -EBADMSG, NULL, 0);
	/* One that goes on where memory ends. */
	array = new_object(&h, layout->byte_array_types[0], HEAP_BYTES - h.used - 40);
	memmove(h.bytes + HEAP_BYTES - 24, heap_at(array, 0), 16);
	array = (uint64_t)(uintptr_t)(h.bytes + HEAP_BYTES - 24) + 1;
	put(array, layout->array_length, smi(8));
	check_bytes(array, 0, "\0\0\0\0\0\0\0\0", 8);
	put(array, layout->array_length, smi(9));
	check_bytes(array, -EBADMSG, NULL, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flat_strings),
		TEST(test_surrogates),
		TEST(test_strings_of_strings),
		TEST(test_strings_that_lie_about_their_length),
		TEST(test_strings_that_contain_themselves),
		TEST(test_strings_that_never_end),
		TEST(test_limits),
		TEST(test_visit),
		TEST(test_no_strings),
		TEST(test_elements),
		TEST(test_byte_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
