/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/function.h"

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

static struct heap h;
static struct nd_profile *profile;
static struct nd_v8_functions *functions;
static struct nd_v8_files files;

static void start(const char *version)
{
	heap_init(&h, version);
	profile = nd_profile_new(false);
	functions = nd_v8_functions_new(&h.heap, &files, profile);
	assert_non_null(functions);
}

static int setup(void **state)
{
	files = (struct nd_v8_files){0};
	start("24.21.0");
	return 0;
}

static int setup_22(void **state)
{
	start("22.23.3");
	return 0;
}

static int teardown(void **state)
{
	nd_v8_functions_free(functions);
	nd_profile_free(profile);
	heap_fini(&h);
	return 0;
}

static struct nd_v8_function *get(uint64_t shared)
{
	nd_memory_forget(h.heap.memory);
	return nd_v8_functions_get_shared(functions, ISOLATE, shared);
}

/* "name (file:line:column)" of a function's frame. */
static const char *describe(const struct nd_v8_function *function)
{
	static char text[4096];
	const struct nd_frame *frame;
	uint32_t count;

	if (!function)
		return "-";
	frame = &nd_profile_frames(profile, &count)[function->frame];
	snprintf(text, sizeof(text), "%s (%s:%u:%u)", frame->name, frame->file, frame->line,
		 frame->column);
	return text;
}

static void check(uint64_t shared, const char *want)
{
	assert_string_equal(describe(get(shared)), want);
}

static uint64_t losses(enum nd_loss loss)
{
	return nd_profile_get_loss(profile, loss);
}

static void test_names(void **state)
{
	uint64_t script = new_script(&h, 7, "/a.js", "let a;\nfunction f() {}\n", 10);
	uint64_t none = new_object(&h, ODDBALL, 24), empty = new_string(&h, "");
	uint64_t f = new_string(&h, "f"), obj_f = new_string(&h, "obj.f");

	check(new_function(&h, script, 0, new_scope_info(&h, f, none, 7, 20)), "f (/a.js:2:1)");
	check(new_function(&h, script, 1, new_scope_info(&h, empty, obj_f, 9, 20)),
	      "obj.f (/a.js:2:3)");
	check(new_function(&h, script, 2, new_scope_info(&h, f, obj_f, 8, 20)), "f (/a.js:2:2)");
	check(new_function(&h, script, 3, new_scope_info(&h, empty, none, 4, 20)),
	      "(anonymous) (/a.js:1:5)");
	check(new_function(&h, script, 4, new_scope_info(&h, smi(0), none, 0, 0)),
	      "(anonymous) (/a.js:1:1)");
	/* Not compiled yet: no scope, and no place either. */
	check(new_function(&h, script, 5, new_string(&h, "lazy")), "lazy (/a.js:0:0)");
	check(new_function(&h, script, 6, smi(0)), "(anonymous) (/a.js:0:0)");
	/* A name that begins with a NUL would be none. */
	put_u32(f, h.heap.layout->string_chars, 0);
	check(new_function(&h, script, 7, new_scope_info(&h, f, none, 5, 20)),
	      "(anonymous) (/a.js:1:6)");
}

/* Behind the ScopeInfo of a nameless function the next object begins, perhaps with strings. */
static void test_names_of_neighbours_are_not_taken(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t script = new_script(&h, 7, "/a.js", "x", 10), wrong = new_string(&h, "wrong");
	uint64_t none = new_object(&h, ODDBALL, 24), empty = new_string(&h, ""), info;
	uint32_t first = layout->scope_info_slots + 8 * layout->scope_info_first;
	uint32_t i;

	info = new_scope_info(&h, empty, none, 0, 1);
	for (i = layout->scope_info_positions_fixed ? 3 : 5; i < 8; i++)
		put(info, first + 8 * i, wrong);
	check(new_function(&h, script, 0, info), "(anonymous) (/a.js:1:1)");
	/* The scope of an eval has no names at all: its outer scope follows. */
	if (!layout->scope_info_positions_fixed)
		return;
	info = new_scope_info(&h, info, wrong, 0, 1);
	check(new_function(&h, script, 1, info), "(anonymous) (/a.js:1:1)");
}

