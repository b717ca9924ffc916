/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_META_H
#define NODIAG_ANALYZER_HEAP_META_H

/*
 * The head of a .heapsnapshot, the object behind "snapshot": which numbers make up a node, an edge
 * and a location, and how many there are. Fields and types are known by their names only, for their
 * places differ between versions of V8.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_err;

/* Of a record, and of a list of types; V8 has at most 7 and 16. */
#define ND_HEAP_FIELDS_MAX 32
#define ND_HEAP_TYPES_MAX  64

struct nd_heap_meta {
	uint32_t node_fields; /* numbers of a node */
	int node_type, node_name, node_id, node_size, node_edges;
	int node_detachedness; /* -1: there is none */
	uint32_t edge_fields;
	int edge_type, edge_name, edge_to;
	uint32_t location_fields; /* 0: there are none */
	int location_node, location_script, location_line, location_column;

	uint32_t node_types; /* how many the file has, and what they are to us */
	uint8_t node_type_of[ND_HEAP_TYPES_MAX];
	uint32_t edge_types;
	uint8_t edge_type_of[ND_HEAP_TYPES_MAX];

	uint32_t node_count;
	uint32_t edge_count;
	uint32_t root;
	uint64_t extra_native_bytes;
};

/* Read the object's text. -EBADMSG or -ENOMEM, with `err` set. */
int nd_heap_meta_decode(const char *text, size_t len, struct nd_heap_meta *ret, struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_META_H */
