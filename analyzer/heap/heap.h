/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_HEAP_H
#define NODIAG_ANALYZER_HEAP_HEAP_H

/*
 * A heap snapshot as columns: what a .heapsnapshot says of objects and of their references, in
 * about 21 bytes for an object, 8 for a reference, and the strings. The file's text is not kept.
 *
 * An object is a node, named by its index. Its references are the edges from first_edge[node] to
 * before first_edge[node + 1]. Everything a reader let through is consistent: indexes are in range,
 * and the sum of all self sizes is at most ND_HEAP_BYTES_MAX, so that no sum of sizes overflows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a node is, by V8's names for it (heap-snapshot-generator.h). */
enum nd_heap_node_type {
	ND_HEAP_HIDDEN,
	ND_HEAP_ARRAY,
	ND_HEAP_STRING,
	ND_HEAP_OBJECT,
	ND_HEAP_CODE,
	ND_HEAP_CLOSURE,
	ND_HEAP_REGEXP,
	ND_HEAP_NUMBER,
	ND_HEAP_NATIVE,
	ND_HEAP_SYNTHETIC,
	ND_HEAP_CONS_STRING,
	ND_HEAP_SLICED_STRING,
	ND_HEAP_SYMBOL,
	ND_HEAP_BIGINT,
	ND_HEAP_OBJECT_SHAPE,
	ND_HEAP_WASM_OBJECT,
	ND_HEAP_OTHER, /* a type that this nodiag does not know */
	ND_HEAP_NODE_TYPES
};

/* Eight of them, for an edge has three bits for its type. */
enum nd_heap_edge_type {
	ND_HEAP_EDGE_CONTEXT,
	ND_HEAP_EDGE_ELEMENT,
	ND_HEAP_EDGE_PROPERTY,
	ND_HEAP_EDGE_INTERNAL,
	ND_HEAP_EDGE_HIDDEN,
	ND_HEAP_EDGE_SHORTCUT,
	ND_HEAP_EDGE_WEAK,
	ND_HEAP_EDGE_OTHER,
	ND_HEAP_EDGE_TYPES
};

/* Bits of an edge that say where it leads; the rest is its type. */
#define ND_HEAP_TO_BITS 29
#define ND_HEAP_TO_MASK ((UINT32_C(1) << ND_HEAP_TO_BITS) - 1)

struct nd_heap_deferred;
struct nd_heap_stored;

/* No node, string, class and the like. */
#define ND_HEAP_NONE UINT32_MAX

/* Where a function is defined, or the constructor of an object; lines and columns count from 0. */
struct nd_heap_location {
	uint32_t node;
	uint32_t script; /* V8's id of the script */
	uint32_t line;
	uint32_t column;
};

struct nd_heap {
	uint32_t root;
	uint32_t node_count;
	uint32_t edge_count;
	uint32_t string_count;
	uint32_t location_count;

	uint8_t *type;	       /* enum nd_heap_node_type */
	uint8_t *detachedness; /* 1 attached, 2 detached from a page; NULL when all are 0 */
	uint32_t *name;	       /* a string */
	uint32_t *id;	       /* V8's, the same in all snapshots of a process */
	uint64_t *self_size;   /* bytes */
	uint32_t *first_edge;  /* node_count + 1 of them */

	uint32_t *edge;	     /* to | type << ND_HEAP_TO_BITS */
	uint32_t *edge_name; /* a string, or of elements and hidden edges a number */

	struct nd_heap_location *location; /* by node */

	char *string_bytes; /* each ends with a NUL; UTF-8, but lone surrogates have three bytes */
	size_t *string_start; /* string_count + 1 of them */

	uint64_t extra_native_bytes; /* memory outside of the heap that has no node */

	struct nd_heap_deferred *deferred; /* edges to be unpacked; NULL: all are there */
	struct nd_heap_stored *stored;	   /* what an earlier analysis found; NULL: nothing */
};

void nd_heap_free(struct nd_heap *heap);

/* V8's name for a type of nodes, "object shape". */
const char *nd_heap_node_type_name(enum nd_heap_node_type type);
const char *nd_heap_edge_type_name(enum nd_heap_edge_type type);

/* The type of that name; the last one, for others, when there is none. */
enum nd_heap_node_type nd_heap_find_node_type(const char *name);
enum nd_heap_edge_type nd_heap_find_edge_type(const char *name);

/* The node that has an id, or ND_HEAP_NONE. Looks at all of them. */
uint32_t nd_heap_find_id(const struct nd_heap *heap, uint32_t id);

/* The string of that text, or ND_HEAP_NONE. Looks at all of them. */
uint32_t nd_heap_find_string(const struct nd_heap *heap, const char *text);

/* Put locations in the order of their nodes, which V8 has not: there are millions. 0 or -ENOMEM. */
int nd_heap_sort_locations(struct nd_heap *heap);

/* The node that an edge is of. */
uint32_t nd_heap_find_owner(const struct nd_heap *heap, uint32_t edge);

/*
 * See that the edges of a node are there. Only of a heap whose reader was told to defer them are
 * there any that are not, and only those who say so take such a heap.
 */
void nd_heap_need_edges(const struct nd_heap *heap, uint32_t node);
void nd_heap_need_all_edges(const struct nd_heap *heap);

/* Where a node's function or constructor is, or NULL. */
const struct nd_heap_location *nd_heap_find_location(const struct nd_heap *heap, uint32_t node);

/* Where the internal edge of that name, a string, leads from a node, or ND_HEAP_NONE. */
uint32_t nd_heap_follow(const struct nd_heap *heap, uint32_t node, uint32_t name);

static inline const char *nd_heap_string(const struct nd_heap *heap, uint32_t string)
{
	return heap->string_bytes + heap->string_start[string];
}

/* Of a node. */
static inline const char *nd_heap_name(const struct nd_heap *heap, uint32_t node)
{
	return nd_heap_string(heap, heap->name[node]);
}

static inline uint32_t nd_heap_edge_to(const struct nd_heap *heap, uint32_t edge)
{
	return heap->edge[edge] & ND_HEAP_TO_MASK;
}

static inline enum nd_heap_edge_type nd_heap_edge_type(const struct nd_heap *heap, uint32_t edge)
{
	return (enum nd_heap_edge_type)(heap->edge[edge] >> ND_HEAP_TO_BITS);
}

/* Whether the name of edges of this type is a number. */
static inline bool nd_heap_edge_is_numbered(enum nd_heap_edge_type type)
{
	return type == ND_HEAP_EDGE_ELEMENT || type == ND_HEAP_EDGE_HIDDEN ||
	       type == ND_HEAP_EDGE_OTHER;
}

#endif /* NODIAG_ANALYZER_HEAP_HEAP_H */
