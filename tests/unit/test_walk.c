/* SPDX-License-Identifier: Apache-2.0 */

/* The frame walk of proto/walk.h, over stacks and heaps made by hand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/symbols/memory.h"
#include "common/buf.h"

#define ND_WALK_READ(arg, dst, size, addr) nd_memory_read(arg, addr, dst, size)
#include "proto/walk.h"

#define PAGE 4096

/* A stack that grows down from STACK_END, and a heap. */
#define STACK	  UINT64_C(0x7ff000000000)
#define STACK_END (STACK + 4 * PAGE)
#define HEAP	  UINT64_C(0x1000000)

/* Objects of the heap, and what their maps say. */
#define FUNCTION     (HEAP + 0x100)
#define SHARED	     (HEAP + 0x200)
#define SCRIPT	     (HEAP + 0x300)
#define FUNCTION_MAP (HEAP + 0x800)
#define SHARED_MAP   (HEAP + 0x900)
#define SCRIPT_MAP   (HEAP + 0xa00)
#define CONTEXT	     (HEAP + 0x400)

/* A function of the same script, and a third of another. */
#define FUNCTION_2 (HEAP + 0x600)
#define SHARED_2   (HEAP + 0x640)
#define FUNCTION_3 (HEAP + 0x680)
#define SHARED_3   (HEAP + 0x6c0)
#define SCRIPT_3   (HEAP + 0x700)

static const struct nd_walk_layout layout = {
	.js_function_first = 2000,
	.js_function_last = 2016,
	.shared_function_info = 300,
	.script = 170,
	.map_instance_type = 12,
	.function_shared = 24,
	.shared_script = 32,
	.shared_literal_id = 52,
	.script_id = 64,
	.function_bytes = 32,
	.shared_bytes = 56,
	.script_bytes = 72,
};

struct world {
	uint8_t stack[4 * PAGE];
	uint8_t heap[PAGE];
	struct nd_buf image;
	struct nd_memory *memory;
	struct nd_sample_frame frame;
	struct nd_walk_maps maps;
	struct nd_walk walk;
};

static void put(struct world *w, uint64_t addr, uint64_t value, size_t size)
{
	uint8_t *at = addr >= STACK ? w->stack + (addr - STACK) : w->heap + (addr - HEAP);

	memcpy(at, &value, size);
}

static void put_word(struct world *w, uint64_t addr, uint64_t value)
{
	put(w, addr, value, 8);
}

static void make_function(struct world *w, uint64_t function, uint64_t shared, uint64_t script,
			  uint32_t literal_id)
{
	put_word(w, function, FUNCTION_MAP + 1);
	put_word(w, function + 24, shared + 1);
	put_word(w, shared, SHARED_MAP + 1);
	put_word(w, shared + 32, script + 1);
	put(w, shared + 52, literal_id, 4);
}

static void make_script(struct world *w, uint64_t script, uint32_t id)
{
	put_word(w, script, SCRIPT_MAP + 1);
	put_word(w, script + 64, (uint64_t)id << 32);
}

static void make_heap(struct world *w)
{
	put(w, FUNCTION_MAP + 12, 2016, 2);
	put(w, SHARED_MAP + 12, 300, 2);
	put(w, SCRIPT_MAP + 12, 170, 2);
	make_script(w, SCRIPT, 7);
	make_script(w, SCRIPT_3, 8);
	make_function(w, FUNCTION, SHARED, SCRIPT, 3);
	make_function(w, FUNCTION_2, SHARED_2, SCRIPT, 4);
	make_function(w, FUNCTION_3, SHARED_3, SCRIPT_3, 5);
}

/* The frame at `fp`, called from a function whose frame is at `caller`. */
static void make_frame(struct world *w, uint64_t fp, uint64_t caller, uint64_t ret)
{
	put_word(w, fp, caller);
	put_word(w, fp + 8, ret);
}

static void make_js_frame(struct world *w, uint64_t fp, uint64_t caller, uint64_t ret)
{
	make_frame(w, fp, caller, ret);
	put_word(w, fp - 8, CONTEXT + 1);
	put_word(w, fp - 16, FUNCTION + 1);
	put_word(w, fp - 32, HEAP + 0x501);
	put_word(w, fp - 40, UINT64_C(99) << 32);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_heap(w);
	nd_buf_init(&w->image, 1 << 20);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	nd_memory_free(w->memory);
	nd_buf_fini(&w->image);
	free(w);
	return 0;
}

