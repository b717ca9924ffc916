/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/libuv.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "analyzer/symbols/memory.h"
#include "proto/loop.h"

/* Of uv_loop_t. */
#define LOOP_HANDLES	     16 /* struct uv__queue: next, previous */
#define LOOP_INTERNAL_FIELDS 40
#define LOOP_BACKEND_FD	     64

/* Behind two locks, whose sizes are the C library's, the same in glibc and musl. */
#define LOOP_TIME (448 + sizeof(pthread_mutex_t) + sizeof(pthread_rwlock_t))

/* Of uv__loop_internal_fields_t (uv-common.h, libuv 1.45): the turns, and behind them the events.
 */
#define INTERNAL_TURNS 8

/* Of uv_handle_t, from its place in the loop's queue. */
#define HANDLE_LOOP (-24)
#define HANDLE_TYPE (-16)

/* Of uv_handle_type. */
#define UV_CHECK   2
#define UV_PREPARE 9

/* Handles looked at in a loop; Node.js puts in its own first. */
#define HANDLES_MAX 256

/* Below that is no memory, and no loop. */
#define ADDRESS_MIN 0x10000

/* Whether Node.js has made this loop its own: with handles before and behind the poll. */
static bool is_of_node(struct nd_memory *memory, uint64_t loop)
{
	uint64_t head = loop + LOOP_HANDLES, at = nd_memory_read_u64(memory, head), types = 0;
	uint32_t type;
	int i;

	if (nd_memory_read_u64(memory, at + 8) != head)
		return false;
	for (i = 0; i < HANDLES_MAX && at != head; i++) {
		if (nd_memory_read_u64(memory, at + HANDLE_LOOP) != loop ||
		    nd_memory_read(memory, at + HANDLE_TYPE, &type, sizeof(type)) || type > 63)
			return false;
		types |= UINT64_C(1) << type;
		at = nd_memory_read_u64(memory, at);
	}
	return types & 1u << UV_CHECK && types & 1u << UV_PREPARE;
}

static int read_place(struct nd_memory *memory, uint64_t loop, bool counts_turns,
		      struct nd_loop_place *ret_place)
{
	struct nd_loop_place place = {.time_address = loop + LOOP_TIME};
	uint64_t internal;

	if (nd_memory_read(memory, loop + LOOP_BACKEND_FD, &place.epoll_fd, sizeof(int32_t)) ||
	    place.epoll_fd < 0)
		return -ENOENT;
	internal = nd_memory_read_u64(memory, loop + LOOP_INTERNAL_FIELDS);
	if (counts_turns && internal)
		place.turns_address = internal + INTERNAL_TURNS;
	*ret_place = place;
	return 0;
}

int nd_libuv_find_loop(struct nd_memory *memory, uint64_t start, uint64_t end, bool counts_turns,
		       struct nd_loop_place *ret_place)
{
	uint64_t at, word, before = 0;

	if (end - start > ND_LIBUV_STACK_MAX)
		end = start + ND_LIBUV_STACK_MAX;
	for (at = (start + 7) & ~UINT64_C(7); at < end; at += sizeof(word)) {
		if (nd_memory_read(memory, at, &word, sizeof(word)))
			break;
		if (word < ADDRESS_MIN || word & 7 || word == before)
			continue;
		before = word;
		if (is_of_node(memory, word) && !read_place(memory, word, counts_turns, ret_place))
			return 0;
	}
	return -ENOENT;
}
