/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_COLUMNS_H
#define NODIAG_ANALYZER_HEAP_COLUMNS_H

/*
 * From the numbers of a snapshot to the columns of a struct nd_heap. Memory grows with what came,
 * or is asked for at once where as much is known to come; never for what only the head promised.
 */

#include <stdint.h>

#include "analyzer/heap/meta.h"

struct nd_err;
struct nd_heap;
struct nd_heap_numbers;

/* What edges of one of the file's types may be. */
struct nd_heap_edge_kind {
	uint32_t tag;	      /* beside the node, as struct nd_heap has it */
	uint32_t string_mask; /* all bits of a name that is a string, none of a number */
	int64_t name_min;
	uint64_t name_range; /* from there on */
};

struct nd_heap_columns {
	struct nd_heap_meta meta;
	struct nd_heap *heap; /* where they go; its counts are of what came so far */
	uint64_t text_bytes;  /* that are to come in all; 0: not known */
	uint32_t node_cap;
	uint32_t edge_cap;
	uint32_t location_cap;
	struct nd_heap_edge_kind edge_kind[ND_HEAP_TYPES_MAX];
	uint64_t edges;	    /* the sum of what nodes have */
	uint64_t self_size; /* of all nodes */

	/* The largest string that was named, and where: strings come last. */
	uint32_t string_max;
	uint64_t string_offset;
};

/* For struct nd_heap_numbers, with a struct nd_heap_columns as `arg`. */
int nd_heap_columns_take_nodes(void *arg, const struct nd_heap_numbers *numbers,
			       struct nd_err *err);
int nd_heap_columns_take_edges(void *arg, const struct nd_heap_numbers *numbers,
			       struct nd_err *err);
int nd_heap_columns_take_locations(void *arg, const struct nd_heap_numbers *numbers,
				   struct nd_err *err);

/* See that all is there, with the strings already in the heap, and put locations in order. */
int nd_heap_columns_finish(struct nd_heap_columns *columns, struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_COLUMNS_H */
