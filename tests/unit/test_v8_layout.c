/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "proto/sample.h"
#include "tests/tools/v8_fixture.h"

/* Constants of a binary, to be changed before the layout is derived. */
#define CONSTANTS_MAX 1024

struct constants {
	struct {
		char name[128];
		int value;
	} list[CONSTANTS_MAX];
	size_t count;
	struct nd_v8_version version;
};

static const char *const versions[] = {"18.20.8", "20.20.2", "22.23.3",
				       "24.21.0", "25.9.0",  "26.10.0"};

#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static const char *path_of(const char *version)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/v8dbg-%s.txt", ND_TEST_DATA, version);
	return path;
}

static void read_constants(const char *version, struct constants *ret)
{
	FILE *f = fopen(path_of(version), "re");
	char line[2048];

	assert_non_null(f);
	memset(ret, 0, sizeof(*ret));
	while (fgets(line, sizeof(line), f)) {
		assert_true(ret->count < CONSTANTS_MAX);
		if (sscanf(line, "v8 %d.%d.%d.%d", &ret->version.major, &ret->version.minor,
			   &ret->version.build, &ret->version.patch) != 4 &&
		    strncmp(line, "bytecode_sizes ", 15) != 0 &&
		    sscanf(line, "%127s %d", ret->list[ret->count].name,
			   &ret->list[ret->count].value) == 2)
			ret->count++;
	}
	fclose(f);
	assert_true(ret->count > 400);
}

static int derive(const struct constants *from, struct nd_v8_layout *ret_layout, struct nd_err *err)
{
	struct nd_v8_constants *constants = nd_v8_constants_new();
	size_t i;
	int ret;

	for (i = 0; i < from->count; i++)
		if (*from->list[i].name)
			assert_int_equal(nd_v8_constants_add(constants, from->list[i].name,
							     from->list[i].value),
					 0);
	ret = nd_v8_layout_derive(constants, &from->version, ret_layout, err);
	nd_v8_constants_free(constants);
	return ret;
}

static int *find(struct constants *constants, const char *name)
{
	size_t i;

	for (i = 0; i < constants->count; i++)
		if (!strcmp(constants->list[i].name, name))
			return &constants->list[i].value;
	fail_msg("no constant %s", name);
	return NULL;
}

/* Remove all constants that begin so. */
static void remove_constants(struct constants *constants, const char *prefix)
{
	size_t i, removed = 0;

	for (i = 0; i < constants->count; i++)
		if (!strncmp(constants->list[i].name, prefix, strlen(prefix))) {
			constants->list[i].name[0] = '\0';
			removed++;
		}
	if (!removed)
		fail_msg("no constant %s", prefix);
}

#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct nd_v8_layout, name)                                         \
	}

