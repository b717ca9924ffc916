/* SPDX-License-Identifier: Apache-2.0 */

/* A loop is found by what points to it and by what Node.js put in, and nothing else is taken for
 * one. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/symbols/libuv.h"
#include "analyzer/symbols/memory.h"
#include "proto/loop.h"

#define HANDLES 4

enum { ASYNC = 1, CHECK = 2, PREPARE = 9, PROCESS = 10, TIMER = 13 };

/* As uv.h has them. */
struct queue {
	struct queue *next;
	struct queue *prev;
};

struct handle {
	void *data;
	void *loop;
	uint32_t type;
	uint32_t pad;
	void *close_cb;
	struct queue queue;
};

struct loop {
	void *data;
	uint64_t active_handles;
	struct queue handles;
	uint64_t active_reqs;
	void *internal_fields;
	uint64_t stop_flag;
	uint64_t flags;
	int32_t backend_fd;
	uint32_t pad[119];
	uint64_t time; /* at 544, where glibc and musl on x86-64 have it */
	struct handle handle[HANDLES];
};

static uint64_t internal[4];

static void make_loop(struct loop *loop, const uint32_t types[HANDLES])
{
	struct queue *at = &loop->handles;
	int i;

	*loop = (struct loop){.internal_fields = internal, .backend_fd = 13};
	for (i = 0; i < HANDLES; i++) {
		loop->handle[i].loop = loop;
		loop->handle[i].type = types[i];
		at->next = &loop->handle[i].queue;
		at->next->prev = at;
		at = at->next;
	}
	at->next = &loop->handles;
	loop->handles.prev = at;
}

static int find(const void *const *stack, size_t words, bool counts, struct nd_loop_place *ret)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint64_t start = (uint64_t)(uintptr_t)stack;
	int result;

	assert_non_null(memory);
	result = nd_libuv_find_loop(memory, start, start + words * sizeof(*stack), counts, ret);
	nd_memory_free(memory);
	return result;
}

static void test_finds_the_one_of_node(void **state)
{
	static const uint32_t node[] = {ASYNC, TIMER, CHECK, PREPARE};
	static const uint32_t nested[] = {ASYNC, TIMER, PROCESS, PROCESS};
	struct loop outer, inner;
	const void *stack[] = {NULL, (void *)7, &inner, stack, &outer, &outer};
	struct nd_loop_place place;

	make_loop(&outer, node);
	make_loop(&inner, nested);
	inner.backend_fd = 20;
	assert_int_equal(find(stack, 6, true, &place), 0);
	assert_int_equal(place.epoll_fd, 13);
	assert_int_equal(place.turns_address, (uintptr_t)internal + 8);
#ifdef __x86_64__
	assert_int_equal(place.time_address, (uintptr_t)&outer.time);
#endif
}

static void test_older_libuv_has_no_count(void **state)
{
	static const uint32_t node[] = {ASYNC, TIMER, CHECK, PREPARE};
	struct loop loop;
	const void *stack[] = {&loop};
	struct nd_loop_place place;

	make_loop(&loop, node);
	assert_int_equal(find(stack, 1, false, &place), 0);
	assert_int_equal(place.turns_address, 0);
}

static void test_refuses_what_is_none(void **state)
{
	static const uint32_t node[] = {ASYNC, TIMER, CHECK, PREPARE};
	struct loop loop;
	const void *stack[] = {&loop};
	struct nd_loop_place place = {.epoll_fd = 99};

	make_loop(&loop, node);
	loop.backend_fd = -1;
	assert_int_equal(find(stack, 1, true, &place), -ENOENT);
	make_loop(&loop, node);
	loop.handle[1].loop = NULL;
	assert_int_equal(find(stack, 1, true, &place), -ENOENT);
	make_loop(&loop, node);
	loop.handle[0].queue.prev = NULL;
	assert_int_equal(find(stack, 1, true, &place), -ENOENT);
	make_loop(&loop, node);
	loop.handle[3].type = 4000;
	assert_int_equal(find(stack, 1, true, &place), -ENOENT);
	/* A list that never comes back. */
	make_loop(&loop, node);
	loop.handle[1].queue.next = &loop.handle[0].queue;
	assert_int_equal(find(stack, 1, true, &place), -ENOENT);
	assert_int_equal(find(stack, 0, true, &place), -ENOENT);
	assert_int_equal(place.epoll_fd, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_one_of_node),
		cmocka_unit_test(test_older_libuv_has_no_count),
		cmocka_unit_test(test_refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
