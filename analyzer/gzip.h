/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_GZIP_H
#define NODIAG_ANALYZER_GZIP_H

/*
 * gzip (RFC 1952) from memory to memory.
 */

#include <stdbool.h>
#include <stddef.h>

struct nd_buf;

/* Append `data`, packed. 0, -ENOMEM or -EFBIG. */
int nd_gzip(const void *data, size_t len, struct nd_buf *out);

/* Whether `data` starts as a gzip file does. */
bool nd_gzip_is(const void *data, size_t len);

/*
 * Append what `data` unpacks to; several gzip files one after the other are one. -EBADMSG when it
 * is broken or cut off, -EFBIG when it unpacks to more than `out` may hold, -ENOMEM.
 */
int nd_gunzip(const void *data, size_t len, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_GZIP_H */
