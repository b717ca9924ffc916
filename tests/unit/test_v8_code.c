/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/code.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/profile.h"
#include "common/buf.h"
#include "tests/unit/v8_heap.h"

#define ISOLATE 3

/* Where instructions begin, behind the words of their InstructionStream. */
#define STREAM_BYTES 32

/* What a script's functions are: f() with g() inlined, and h() into g(). */
#define SOURCE "f\ng\nh\n"

static struct heap h;
static struct nd_profile *profile;
static struct nd_v8_functions *functions;
static struct nd_v8_codes *codes;
static uint64_t stream_map;
static uint64_t shared[3]; /* f, g, h: each on its line */

static int setup(void **state)
{
	uint64_t script, none;
	char name[2] = "f";
	uint32_t i;

	heap_init(&h, "24.21.0");
	profile = nd_profile_new(false);
	functions = nd_v8_functions_new(&h.heap, NULL, profile);
	codes = nd_v8_codes_new(&h.heap, functions);
	assert_non_null(codes);
	none = new_object(&h, ODDBALL, 24);
	memcpy(&stream_map, heap_at(new_object(&h, h.heap.layout->stream_type, 8), 0), 8);
	script = new_script(&h, 7, "/a.js", SOURCE, 10);
	for (i = 0; i < 3; i++, name[0]++)
		shared[i] = new_function(&h, script, i,
					 new_scope_info(&h, new_string(&h, name), none,
							(int32_t)(2 * i), (int32_t)(2 * i + 1)));
	return 0;
}

static int teardown(void **state)
{
	nd_v8_codes_free(codes);
	nd_v8_functions_free(functions);
	nd_profile_free(profile);
	heap_fini(&h);
	return 0;
}

/* Instructions of `size` bytes, and the Code that describes them, which is returned. */
static uint64_t new_code(uint32_t kind, uint32_t size)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t code = new_object(&h, layout->code_type, 72);
	uint64_t stream = new_bytes(&h, STREAM_BYTES + size);

	put(stream, 0, stream_map);
	put(stream, 8, code);
	put(code, layout->code_start, stream - 1 + STREAM_BYTES);
	put_u32(code, layout->code_size, size);
	put_u32(code, layout->code_flags, kind);
	put(code, layout->code_positions, new_byte_array(&h, "", 0));
	return code;
}

static uint64_t start_of(uint64_t code)
{
	uint64_t start;

	memcpy(&start, heap_at(code, h.heap.layout->code_start), 8);
	return start;
}

/* Put Code in the place of another's, as V8 does with memory that became free. */
static void move_code(uint64_t code, uint64_t start)
{
	put(start - STREAM_BYTES + 1, 0, stream_map);
	put(start - STREAM_BYTES + 1, 8, code);
	put(code, h.heap.layout->code_start, start);
}

static uint32_t turbofan(void)
{
	return h.heap.layout->code_kind_baseline + 2;
}

static const struct nd_v8_code *find(uint64_t pc)
{
	nd_memory_forget(h.heap.memory);
	return nd_v8_codes_find(codes, ISOLATE, pc);
}

static uint64_t reads(void)
{
	struct nd_memory_stats stats;

	nd_memory_get_stats(h.heap.memory, &stats);
	return stats.reads;
}

static void test_find_by_any_pc(void **state)
{
	uint64_t before = new_code(turbofan(), 64), code = new_code(turbofan(), 20000);
	uint64_t after = new_code(turbofan(), 64), start = start_of(code);
	static const uint32_t offsets[] = {0, 1, 7, 8, 4096, 19999};
	const struct nd_v8_code *found;
	size_t i;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		found = find(start + offsets[i]);
		assert_non_null(found);
		assert_int_equal(found->object, code);
		assert_int_equal(found->start, start);
		assert_int_equal(found->end, start + 20000);
		assert_int_equal(found->kind, ND_V8_CODE_TURBOFAN);
	}
	assert_int_equal(find(start_of(before) + 63)->object, before);
	assert_int_equal(find(start_of(after))->object, after);
	/* Between the instructions are only the words of the streams. */
	assert_null(find(start - 1));
	assert_null(find(start - STREAM_BYTES));
	assert_null(find(start_of(after) - 8));
	assert_null(find(start_of(after) + 64));
}