/* What experiment found on these binaries; a row for each version of `versions`. */
static const struct {
	struct {
		const char *name;
		size_t offset;
	} field;
	uint32_t want[VERSIONS];
} wants[] = {
	{FIELD(map_instance_type), {12, 12, 12, 12, 12, 12}},
	{FIELD(first_nonstring_type), {128, 128, 128, 128, 128, 128}},
	{FIELD(string_length), {12, 12, 12, 12, 12, 12}},
	{FIELD(string_chars), {16, 16, 16, 16, 16, 16}},
	{FIELD(external_data), {24, 24, 24, 24, 24, 24}},
	{FIELD(js_function_first), {2065, 2066, 2066, 2065, 2065, 2066}},
	{FIELD(js_function_last), {2081, 2082, 2082, 2081, 2081, 2082}},
	{FIELD(function_shared), {24, 24, 32, 32, 32, 32}},
	{FIELD(shared_type), {257, 262, 274, 282, 286, 288}},
	{FIELD(shared_function_data), {8, 8, 8, 8, 8, 8}},
	{FIELD(shared_function_data_words), {1, 1, 1, 2, 2, 2}},
	{FIELD(shared_name_or_scope_info), {16, 16, 16, 24, 24, 24}},
	{FIELD(shared_script), {32, 32, 32, 40, 40, 40}},
	{FIELD(shared_literal_id), {52, 52, 52, 60, 60, 60}},
	{FIELD(uncompiled_start), {16, 16, 16, 16, 16, 16}},
	{FIELD(scope_info_slots), {8, 8, 8, 8, 8, 8}},
	{FIELD(scope_info_locals), {2, 2, 2, 2, 2, 2}},
	{FIELD(scope_info_first), {3, 3, 3, 5, 5, 5}},
	{FIELD(script_type), {170, 167, 167, 167, 165, 166}},
	{FIELD(script_source), {8, 8, 8, 8, 8, 8}},
	{FIELD(script_name), {16, 16, 16, 16, 16, 16}},
	{FIELD(script_id), {64, 64, 64, 64, 64, 64}},
	{FIELD(script_eval_from), {72, 72, 72, 72, 72, 72}},
	{FIELD(script_shared_functions), {88, 88, 88, 88, 88, 88}},
	{FIELD(array_length), {8, 8, 8, 8, 8, 8}},
	{FIELD(array_data), {16, 16, 16, 16, 16, 16}},
	{FIELD(byte_array_types[0]), {194, 190, 186, 217, 218, 218}},
	{FIELD(byte_array_types[1]), {0, 0, 212, 196, 195, 196}},
	{FIELD(bytecode_type), {195, 191, 205, 186, 184, 185}},
	{FIELD(bytecode_length), {8, 8, 8, 8, 8, 8}},
	{FIELD(bytecode_positions), {32, 32, 24, 24, 24, 24}},
	{FIELD(bytecode_data), {56, 54, 64, 64, 64, 64}},
	{FIELD(code_type), {240, 245, 206, 187, 185, 186}},
	{FIELD(stream_type), {0, 252, 210, 192, 191, 192}},
	{FIELD(code_deopt_data), {16, 16, 8, 8, 8, 8}},
	{FIELD(code_positions), {24, 24, 16, 16, 16, 16}},
	{FIELD(code_start), {128, 40, 40, 40, 40, 40}},
	{FIELD(code_flags), {48, 48, 48, 52, 52, 52}},
	{FIELD(code_size), {40, 56, 52, 56, 56, 56}},
	{FIELD(code_kind_mask), {15, 15, 15, 15, 15, 15}},
	{FIELD(code_kind_interpreted), {10, 10, 9, 9, 9, 10}},
	{FIELD(code_kind_baseline), {11, 11, 10, 10, 10, 11}},
	{FIELD(deopt_inlined_count), {1, 1, 1, 1, 1, 1}},
	{FIELD(deopt_literals), {2, 2, 2, 3, 3, 3}},
	{FIELD(deopt_shared), {6, 6, 6, 7, 7, 7}},
	{FIELD(deopt_positions), {7, 7, 7, 8, 8, 8}},
	{FIELD(wrapper_shared), {8, 8, 8, 8, 8, 8}},
	{FIELD(regexp_frame), {0, 27, 29, 31, 31, 23}},
	{FIELD(code_kind_regexp), {3, 3, 3, 3, 3, 3}},
};

static void test_layouts_of_real_binaries(void **state)
{
	struct nd_v8_layout layout;
	struct constants constants;
	struct nd_err err = {0};
	uint32_t got;
	size_t v, i;

	for (v = 0; v < VERSIONS; v++) {
		read_constants(versions[v], &constants);
		if (derive(&constants, &layout, &err))
			fail_msg("%s: %s", versions[v], err.what);
		for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
			memcpy(&got, (char *)&layout + wants[i].field.offset, sizeof(got));
			if (got != wants[i].want[v])
				fail_msg("%s: %s is %u, not %u", versions[v], wants[i].field.name,
					 got, wants[i].want[v]);
		}
		assert_int_equal(layout.version.major, constants.version.major);
		assert_int_equal(layout.code_is_inline, v == 0);
		assert_int_equal(layout.scope_info_positions_fixed, v >= 3);
		assert_int_equal(layout.deopt_shared_wrapped, v >= 3);
		assert_int_equal(layout.wasm_frames[0], *find(&constants, "frametype_WasmFrame"));
	}
}

/* Linkers put symbols in any order, and many names begin alike. */
static void test_the_order_of_constants_does_not_matter(void **state)
{
	struct nd_v8_layout layout, reversed;
	struct constants constants, backwards;
	size_t v, i;

	for (v = 0; v < VERSIONS; v++) {
		read_constants(versions[v], &constants);
		backwards = constants;
		for (i = 0; i < constants.count; i++)
			backwards.list[i] = constants.list[constants.count - 1 - i];
		memset(&layout, 0, sizeof(layout));
		memset(&reversed, 0, sizeof(reversed));
		assert_int_equal(derive(&constants, &layout, NULL), 0);
		assert_int_equal(derive(&backwards, &reversed, NULL), 0);
		assert_memory_equal(&layout, &reversed, sizeof(layout));
	}
}

