/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/unzstd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#define CHUNK (256u << 10)

struct nd_unzstd {
	ZSTD_DCtx *context;
	bool in_frame;
	int (*take)(void *arg, const char *data, size_t len);
	void *arg;
	char out[CHUNK];
};

bool nd_unzstd_is(const void *data, size_t len)
{
	return len >= 4 && !memcmp(data, "\x28\xb5\x2f\xfd", 4);
}

struct nd_unzstd *nd_unzstd_new(int (*take)(void *arg, const char *data, size_t len), void *arg)
{
	struct nd_unzstd *unzstd = calloc(1, sizeof(*unzstd));

	if (!unzstd)
		return NULL;
	unzstd->take = take;
	unzstd->arg = arg;
	unzstd->context = ZSTD_createDCtx();
	if (unzstd->context)
		return unzstd;
	free(unzstd);
	return NULL;
}

void nd_unzstd_free(struct nd_unzstd *unzstd)
{
	if (!unzstd)
		return;
	ZSTD_freeDCtx(unzstd->context);
	free(unzstd);
}

int nd_unzstd_feed(struct nd_unzstd *unzstd, const void *data, size_t len)
{
	ZSTD_inBuffer in = {.src = data, .size = len};
	ZSTD_outBuffer out;
	size_t status;
	bool has_input;
	int ret = 0;

	/* A full output may not be all that the last input unpacks to. */
	do {
		out = (ZSTD_outBuffer){.dst = unzstd->out, .size = sizeof(unzstd->out)};
		has_input = in.pos < in.size;
		status = ZSTD_decompressStream(unzstd->context, &out, &in);
		if (ZSTD_isError(status))
			return -EBADMSG;
		if (has_input || unzstd->in_frame)
			unzstd->in_frame = status != 0;
		if (out.pos)
			ret = unzstd->take(unzstd->arg, unzstd->out, out.pos);
	} while (!ret && (in.pos < in.size || out.pos == out.size));
	return ret;
}

int nd_unzstd_finish(struct nd_unzstd *unzstd)
{
	return unzstd->in_frame ? -EBADMSG : 0;
}
