/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/packing.h"

#include <errno.h>
#include <strings.h>

#include "analyzer/gzip.h"
#include "common/buf.h"
#include "proto/zstd.h"

static const struct {
	const char *name;
	const char *extension;
	int (*pack)(const void *data, size_t len, struct nd_buf *out);
	int (*unpack)(const void *data, size_t len, struct nd_buf *out);
} packings[ND_PACKINGS] = {
	[ND_PACKING_NONE] = {"none", "", NULL, NULL},
	[ND_PACKING_GZIP] = {"gzip", ".gz", nd_gzip, nd_gunzip},
	[ND_PACKING_ZSTD] = {"zstd", ".zst", nd_zstd, nd_zstd_unpack},
};

const char *nd_packing_name(enum nd_packing packing)
{
	return packings[packing].name;
}

int nd_packing_parse(const char *name, enum nd_packing *ret_packing)
{
	int packing;

	for (packing = 0; packing < ND_PACKINGS; packing++)
		if (!strcasecmp(name, packings[packing].name)) {
			*ret_packing = (enum nd_packing)packing;
			return 0;
		}
	return -EINVAL;
}

const char *nd_packing_extension(enum nd_packing packing)
{
	return packings[packing].extension;
}

int nd_pack(enum nd_packing packing, const void *data, size_t len, struct nd_buf *out)
{
	return packing == ND_PACKING_NONE ? nd_buf_add(out, data, len)
					  : packings[packing].pack(data, len, out);
}

int nd_unpack(enum nd_packing packing, const void *data, size_t len, struct nd_buf *out)
{
	return packing == ND_PACKING_NONE ? nd_buf_add(out, data, len)
					  : packings[packing].unpack(data, len, out);
}
