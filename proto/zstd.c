/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/zstd.h"

#include <errno.h>

#include <zstd.h>

#include "common/buf.h"
#include "proto/unzstd.h"

/* zstd's own default. */
#define LEVEL 3

int nd_zstd(const void *data, size_t len, struct nd_buf *out)
{
	size_t room = ZSTD_compressBound(len), size;
	ZSTD_CCtx *context = ZSTD_createCCtx();
	int ret = context ? 0 : -ENOMEM;
	char *packed;

	/* What it may need at most can be more than the buffer may hold, and it needs less. */
	if (room > out->max - out->len)
		room = out->max - out->len;
	packed = nd_buf_reserve(out, room);
	if (!ret && !packed)
		ret = nd_buf_error(out);
	if (!ret) {
		ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
		size = ZSTD_compress2(context, packed, room, data, len);
		if (ZSTD_isError(size))
			ret = -EFBIG;
		else
			out->len += size;
		out->data[out->len] = '\0';
	}
	ZSTD_freeCCtx(context);
	return ret;
}

static int take(void *arg, const char *data, size_t len)
{
	return nd_buf_add(arg, data, len);
}

int nd_zstd_unpack(const void *data, size_t len, struct nd_buf *out)
{
	struct nd_unzstd *unzstd = nd_unzstd_new(take, out);
	int ret;

	if (!unzstd)
		return -ENOMEM;
	ret = nd_unzstd_feed(unzstd, data, len);
	if (!ret)
		ret = nd_unzstd_finish(unzstd);
	nd_unzstd_free(unzstd);
	return ret;
}
