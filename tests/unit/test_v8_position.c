/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

/* Tables are written as V8 writes them. */

static void add_vlq(struct nd_buf *table, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		nd_buf_add_char(table, (char)(0x80 | (value & 0x7f)));
	nd_buf_add_char(table, (char)value);
}

struct entry {
	int64_t offset;
	uint64_t position;
	unsigned int flags;
};

static void encode(const struct entry *entries, size_t count, unsigned int flag_bits,
		   struct nd_buf *table)
{
	int64_t offset = -1, delta;
	uint64_t position = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		add_vlq(table, (uint64_t)(entries[i].offset - offset) << flag_bits |
				       (entries[i].flags & ((1u << flag_bits) - 1)));
		delta = (int64_t)(entries[i].position - position);
		add_vlq(table, (uint64_t)delta << 1 ^ (delta < 0 ? UINT64_MAX : 0));
		offset = entries[i].offset;
		position = entries[i].position;
	}
}

/* A packed source position. */
static uint64_t pack(int32_t offset, int32_t inlining)
{
	return (uint64_t)(inlining + 1) << 31 | (uint64_t)(offset + 1) << 1;
}

static const struct entry entries[] = {
	{-1, 2, 1}, /* the function's entry */
	{0, 200, 0}, {7, 190, 7}, {7, 400, 1}, {64, 2, 6}, {100000, UINT64_C(3) << 40, 3},
};

#define COUNT (sizeof(entries) / sizeof(entries[0]))

static uint64_t find(const struct nd_buf *table, unsigned int flag_bits, int64_t offset)
{
	return nd_v8_positions_find((const uint8_t *)table->data, table->len, flag_bits, offset);
}

static void test_find_at_before_and_after(void **state)
{
	struct nd_buf table;
	unsigned int bits;

	for (bits = ND_V8_FLAGS_MIN; bits <= ND_V8_FLAGS_MAX; bits++) {
		nd_buf_init(&table, 1000);
		encode(entries, COUNT, bits, &table);
		assert_int_equal(find(&table, bits, INT64_MIN), 0);
		assert_int_equal(find(&table, bits, -2), 0);
		assert_int_equal(find(&table, bits, -1), 2);
		assert_int_equal(find(&table, bits, 0), 200);
		assert_int_equal(find(&table, bits, 6), 200);
		assert_int_equal(find(&table, bits, 7), 400);
		assert_int_equal(find(&table, bits, 63), 400);
		assert_int_equal(find(&table, bits, 64), 2);
		assert_int_equal(find(&table, bits, 99999), 2);
		assert_int_equal(find(&table, bits, 100000), UINT64_C(3) << 40);
		assert_int_equal(find(&table, bits, INT64_MAX), UINT64_C(3) << 40);
		nd_buf_fini(&table);
	}
}

static void test_find_in_nothing(void **state)
{
	static const uint8_t none[1];

	assert_int_equal(nd_v8_positions_find(none, 0, 1, 5), 0);
	assert_int_equal(nd_v8_positions_find(NULL, 0, 1, 5), 0);
}

/* Cut anywhere, a table gives one of its positions, and the right one as far as it goes. */
static void test_find_in_cut_tables(void **state)
{
	struct nd_buf table;
	uint64_t got;
	size_t i;
	bool known;

	nd_buf_init(&table, 1000);
	encode(entries, COUNT, 2, &table);
	for (; table.len; table.len--) {
		got = find(&table, 2, 100000);
		known = got == 0;
		for (i = 0; i < COUNT; i++)
			known = known || got == entries[i].position;
		assert_true(known);
	}
	nd_buf_fini(&table);
}

