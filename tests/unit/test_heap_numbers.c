/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lists of numbers, as V8 writes them and otherwise: the fast way and the slow one find the same
 * numbers and the same mistakes, wherever the pieces end in which the text comes.
 */

#include "analyzer/heap/numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"

#define COUNT 5000

#define TEXT_MAX (1u << 20)

static const size_t pieces[] = {1, 7, 63, 64, 65, 1000, TEXT_MAX};

#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

/* A list, and what is to come of it. */
struct list {
	struct nd_buf text;
	int64_t value[COUNT];
	uint64_t offset[COUNT];
	uint32_t count;
	uint32_t taken;
};

static int check_batch(void *arg, const struct nd_heap_numbers *numbers, struct nd_err *err)
{
	struct list *list = arg;
	uint32_t i;

	(void)err;
	for (i = 0; i < numbers->count; i++, list->taken++) {
		assert_true(list->taken < list->count);
		assert_int_equal(numbers->value[i], list->value[list->taken]);
		assert_int_equal(numbers->offset[i], list->offset[list->taken]);
	}
	return 0;
}

/* What the feeding of pieces returned last, which is 1 at the end of a list. */
static int feed(struct list *list, size_t piece, struct nd_err *err)
{
	struct nd_heap_numbers *numbers = calloc(1, sizeof(*numbers));
	size_t at = 0, len, used;
	int ret = 0;

	assert_non_null(numbers);
	numbers->take = check_batch;
	numbers->arg = list;
	list->taken = 0;
	nd_heap_numbers_begin(numbers, 3);
	while (at < list->text.len && !ret) {
		len = list->text.len - at < piece ? list->text.len - at : piece;
		ret = nd_heap_numbers_feed(numbers, list->text.data + at, len, at, &used, err);
		at += used;
	}
	free(numbers);
	return ret;
}

static void add(struct list *list, int64_t value, const char *end)
{
	assert_int_equal(nd_buf_addf(&list->text, "%" PRId64, value), 0);
	list->value[list->count] = value;
	list->offset[list->count++] = list->text.len;
	assert_int_equal(nd_buf_add_str(&list->text, end), 0);
}

static void check_pieces(struct list *list)
{
	size_t i;

	for (i = 0; i < PIECES; i++) {
		assert_int_equal(feed(list, pieces[i], NULL), 1);
		assert_int_equal(list->taken, list->count);
	}
}

/* Numbers of up to so many digits, three to a record, with what stands between records. */
static void check_numbers(int digits_max, bool is_signed, const char *end)
{
	struct list *list = calloc(1, sizeof(*list));
	int digits, i, k;
	int64_t value;

	assert_non_null(list);
	nd_buf_init(&list->text, TEXT_MAX);
	for (i = 0; i < COUNT; i++) {
		value = 1 + rand() % 9;
		for (digits = rand() % digits_max; digits; digits--)
			value = value * 10 + rand() % 10;
		k = rand() % 8;
		value = k ? value : 0;
		add(list, is_signed && k == 1 ? -value : value,
		    i == COUNT - 1 ? "]"
		    : i % 3 == 2   ? end
				   : ",");
	}
	check_pieces(list);
	nd_buf_fini(&list->text);
	free(list);
}

static void test_numbers(void **state)
{
	static const char *const ends[] = {",", "\n,", ",\n", " , ", "\n\n,", "\r\n,\t"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		check_numbers(1, false, ends[i]);
		check_numbers(8, false, ends[i]);
		check_numbers(9, false, ends[i]);
		check_numbers(18, false, ends[i]);
		check_numbers(7, true, ends[i]);
	}
}

/* What is wrong is told with the byte it is at, in whatever pieces it comes. */
static void check_mistake(int before, const char *mistake, const char *byte)
{
	struct list *list = calloc(1, sizeof(*list));
	struct nd_err err;
	char expected[128];
	size_t i;
	int k;

	assert_non_null(list);
	nd_buf_init(&list->text, TEXT_MAX);
	for (k = 0; k < before; k++)
		add(list, k % 100, ",");
	snprintf(expected, sizeof(expected), "%s %zu, in a list of whole numbers", byte,
		 list->text.len + strlen(mistake) - 1);
	assert_int_equal(nd_buf_add_str(&list->text, mistake), 0);
	for (k = 0; k < 40; k++)
		assert_int_equal(nd_buf_add_str(&list->text, ",1234\n"), 0);
	for (i = 0; i < PIECES; i++) {
		assert_int_equal(feed(list, pieces[i], &err), -EBADMSG);
		assert_string_equal(err.what, expected);
	}
	nd_buf_fini(&list->text);
	free(list);
}

/* Each ends with the byte that is wrong. */
static const struct {
	const char *text;
	const char *byte;
} mistakes[] = {
	{",", "',' at byte"},	     {"1,,", "',' at byte"}, {"12,\n,", "',' at byte"},
	{"12\n,\n,", "',' at byte"}, {"1 2", "'2' at byte"}, {"1\n2", "'2' at byte"},
	{"--", "'-' at byte"},	     {"7-", "'-' at byte"},  {"-,", "',' at byte"},
	{"1.", "'.' at byte"},	     {"1e", "'e' at byte"},  {"123456789:", "':' at byte"},
	{"1\x80", "byte 0x80 at"},   {"4,]", "']' at byte"},
};

static void test_mistakes(void **state)
{
	size_t i;
	int before;

	(void)state;
	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		for (before = 1; before < 40; before++)
			check_mistake(before, mistakes[i].text, mistakes[i].byte);
	check_mistake(1030, "1,,", "',' at byte");
}

/* A number of too many digits has no byte of its own to blame. */
static void test_too_long(void **state)
{
	struct list *list = calloc(1, sizeof(*list));
	struct nd_err err;
	size_t i;
	int k;

	(void)state;
	assert_non_null(list);
	nd_buf_init(&list->text, TEXT_MAX);
	for (k = 0; k < 20; k++)
		add(list, k, ",");
	assert_int_equal(nd_buf_add_str(&list->text, "1234567890123456789"), 0);
	for (k = 0; k < 40; k++)
		assert_int_equal(nd_buf_add_str(&list->text, ",1234"), 0);
	for (i = 0; i < PIECES; i++) {
		assert_int_equal(feed(list, pieces[i], &err), -EBADMSG);
		assert_non_null(strstr(err.what, "a number of more than 18 digits at byte "));
	}
	nd_buf_fini(&list->text);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
