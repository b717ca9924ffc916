/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_EXPORT_PACKING_H
#define NODIAG_ANALYZER_EXPORT_PACKING_H

/*
 * How a request is packed, on its way and in the queue.
 */

#include <stddef.h>

struct nd_buf;

enum nd_packing { ND_PACKING_NONE, ND_PACKING_GZIP, ND_PACKING_ZSTD, ND_PACKINGS };

/* As headers and users have it: "none", "gzip", "zstd". */
const char *nd_packing_name(enum nd_packing packing);

/* The packing of that name, in any case of letters; -EINVAL when there is none. */
int nd_packing_parse(const char *name, enum nd_packing *ret_packing);

/* The end of a file's name: ".gz", ".zst". */
const char *nd_packing_extension(enum nd_packing packing);

/* Append `data`, packed: 0, -ENOMEM or -EFBIG. */
int nd_pack(enum nd_packing packing, const void *data, size_t len, struct nd_buf *out);

/* Append what `data` unpacks to: also -EBADMSG when it is broken or cut off. */
int nd_unpack(enum nd_packing packing, const void *data, size_t len, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_EXPORT_PACKING_H */