static void test_locals_stand_before_the_name(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t script = new_script(&h, 7, "/a.js", "x\ny", 10);
	uint32_t base = layout->scope_info_slots, first = layout->scope_info_first;
	static const int32_t counts[] = {1, 74, 75, 3000};
	uint64_t info;
	uint32_t i, at;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		/* Two slots each, or a table of names and one. */
		at = first + (uint32_t)(counts[i] < 75 ? 2 * counts[i] : 1 + counts[i]);
		info = new_object(&h, layout->scope_info_type, base + 8 * (at + 8));
		put(info, base + 8 * layout->scope_info_locals, smi(counts[i]));
		put(info, base + 8 * 3, smi(2));
		put(info, base + 8 * 4, smi(3));
		put(info, base + 8 * at, new_string(&h, "found"));
		put(info, base + 8 * (at + 1), smi(-1));
		check(new_function(&h, script, i, info), "found (/a.js:2:1)");
	}
	put(info, base + 8 * layout->scope_info_locals, smi(-1));
	check(new_function(&h, script, 8, info), "-");
	put(info, base + 8 * layout->scope_info_locals, smi(INT32_MAX));
	check(new_function(&h, script, 9, info), "-");
}

static void test_places_that_make_no_sense(void **state)
{
	uint64_t script = new_script(&h, 7, "/a.js", "x\ny", 10), f = new_string(&h, "f");
	uint64_t none = new_object(&h, ODDBALL, 24), info = new_scope_info(&h, f, none, 3, 2);
	const struct nd_v8_layout *layout = h.heap.layout;

	check(new_function(&h, script, 0, info), "f (/a.js:0:0)");
	check(new_function(&h, script, 1, new_scope_info(&h, f, none, -5, 2)), "f (/a.js:0:0)");
	put(info, layout->scope_info_slots + 8 * 3, f);
	check(new_function(&h, script, 2, info), "f (/a.js:0:0)");
}

static void test_flushed_functions(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t script = new_script(&h, 7, "/a.js", "x\nyz", 10), shared, data;
	uint32_t i;

	for (i = 0; i < 4; i++) {
		data = new_object(&h, layout->uncompiled_types[i], 48);
		put(data, layout->uncompiled_inferred_name, new_string(&h, "inferred"));
		put_u32(data, layout->uncompiled_start, 3);
		put_u32(data, layout->uncompiled_start + 4, 4);
		shared = new_function(&h, script, i, i ? smi(0) : new_string(&h, "named"));
		/* In either of the two words. */
		put(shared, layout->shared_function_data + (i & 1 ? 8 : 0), data);
		check(shared, i ? "inferred (/a.js:2:2)" : "named (/a.js:2:2)");
	}
}

static void test_builtins_have_no_script(void **state)
{
	uint64_t map = new_function(&h, smi(0), 0, new_string(&h, "map"));
	struct nd_v8_function *function = get(map);
	uint32_t count;

	assert_string_equal(describe(function), "map (:0:0)");
	assert_null(function->script);
	assert_int_equal(nd_profile_frames(profile, &count)[function->frame].kind,
			 ND_FRAME_BUILTIN);
	assert_ptr_equal(get(map), function);
	assert_int_equal(nd_v8_function_locate(function, 3).line, 0);
}

static void test_functions_are_read_once(void **state)
{
	uint64_t script = new_script(&h, 7, "/a.js", "x", 10), none = new_object(&h, ODDBALL, 24);
	uint64_t f =
		new_function(&h, script, 4, new_scope_info(&h, new_string(&h, "f"), none, 0, 1));
	struct nd_v8_identity identity = {
		.shared = f, .script = script, .script_id = 7, .literal_id = 4};
	struct nd_v8_function *function = get(f);

	assert_non_null(function);
	/* Even when the object is garbage by now, and nothing else. */
	memset(heap_at(f, 0), 0xff, 96);
	nd_memory_forget(h.heap.memory);
	assert_ptr_equal(nd_v8_functions_get(functions, ISOLATE, &identity), function);
	assert_null(nd_v8_functions_get(functions, ISOLATE + 1, &identity));
	identity.literal_id = 5;
	assert_null(nd_v8_functions_get(functions, ISOLATE, &identity));
	assert_int_equal(losses(ND_LOSS_JS_STALE), 2);
}

