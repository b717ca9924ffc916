/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_SCRIPT_H
#define NODIAG_CLI_SCRIPT_H

/*
 * What a Node.js process runs, by its arguments: a block of `len` bytes in which each argument but
 * the last is ended by a NUL, and a NUL follows the block, as nd_procfs_read_args() has it.
 *
 * A process that set process.title has written over them: then the title is all there is.
 */

#include <stddef.h>

struct nd_buf;

/*
 * The argument that names the script, borrowed from `args`; NULL when there is none, as for the
 * REPL, -e, and titles.
 */
const char *script_find(const char *args, size_t len);

/* Append the command as people tell it apart from others: without "node", if there is a script. */
void script_describe(const char *args, size_t len, struct nd_buf *out);

/* A short name: the script without its folders, the title, or "node". Borrowed from `args`. */
const char *script_name(const char *args, size_t len);

/* The last part of a path. */
const char *script_base(const char *path);

#endif /* NODIAG_CLI_SCRIPT_H */
