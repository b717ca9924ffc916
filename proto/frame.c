/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/frame.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

/* zstd's own default: higher levels make recordings hardly smaller. */
#define LEVEL 3

/* Starts with a byte that is no text, and has a line end that a wrong transfer changes. */
static const char file_magic[8] = "\x89NODIAG\n";
static const char part_magic[4] = "\x89NDp";
static const char foot_magic[4] = "\x89NDe";

struct nd_packer {
	ZSTD_CCtx *compress;
	ZSTD_DCtx *decompress;
};

/*
 * The CRC-32 of zip, gzip and PNG, over heads only: so few bytes need no table. What parts hold is
 * covered by zstd's own checksum.
 */
static uint32_t checksum(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t crc = UINT32_MAX;
	size_t i;
	int bit;

	for (i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void put_u32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

/* Each head and foot ends with the checksum of what is before. */
static void put_checksum(uint8_t *head, size_t size)
{
	put_u32(head + size - 4, checksum(head, size - 4));
}

static bool is_sound(const uint8_t *head, size_t size)
{
	return get_u32(head + size - 4) == checksum(head, size - 4);
}

struct nd_packer *nd_packer_new(void)
{
	struct nd_packer *packer = calloc(1, sizeof(*packer));

	if (!packer)
		return NULL;
	packer->compress = ZSTD_createCCtx();
	packer->decompress = ZSTD_createDCtx();
	if (packer->compress && packer->decompress &&
	    !ZSTD_isError(
		    ZSTD_CCtx_setParameter(packer->compress, ZSTD_c_compressionLevel, LEVEL)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(packer->compress, ZSTD_c_checksumFlag, 1)))
		return packer;
	nd_packer_free(packer);
	return NULL;
}

void nd_packer_free(struct nd_packer *packer)
{
	if (!packer)
		return;
	ZSTD_freeCCtx(packer->compress);
	ZSTD_freeDCtx(packer->decompress);
	free(packer);
}

int nd_frame_add_head(struct nd_buf *out)
{
	uint8_t head[ND_FILE_HEAD_SIZE];

	memcpy(head, file_magic, sizeof(file_magic));
	put_u32(head + 8, ND_FORMAT_MAJOR | ND_FORMAT_MINOR << 16);
	put_checksum(head, sizeof(head));
	return nd_buf_add(out, head, sizeof(head));
}

int nd_frame_add_foot(struct nd_buf *out, uint64_t index_start)
{
	uint8_t foot[ND_FILE_FOOT_SIZE];

	memcpy(foot, foot_magic, sizeof(foot_magic));
	put_u32(foot + 4, (uint32_t)index_start);
	put_u32(foot + 8, (uint32_t)(index_start >> 32));
	put_checksum(foot, sizeof(foot));
	return nd_buf_add(out, foot, sizeof(foot));
}

int nd_frame_add_part(struct nd_packer *packer, enum nd_part_kind kind, const void *data,
		      size_t len, struct nd_buf *out)
{
	size_t bound = ZSTD_compressBound(len), packed;
	uint8_t *head;

	if (len > ND_PART_UNPACKED_MAX)
		return -EFBIG;
	head = (uint8_t *)nd_buf_reserve(out, ND_PART_HEAD_SIZE + bound);
	if (!head)
		return nd_buf_error(out);
	packed = ZSTD_compress2(packer->compress, head + ND_PART_HEAD_SIZE, bound, data, len);
	/* There is room for the worst case, so only its own memory can be missing. */
	if (ZSTD_isError(packed))
		return -ENOMEM;
	memcpy(head, part_magic, sizeof(part_magic));
	put_u32(head + 4, kind);
	put_u32(head + 8, (uint32_t)packed);
	put_u32(head + 12, (uint32_t)len);
	put_checksum(head, ND_PART_HEAD_SIZE);
	out->len += ND_PART_HEAD_SIZE + packed;
	out->data[out->len] = '\0';
	return 0;
}

bool nd_frame_is_recording(const void *data, size_t len)
{
	return len >= sizeof(file_magic) && !memcmp(data, file_magic, sizeof(file_magic));
}

int nd_frame_read_head(const void *data, size_t len, uint32_t *ret_minor, struct nd_err *err)
{
	const uint8_t *head = data;
	uint32_t version;

	if (!nd_frame_is_recording(data, len))
		return nd_err_set(err, -EBADMSG, "not a recording");
	if (len < ND_FILE_HEAD_SIZE)
		return nd_err_set(err, -EBADMSG, "the recording is cut off after %zu bytes", len);
	if (!is_sound(head, ND_FILE_HEAD_SIZE))
		return nd_err_set(err, -EBADMSG, "the first %d bytes of the recording are damaged",
				  ND_FILE_HEAD_SIZE);
	version = get_u32(head + 8);
	if ((version & 0xffff) != ND_FORMAT_MAJOR) {
		nd_err_set(err, -ENOTSUP,
			   "the recording has format %u.%u, and this nodiag reads %d.x",
			   version & 0xffff, version >> 16, ND_FORMAT_MAJOR);
		nd_err_hint(err, "use a nodiag that is as new as the one that wrote it");
		return -ENOTSUP;
	}
	*ret_minor = version >> 16;
	return 0;
}

bool nd_frame_read_foot(const void *data, size_t len, uint64_t *ret_index_start)
{
	const uint8_t *foot;

	if (len < ND_FILE_HEAD_SIZE + ND_FILE_FOOT_SIZE)
		return false;
	foot = (const uint8_t *)data + len - ND_FILE_FOOT_SIZE;
	if (memcmp(foot, foot_magic, sizeof(foot_magic)) != 0 || !is_sound(foot, ND_FILE_FOOT_SIZE))
		return false;
	*ret_index_start = get_u32(foot + 4) | (uint64_t)get_u32(foot + 8) << 32;
	return true;
}

bool nd_frame_read_part(const void *head, uint64_t start, struct nd_part *ret_part)
{
	const uint8_t *at = head;

	if (memcmp(at, part_magic, sizeof(part_magic)) != 0 || !is_sound(at, ND_PART_HEAD_SIZE))
		return false;
	*ret_part = (struct nd_part){
		.kind = get_u32(at + 4),
		.start = start,
		.end = start + ND_PART_HEAD_SIZE + get_u32(at + 8),
		.packed = at + ND_PART_HEAD_SIZE,
		.packed_size = get_u32(at + 8),
		.unpacked_size = get_u32(at + 12),
	};
	return true;
}

bool nd_frame_find_part(const void *data, size_t len, uint64_t offset, struct nd_part *ret_part)
{
	const uint8_t *start = data, *at = start + (offset < len ? offset : len),
		      *end = start + len;
	struct nd_part part;

	for (;; at++) {
		at = memmem(at, (size_t)(end - at), part_magic, sizeof(part_magic));
		if (!at || end - at < ND_PART_HEAD_SIZE)
			return false;
		if (!nd_frame_read_part(at, (uint64_t)(at - start), &part) ||
		    part.packed_size > (size_t)(end - part.packed))
			continue;
		*ret_part = part;
		return true;
	}
}

int nd_frame_unpack(struct nd_packer *packer, const struct nd_part *part, struct nd_buf *out)
{
	char *at;
	size_t len;

	if (part->unpacked_size > ND_PART_UNPACKED_MAX)
		return -EBADMSG;
	at = nd_buf_reserve(out, part->unpacked_size);
	if (!at)
		return nd_buf_error(out);
	len = ZSTD_decompressDCtx(packer->decompress, at, part->unpacked_size, part->packed,
				  part->packed_size);
	if (len != part->unpacked_size)
		return -EBADMSG;
	out->len += len;
	out->data[out->len] = '\0';
	return 0;
}