static void test_a_function_that_moved_is_found_by_its_script(void **state)
{
	uint64_t script = new_script(&h, 7, "/a.js", "x", 10), none = new_object(&h, ODDBALL, 24);
	uint64_t f =
		new_function(&h, script, 4, new_scope_info(&h, new_string(&h, "f"), none, 0, 1));
	struct nd_v8_identity identity = {.shared = new_object(&h, ODDBALL, 96),
					  .script = script,
					  .script_id = 7,
					  .literal_id = 4};

	nd_memory_forget(h.heap.memory);
	assert_string_equal(describe(nd_v8_functions_get(functions, ISOLATE, &identity)),
			    "f (/a.js:1:1)");
	/* But another function at its old place is another function. */
	identity.shared = f;
	identity.literal_id = 5;
	assert_null(nd_v8_functions_get(functions, ISOLATE, &identity));
	identity.literal_id = 4;
	identity.script_id = 8;
	assert_null(nd_v8_functions_get(functions, ISOLATE, &identity));
	assert_int_equal(losses(ND_LOSS_JS_STALE), 2);
}

/* The page with the function was read before the collector moved what it leads to. */
static void test_what_moves_while_it_is_read_is_named_later(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t script = new_script(&h, 7, "/a.js", "x\ny", 10),
		 none = new_object(&h, ODDBALL, 24);
	uint64_t f = new_string(&h, "f"), info = new_scope_info(&h, f, none, 2, 3), shared;
	struct nd_v8_identity identity = {.script = script, .script_id = 7, .literal_id = 4};

	shared = new_function(&h, script, 4, info);
	identity.shared = shared;
	put(shared, layout->shared_name_or_scope_info, new_string(&h, "there"));
	nd_memory_forget(h.heap.memory);
	assert_int_equal(nd_v8_instance_type(&h.heap, shared), layout->shared_type);
	put(shared, layout->shared_name_or_scope_info, info);
	assert_null(nd_v8_functions_get(functions, ISOLATE, &identity));
	assert_int_equal(losses(ND_LOSS_JS_STALE), 1);
	assert_string_equal(describe(nd_v8_functions_get(functions, ISOLATE, &identity)),
			    "f (/a.js:2:1)");
}

static void test_scripts_that_move_while_they_are_read(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	struct nd_v8_scripts *scripts = nd_v8_scripts_new(&h.heap, NULL);
	uint64_t script = new_script(&h, 7, "/a.js", "x", 10), name;

	memcpy(&name, heap_at(script, layout->script_name), 8);
	put(script, layout->script_name, new_string(&h, "wrong"));
	nd_memory_forget(h.heap.memory);
	assert_int_equal(nd_v8_instance_type(&h.heap, script), layout->script_type);
	put(script, layout->script_name, name);
	assert_null(nd_v8_scripts_get(scripts, ISOLATE, script));
	assert_string_equal(nd_v8_script_get_url(nd_v8_scripts_get(scripts, ISOLATE, script)),
			    "/a.js");
	nd_v8_scripts_free(scripts);
}

static void test_functions_that_their_script_does_not_list(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t script = new_script(&h, 7, "/a.js", "x", 10), shared = 0, list;
	uint32_t i;

	memcpy(&list, heap_at(script, layout->script_shared_functions), 8);
	for (i = 0; i < 8; i++) {
		assert_true(nd_v8_functions_fit(functions));
		shared = new_function(&h, script, i, new_string(&h, "f"));
		put_element(&h, list, i, weak(new_object(&h, ODDBALL, 24)));
		check(shared, "-");
	}
	assert_false(nd_v8_functions_fit(functions));
	/* Those that are listed speak for the layout again. */
	for (i = 0; i < 9; i++) {
		put_element(&h, list, 7, weak(shared));
		check(shared, "f (/a.js:0:0)");
	}
	assert_true(nd_v8_functions_fit(functions));
	check(new_function(&h, script, 9, 0) + 2, "-");
	check(smi(3), "-");
	check(script, "-");
}