static void add_page(struct world *w, uint64_t addr, const uint8_t *data)
{
	nd_buf_add(&w->image, &addr, sizeof(addr));
	assert_int_equal(nd_buf_add(&w->image, data, PAGE), 0);
}

/* Begin at `sp` and `fp`. `pages` is how much of the stack can be read, from its lower end. */
static void start(struct world *w, uint64_t sp, uint64_t fp, int pages)
{
	int i;

	for (i = 0; i < pages; i++)
		add_page(w, STACK + (uint64_t)i * PAGE, w->stack + i * PAGE);
	add_page(w, HEAP, w->heap);
	w->memory = nd_memory_new_image(w->image.data, w->image.len);
	assert_non_null(w->memory);
	w->walk = (struct nd_walk){.pc = 0x1111, .fp = fp, .sp = sp, .end = 77};
}

static int step(struct world *w)
{
	memset(&w->frame, 0xa5, sizeof(w->frame));
	return nd_walk_step(w->memory, &layout, &w->maps, &w->walk, &w->frame);
}

static void check_native(const struct world *w, uint64_t pc)
{
	assert_int_equal(w->frame.pc, pc);
	assert_int_equal(w->frame.shared, 0);
	assert_int_equal(w->frame.script, 0);
	assert_int_equal(w->frame.script_id, 0);
	assert_int_equal(w->frame.literal_id, 0);
}

static void test_a_stack_to_its_root(void **state)
{
	struct world *w = *state;
	uint64_t a = STACK + 0x100, b = STACK + 0x200, c = STACK + 0x3000;

	make_js_frame(w, a, b, 0x2222);
	make_frame(w, b, c, 0x3333);
	put_word(w, b - 8, 2 * 17); /* a frame type */
	put_word(w, b - 16, FUNCTION + 1);
	make_frame(w, c, 0, 0x4444);
	start(w, STACK + 0x80, a, 4);

	assert_int_equal(step(w), 0);
	assert_int_equal(w->frame.pc, 0x1111);
	assert_int_equal(w->frame.shared, SHARED + 1);
	assert_int_equal(w->frame.script, SCRIPT + 1);
	assert_int_equal(w->frame.script_id, 7);
	assert_int_equal(w->frame.literal_id, 3);
	assert_int_equal(w->frame.marker, CONTEXT + 1);
	assert_int_equal(w->frame.bytecode_array, HEAP + 0x501);
	assert_int_equal(w->frame.bytecode_offset, UINT64_C(99) << 32);
	assert_int_equal(step(w), 0);
	check_native(w, 0x2222);
	assert_int_equal(w->frame.marker, 2 * 17);
	assert_int_equal(step(w), 0);
	check_native(w, 0x3333);
	assert_int_equal(w->walk.end, 77);
	assert_int_equal(step(w), 1);
	check_native(w, 0x4444);
	assert_int_equal(w->walk.end, ND_WALK_ROOT);
}

static void test_a_return_address_of_0_is_the_root(void **state)
{
	struct world *w = *state;

	make_frame(w, STACK + 0x100, STACK + 0x200, 0);
	start(w, STACK, STACK + 0x100, 4);
	assert_int_equal(step(w), 1);
	check_native(w, 0x1111);
	assert_int_equal(w->walk.end, ND_WALK_ROOT);
}

/* Change one word that the recognition depends on: the frame must not count as JavaScript. */
static void check_not_js(struct world *w, uint64_t addr, uint64_t value, size_t size)
{
	uint64_t fp = STACK + 0x100;

	make_js_frame(w, fp, STACK + 0x200, 0x2222);
	put(w, addr, value, size);
	start(w, STACK, fp, 4);
	assert_int_equal(step(w), 0);
	check_native(w, 0x1111);
}

static void test_no_context(void **state)
{
	check_not_js(*state, STACK + 0x100 - 8, 2 * 5, 8);
}

static void test_no_function(void **state)
{
	check_not_js(*state, STACK + 0x100 - 16, UINT64_C(5) << 32, 8);
}

static void test_a_weak_function(void **state)
{
	check_not_js(*state, STACK + 0x100 - 16, FUNCTION + 3, 8);
}

