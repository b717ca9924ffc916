/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_PACKED_H
#define NODIAG_ANALYZER_HEAP_PACKED_H

/*
 * What pack.c writes and unpack.c reads: a heap snapshot in parts of proto/frame.h, as
 * docs/format.md describes it. A head, the columns of a struct nd_heap, what an analysis found of
 * it if one was made, and an end. A column is in as many parts as it takes, with its values as
 * planes: first the lowest byte of all of them, then the next one. zstd finds more in these than in
 * whole numbers, and to put them together again is all that there is to decode.
 */

#include <stdint.h>

/* Grows when the rules of the analysis change: results by others are not used. */
#define ND_HEAP_RULES 2

/* In the order of the file. Each is there, with as many values as the heads say. */
enum nd_heap_column {
	ND_HEAP_NODE_TYPES_COLUMN,
	ND_HEAP_NODE_NAMES,
	ND_HEAP_NODE_IDS, /* less the one before, zigzag */
	ND_HEAP_NODE_SIZES,
	ND_HEAP_NODE_EDGES, /* how many */
	ND_HEAP_NODE_DETACHED,
	ND_HEAP_EDGE_TYPES_COLUMN,
	ND_HEAP_EDGE_NAMES,
	ND_HEAP_EDGE_NODES,	/* less the node that the edge is of, zigzag */
	ND_HEAP_LOCATION_NODES, /* less the one before */
	ND_HEAP_LOCATION_SCRIPTS,
	ND_HEAP_LOCATION_LINES,
	ND_HEAP_LOCATION_COLUMNS,
	ND_HEAP_STRING_SIZES, /* with the NUL */
	ND_HEAP_STRING_BYTES,

	ND_HEAP_CHARGES, /* self sizes after nd_heap_charge_owners(), less those before, zigzag */
	ND_HEAP_DOMINATORS, /* less the node, zigzag */
	ND_HEAP_RETAINED,   /* less the charged size */
	ND_HEAP_DISTANCES,  /* zigzag */
	ND_HEAP_BEFORE, /* 0: the dominator, 1: none; else 2 and the node, less this one, zigzag */
	ND_HEAP_CLASS_OF,
	ND_HEAP_CLASS_NAME_SIZES, /* with the NUL */
	ND_HEAP_CLASS_NAME_BYTES,
	ND_HEAP_CLASS_LOCATED,
	ND_HEAP_CLASS_SCRIPTS,
	ND_HEAP_CLASS_LINES,
	ND_HEAP_CLASS_COLUMNS,
	ND_HEAP_CLASS_COUNTS,
	ND_HEAP_CLASS_DISTANCES, /* zigzag */
	ND_HEAP_CLASS_SELF,
	ND_HEAP_CLASS_RETAINED,
	ND_HEAP_SCRIPTS,
	ND_HEAP_SCRIPT_NAMES,	 /* strings */
	ND_HEAP_SCOPES,		 /* less the one before */
	ND_HEAP_SCOPE_FUNCTIONS, /* less the scope, zigzag */
	ND_HEAP_COLUMNS
};

#define ND_HEAP_FIRST_ANALYSED ND_HEAP_CHARGES

/* Values in a part, but for the last one of a column; with 8 bytes each, 2 MiB. */
#define ND_HEAP_CHUNK (1u << 18)

/* Of a part with values: the column, bytes of a value, 2 unused, how many. */
#define ND_HEAP_CHUNK_HEAD 8

/* The first part: numbers of 64 bits. */
enum nd_heap_packed_head {
	ND_HEAP_HEAD_NODES,
	ND_HEAP_HEAD_EDGES,
	ND_HEAP_HEAD_LOCATIONS,
	ND_HEAP_HEAD_STRINGS,
	ND_HEAP_HEAD_STRING_BYTES,
	ND_HEAP_HEAD_ROOT,
	ND_HEAP_HEAD_NATIVE_BYTES,
	ND_HEAP_HEAD_DETACHED, /* how many values that column has: one for each node, or none */
	ND_HEAP_HEAD_NUMBERS
};

/* The part before what an analysis found. */
enum nd_heap_analysis_head {
	ND_HEAP_HEAD_RULES,
	ND_HEAP_HEAD_CLASSES,
	ND_HEAP_HEAD_CLASS_BYTES,
	ND_HEAP_HEAD_SCRIPTS,
	ND_HEAP_HEAD_SCOPES,
	ND_HEAP_ANALYSIS_NUMBERS
};

static inline uint64_t nd_heap_zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t nd_heap_unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* How many values a column has by the heads. That of the analysis may be missing for the others. */
static inline uint64_t nd_heap_column_size(enum nd_heap_column column, const uint64_t *head,
					   const uint64_t *analysis_head)
{
	if (column == ND_HEAP_NODE_DETACHED)
		return head[ND_HEAP_HEAD_DETACHED];
	if (column <= ND_HEAP_NODE_DETACHED)
		return head[ND_HEAP_HEAD_NODES];
	if (column <= ND_HEAP_EDGE_NODES)
		return head[ND_HEAP_HEAD_EDGES];
	if (column <= ND_HEAP_LOCATION_COLUMNS)
		return head[ND_HEAP_HEAD_LOCATIONS];
	if (column == ND_HEAP_STRING_SIZES)
		return head[ND_HEAP_HEAD_STRINGS];
	if (column == ND_HEAP_STRING_BYTES)
		return head[ND_HEAP_HEAD_STRING_BYTES];
	if (column <= ND_HEAP_CLASS_OF)
		return head[ND_HEAP_HEAD_NODES];
	if (column == ND_HEAP_CLASS_NAME_BYTES)
		return analysis_head[ND_HEAP_HEAD_CLASS_BYTES];
	if (column <= ND_HEAP_CLASS_RETAINED)
		return analysis_head[ND_HEAP_HEAD_CLASSES];
	return analysis_head[column <= ND_HEAP_SCRIPT_NAMES ? ND_HEAP_HEAD_SCRIPTS
							    : ND_HEAP_HEAD_SCOPES];
}

#endif /* NODIAG_ANALYZER_HEAP_PACKED_H */