static void test_evals_are_named_after_their_callers(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t none = new_object(&h, ODDBALL, 24), f = new_string(&h, "f"), outer, inner, script;

	script = new_script(&h, 7, "/a.js", "\n\nfunction", 10);
	outer = new_function(&h, script, 0,
			     new_scope_info(&h, new_string(&h, "outer"), none, 2, 9));
	script = new_script(&h, 8, NULL, "one\ntwo", 10);
	put(script, layout->script_eval_from, outer);
	inner = new_function(&h, script, 0, new_scope_info(&h, f, none, 4, 7));
	check(inner, "f (eval at outer (/a.js:3):2:1)");
	script = new_script(&h, 9, NULL, "x", 10);
	put(script, layout->script_eval_from, inner);
	check(new_function(&h, script, 0, new_scope_info(&h, f, none, 0, 1)),
	      "f (eval at f (eval at outer (/a.js:3):2):1:1)");
	/* Made by nobody known, or by a builtin. */
	check(new_function(&h, new_script(&h, 10, NULL, "x", 10), 0,
			   new_scope_info(&h, f, none, 0, 1)),
	      "f (eval:1:1)");
	/* A name that cannot be read is not the lack of one. */
	script = new_script(&h, 11, NULL, "x", 10);
	put(script, layout->script_name, (uint64_t)(uintptr_t)(h.bytes + HEAP_BYTES) + 1);
	check(new_function(&h, script, 0, new_scope_info(&h, f, none, 0, 1)), "-");
}

/* Two scripts, each evaluated by a function of the other. */
static void test_evals_that_made_each_other(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t none = new_object(&h, ODDBALL, 24), f = new_string(&h, "f");
	uint64_t a = new_script(&h, 7, NULL, "x", 10), b = new_script(&h, 8, NULL, "x", 10);
	uint64_t in_a = new_function(&h, a, 0, new_scope_info(&h, f, none, 0, 1));
	uint64_t in_b = new_function(&h, b, 0, new_scope_info(&h, f, none, 0, 1));

	put(a, layout->script_eval_from, in_b);
	put(b, layout->script_eval_from, in_a);
	assert_non_null(strstr(describe(get(in_a)), "f (eval at f (eval"));
}

static void test_lines_of_every_kind(void **state)
{
	static const char text[] = "a\nb\rc\r\nq\n\re\r";
	static const struct {
		int32_t offset;
		uint32_t line;
		uint32_t column;
	} wants[] = {{-1, 0, 0}, {0, 1, 1}, {1, 1, 2}, {2, 2, 1},  {3, 2, 2},  {4, 3, 1}, {6, 3, 3},
		     {7, 4, 1},	 {8, 4, 2}, {9, 5, 1}, {10, 6, 1}, {11, 6, 2}, {12, 7, 1}};
	uint64_t none = new_object(&h, ODDBALL, 24), script = new_script(&h, 7, "/a.js", text, 1);
	struct nd_v8_function *function = get(
		new_function(&h, script, 0, new_scope_info(&h, new_string(&h, "f"), none, 0, 12)));
	struct nd_v8_place place;
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		place = nd_v8_function_locate(function, wants[i].offset);
		assert_int_equal(place.line, wants[i].line);
		assert_int_equal(place.column, wants[i].column);
	}
	assert_true(nd_v8_function_contains(function, 0));
	assert_true(nd_v8_function_contains(function, 12));
	assert_false(nd_v8_function_contains(function, 13));
	assert_false(nd_v8_function_contains(function, -1));
}