static void test_what_the_walker_needs(void **state)
{
	struct nd_walk_layout walk;
	struct v8_binary binary;

	assert_true(v8_binary_read(path_of("24.21.0"), &binary));
	nd_v8_layout_get_walk(&binary.layout, &walk);
	assert_int_equal(walk.js_function_first, 2065);
	assert_int_equal(walk.js_function_last, 2081);
	assert_int_equal(walk.shared_function_info, 282);
	assert_int_equal(walk.script, 167);
	assert_int_equal(walk.map_instance_type, 12);
	assert_int_equal(walk.function_shared, 32);
	assert_int_equal(walk.shared_script, 40);
	assert_int_equal(walk.shared_literal_id, 60);
	assert_int_equal(walk.script_id, 64);
	assert_int_equal(walk.function_bytes, 40);
	assert_int_equal(walk.shared_bytes, 64);
	assert_int_equal(walk.script_bytes, 72);
}

/* Deriving fails for the reason, and gives no layout. */
static void check_refused(const struct constants *constants, const char *reason)
{
	struct nd_v8_layout layout = {.script_id = 12345};
	struct nd_err err = {0};

	assert_int_equal(derive(constants, &layout, &err), -ENOTSUP);
	assert_int_equal(err.code, -ENOTSUP);
	if (!strstr(err.what, reason))
		fail_msg("'%s' does not say '%s'", err.what, reason);
	assert_int_equal(layout.script_id, 12345);
}

static void test_pointer_compression_is_refused(void **state)
{
	struct constants constants;

	read_constants("22.23.3", &constants);
	*find(&constants, "TaggedSize") = 4;
	check_refused(&constants, "pointer compression");
}

static void test_other_frames_and_tags_are_refused(void **state)
{
	static const char *const names[] = {
		"off_fp_context",  "off_fp_function",	       "off_fp_bytecode_array",
		"HeapObjectTag",   "off_fp_bytecode_offset",   "SmiShiftSize",
		"ThinStringTag",   "StringRepresentationMask", "OneByteStringTag",
		"SlicedStringTag",
	};
	struct constants constants;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		read_constants("26.10.0", &constants);
		*find(&constants, names[i]) += 8;
		check_refused(&constants, names[i]);
	}
}

static void test_missing_constants_are_named(void **state)
{
	static const char *const names[] = {
		"class_Map__instance_type__",
		"FirstNonstringType",
		"class_JSFunction__shared__",
		"type_SharedFunctionInfo__",
		"class_SharedFunctionInfo__script_",
		"class_Script__source__",
		"scopeinfo_idx_first_vars",
		"type_Code__",
		"CodeKindBaseline",
		"class_FixedArray__data__",
	};
	struct constants constants;
	size_t i, v;

	for (v = 0; v < VERSIONS; v++)
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			read_constants(versions[v], &constants);
			remove_constants(&constants, names[i]);
			check_refused(&constants, names[i]);
		}
	memset(&constants, 0, sizeof(constants));
	check_refused(&constants, "class_Map__instance_type__");
}

/* Without these the gaps between the constants cannot be filled. */
static void test_missing_neighbours_are_named(void **state)
{
	struct constants constants;

	read_constants("18.20.8", &constants);
	remove_constants(&constants, "type_JSFunction__");
	check_refused(&constants, "type_JSFunction__");
	read_constants("20.20.2", &constants);
	remove_constants(&constants, "class_Code__source_position_table__");
	check_refused(&constants, "class_Code__");
	read_constants("24.21.0", &constants);
	remove_constants(&constants, "type_InstructionStream__");
	check_refused(&constants, "type_InstructionStream__");
	read_constants("24.21.0", &constants);
	remove_constants(&constants, "class_Code__instruction_start__");
	check_refused(&constants, "class_Code__instruction_start__");
	read_constants("24.21.0", &constants);
	remove_constants(&constants, "class_Code__flags__");
	check_refused(&constants, "class_Code__flags__");
}

static void test_objects_too_large_to_walk_are_refused(void **state)
{
	static struct constants constants;
	struct nd_v8_layout layout;
	struct nd_err err = {0};
	int *shared;

	read_constants("22.23.3", &constants);
	shared = find(&constants, "class_JSFunction__shared__SharedFunctionInfo");
	*shared = ND_WALK_OBJECT_BYTES - 8;
	assert_int_equal(derive(&constants, &layout, &err), 0);
	*shared = ND_WALK_OBJECT_BYTES;
	check_refused(&constants, "class_JSFunction__shared__");
	*shared = 36;
	check_refused(&constants, "class_JSFunction__shared__");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts_of_real_binaries),
		cmocka_unit_test(test_the_order_of_constants_does_not_matter),
		cmocka_unit_test(test_what_the_walker_needs),
		cmocka_unit_test(test_pointer_compression_is_refused),
		cmocka_unit_test(test_other_frames_and_tags_are_refused),
		cmocka_unit_test(test_objects_too_large_to_walk_are_refused),
		cmocka_unit_test(test_missing_constants_are_named),
		cmocka_unit_test(test_missing_neighbours_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
