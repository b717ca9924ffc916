/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_NUMBERS_WHOLE_H
#define NODIAG_ANALYZER_HEAP_NUMBERS_WHOLE_H

/* The numbers of a list as V8 writes them, which is how nearly all are: for numbers.c. */

#include <stddef.h>
#include <stdint.h>

/* A number that is not longer than this fits into 63 bits. */
#define ND_HEAP_DIGITS_MAX 18

/* Where numbers go, each with the offset of the byte behind it in the file. */
struct nd_heap_whole {
	int64_t *value;	  /* room for `want` and ND_HEAP_WHOLE_SLACK */
	uint64_t *offset; /* the same */
	uint32_t want;	  /* not 0 */
	uint32_t count;	  /* of them found */
};

/* Places behind those wanted that are written to. */
#define ND_HEAP_WHOLE_SLACK 4

/*
 * Numbers without a sign, each with the comma behind it, which may begin a new line (up to Node.js
 * 22, V8 ends the line of a record before its comma). From the byte at `offset` of the file on,
 * until there are as many as wanted, or something else comes, or the data might end in the middle
 * of one. Returns how many bytes these have.
 */
size_t nd_heap_read_whole(struct nd_heap_whole *ret, const char *data, size_t len, uint64_t offset);

#endif /* NODIAG_ANALYZER_HEAP_NUMBERS_WHOLE_H */
