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

/*
 * The same for what comes in pieces: what they unpack to is handed on, in pieces, at once.
 * NULL when out of memory. What `take` returns, when it is not 0, ends the feeding and is returned.
 */
struct nd_gunzip *nd_gunzip_new(int (*take)(void *arg, const char *data, size_t len), void *arg);
void nd_gunzip_free(struct nd_gunzip *gunzip);

/* 0, -EBADMSG when the data is broken, -ENOMEM, or what `take` returned. */
int nd_gunzip_feed(struct nd_gunzip *gunzip, const void *data, size_t len);

/* That was all: -EBADMSG when it is cut off. */
int nd_gunzip_finish(struct nd_gunzip *gunzip);

#endif /* NODIAG_ANALYZER_GZIP_H */
