/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_FRAME_H
#define NODIAG_PROTO_FRAME_H

/*
 * The bytes of a recording: a head, then parts, each of them a zstd frame behind a head of its own,
 * then, unless the writer was killed, a foot that says where the index is. docs/format.md is the
 * law.
 *
 * Encodes into and decodes from memory only. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_buf;
struct nd_err;
struct nd_packer;

/* The version that is written, and the major one that is read. */
#define ND_FORMAT_MAJOR 1
#define ND_FORMAT_MINOR 0

#define ND_FILE_HEAD_SIZE 16 /* bytes */
#define ND_PART_HEAD_SIZE 20
#define ND_FILE_FOOT_SIZE 16

/* What is in a part; a reader skips others. */
enum nd_part_kind {
	ND_PART_HEADER = 1,
	ND_PART_NAMES,
	ND_PART_EVENTS,
	ND_PART_END,
	ND_PART_INDEX,
	ND_PART_KIND_COUNT,

	/* Of a heap snapshot, which is a file of its own (analyzer/heap/packed.h). */
	ND_PART_HEAP = 64,
	ND_PART_HEAP_COLUMN,
	ND_PART_HEAP_ANALYSIS,
	ND_PART_HEAP_END
};

/* A part in a file, still packed. */
struct nd_part {
	uint32_t kind;	/* enum nd_part_kind, or what a newer nodiag wrote */
	uint64_t start; /* offset of its head */
	uint64_t end;	/* of the first byte behind it */
	const uint8_t *packed;
	uint32_t packed_size;
	uint32_t unpacked_size;
};

/* For packing and unpacking; NULL when out of memory. */
struct nd_packer *nd_packer_new(void);
void nd_packer_free(struct nd_packer *packer);

/* Each of these returns 0 or the error of `out`. */
int nd_frame_add_head(struct nd_buf *out);
int nd_frame_add_foot(struct nd_buf *out, uint64_t index_start);

/* Pack `len` bytes, at most ND_PART_UNPACKED_MAX, as a part; also -ENOMEM. */
int nd_frame_add_part(struct nd_packer *packer, enum nd_part_kind kind, const void *data,
		      size_t len, struct nd_buf *out);

/* Whether the first bytes are those of a recording. */
bool nd_frame_is_recording(const void *data, size_t len);

/*
 * Check the head of a recording. -EBADMSG when it is damaged or not all there, -ENOTSUP when it is
 * of a major version that this nodiag does not read, both with `err` set.
 */
int nd_frame_read_head(const void *data, size_t len, uint32_t *ret_minor, struct nd_err *err);

/* The index's place from the foot of a recording; false when there is no sound foot. */
bool nd_frame_read_foot(const void *data, size_t len, uint64_t *ret_index_start);

/*
 * What the ND_PART_HEAD_SIZE bytes at `head`, which are at `start` of a file, say of the part
 * behind them. False when they are no sound head.
 */
bool nd_frame_read_part(const void *head, uint64_t start, struct nd_part *ret_part);

/*
 * The first part that has a sound head at or after `offset` and is all there, in the first `len`
 * bytes of a file. False when there is none.
 */
bool nd_frame_find_part(const void *data, size_t len, uint64_t offset, struct nd_part *ret_part);

/* Add what is in a part to `out`, which must be empty. -EBADMSG when it is damaged, -ENOMEM. */
int nd_frame_unpack(struct nd_packer *packer, const struct nd_part *part, struct nd_buf *out);

#endif /* NODIAG_PROTO_FRAME_H */