static void test_find_where_there_is_none(void **state)
{
	uint64_t code = new_code(turbofan(), 64);

	new_bytes(&h, 3u << 20);
	/* Too far behind, not readable, at the ends of memory. */
	assert_null(find(start_of(code) + (2u << 20) + 4096));
	assert_null(find((uint64_t)(uintptr_t)h.bytes + HEAP_BYTES + 8));
	assert_null(find(0));
	assert_null(find(7));
	assert_null(find(UINT64_MAX));
}

static void test_known_code_is_not_searched_again(void **state)
{
	uint64_t code = new_code(h.heap.layout->code_kind_baseline, 100000), before;

	assert_non_null(find(start_of(code) + 99999));
	before = reads();
	assert_non_null(find(start_of(code) + 50000));
	assert_true(reads() - before <= 4);
}

static void test_code_that_became_other_code(void **state)
{
	uint64_t old = new_code(turbofan(), 1000), other = new_code(turbofan() - 1, 600);
	uint64_t start = start_of(old);

	assert_int_equal(find(start + 500)->object, old);
	move_code(other, start);
	assert_int_equal(find(start + 500)->object, other);
	assert_int_equal(find(start + 500)->kind, ND_V8_CODE_MAGLEV);
	assert_null(find(start + 700));
	/* What begins inside dead code takes its place. */
	move_code(old, start);
	assert_int_equal(find(start + 10)->object, old);
	put(start - STREAM_BYTES + 1, 0, smi(0));
	move_code(other, start + 256);
	assert_int_equal(find(start + 300)->object, other);
	assert_null(find(start + 10));
	assert_int_equal(find(start + 855)->object, other);
}

static void test_code_is_read_again_for_another_isolate(void **state)
{
	uint64_t code = new_code(turbofan(), 64);

	assert_int_equal(find(start_of(code))->isolate, ISOLATE);
	assert_int_equal(nd_v8_codes_find(codes, ISOLATE + 1, start_of(code))->isolate,
			 ISOLATE + 1);
	assert_int_equal(find(start_of(code))->isolate, ISOLATE);
}

static void test_kinds(void **state)
{
	static const struct {
		int after_baseline;
		enum nd_v8_code_kind kind;
	} wants[] = {{-2, ND_V8_CODE_OTHER}, {-1, ND_V8_CODE_INTERPRETED}, {0, ND_V8_CODE_BASELINE},
		     {1, ND_V8_CODE_MAGLEV}, {2, ND_V8_CODE_TURBOFAN},	   {3, ND_V8_CODE_OTHER}};
	uint32_t flags;
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		/* Other flags stand above. */
		flags = h.heap.layout->code_kind_baseline + (uint32_t)wants[i].after_baseline;
		assert_int_equal(find(start_of(new_code(flags | 0x70, 64)))->kind, wants[i].kind);
	}
}

static void test_streams_and_code_must_agree(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t code = new_code(turbofan(), 64), start = start_of(code);

	put(code, layout->code_start, start + 1024);
	assert_null(find(start + 10));
	put(code, layout->code_start, start);
	put(start - STREAM_BYTES + 1, 8, new_object(&h, ODDBALL, 72));
	assert_null(find(start + 10));
	put(start - STREAM_BYTES + 1, 8, code);
	put(start - STREAM_BYTES + 1, 0, stream_map + 8);
	assert_null(find(start + 10));
	put(start - STREAM_BYTES + 1, 0, stream_map);
	assert_non_null(find(start + 10));
}

/* Source position tables with `flag_bits`: at code offset 0 the position `packed`. */
static uint64_t new_positions(unsigned int flag_bits, uint64_t packed)
{
	char bytes[16];
	size_t n = 0;

	/* Offsets count from -1; positions are zigzag-coded. */
	bytes[n++] = (char)(1u << flag_bits);
	for (packed <<= 1; packed > 0x7f; packed >>= 7)
		bytes[n++] = (char)(0x80 | (packed & 0x7f));
	bytes[n++] = (char)packed;
	return new_byte_array(&h, bytes, n);
}

static uint64_t pack(int32_t offset, int32_t inlining)
{
	return (uint64_t)(inlining + 1) << 31 | (uint64_t)(offset + 1) << 1;
}

