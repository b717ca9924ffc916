/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_COLLECTIONS_H
#define NODIAG_ANALYZER_HEAP_COLLECTIONS_H

/*
 * Collections with nothing in them, and those with room for more than they hold.
 *
 * A snapshot has neither lengths nor capacities. Capacities follow from the size of V8's store: an
 * array's elements are a head of two words and a word for each (V8, fixed-array.h); a table of a
 * Map or Set with B buckets has, behind that head and three counts, B words, and 2 B entries of
 * three words or two (V8, ordered-hash-table.h). A word has a quarter of the size of the object
 * itself: 8 bytes in Node.js, 4 in Chrome.
 *
 * What is used goes up to the last element that the snapshot shows. It does not show small whole
 * numbers, true, false, null and undefined, nor what is in an array of floating-point numbers. So a
 * store in which nothing is to be seen is left out, and of the others those behind the last one
 * shown count as free. Arrays and plain objects are empty when they have no store and their map has
 * no properties, which is exact; a Map or Set is when its table is of the smallest size, with room
 * for four, and shows nothing.
 */

#include <stdint.h>

struct nd_heap;

enum nd_heap_collection_kind {
	ND_HEAP_COLLECTION_ARRAY,
	ND_HEAP_COLLECTION_MAP,
	ND_HEAP_COLLECTION_SET,
	ND_HEAP_COLLECTION_OBJECT, /* plain; only whether it is empty */
	ND_HEAP_COLLECTION_KINDS
};

struct nd_heap_collection_sum {
	uint32_t count;
	uint32_t empty;
	uint64_t empty_bytes; /* of these, with their tables */
	uint32_t measured;    /* how many show elements */
	uint64_t slack_bytes; /* that these have room for */
};

/* A collection with much room. */
struct nd_heap_slack {
	uint32_t node;
	uint32_t used;
	uint32_t capacity;
	uint64_t bytes; /* for what is not used */
};

struct nd_heap_collections {
	struct nd_heap_collection_sum kind[ND_HEAP_COLLECTION_KINDS];
	struct nd_heap_slack *slack; /* those with 1 KiB or more, most first */
	uint32_t slack_count;
};

/* "Array", "Map", "Set", "Object": the name of the constructor. */
const char *nd_heap_collection_name(enum nd_heap_collection_kind kind);

/* Find them in a heap that nd_heap_charge_owners() has not changed yet. 0 or -ENOMEM. */
int nd_heap_find_collections(const struct nd_heap *heap, struct nd_heap_collections *ret);
void nd_heap_collections_fini(struct nd_heap_collections *collections);

#endif /* NODIAG_ANALYZER_HEAP_COLLECTIONS_H */
