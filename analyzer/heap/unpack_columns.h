/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_UNPACK_COLUMNS_H
#define NODIAG_ANALYZER_HEAP_UNPACK_COLUMNS_H

/* From the values of a packed snapshot to the columns of a struct nd_heap, with all checks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/heap/packed.h"

struct nd_err;
struct nd_heap;
struct nd_heap_stored;

/* Values that are unpacked together: they stay in the first cache. */
#define ND_HEAP_VALUES 2048

struct nd_heap_unpacked {
	uint64_t head[ND_HEAP_HEAD_NUMBERS];
	uint64_t analysis_head[ND_HEAP_ANALYSIS_NUMBERS];
	struct nd_heap *heap;
	struct nd_heap_stored *stored;	 /* once there is an analysis */
	uint64_t values[ND_HEAP_VALUES]; /* of a part, on their way */

	int column;    /* enum nd_heap_column of the next value */
	uint64_t done; /* values of it that came */
	uint64_t cap;  /* room in it */
	uint64_t sum;  /* of what the column adds up */
	uint32_t from; /* the node that the next edge is of */
};

/* The head is there. 0 or -ENOMEM with `err` set. */
int nd_heap_unpacked_begin(struct nd_heap_unpacked *u, struct nd_err *err);

/* That of an analysis is there, and all columns before it. */
int nd_heap_unpacked_begin_analysis(struct nd_heap_unpacked *u, struct nd_err *err);

/* Take the values of a part. 0, -ENOMEM, or -EBADMSG with `*ret_what` set to what is wrong. */
int nd_heap_unpacked_add(struct nd_heap_unpacked *u, const uint8_t *part, size_t len,
			 const char **ret_what);

/* The same of a part whose column goes on, or was the last one to be asked for. */
int nd_heap_unpacked_add_chunk(struct nd_heap_unpacked *u, const uint8_t *part, size_t len,
			       const char **ret_what);

/* Go on behind the columns of edges, which nobody unpacks now. 0 or -ENOMEM. */
int nd_heap_unpacked_skip_edges(struct nd_heap_unpacked *u);

/* Where the values of the column that comes go, and how many bytes each has. */
struct nd_heap_place {
	void **column;
	size_t size;
};

struct nd_heap_place nd_heap_unpacked_place(struct nd_heap_unpacked *u);

/* Values of the column, as they are in memory, must be less than this. */
uint64_t nd_heap_unpacked_limit(const struct nd_heap_unpacked *u);

/* Whether its values have 4 bytes at most, and are many. */
bool nd_heap_unpacked_is_narrow(const struct nd_heap_unpacked *u);

/*
 * Take `count` values, at most ND_HEAP_VALUES, for which there is room, of planes of `stride` bytes
 * each. False when one is out of range.
 */
bool nd_heap_unpacked_add_values(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
				 uint32_t width, uint32_t count);

/* Put `count` values together from their planes, 4 at most. */
void nd_heap_unpacked_join(uint32_t *values, uint32_t count, const uint8_t *planes, size_t stride,
			   uint32_t width);

/* nd_heap_unpacked_add_values() of a narrow column: nine tenths of a file, with half the memory on
 * the way. */
bool nd_heap_unpacked_add_narrow(struct nd_heap_unpacked *u, const uint8_t *planes, size_t stride,
				 uint32_t width, uint32_t count);

/*
 * Add the charges to the self sizes of a heap, and these to the stored retained sizes. False when
 * one is out of range.
 */
bool nd_heap_unpacked_charge(const struct nd_heap_stored *stored, struct nd_heap *heap);

/* All columns are there: make the heap whole. */
void nd_heap_unpacked_finish(struct nd_heap_unpacked *u);

#endif /* NODIAG_ANALYZER_HEAP_UNPACK_COLUMNS_H */