static void test_a_text_that_cannot_be_read(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t none = new_object(&h, ODDBALL, 24), f = new_string(&h, "f");
	uint64_t script = new_script(&h, 7, "/a.js", "x\ny", 10);

	put(script, layout->script_source, none);
	check(new_function(&h, script, 0, new_scope_info(&h, f, none, 2, 3)), "f (/a.js:0:0)");
	check(new_function(&h, script, 1, new_scope_info(&h, f, none, 0, 1)), "f (/a.js:0:0)");
}

/* {"version":3,"sources":["a.ts"],"mappings":"AAEA;AACA"}: lines 1 and 2 came from 3 and 4. */
static int read_map(void *arg, const char *path, struct nd_buf *out)
{
	assert_string_equal(path, "/app/a.js.map");
	return nd_buf_add_str(out, "{\"version\":3,\"sources\":[\"a.ts\"],"
				   "\"mappings\":\"AAEA;AACA\"}");
}

static void test_source_maps(void **state)
{
	uint64_t none = new_object(&h, ODDBALL, 24), script;
	struct nd_v8_function *function;

	nd_v8_functions_free(functions);
	files.read = read_map;
	functions = nd_v8_functions_new(&h.heap, &files, profile);
	script = new_script(&h, 7, "/app/a.js", "f\ng\n//# sourceMappingURL=a.js.map", 10);
	function = get(
		new_function(&h, script, 0, new_scope_info(&h, new_string(&h, "g"), none, 2, 3)));
	assert_string_equal(describe(function), "g (/app/a.ts:4:1)");
	assert_int_equal(nd_v8_function_locate(function, 0).line, 3);
}

static void test_bytecode(void **state)
{
	const struct nd_v8_layout *layout = h.heap.layout;
	uint64_t none = new_object(&h, ODDBALL, 24), script = new_script(&h, 7, "/a.js", "x", 1);
	struct nd_v8_function *function = get(
		new_function(&h, script, 0, new_scope_info(&h, new_string(&h, "f"), none, 0, 1)));
	uint64_t array = new_object(&h, layout->bytecode_type, layout->bytecode_data + 4);
	const struct nd_v8_bytecode *bytecode;

	put(array, layout->bytecode_length, smi(4));
	put(array, layout->bytecode_positions, new_byte_array(&h, "\1\2", 2));
	memcpy(heap_at(array, layout->bytecode_data), "code", 4);
	/* What is none is not taken for the function's. */
	nd_memory_forget(h.heap.memory);
	bytecode = nd_v8_function_bytecode(functions, function, none);
	assert_int_equal(bytecode->code_size, 0);
	bytecode = nd_v8_function_bytecode(functions, function, array);
	assert_int_equal(bytecode->code_size, 4);
	assert_memory_equal(bytecode->code, "code", 4);
	assert_int_equal(bytecode->positions_size, 2);
	assert_memory_equal(bytecode->positions, "\1\2", 2);
	/* And is read once. */
	put(array, layout->bytecode_length, smi(3));
	nd_memory_forget(h.heap.memory);
	assert_int_equal(nd_v8_function_bytecode(functions, function, array)->code_size, 4);
}

#define TEST(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_22(name) cmocka_unit_test_setup_teardown(name, setup_22, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST_22(test_names),
		TEST(test_names_of_neighbours_are_not_taken),
		TEST_22(test_names_of_neighbours_are_not_taken),
		TEST(test_locals_stand_before_the_name),
		TEST(test_places_that_make_no_sense),
		TEST(test_flushed_functions),
		TEST(test_builtins_have_no_script),
		TEST(test_functions_are_read_once),
		TEST(test_a_function_that_moved_is_found_by_its_script),
		TEST(test_what_moves_while_it_is_read_is_named_later),
		TEST(test_scripts_that_move_while_they_are_read),
		TEST(test_functions_that_their_script_does_not_list),
		TEST(test_evals_are_named_after_their_callers),
		TEST(test_evals_that_made_each_other),
		TEST(test_lines_of_every_kind),
		TEST(test_a_text_that_cannot_be_read),
		TEST(test_source_maps),
		TEST(test_bytecode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
