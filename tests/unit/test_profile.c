/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/limits.h"

static uint32_t add_frame(struct nd_profile *profile, const char *name, uint32_t line)
{
	struct nd_frame frame = {.name = name, .file = "a.js", .line = line, .kind = ND_FRAME_JS};
	uint32_t id = 0;

	assert_int_equal(nd_profile_add_frame(profile, &frame, &id), 0);
	return id;
}

static void add_stack(struct nd_profile *profile, const uint32_t *frames, size_t depth,
		      uint64_t weight)
{
	struct nd_call calls[8] = {0};
	struct nd_stack stack = {.calls = calls, .depth = depth, .weight = weight, .count = 1};
	size_t i;

	for (i = 0; i < depth; i++)
		calls[i] = (struct nd_call){
			.frame = frames[i], .line = 7, .tier = ND_TIER_TURBOFAN, .inlined = i == 0};
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
}

static void test_frames_are_stored_once(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);

	assert_int_equal(add_frame(profile, "f", 1), add_frame(profile, "f", 1));
	assert_int_not_equal(add_frame(profile, "f", 1), add_frame(profile, "f", 2));
	nd_profile_free(profile);
}

static void test_stacks_merge(void **state)
{
	struct nd_profile *profile = nd_profile_new(true);
	uint32_t f = add_frame(profile, "f", 1), g = add_frame(profile, "g", 9);
	uint32_t count;
	size_t samples;
	const struct nd_node *nodes;

	add_stack(profile, (uint32_t[]){g, f}, 2, 10);
	add_stack(profile, (uint32_t[]){g, f}, 2, 5);
	add_stack(profile, (uint32_t[]){f}, 1, 1);
	nodes = nd_profile_nodes(profile, &count);
	assert_int_equal(count, 3);
	assert_int_equal(nodes[0].total, 16);
	assert_int_equal(nodes[1].total, 16);
	assert_int_equal(nodes[1].self, 1);
	assert_int_equal(nodes[2].self, 15);
	assert_int_equal(nodes[2].count, 2);
	assert_int_equal(nodes[2].inlined, 15);
	assert_int_equal(nodes[2].tier[ND_TIER_TURBOFAN], 15);
	assert_int_equal(nd_profile_lines(profile, &count)[nodes[2].first_line - 1].self, 15);
	assert_int_equal(nd_profile_samples(profile, &samples)[1].node, 2);
	assert_int_equal(samples, 3);
	nd_profile_free(profile);
}

static void test_recursion_counts_once(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	uint32_t f = add_frame(profile, "f", 1), g = add_frame(profile, "g", 9);
	struct nd_function *functions;
	size_t count;

	add_stack(profile, (uint32_t[]){f, g, f}, 3, 10);
	add_stack(profile, (uint32_t[]){g}, 1, 3);
	assert_int_equal(nd_profile_functions(profile, &functions, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(functions[0].frame, f);
	assert_int_equal(functions[0].self, 10);
	assert_int_equal(functions[0].total, 10);
	assert_int_equal(functions[1].self, 3);
	assert_int_equal(functions[1].total, 13);
	free(functions);
	nd_profile_free(profile);
}

static void test_deep_stacks_are_cut(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	size_t depth = ND_STACK_DEPTH_MAX + 10, i;
	struct nd_call *calls = calloc(depth, sizeof(*calls));
	struct nd_stack stack = {.calls = calls, .depth = depth, .weight = 1, .count = 1};
	uint32_t count;

	for (i = 0; i < depth; i++)
		calls[i].frame = add_frame(profile, "f", (uint32_t)i + 1);
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
	nd_profile_nodes(profile, &count);
	assert_int_equal(count, ND_STACK_DEPTH_MAX + 1);
	free(calls);
	nd_profile_free(profile);
}

static void test_info_is_copied(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	char title[] = "server.js";
	struct nd_profile_info info = {.title = title, .pid = 7};

	assert_int_equal(nd_profile_set_info(profile, &info), 0);
	title[0] = 'x';
	assert_string_equal(nd_profile_get_info(profile)->title, "server.js");
	assert_null(nd_profile_get_info(profile)->command);
	nd_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_are_stored_once),
		cmocka_unit_test(test_stacks_merge),
		cmocka_unit_test(test_recursion_counts_once),
		cmocka_unit_test(test_deep_stacks_are_cut),
		cmocka_unit_test(test_info_is_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
