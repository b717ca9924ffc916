/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_READER_H
#define NODIAG_ANALYZER_HEAP_READER_H

/*
 * Reads a .heapsnapshot, in pieces of any size as they come from a file, a pipe or a process: as it
 * is, packed by gzip or zstd, or by analyzer/heap/pack.h. Does no I/O.
 *
 * The file is JSON: {"snapshot": {...}, "nodes": [...], "edges": [...], ..., "strings": [...]}.
 * Sections may come in any order but for "snapshot", which says what the others mean; those that
 * are not needed, and unknown ones, are skipped. Everything else that is not as it should be is an
 * error with the byte at which it was seen, counted in the unpacked text: a snapshot that was cut
 * off gives wrong sizes, and no warning would be read.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_err;
struct nd_heap;
struct nd_heap_reader;

/* NULL when out of memory. */
struct nd_heap_reader *nd_heap_reader_new(void);
void nd_heap_reader_free(struct nd_heap_reader *reader);

/* So many bytes are to come in all: where that is known, memory is asked for at once. */
void nd_heap_reader_expect(struct nd_heap_reader *reader, uint64_t bytes);

/*
 * Leave the edges of a packed snapshot packed until nd_heap_need_edges() asks for those of a node,
 * for a question about a few objects. What of them is damaged is seen then;
 * nd_heap_deferred_check() tells. Others are read as ever.
 */
void nd_heap_reader_defer_edges(struct nd_heap_reader *reader);

/*
 * Read the next bytes. 0, or with `err` set -EBADMSG where they are no snapshot, -E2BIG beyond a
 * limit, -ENOMEM; then only nd_heap_reader_free() is left.
 */
int nd_heap_reader_feed(struct nd_heap_reader *reader, const void *data, size_t len,
			struct nd_err *err);

/*
 * About how much of the snapshot has come, from 0 to below 1, by what its head promises: 0 before
 * that is known, and of one that is packed.
 */
double nd_heap_reader_get_share(const struct nd_heap_reader *reader);

/* That was all. The caller frees the heap. Errors as above. */
int nd_heap_reader_finish(struct nd_heap_reader *reader, struct nd_heap **ret_heap,
			  struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_READER_H */