static void test_an_unreadable_function(void **state)
{
	check_not_js(*state, STACK + 0x100 - 16, 0x5001, 8);
}

static void test_a_function_at_the_top_of_memory(void **state)
{
	check_not_js(*state, STACK + 0x100 - 16, UINT64_MAX - 2, 8);
}

static void test_an_object_below_the_function_types(void **state)
{
	check_not_js(*state, FUNCTION_MAP + 12, 1999, 2);
}

static void test_an_object_above_the_function_types(void **state)
{
	check_not_js(*state, FUNCTION_MAP + 12, 2017, 2);
}

static void test_a_map_that_is_no_pointer(void **state)
{
	check_not_js(*state, FUNCTION, 0x4242, 8);
}

static void test_no_shared_function_info(void **state)
{
	check_not_js(*state, SHARED_MAP + 12, 301, 2);
}

static void test_a_function_without_script(void **state)
{
	struct world *w = *state;

	make_js_frame(w, STACK + 0x100, STACK + 0x200, 0x2222);
	put(w, SCRIPT_MAP + 12, 171, 2);
	start(w, STACK, STACK + 0x100, 4);
	assert_int_equal(step(w), 0);
	assert_int_equal(w->frame.shared, SHARED + 1);
	assert_int_equal(w->frame.script, 0);
	assert_int_equal(w->frame.script_id, 0);
	assert_int_equal(w->frame.literal_id, 0);
}

static void check_js(const struct world *w, uint64_t shared, uint32_t script_id,
		     uint32_t literal_id)
{
	assert_int_equal(w->frame.shared, shared + 1);
	assert_int_equal(w->frame.script_id, script_id);
	assert_int_equal(w->frame.literal_id, literal_id);
}

/* Begin to walk frames of these functions, from the leaf; above them is the root. */
static void walk_frames(struct world *w, const uint64_t *functions, int count)
{
	uint64_t fp = STACK + 0x100;
	int i;

	for (i = 0; i < count; i++, fp += 0x80) {
		make_js_frame(w, fp, fp + 0x80, 0x2222);
		put_word(w, fp - 16, functions[i] + 1);
	}
	make_frame(w, fp, 0, 0);
	start(w, STACK, STACK + 0x100, 4);
}

/* What is remembered of a frame's function must not become that of another. */
static void test_each_frame_has_its_own_function(void **state)
{
	const uint64_t functions[] = {FUNCTION, FUNCTION_2,  FUNCTION_2, FUNCTION_3,
				      FUNCTION, CONTEXT + 8, FUNCTION};
	struct world *w = *state;

	walk_frames(w, functions, 7);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED, 7, 3);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED_2, 7, 4);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED_2, 7, 4);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED_3, 8, 5);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED, 7, 3);
	assert_int_equal(step(w), 0);
	check_native(w, 0x2222);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED, 7, 3);
}

static void test_a_function_without_script_after_one_with(void **state)
{
	const uint64_t functions[] = {FUNCTION_3, FUNCTION, FUNCTION_3};
	struct world *w = *state;

	put_word(w, SHARED + 32, CONTEXT + 1);
	put_word(w, CONTEXT, SHARED_MAP + 1);
	walk_frames(w, functions, 3);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED_3, 8, 5);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED, 0, 0);
	assert_int_equal(w->frame.script, 0);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED_3, 8, 5);
}

/* The maps of one walk serve the next, which does not read them; other maps it does. */
static void test_maps_are_remembered(void **state)
{
	const uint64_t functions[] = {FUNCTION, FUNCTION_2};
	struct world *w = *state;

	put_word(w, FUNCTION_2, SHARED_MAP + 1);
	w->maps = (struct nd_walk_maps){.function = {0, 0, 0, HEAP + 0xb01},
					.shared = HEAP + 0xc01,
					.script = HEAP + 0xd01};
	put_word(w, FUNCTION, HEAP + 0xb01);
	put_word(w, SHARED, HEAP + 0xc01);
	put_word(w, SCRIPT, HEAP + 0xd01);
	walk_frames(w, functions, 2);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED, 7, 3);
	assert_int_equal(step(w), 0);
	check_native(w, 0x2222);
}

