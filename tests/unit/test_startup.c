/* SPDX-License-Identifier: Apache-2.0 */

/* What loading modules cost, from stacks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/profile/profile.h"
#include "analyzer/profile/startup.h"

static uint32_t add_frame(struct nd_profile *profile, const char *name, const char *file,
			  enum nd_frame_kind kind, uint32_t line)
{
	struct nd_frame frame = {
		.name = name, .file = file, .line = line, .column = line, .kind = kind};
	uint32_t id;

	assert_int_equal(nd_profile_add_frame(profile, &frame, &id), 0);
	return id;
}

static uint32_t add_module(struct nd_profile *profile, const char *file)
{
	return add_frame(profile, "(anonymous)", file, ND_FRAME_JS, 1);
}

/* `frames` from the root to the leaf, ended by UINT32_MAX. */
static void add_stack(struct nd_profile *profile, const uint32_t *frames, uint64_t weight)
{
	struct nd_call calls[16] = {{0}};
	struct nd_stack stack = {.calls = calls, .weight = weight, .count = 1};
	size_t i;

	while (frames[stack.depth] != UINT32_MAX)
		stack.depth++;
	for (i = 0; i < stack.depth; i++)
		calls[i].frame = frames[stack.depth - 1 - i];
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
}

#define STACK(...) ((const uint32_t[]){__VA_ARGS__, UINT32_MAX})

static void test_tree(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	uint32_t start = add_frame(profile, "node::Start", "/node", ND_FRAME_NATIVE, 0);
	uint32_t load =
		add_frame(profile, "load", "node:internal/modules/cjs/loader", ND_FRAME_NODE, 9);
	uint32_t read = add_frame(profile, "readFileSync", "node:fs", ND_FRAME_NODE, 5);
	uint32_t work = add_frame(profile, "work", "/app/a.js", ND_FRAME_JS, 7);
	uint32_t main = add_module(profile, "/app/main.js");
	uint32_t a = add_module(profile, "/app/a.js");
	uint32_t b = add_module(profile, "/app/b.js");
	struct nd_startup_module *modules;
	size_t count;

	add_stack(profile, STACK(start), 1);
	add_stack(profile, STACK(start, load, main), 2);
	add_stack(profile, STACK(start, load, main, load, read), 4);
	add_stack(profile, STACK(start, load, main, load, a, work), 8);
	add_stack(profile, STACK(start, load, main, load, a, work, read), 16);
	add_stack(profile, STACK(start, load, main, load, b), 32);
	add_stack(profile, STACK(start, load, main, load, b, load, a), 64);
	assert_int_equal(nd_startup_modules(profile, &modules, &count), 0);

	assert_int_equal(count, 5);
	assert_string_equal(modules[0].file, "");
	assert_int_equal(modules[0].total, 127);
	assert_int_equal(modules[0].evaluated, 1);
	assert_string_equal(modules[1].file, "/app/main.js");
	assert_int_equal(modules[1].total, 126);
	assert_int_equal(modules[1].evaluated, 2);
	assert_int_equal(modules[1].loaded, 4);
	/* The most expensive child first, and a module where it was asked for. */
	assert_string_equal(modules[2].file, "/app/b.js");
	assert_int_equal(modules[2].depth, 2);
	assert_int_equal(modules[2].total, 96);
	assert_string_equal(modules[3].file, "/app/a.js");
	assert_int_equal(modules[3].parent, 2);
	assert_int_equal(modules[3].evaluated, 64);
	assert_string_equal(modules[4].file, "/app/a.js");
	assert_int_equal(modules[4].parent, 1);
	/* What a module's functions call is its own time, not loading. */
	assert_int_equal(modules[4].evaluated, 24);
	assert_int_equal(modules[4].loaded, 0);
	free(modules);
	nd_profile_free(profile);
}

static void test_nothing(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_startup_module *modules;
	size_t count;

	assert_int_equal(nd_startup_modules(profile, &modules, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(modules[0].total, 0);
	free(modules);
	nd_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
