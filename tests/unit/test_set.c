/* SPDX-License-Identifier: Apache-2.0 */

/* Sets of plain records. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/set.h"

struct pair {
	uint32_t a;
	uint32_t b;
};

static void test_each_record_has_one_id(void **state)
{
	struct nd_set set = {.size = sizeof(struct pair)};
	struct pair pair;
	uint32_t id, i;

	for (i = 0; i < 20000; i++) {
		pair = (struct pair){i % 100, i / 100};
		assert_false(nd_set_find(&set, &pair, &id));
		assert_int_equal(nd_set_add(&set, &pair, UINT32_MAX, &id), 0);
		assert_int_equal(id, i);
	}
	for (i = 0; i < 20000; i++) {
		pair = (struct pair){i % 100, i / 100};
		assert_int_equal(nd_set_add(&set, &pair, UINT32_MAX, &id), 0);
		assert_int_equal(id, i);
		assert_true(nd_set_find(&set, &pair, &id));
		assert_int_equal(id, i);
		assert_memory_equal(set.records + i * sizeof(pair), &pair, sizeof(pair));
	}
	assert_int_equal(set.count, 20000);
	nd_set_fini(&set);
	assert_false(nd_set_find(&set, &pair, &id));
	nd_set_fini(&set);
}

static void test_there_is_a_ceiling(void **state)
{
	struct nd_set set = {.size = sizeof(struct pair)};
	struct pair pair = {1, 2};
	uint32_t id;

	assert_int_equal(nd_set_add(&set, &pair, 0, &id), -E2BIG);
	assert_int_equal(nd_set_add(&set, &pair, 1, &id), 0);
	assert_int_equal(nd_set_add(&set, &pair, 1, &id), 0);
	pair.a = 2;
	assert_int_equal(nd_set_add(&set, &pair, 1, &id), -E2BIG);
	assert_int_equal(set.count, 1);
	nd_set_fini(&set);
}

static void test_room(void **state)
{
	struct nd_set set = {.size = sizeof(struct pair)};
	struct pair pair = {1, 2};
	uint32_t id, *slots, i;

	assert_int_equal(nd_set_add(&set, &pair, UINT32_MAX, &id), 0);
	assert_int_equal(nd_set_reserve(&set, 1000), 0);
	slots = set.slots;
	assert_true(nd_set_find(&set, &pair, &id));
	for (i = 0; i < 999; i++) {
		pair.a = 2 + i;
		assert_int_equal(nd_set_add(&set, &pair, UINT32_MAX, &id), 0);
	}
	assert_int_equal(nd_set_reserve(&set, 10), 0);
	assert_ptr_equal(set.slots, slots);
	assert_int_equal(nd_set_reserve(&set, UINT32_MAX), -ENOMEM);
	nd_set_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_record_has_one_id),
		cmocka_unit_test(test_there_is_a_ceiling),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
