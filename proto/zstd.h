/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_ZSTD_H
#define NODIAG_PROTO_ZSTD_H

/*
 * zstd (RFC 8878) from memory to memory, with a checksum.
 */

#include <stddef.h>

struct nd_buf;

/* Append `data`, packed. 0, -ENOMEM or -EFBIG. */
int nd_zstd(const void *data, size_t len, struct nd_buf *out);

/*
 * Append what `data` unpacks to. -EBADMSG when it is broken or cut off, -EFBIG when it unpacks to
 * more than `out` may hold, -ENOMEM.
 */
int nd_zstd_unpack(const void *data, size_t len, struct nd_buf *out);

#endif /* NODIAG_PROTO_ZSTD_H */
