/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_STRINGS_H
#define NODIAG_ANALYZER_HEAP_STRINGS_H

/*
 * A JSON list of strings, in pieces as they come, into one run of memory.
 *
 * What is escaped is decoded. A lone surrogate becomes the three bytes that it would have in UTF-8,
 * so that strings which differ stay different; U+0000 becomes U+FFFD, for a NUL ends each string.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_err;

/* All zeros is an empty list, behind its "[". */
struct nd_heap_strings {
	char *bytes;
	size_t len;
	size_t cap;
	size_t expected; /* bytes that may be to come; 0: not known */
	size_t *start;	 /* count + 1 of them at the end */
	uint32_t count;
	uint32_t start_cap;

	int state;
	char escape[5]; /* behind the backslash */
	uint32_t escape_len;
	uint32_t high; /* a surrogate that waits for its other half, or 0 */
};

/* As nd_heap_numbers_feed(); also -ENOMEM and -E2BIG. */
int nd_heap_strings_feed(struct nd_heap_strings *strings, const char *data, size_t len,
			 uint64_t offset, size_t *ret_used, struct nd_err *err);

/* Free what was not taken out of it. */
void nd_heap_strings_fini(struct nd_heap_strings *strings);

#endif /* NODIAG_ANALYZER_HEAP_STRINGS_H */