static void test_maps_are_learnt(void **state)
{
	const uint64_t functions[] = {FUNCTION};
	struct world *w = *state;

	walk_frames(w, functions, 1);
	assert_int_equal(step(w), 0);
	assert_int_equal(w->maps.function[0], FUNCTION_MAP + 1);
	assert_int_equal(w->maps.shared, SHARED_MAP + 1);
	assert_int_equal(w->maps.script, SCRIPT_MAP + 1);
}

/* More kinds of functions than are remembered. */
static void test_many_function_maps(void **state)
{
	uint64_t functions[3 * ND_WALK_FUNCTION_MAPS];
	struct world *w = *state;
	int i, count = 3 * ND_WALK_FUNCTION_MAPS;

	for (i = 0; i < count; i++) {
		functions[i] = HEAP + 0xb00 + (uint64_t)i * 0x20;
		put_word(w, functions[i], HEAP + 0xd01 + (uint64_t)i * 0x10);
		put(w, HEAP + 0xd00 + (uint64_t)i * 0x10 + 12, i == 7 ? 300 : 2000, 2);
		put_word(w, functions[i] + 24, SHARED + 1);
	}
	walk_frames(w, functions, count);
	for (i = 0; i < count; i++) {
		assert_int_equal(step(w), 0);
		assert_int_equal(w->frame.shared, i == 7 ? 0 : SHARED + 1);
	}
}

/* Nothing is read behind the fields that are needed: memory may end there. */
static void test_a_function_at_the_end_of_memory(void **state)
{
	const uint64_t end = HEAP + PAGE;
	const uint64_t functions[] = {end - 32};
	struct world *w = *state;

	make_function(w, end - 32, SHARED, SCRIPT, 3);
	walk_frames(w, functions, 1);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED, 7, 3);
}

static void test_a_shared_at_the_end_of_memory(void **state)
{
	const uint64_t end = HEAP + PAGE;
	const uint64_t functions[] = {FUNCTION};
	struct world *w = *state;

	make_function(w, FUNCTION, end - 56, SCRIPT, 3);
	walk_frames(w, functions, 1);
	assert_int_equal(step(w), 0);
	check_js(w, end - 56, 7, 3);
}

static void test_a_script_at_the_end_of_memory(void **state)
{
	const uint64_t end = HEAP + PAGE;
	const uint64_t functions[] = {FUNCTION};
	struct world *w = *state;

	make_script(w, end - 72, 9);
	make_function(w, FUNCTION, SHARED, end - 72, 3);
	walk_frames(w, functions, 1);
	assert_int_equal(step(w), 0);
	check_js(w, SHARED, 9, 3);
}

static void test_without_layout_nothing_is_js(void **state)
{
	static const struct nd_walk_layout none;
	struct world *w = *state;

	make_js_frame(w, STACK + 0x100, STACK + 0x200, 0x2222);
	start(w, STACK, STACK + 0x100, 4);
	assert_int_equal(nd_walk_step(w->memory, &none, &w->maps, &w->walk, &w->frame), 0);
	check_native(w, 0x1111);
	assert_int_equal(w->frame.marker, CONTEXT + 1);
}

static void check_end(struct world *w, uint32_t end)
{
	assert_int_equal(step(w), 1);
	check_native(w, w->frame.pc);
	assert_int_equal(w->walk.end, end);
}

static void test_an_unreadable_frame(void **state)
{
	struct world *w = *state;

	make_frame(w, STACK + 0x100, STACK + 3 * PAGE, 0x2222);
	start(w, STACK, STACK + 0x100, 3);
	assert_int_equal(step(w), 0);
	check_end(w, ND_WALK_UNREADABLE);
	assert_int_equal(w->frame.pc, 0x2222);
}

/* Its caller's frame pointer is there, the return address is not. */
static void test_a_frame_that_is_partly_there(void **state)
{
	struct world *w = *state;

	start(w, STACK, STACK + 3 * PAGE - 8, 3);
	check_end(w, ND_WALK_UNREADABLE);
}

static void test_a_frame_that_is_its_own_caller(void **state)
{
	struct world *w = *state;

	make_frame(w, STACK + 0x100, STACK + 0x100, 0x2222);
	start(w, STACK, STACK + 0x100, 4);
	assert_int_equal(step(w), 0);
	check_end(w, ND_WALK_BAD_FRAME);
	assert_int_equal(w->frame.pc, 0x2222);
}

