/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_FILE_H
#define NODIAG_CLI_HEAP_FILE_H

struct nd_err;
struct nd_heap;

/*
 * Read a heap snapshot from a file or a pipe, "-" for stdin, with progress on stderr when it takes
 * long. The caller frees the heap. 0, or a negative errno with `err` set.
 */
int heap_file_read(const char *path, struct nd_heap **ret_heap, struct nd_err *err);

#endif /* NODIAG_CLI_HEAP_FILE_H */
