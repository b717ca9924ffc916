/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_LIBUV_H
#define NODIAG_ANALYZER_SYMBOLS_LIBUV_H

/*
 * Event loops in another process's memory: libuv's uv_loop_t, which is laid out the same in all of
 * libuv 1.x (uv.h, uv/unix.h), since programs have it by value.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_loop_place;
struct nd_memory;

/* Bytes of a stack that are searched: what a loop has called at its poll is some 16 KB. */
#define ND_LIBUV_STACK_MAX (256u << 10)

/*
 * Find the loop of Node.js that a thread runs, by the part of its stack from `start` to `end`, of
 * which ND_LIBUV_STACK_MAX at most are searched, from `start` on: uv_run() keeps a pointer to it
 * there. It is told from other loops, such as that of a child process waited for, by the handles
 * that Node.js puts into it. `counts_turns`: this libuv counts (1.45 and later).
 *
 * 0, or -ENOENT when there is none.
 */
int nd_libuv_find_loop(struct nd_memory *memory, uint64_t start, uint64_t end, bool counts_turns,
		       struct nd_loop_place *ret_place);

#endif /* NODIAG_ANALYZER_SYMBOLS_LIBUV_H */
