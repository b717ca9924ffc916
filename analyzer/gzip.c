/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "common/buf.h"

/* zlib's number for the largest window, with a gzip header around it. */
#define WINDOW_GZIP (15 + 16)

#define CHUNK (256u << 10)

/* zlib counts in 32 bits: hand it the next part of what is left. */
static void refill(z_stream *stream, size_t *left)
{
	size_t part = *left < UINT_MAX ? *left : UINT_MAX;

	if (stream->avail_in)
		return;
	stream->avail_in = (uInt)part;
	*left -= part;
}

/*
 * Let zlib write into the buffer's own memory: as much as is free there, and no more than the
 * ceiling allows. A full buffer still has the byte of its final NUL: what comes to lie there is the
 * first byte too many, and nothing need come, for the end of the stream may be all that is left.
 */
static int make_room(z_stream *stream, struct nd_buf *out)
{
	size_t room = out->max - out->len < CHUNK ? out->max - out->len : CHUNK;
	char *at = nd_buf_reserve(out, room);

	if (!at)
		return nd_buf_error(out);
	stream->next_out = (Bytef *)at;
	stream->avail_out = room ? (uInt)room : 1;
	return 0;
}

static int take_room(const z_stream *stream, struct nd_buf *out)
{
	size_t len = (size_t)((char *)stream->next_out - out->data);

	if (len > out->max)
		nd_buf_reserve(out, 1);
	else
		out->len = len;
	out->data[out->len] = '\0';
	return nd_buf_error(out);
}

int nd_gzip(const void *data, size_t len, struct nd_buf *out)
{
	z_stream stream = {.next_in = (Bytef *)data};
	size_t left = len;
	int ret = 0, status = Z_OK;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	while (status == Z_OK && !ret) {
		refill(&stream, &left);
		ret = make_room(&stream, out);
		if (ret)
			break;
		status = deflate(&stream, left ? Z_NO_FLUSH : Z_FINISH);
		ret = take_room(&stream, out);
	}
	deflateEnd(&stream);
	return ret;
}

bool nd_gzip_is(const void *data, size_t len)
{
	return len >= 3 && !memcmp(data, "\x1f\x8b\x08", 3);
}

int nd_gunzip(const void *data, size_t len, struct nd_buf *out)
{
	z_stream stream = {.next_in = (Bytef *)data};
	size_t left = len;
	int ret = 0, status;

	if (inflateInit2(&stream, WINDOW_GZIP) != Z_OK)
		return -ENOMEM;
	do {
		refill(&stream, &left);
		ret = make_room(&stream, out);
		if (ret)
			break;
		status = inflate(&stream, Z_NO_FLUSH);
		ret = take_room(&stream, out);
		if (ret)
			break;
		if (status == Z_STREAM_END && (stream.avail_in || left))
			status = inflateReset(&stream);
		if (status == Z_MEM_ERROR)
			ret = -ENOMEM;
		else if (status != Z_OK && status != Z_STREAM_END)
			ret = -EBADMSG;
	} while (!ret && status != Z_STREAM_END);
	inflateEnd(&stream);
	return ret;
}

struct nd_gunzip {
	z_stream stream;
	bool in_member;
	int (*take)(void *arg, const char *data, size_t len);
	void *arg;
	char out[CHUNK];
};

struct nd_gunzip *nd_gunzip_new(int (*take)(void *arg, const char *data, size_t len), void *arg)
{
	struct nd_gunzip *gunzip = calloc(1, sizeof(*gunzip));

	if (!gunzip)
		return NULL;
	gunzip->take = take;
	gunzip->arg = arg;
	if (inflateInit2(&gunzip->stream, WINDOW_GZIP) == Z_OK)
		return gunzip;
	free(gunzip);
	return NULL;
}

void nd_gunzip_free(struct nd_gunzip *gunzip)
{
	if (!gunzip)
		return;
	inflateEnd(&gunzip->stream);
	free(gunzip);
}

/* Unpack until the output is full or the input used up, and hand on what there is. */
static int unpack_some(struct nd_gunzip *gunzip)
{
	z_stream *stream = &gunzip->stream;
	size_t len;
	int status;

	stream->next_out = (Bytef *)gunzip->out;
	stream->avail_out = sizeof(gunzip->out);
	gunzip->in_member |= stream->avail_in > 0;
	status = inflate(stream, Z_NO_FLUSH);
	if (status == Z_STREAM_END) {
		gunzip->in_member = false;
		status = inflateReset(stream);
	}
	if (status != Z_OK && status != Z_BUF_ERROR)
		return status == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
	len = sizeof(gunzip->out) - stream->avail_out;
	return len ? gunzip->take(gunzip->arg, gunzip->out, len) : 0;
}

int nd_gunzip_feed(struct nd_gunzip *gunzip, const void *data, size_t len)
{
	z_stream *stream = &gunzip->stream;
	size_t left = len;
	int ret = 0;

	stream->next_in = (Bytef *)data;
	stream->avail_in = 0;
	stream->avail_out = 1;
	/* A full output may not be all that the last input unpacks to. */
	while (!ret && (left || stream->avail_in || !stream->avail_out)) {
		refill(stream, &left);
		ret = unpack_some(gunzip);
	}
	return ret;
}

int nd_gunzip_finish(struct nd_gunzip *gunzip)
{
	return gunzip->in_member ? -EBADMSG : 0;
}
