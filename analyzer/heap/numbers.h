/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_NUMBERS_H
#define NODIAG_ANALYZER_HEAP_NUMBERS_H

/*
 * A JSON list of whole numbers, in pieces as they come. Nine tenths of a snapshot are such lists,
 * so this is the loop that decides how fast one is read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/heap/numbers_whole.h"

struct nd_err;

/* Numbers that are handed on together: both columns of them stay in the first cache. */
#define ND_HEAP_BATCH 1024

struct nd_heap_numbers {
	/* Called with `count` numbers; 0, or a negative errno with `err` set. */
	int (*take)(void *arg, const struct nd_heap_numbers *numbers, struct nd_err *err);
	void *arg;
	uint32_t count;
	uint32_t limit; /* `count` of every batch but the last: whole records */
	int64_t value[ND_HEAP_BATCH + ND_HEAP_WHOLE_SLACK];
	uint64_t offset[ND_HEAP_BATCH + ND_HEAP_WHOLE_SLACK]; /* of the byte behind the number */

	/* The number in the making. */
	int state;
	bool negative;
	uint32_t digits;
	uint64_t partial;
	uint64_t end; /* where white space began behind it, in the state for that */
};

/* Begin behind the "[" of a list of records of `fields` numbers, at most ND_HEAP_BATCH. */
void nd_heap_numbers_begin(struct nd_heap_numbers *numbers, uint32_t fields);

/*
 * Read on, from the byte at `offset` of the file. 1 when the list ended, with the bytes used, its
 * "]" included, in `*ret_used`; 0 when all were used; -EBADMSG with `err` set, and what `take`
 * returned.
 */
int nd_heap_numbers_feed(struct nd_heap_numbers *numbers, const char *data, size_t len,
			 uint64_t offset, size_t *ret_used, struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_NUMBERS_H */
