/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_SET_H
#define NODIAG_COMMON_SET_H

/*
 * A set of plain records of one size, each stored once and named by a small id: what
 * common/intern.h is for strings.
 *
 * Ids count up from 0. Records are the same when all their bytes are, so they must have no padding.
 * All zeros but `size` is an empty set. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_set {
	size_t size;	 /* bytes of a record, set by the caller */
	char *records;	 /* in the order of their ids; moves when the set grows */
	uint32_t count;	 /* of records */
	uint32_t *slots; /* a hash table of ids + 1; 0 is free */
	uint32_t slot_count;
};

/* The id of a record, added when new. -ENOMEM, and -E2BIG for one more than `max`. */
int nd_set_add(struct nd_set *set, const void *record, uint32_t max, uint32_t *ret_id);

/* Make room for so many records, so that it need not grow on the way to them. 0 or -ENOMEM. */
int nd_set_reserve(struct nd_set *set, uint32_t count);

/* Whether a record is there, and its id. */
bool nd_set_find(const struct nd_set *set, const void *record, uint32_t *ret_id);

/* Forget all records and give the memory back. */
void nd_set_fini(struct nd_set *set);

#endif /* NODIAG_COMMON_SET_H */
