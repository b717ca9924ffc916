/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_DUPLICATES_H
#define NODIAG_ANALYZER_HEAP_DUPLICATES_H

/* Strings that a heap has several times. */

#include <stdint.h>

struct nd_heap;

struct nd_heap_duplicate {
	uint32_t string;
	uint32_t count;
	uint64_t size; /* bytes of one of them */
};

/* Bytes that one copy instead of all would save. */
static inline uint64_t nd_heap_duplicate_waste(const struct nd_heap_duplicate *duplicate)
{
	return (duplicate->count - 1) * duplicate->size;
}

/*
 * Find those of which the copies waste most, `max` at most, and how many bytes all copies of all
 * strings waste. Strings are the same when their text and their size are: V8 writes the first 1,024
 * characters only, so longer ones of one size may still differ. The caller frees the list. 0 or
 * -ENOMEM.
 */
int nd_heap_find_duplicates(const struct nd_heap *heap, uint32_t max,
			    struct nd_heap_duplicate **ret, uint32_t *ret_count,
			    uint64_t *ret_waste);

#endif /* NODIAG_ANALYZER_HEAP_DUPLICATES_H */
