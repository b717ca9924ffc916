/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_OOM_FAIL_ALLOC_H
#define NODIAG_TESTS_OOM_FAIL_ALLOC_H

/*
 * An allocator that can be told when to fail. The linker hands it the calls of nodiag's own objects
 * (ld --wrap, see CMakeLists.txt); jansson is given it at run time, and zlib's beginnings fail with
 * it too.
 */

#include <stddef.h>

enum fail_alloc_mode {
	FAIL_ALLOC_NEVER,
	FAIL_ALLOC_ONCE, /* only the n-th allocation */
	FAIL_ALLOC_FROM, /* the n-th and all that follow */
};

/* Start to count from 0, and fail as told. */
void fail_alloc_start(enum fail_alloc_mode mode, size_t n);

/* Stop failing. Returns how many allocations there were since the start. */
size_t fail_alloc_stop(void);

/* Let jansson allocate here as well. */
void fail_alloc_jansson(void);

#endif /* NODIAG_TESTS_OOM_FAIL_ALLOC_H */
