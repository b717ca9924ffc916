/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_ARRAY_H
#define NODIAG_COMMON_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/*
 * Room for one more element of `size` bytes in an array of `count`, which has grown by this alone:
 * its room doubles. The array, which may have moved, or NULL when out of memory; then it is as
 * before.
 */
static inline void *nd_array_grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? count * 2 : 1, size);
}

#endif /* NODIAG_COMMON_ARRAY_H */
