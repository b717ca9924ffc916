/* SPDX-License-Identifier: Apache-2.0 */

/* proto/context.h: the request of a thread, in memory laid out by hand, whole and damaged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/context.h"
#include "proto/context_layout.h"

/* Where the memory is for the process, and how much there is. */
#define BASE  UINT64_C(0x10000)
#define WORDS 512

/* Addresses of what is in it. */
#define FRAME_WORD (BASE + 0x08)
#define KEY_WORD   (BASE + 0x10)
#define EXECUTED   (BASE + 0x18)
#define MAP_MAP	   (BASE + 0x40)
#define TABLE_MAP  (BASE + 0x60)
#define SPAN_MAP   (BASE + 0x80)
#define FRAME	   (BASE + 0x100)
#define TABLE	   (BASE + 0x140)
#define SPAN	   (BASE + 0x200)
#define KEY	   (BASE + 0x280)
#define OTHER_KEY  (BASE + 0x2c0)
#define NUMBERS	   (BASE + 0x400)

enum { MAP_TYPE = 2100, TABLE_TYPE = 180, SPAN_TYPE = 1057, NUMBER_OFFSET = 40 };

static uint64_t memory[WORDS];

static bool read_word(const void *arg, uint64_t address, uint64_t *ret)
{
	(void)arg;
	assert_int_equal(address % 8, 0);
	if (address < BASE || address >= BASE + sizeof(memory))
		return false;
	*ret = memory[(address - BASE) / 8];
	return true;
}

static void put(uint64_t address, uint64_t word)
{
	memory[(address - BASE) / 8] = word;
}

static void put_double(uint64_t address, double value)
{
	uint64_t word;

	memcpy(&word, &value, sizeof(word));
	put(address, word);
}

static void put_object(uint64_t address, uint64_t map, uint16_t type)
{
	put(address, map + ND_V8_TAG);
	put(map + ND_V8_MAP_INFO, (uint64_t)type << 32 | 0x1234);
}

static uint64_t smi(uint64_t value)
{
	return value << 32;
}

/* A frame that has another AsyncLocalStorage first, and ours with the span of that number. */
static void put_frame(uint64_t number)
{
	const uint64_t entries = TABLE + ND_V8_TABLE_START + 2 * 8;

	memset(memory, 0, sizeof(memory));
	put(FRAME_WORD, FRAME + ND_V8_TAG);
	put(KEY_WORD, KEY + ND_V8_TAG);
	put_object(FRAME, MAP_MAP, MAP_TYPE);
	put(FRAME + ND_V8_JSMAP_TABLE, TABLE + ND_V8_TAG);
	put_object(TABLE, TABLE_MAP, TABLE_TYPE);
	put(TABLE + ND_V8_TABLE_LENGTH, smi(3 + 2 + 4 * 3));
	put(TABLE + ND_V8_TABLE_ELEMENTS, smi(2));
	put(TABLE + ND_V8_TABLE_BUCKETS, smi(2));
	put(entries + ND_V8_TABLE_KEY, OTHER_KEY + ND_V8_TAG);
	put(entries + ND_V8_TABLE_VALUE, smi(77));
	put(entries + ND_V8_TABLE_ENTRY + ND_V8_TABLE_KEY, KEY + ND_V8_TAG);
	put(entries + ND_V8_TABLE_ENTRY + ND_V8_TABLE_VALUE, SPAN + ND_V8_TAG);
	put_object(SPAN, SPAN_MAP, SPAN_TYPE);
	put(SPAN + NUMBER_OFFSET, smi(number & ND_CONTEXT_SHORT_MASK));
}

static struct nd_context_place by_frame(uint64_t newest)
{
	return (struct nd_context_place){.way = ND_CONTEXT_BY_FRAME,
					 .frame = FRAME_WORD,
					 .key = KEY_WORD,
					 .map_type = MAP_TYPE,
					 .table_type = TABLE_TYPE,
					 .span_type = SPAN_TYPE,
					 .number_offset = NUMBER_OFFSET,
					 .newest = newest};
}

static uint64_t find(const struct nd_context_place *place)
{
	return nd_context_find(place, read_word, NULL);
}

static void test_a_frame(void **state)
{
	const uint64_t many = (UINT64_C(5) << 30) + 3;
	struct nd_context_place place = by_frame(20);

	(void)state;
	put_frame(17);
	assert_int_equal(find(&place), 17);
	assert_int_equal(nd_context_find_short(&place, read_word, NULL), 17);
	/* The object has the lower bits of a number, that of the last span which ends so. */
	place.newest = many;
	put_frame(many - 1);
	assert_int_equal(find(&place), many - 1);
	put_frame(many + 9 - (UINT64_C(1) << 30));
	assert_int_equal(find(&place), many + 9 - (UINT64_C(1) << 30));
}

static void test_no_request(void **state)
{
	struct nd_context_place place = by_frame(20);

	(void)state;
	put_frame(17);
	put(FRAME_WORD, 0);
	assert_int_equal(find(&place), 0);
	put_frame(17);
	put(TABLE + ND_V8_TABLE_ELEMENTS, smi(1));
	assert_int_equal(find(&place), 0);
	place.way = ND_CONTEXT_BY_NOTHING;
	put_frame(17);
	assert_int_equal(find(&place), 0);
}

/* Objects are on the move then. */
static void test_in_a_collection(void **state)
{
	struct nd_context_place place = by_frame(20);

	(void)state;
	put_frame(17);
	place.in_gc = true;
	place.at_gc = 12;
	assert_int_equal(find(&place), 12);
}

static void test_ids(void **state)
{
	struct nd_context_place place = {
		.way = ND_CONTEXT_BY_ID, .executed = EXECUTED, .numbers = NUMBERS};

	(void)state;
	memset(memory, 0, sizeof(memory));
	put_double(EXECUTED, 2 * 0x10000 + 3);
	put_double(NUMBERS + 8 * 3, 9 * 0x10000 + 2);
	assert_int_equal(find(&place), 9);
	/* Another resource has taken the place. */
	put_double(NUMBERS + 8 * 3, 9 * 0x10000 + 3);
	assert_int_equal(find(&place), 0);
	/* Of more ids than JavaScript's shift has bits. */
	put_double(EXECUTED, 0x5p32 + 3);
	put_double(NUMBERS + 8 * 3, 0x1p36 * 0x10000);
	assert_int_equal(find(&place), UINT64_C(1) << 36);
	put_double(NUMBERS + 8 * 3, 0);
	assert_int_equal(find(&place), 0);
	put_double(EXECUTED, -1);
	assert_int_equal(find(&place), 0);
	put_double(EXECUTED, 1e300);
	assert_int_equal(find(&place), 0);
}

/* Whatever one word says, and wherever it points: an answer, and no read outside of what is there.
 */
static void test_damage(void **state)
{
	static const uint64_t words[] = {0,
					 1,
					 UINT64_MAX,
					 UINT64_C(0x7fffffff00000000),
					 BASE + 1,
					 BASE + sizeof(memory) - 8 + 1,
					 FRAME + 1,
					 TABLE + 1,
					 UINT64_C(1) << 63};
	struct nd_context_place place = by_frame(20);
	size_t at, i;

	(void)state;
	for (at = 0; at < WORDS; at++)
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			put_frame(17);
			memory[at] = words[i];
			assert_true(find(&place) <= place.newest);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_frame),		cmocka_unit_test(test_no_request),
		cmocka_unit_test(test_in_a_collection), cmocka_unit_test(test_ids),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