/* Numbers of more than 64 bits, and distances that add up to more. */
static void test_find_in_overlong_tables(void **state)
{
	static const uint8_t endless[] = {0x81, 0x80, 0x80, 0x80, 0x80, 0x80,
					  0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	struct nd_buf table;
	int i;

	assert_int_equal(nd_v8_positions_find(endless, sizeof(endless), 1, 100), 0);
	assert_int_equal(nd_v8_positions_flags(endless, sizeof(endless), 1, 100),
			 ND_V8_FLAGS_MAX + 1);
	nd_buf_init(&table, 1000);
	add_vlq(&table, 0);
	add_vlq(&table, 4);
	for (i = 0; i < 4; i++) {
		add_vlq(&table, UINT64_MAX);
		add_vlq(&table, UINT64_MAX);
	}
	assert_int_equal(find(&table, 1, 0), 2);
	assert_int_equal(find(&table, 1, 1000000), 2);
	find(&table, 1, INT64_MAX);
	nd_buf_fini(&table);
}

static unsigned int flags_of(const struct nd_buf *table, unsigned int from, uint64_t code_size)
{
	return nd_v8_positions_flags((const uint8_t *)table->data, table->len, from, code_size);
}

static void test_tables_tell_their_flag_bits(void **state)
{
	struct nd_buf table;
	unsigned int bits;

	for (bits = ND_V8_FLAGS_MIN; bits <= ND_V8_FLAGS_MAX; bits++) {
		nd_buf_init(&table, 1000);
		encode(entries, COUNT, bits, &table);
		assert_int_equal(flags_of(&table, ND_V8_FLAGS_MIN, 100001), bits);
		/* One that fits is never lowered. */
		assert_int_equal(flags_of(&table, ND_V8_FLAGS_MAX, 100001), ND_V8_FLAGS_MAX);
		assert_int_equal(flags_of(&table, bits, 100000), bits + 1);
		assert_int_equal(flags_of(&table, ND_V8_FLAGS_MIN, 10), ND_V8_FLAGS_MAX + 1);
		/* A table that ends inside an entry is none. */
		table.len--;
		assert_int_equal(flags_of(&table, ND_V8_FLAGS_MIN, 100001), ND_V8_FLAGS_MAX + 1);
		nd_buf_fini(&table);
	}
	nd_buf_init(&table, 10);
	assert_int_equal(flags_of(&table, 1, 0), 1);
	nd_buf_fini(&table);
}

static void test_packed_positions(void **state)
{
	struct nd_v8_position position = nd_v8_position_unpack(0);

	assert_int_equal(position.offset, -1);
	assert_int_equal(position.inlining, -1);
	position = nd_v8_position_unpack(pack(0, -1));
	assert_int_equal(position.offset, 0);
	assert_int_equal(position.inlining, -1);
	position = nd_v8_position_unpack(pack((1 << 30) - 2, 0xfffe));
	assert_int_equal(position.offset, (1 << 30) - 2);
	assert_int_equal(position.inlining, 0xfffe);
	position = nd_v8_position_unpack(UINT64_MAX);
	assert_int_equal(position.offset, (1 << 30) - 2);
	assert_int_equal(position.inlining, 0xfffe);
}

static void test_inlinings(void **state)
{
	struct nd_buf table;
	uint64_t call = 77;
	int32_t function = 77, i;

	nd_buf_init(&table, 1000);
	for (i = 0; i < 3; i++) {
		uint64_t packed = pack(1000 + i, i - 1);
		int32_t words[2] = {i - 1, 0x55555555};

		nd_buf_add(&table, &packed, 8);
		nd_buf_add(&table, words, 8);
	}
	for (i = 0; i < 3; i++) {
		assert_true(
			nd_v8_inlining_get((uint8_t *)table.data, table.len, i, &call, &function));
		assert_int_equal(call, pack(1000 + i, i - 1));
		assert_int_equal(function, i - 1);
	}
	call = 77;
	assert_false(nd_v8_inlining_get((uint8_t *)table.data, table.len, 3, &call, &function));
	assert_false(nd_v8_inlining_get((uint8_t *)table.data, table.len - 1, 2, &call, &function));
	assert_false(nd_v8_inlining_get((uint8_t *)table.data, table.len, -1, &call, &function));
	assert_false(
		nd_v8_inlining_get((uint8_t *)table.data, table.len, INT32_MAX, &call, &function));
	assert_false(nd_v8_inlining_get(NULL, 0, 0, &call, &function));
	assert_int_equal(call, 77);
	nd_buf_fini(&table);
}

/* An imaginary interpreter: 0-3 are the prefixes, 4 has one operand, 5 two, 6 none. */
#define BYTECODES 7

static const uint8_t lengths[3 * BYTECODES] = {
	1, 1, 1, 1, 2, 3, 1, /* operands of one byte */
	1, 1, 1, 1, 3, 5, 1, /* of two */
	1, 1, 1, 1, 5, 9, 1, /* of four */
};

static const struct nd_v8_bytecode_sizes all_sizes = {.sizes = lengths, .count = BYTECODES};
static const struct nd_v8_bytecode_sizes no_sizes = {.sizes = lengths, .count = 0};

static const uint8_t bytecodes[] = {
	4, 0,			      /* 0 */
	0, 4, 1, 1,		      /* 2: wide */
	6,			      /* 6 */
	1, 5, 1, 1, 1, 1, 2, 2, 2, 2, /* 7: extra wide */
	2, 5, 1, 1, 2, 2,	      /* 17: debug wide */
	3, 4, 1, 1, 1, 1,	      /* 23: debug extra wide */
	5, 1, 2,		      /* 29 */
	6,			      /* 32 */
};

/* Machine code of the prologue and then of each bytecode. */
static const uint64_t advances[] = {20, 10, 300, 0, 5, 1, 20000, 4, 3};

static int64_t baseline(const struct nd_buf *table, size_t bytecodes_size, uint64_t pc)
{
	return nd_v8_baseline_offset((const uint8_t *)table->data, table->len, bytecodes,
				     bytecodes_size, &all_sizes, pc);
}

static void test_baseline_offsets(void **state)
{
	static const struct {
		uint64_t pc;
		int64_t offset;
	} wants[] = {
		{0, 0},	     {19, 0},	  {20, 0},     {29, 0},	    {30, 2},	      {329, 2},
		{330, 7},    {334, 7},	  {335, 17},   {336, 23},   {20335, 23},      {20336, 29},
		{20339, 29}, {20340, 32}, {20342, 32}, {20343, -1}, {UINT64_MAX, -1},
	};
	struct nd_buf table;
	size_t i;

	nd_buf_init(&table, 100);
	for (i = 0; i < sizeof(advances) / sizeof(advances[0]); i++)
		add_vlq(&table, advances[i]);
	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		assert_int_equal(baseline(&table, sizeof(bytecodes), wants[i].pc), wants[i].offset);
	nd_buf_fini(&table);
}

static void test_damaged_baseline_tables(void **state)
{
	static const uint8_t unknown[] = {4, 0, 7, 0};
	static const uint8_t lost[] = {0};
	struct nd_buf table;
	int i;

	nd_buf_init(&table, 1000);
	assert_int_equal(baseline(&table, sizeof(bytecodes), 0), -1);
	nd_buf_add_char(&table, (char)0x85); /* no end */
	assert_int_equal(baseline(&table, sizeof(bytecodes), 0), -1);
	nd_buf_reset(&table);
	add_vlq(&table, 20);
	assert_int_equal(baseline(&table, sizeof(bytecodes), 19), 0);
	assert_int_equal(baseline(&table, sizeof(bytecodes), 20), -1);
	/* More entries than bytecodes, bytecodes cut inside one and right behind a prefix. */
	for (i = 0; i < 100; i++)
		add_vlq(&table, 1);
	assert_int_equal(baseline(&table, sizeof(bytecodes), 27), 32);
	assert_int_equal(baseline(&table, sizeof(bytecodes), 28), -1);
	assert_int_equal(baseline(&table, 0, 20), -1);
	assert_int_equal(baseline(&table, 1, 20), 0);
	assert_int_equal(baseline(&table, 3, 20), 0);
	assert_int_equal(baseline(&table, 3, 21), 2);
	assert_int_equal(baseline(&table, 3, 22), -1);
	/* Bytecodes that are none, or have no length. */
	assert_int_equal(nd_v8_baseline_offset((uint8_t *)table.data, table.len, unknown,
					       sizeof(unknown), &all_sizes, 21),
			 2);
	assert_int_equal(nd_v8_baseline_offset((uint8_t *)table.data, table.len, unknown,
					       sizeof(unknown), &all_sizes, 22),
			 -1);
	assert_int_equal(nd_v8_baseline_offset((uint8_t *)table.data, table.len, lost, sizeof(lost),
					       &no_sizes, 21),
			 -1);
	/* Advances that add up to more than 64 bits. */
	nd_buf_reset(&table);
	for (i = 0; i < 4; i++)
		add_vlq(&table, UINT64_MAX / 2);
	assert_int_equal(baseline(&table, sizeof(bytecodes), UINT64_MAX), 2);
	nd_buf_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_at_before_and_after),
		cmocka_unit_test(test_find_in_nothing),
		cmocka_unit_test(test_find_in_cut_tables),
		cmocka_unit_test(test_find_in_overlong_tables),
		cmocka_unit_test(test_tables_tell_their_flag_bits),
		cmocka_unit_test(test_packed_positions),
		cmocka_unit_test(test_inlinings),
		cmocka_unit_test(test_baseline_offsets),
		cmocka_unit_test(test_damaged_baseline_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