/* An inlining position: where the call was, and which of the inlined functions was called. */
struct inlining {
	uint64_t call;
	int32_t function;
	int32_t pad;
};

/* Optimized f(), with `inlined` functions g(), h(), ... in it. */
static uint64_t new_optimized(uint64_t positions, const struct inlining *inlinings, size_t count,
			      int32_t inlined)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t code = new_code(turbofan(), 256), deopt = new_array(&h, FIXED_ARRAY, 12);
	uint64_t literals = new_array(&h, FIXED_ARRAY, inlined);
	uint64_t wrapper = new_object(&h, ODDBALL, 24);
	int32_t i;

	put(wrapper, layout->wrapper_shared, shared[0]);
	put_element(&h, deopt, layout->deopt_shared, wrapper);
	put_element(&h, deopt, layout->deopt_inlined_count, smi(inlined));
	put_element(&h, deopt, layout->deopt_literals, literals);
	put_element(&h, deopt, layout->deopt_positions,
		    new_byte_array(&h, inlinings, count * sizeof(*inlinings)));
	for (i = 0; i < inlined && i < 2; i++)
		put_element(&h, literals, (uint32_t)i, weak(shared[1 + i]));
	put(code, layout->code_deopt_data, deopt);
	put(code, layout->code_positions, positions);
	return code;
}

static void add_call(void *arg, const struct nd_v8_function *function, struct nd_v8_place place,
		     bool inlined)
{
	nd_buf_addf(arg, "%s@%u%s ", function->name, place.line, inlined ? "i" : "");
}

/* The calls at the start of the code: "h@3i g@2i f@1 ". */
static void check_calls(uint64_t code, const char *want)
{
	const struct nd_v8_code *found = find(start_of(code));
	struct nd_buf text;
	bool ok;

	assert_non_null(found);
	nd_buf_init(&text, 10000);
	ok = nd_v8_codes_visit_calls(codes, found, start_of(code), add_call, &text);
	assert_string_equal(text.data, want);
	assert_int_equal(ok, *want != '\0');
	nd_buf_fini(&text);
}

static void test_calls(void **state)
{
	static const struct inlining none[1];
	struct inlining inlinings[3] = {
		{.call = pack(0, -1), .function = 0},  /* g() by f() */
		{.call = pack(2, 0), .function = 1},   /* h() by that */
		{.call = pack(0, -1), .function = -1}, /* f() by itself */
	};

	check_calls(new_optimized(new_positions(1, pack(0, -1)), none, 0, 0), "f@1 ");
	check_calls(new_optimized(new_positions(1, pack(2, 0)), inlinings, 3, 2), "g@2i f@1 ");
	check_calls(new_optimized(new_positions(1, pack(4, 1)), inlinings, 3, 2), "h@3i g@2i f@1 ");
	check_calls(new_optimized(new_positions(1, pack(0, 2)), inlinings, 3, 2), "f@1i f@1 ");
	/* Before the first position nothing is known but the function. */
	check_calls(new_optimized(new_byte_array(&h, "\x40\x02", 2), none, 0, 0), "f@0 ");
	check_calls(new_optimized(new_byte_array(&h, "", 0), none, 0, 0), "f@0 ");
}

/* Of code that stays, what could not be read is read again, but not for ever. */
static void test_functions_that_are_back_later(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	struct inlining inlining = {.call = pack(0, -1), .function = 0};
	uint64_t code = new_optimized(new_positions(1, pack(2, 0)), &inlining, 1, 1), name, before;

	memcpy(&name, heap_at(shared[1], layout->shared_name_or_scope_info), 8);
	put(shared[1], layout->shared_name_or_scope_info, stream_map);
	check_calls(code, "");
	put(shared[1], layout->shared_name_or_scope_info, name);
	check_calls(code, "g@2i f@1 ");
	code = new_code(turbofan(), 256);
	assert_null(find(start_of(code))->function);
	assert_null(find(start_of(code))->function);
	assert_null(find(start_of(code))->function);
	before = reads();
	assert_null(find(start_of(code))->function);
	assert_true(reads() - before <= 4);
}

