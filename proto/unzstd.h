/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_UNZSTD_H
#define NODIAG_PROTO_UNZSTD_H

/*
 * Unpacks zstd (RFC 8878) that comes in pieces, as files of other programs have it. Recordings are
 * unpacked by proto/frame.h, a part at a time.
 */

#include <stdbool.h>
#include <stddef.h>

struct nd_unzstd;

/* Whether `data` starts as a zstd file does. */
bool nd_unzstd_is(const void *data, size_t len);

/*
 * What the pieces unpack to is handed on, in pieces, at once. NULL when out of memory. What `take`
 * returns, when it is not 0, ends the feeding and is returned.
 */
struct nd_unzstd *nd_unzstd_new(int (*take)(void *arg, const char *data, size_t len), void *arg);
void nd_unzstd_free(struct nd_unzstd *unzstd);

/* 0, -EBADMSG when the data is broken, or what `take` returned. */
int nd_unzstd_feed(struct nd_unzstd *unzstd, const void *data, size_t len);

/* That was all: -EBADMSG when it is cut off. */
int nd_unzstd_finish(struct nd_unzstd *unzstd);

#endif /* NODIAG_PROTO_UNZSTD_H */
