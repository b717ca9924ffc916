/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analyzer/profile/profile.h"

/* A stack of frames named by letters, outermost first. */
static void add(struct nd_profile *profile, const char *letters, uint64_t weight)
{
	struct nd_call calls[8] = {0};
	struct nd_stack stack = {.calls = calls, .weight = weight, .count = 1};
	size_t i, depth;

	for (depth = 0; letters[depth]; depth++)
		;
	for (i = 0; i < depth; i++) {
		char name[2] = {letters[i], '\0'};
		struct nd_frame frame = {.name = name, .kind = ND_FRAME_JS};

		assert_int_equal(nd_profile_add_frame(profile, &frame, &calls[depth - 1 - i].frame),
				 0);
	}
	stack.depth = depth;
	assert_int_equal(nd_profile_add_stack(profile, &stack), 0);
}

static void check(const struct nd_profile *profile, const struct nd_placed *placed,
		  const char *names, const uint32_t *depths)
{
	uint32_t count, i;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);

	for (i = 1; i < count; i++) {
		uint32_t unused;
		const struct nd_frame *frames = nd_profile_frames(profile, &unused);

		assert_int_equal(frames[nodes[placed[i].node].frame].name[0], names[i]);
		assert_int_equal(placed[i].depth, depths[i]);
		assert_int_equal(placed[i].total, nodes[placed[i].node].total);
	}
	assert_int_equal(names[count], '\0');
}

static void test_heaviest_child_comes_first(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_placed *placed;

	add(profile, "ax", 1);
	add(profile, "b", 9);
	add(profile, "ay", 3);
	add(profile, "axz", 1);
	add(profile, "c", 5);
	assert_int_equal(nd_order_nodes(profile, &placed), 0);
	/* "a" and "c" weigh the same, "a" came first. */
	check(profile, placed, "*bayxzc", (uint32_t[]){0, 1, 1, 2, 2, 3, 1});
	free(placed);
	nd_profile_free(profile);
}

static void test_a_new_profile_has_its_root(void **state)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct nd_placed *placed;

	assert_int_equal(nd_order_nodes(profile, &placed), 0);
	assert_int_equal(placed[0].node, 0);
	assert_int_equal(placed[0].depth, 0);
	free(placed);
	nd_profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heaviest_child_comes_first),
		cmocka_unit_test(test_a_new_profile_has_its_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