static void test_a_frame_below_its_callee(void **state)
{
	struct world *w = *state;

	make_frame(w, STACK + 0x200, STACK + 0x100, 0x2222);
	make_frame(w, STACK + 0x100, STACK + 0x200, 0x3333);
	start(w, STACK, STACK + 0x200, 4);
	assert_int_equal(step(w), 0);
	check_end(w, ND_WALK_BAD_FRAME);
}

static void test_a_frame_pointer_below_the_stack_pointer(void **state)
{
	struct world *w = *state;

	make_frame(w, STACK + 0x100, STACK + 0x200, 0x2222);
	start(w, STACK + 0x108, STACK + 0x100, 4);
	check_end(w, ND_WALK_BAD_FRAME);
}

static void test_a_frame_pointer_that_is_not_aligned(void **state)
{
	struct world *w = *state;

	start(w, STACK, STACK + 0x104, 4);
	check_end(w, ND_WALK_BAD_FRAME);
}

static void test_the_largest_frame(void **state)
{
	struct world *w = *state;
	uint64_t fp = STACK + 0x100;

	make_frame(w, fp, 0, 0x2222);
	start(w, fp - ND_WALK_FRAME_MAX, fp, 4);
	assert_int_equal(step(w), 0);
	check_end(w, ND_WALK_ROOT);
}

static void test_a_frame_that_is_too_large(void **state)
{
	struct world *w = *state;

	make_frame(w, STACK + 0x100, 0, 0x2222);
	start(w, STACK + 0x100 - ND_WALK_FRAME_MAX - 8, STACK + 0x100, 4);
	check_end(w, ND_WALK_BAD_FRAME);
}

static void test_a_frame_pointer_at_the_ends_of_memory(void **state)
{
	struct world *w = *state;

	start(w, 0, 8, 4);
	check_end(w, ND_WALK_UNREADABLE);
	w->walk = (struct nd_walk){.pc = 1, .fp = UINT64_MAX - 7, .sp = UINT64_MAX - 15};
	check_end(w, ND_WALK_UNREADABLE);
}

/* However frames are linked, each step goes up by 16 at least: a walk cannot go on for ever. */
static void test_every_walk_ends(void **state)
{
	struct world *w = *state;
	uint64_t fp;
	int steps = 1;

	for (fp = STACK + 0x100; fp < STACK_END - 16; fp += 8)
		make_frame(w, fp, fp + 16, 0x2222);
	start(w, STACK, STACK + 0x100, 4);
	while (!step(w))
		steps++;
	assert_true(steps <= 4 * PAGE / 16);
	assert_int_not_equal(w->walk.end, ND_WALK_TRUNCATED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_stack_to_its_root),
		TEST(test_a_return_address_of_0_is_the_root),
		TEST(test_no_context),
		TEST(test_no_function),
		TEST(test_a_weak_function),
		TEST(test_an_unreadable_function),
		TEST(test_a_function_at_the_top_of_memory),
		TEST(test_an_object_below_the_function_types),
		TEST(test_an_object_above_the_function_types),
		TEST(test_a_map_that_is_no_pointer),
		TEST(test_no_shared_function_info),
		TEST(test_a_function_without_script),
		TEST(test_each_frame_has_its_own_function),
		TEST(test_a_function_without_script_after_one_with),
		TEST(test_maps_are_remembered),
		TEST(test_maps_are_learnt),
		TEST(test_many_function_maps),
		TEST(test_a_function_at_the_end_of_memory),
		TEST(test_a_shared_at_the_end_of_memory),
		TEST(test_a_script_at_the_end_of_memory),
		TEST(test_without_layout_nothing_is_js),
		TEST(test_an_unreadable_frame),
		TEST(test_a_frame_that_is_partly_there),
		TEST(test_a_frame_that_is_its_own_caller),
		TEST(test_a_frame_below_its_callee),
		TEST(test_a_frame_pointer_below_the_stack_pointer),
		TEST(test_a_frame_pointer_that_is_not_aligned),
		TEST(test_the_largest_frame),
		TEST(test_a_frame_that_is_too_large),
		TEST(test_a_frame_pointer_at_the_ends_of_memory),
		TEST(test_every_walk_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
