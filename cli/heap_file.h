/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_FILE_H
#define NODIAG_CLI_HEAP_FILE_H

#include <stdbool.h>

struct nd_err;
struct nd_heap;

/*
 * Read a heap snapshot from a file or a pipe, "-" for stdin, with progress on stderr when it takes
 * long, and edges deferred as nd_heap_reader_defer_edges() says, or not. The caller frees the heap.
 * 0, or a negative errno with `err` set.
 */
int heap_file_read(const char *path, bool defers_edges, struct nd_heap **ret_heap,
		   struct nd_err *err);

#endif /* NODIAG_CLI_HEAP_FILE_H */
