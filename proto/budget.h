/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_BUDGET_H
#define NODIAG_PROTO_BUDGET_H

/*
 * Memory with a ceiling. protobuf-c makes a structure of 50 bytes or more of each empty message,
 * which takes two bytes in the file, so what it allocates has a ceiling of its own.
 */

#include <stdbool.h>
#include <stddef.h>

struct nd_budget {
	size_t left;   /* bytes, set by the caller */
	bool exceeded; /* more was asked for */
	bool failed;   /* the system had none */
};

/* malloc() within a `struct nd_budget`, and free(), as a ProtobufCAllocator wants them. */
void *nd_budget_alloc(void *budget, size_t size);
void nd_budget_free(void *budget, void *ptr);

#endif /* NODIAG_PROTO_BUDGET_H */
