/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_UNPACK_H
#define NODIAG_ANALYZER_HEAP_UNPACK_H

/*
 * Reads a packed heap snapshot (analyzer/heap/packed.h), in pieces of any size. Does no I/O. As in
 * a .heapsnapshot, all that is not as it should be is an error with the byte of the file at which
 * it was seen, and memory grows with what came, not with what the head promises.
 */

#include <stdbool.h>
#include <stddef.h>

struct nd_err;
struct nd_heap;
struct nd_heap_unpacker;

/* Whether `data`, of four bytes or more, starts as a packed snapshot does, or a recording. */
bool nd_heap_unpacker_is(const void *data, size_t len);

/* NULL when out of memory. */
struct nd_heap_unpacker *nd_heap_unpacker_new(void);
void nd_heap_unpacker_free(struct nd_heap_unpacker *unpacker);

/* See nd_heap_reader_defer_edges(). */
void nd_heap_unpacker_defer_edges(struct nd_heap_unpacker *unpacker);

/* As nd_heap_reader_feed() and nd_heap_reader_finish(), whose errors they return. */
int nd_heap_unpacker_feed(struct nd_heap_unpacker *unpacker, const void *data, size_t len,
			  struct nd_err *err);
int nd_heap_unpacker_finish(struct nd_heap_unpacker *unpacker, struct nd_heap **ret_heap,
			    struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_UNPACK_H */