static void test_calls_that_make_no_sense(void **state)
{
	struct inlining inlinings[3] = {
		{.call = pack(2, 1), .function = 0},
		{.call = pack(2, 0), .function = 0}, /* the two call each other */
		{.call = pack(0, -1), .function = 7},
	};
	uint64_t positions = new_positions(1, pack(2, 0));

	check_calls(new_optimized(positions, inlinings, 3, 2), "");
	check_calls(new_optimized(new_positions(1, pack(2, 2)), inlinings, 3, 2), "");
	check_calls(new_optimized(new_positions(1, pack(2, 3)), inlinings, 3, 2), "");
	inlinings[0].call = pack(0, -1);
	check_calls(new_optimized(positions, inlinings, 3, 2), "g@2i f@1 ");
	/* Fewer functions than the positions speak of, and none at all. */
	check_calls(new_optimized(new_positions(1, pack(4, 1)), inlinings, 3, 0), "");
	/* A place outside of the function it should be in. */
	check_calls(new_optimized(new_positions(1, pack(4, 0)), inlinings, 3, 2), "");
	inlinings[0].call = pack(4, -1);
	check_calls(new_optimized(positions, inlinings, 3, 2), "");
}

/* Let tables of another encoding vote, `count` of them. */
static void vote(unsigned int flag_bits, int count)
{
	uint8_t table[2] = {0, 0};

	table[0] = (uint8_t)(15u << flag_bits);
	while (count--)
		nd_v8_codes_check_table(codes, table, sizeof(table), 15);
}

static void test_tables_vote_on_their_encoding(void **state)
{
	static const uint8_t broken[] = {0x80};
	int i;

	assert_int_equal(nd_v8_codes_flag_bits(codes), 1);
	/* Two may be damaged, and empty ones say nothing. */
	vote(2, 2);
	for (i = 0; i < 100; i++)
		nd_v8_codes_check_table(codes, broken, 0, 15);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 1);
	vote(2, 1);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 2);
	/* Once many agreed, more must disagree, and agree with each other. */
	vote(2, 1600);
	vote(3, 99);
	for (i = 0; i < 99; i++)
		nd_v8_codes_check_table(codes, broken, 1, 15);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 2);
	vote(3, 1);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 3);
}

static void test_a_table_that_is_read_again_votes_once(void **state)
{
	uint64_t code = new_code(turbofan(), 15);
	int i;

	put(code, h.heap.layout->code_positions, new_byte_array(&h, "\x3c\0", 2));
	for (i = 0; i < 5; i++)
		assert_null(find(start_of(code))->function);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 1);
	vote(2, 1);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 1);
	vote(2, 1);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 2);
}

static void test_tables_that_fit_no_encoding(void **state)
{
	static const struct inlining none[1];
	static const uint8_t broken[] = {0x80};
	uint64_t code = new_optimized(new_positions(1, pack(0, -1)), none, 0, 0);
	int i;

	check_calls(code, "f@1 ");
	for (i = 0; i < 3; i++)
		nd_v8_codes_check_table(codes, broken, sizeof(broken), 15);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 0);
	check_calls(code, "");
	vote(1, 100);
	assert_int_equal(nd_v8_codes_flag_bits(codes), 0);
}

/* More code than is kept: what was forgotten is found again. */
static void test_more_code_than_is_kept(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t code = new_code(layout->code_kind_mask, 64), stream;
	int i;

	for (i = 0; i < 20000; i++) {
		stream = new_bytes(&h, STREAM_BYTES + 8);
		move_code(code, stream - 1 + STREAM_BYTES);
		assert_non_null(find(start_of(code)));
		assert_non_null(find(start_of(code) + 39));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_find_by_any_pc),
		TEST(test_find_where_there_is_none),
		TEST(test_known_code_is_not_searched_again),
		TEST(test_code_that_became_other_code),
		TEST(test_code_is_read_again_for_another_isolate),
		TEST(test_kinds),
		TEST(test_streams_and_code_must_agree),
		TEST(test_calls),
		TEST(test_functions_that_are_back_later),
		TEST(test_calls_that_make_no_sense),
		TEST(test_tables_vote_on_their_encoding),
		TEST(test_a_table_that_is_read_again_votes_once),
		TEST(test_tables_that_fit_no_encoding),
		TEST(test_more_code_than_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
