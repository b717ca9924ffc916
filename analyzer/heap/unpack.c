/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/unpack.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/deferred.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/packed.h"
#include "analyzer/heap/stored.h"
#include "analyzer/heap/unpack_columns.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/limits.h"

/* zstd makes what it cannot pack a little longer. */
#define PACKED_MAX (ND_PART_UNPACKED_MAX + (ND_PART_UNPACKED_MAX >> 6))

enum state { FILE_HEAD, PART_HEAD, PART, END };

struct nd_heap_unpacker {
	enum state state;
	uint64_t offset;   /* of the file, where the bytes in `in` begin */
	struct nd_buf in;  /* of what is to be whole before it is looked at */
	struct nd_buf out; /* of a part, unpacked */
	struct nd_packer *packer;
	struct nd_part part;
	bool has_head;
	bool has_analysis;
	bool is_skipping; /* an analysis by other rules */
	bool defers_edges;
	struct nd_heap_deferred *deferred; /* once the first part of edges came */
	struct nd_heap_unpacked u;
};

bool nd_heap_unpacker_is(const void *data, size_t len)
{
	return len >= 4 && !memcmp(data, "\x89NOD", 4);
}

struct nd_heap_unpacker *nd_heap_unpacker_new(void)
{
	struct nd_heap_unpacker *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	nd_buf_init(&r->in, PACKED_MAX + ND_PART_HEAD_SIZE);
	nd_buf_init(&r->out, ND_PART_UNPACKED_MAX);
	r->packer = nd_packer_new();
	r->u.heap = calloc(1, sizeof(*r->u.heap));
	if (r->packer && r->u.heap)
		return r;
	nd_heap_unpacker_free(r);
	return NULL;
}

void nd_heap_unpacker_free(struct nd_heap_unpacker *r)
{
	if (!r)
		return;
	nd_buf_fini(&r->in);
	nd_buf_fini(&r->out);
	nd_packer_free(r->packer);
	nd_heap_deferred_free(r->deferred);
	nd_heap_free(r->u.heap);
	nd_heap_stored_free(r->u.stored);
	free(r);
}

void nd_heap_unpacker_defer_edges(struct nd_heap_unpacker *r)
{
	r->defers_edges = true;
}

static int damaged(const struct nd_heap_unpacker *r, const char *what, struct nd_err *err)
{
	return nd_err_set(err, -EBADMSG, "%s in the part at byte %" PRIu64, what, r->offset);
}

static bool get_numbers(const struct nd_buf *buf, uint64_t *numbers, size_t count)
{
	size_t i;

	if (buf->len < count * sizeof(*numbers))
		return false;
	memcpy(numbers, buf->data, count * sizeof(*numbers));
	for (i = 0; i < count; i++)
		numbers[i] = le64toh(numbers[i]);
	return true;
}

static int read_head(struct nd_heap_unpacker *r, struct nd_err *err)
{
	uint64_t *head = r->u.head;

	if (r->has_head || !get_numbers(&r->out, head, ND_HEAP_HEAD_NUMBERS))
		return damaged(r, "a bad head", err);
	if (!head[ND_HEAP_HEAD_NODES] || head[ND_HEAP_HEAD_NODES] > ND_HEAP_NODES_MAX ||
	    head[ND_HEAP_HEAD_EDGES] > ND_HEAP_EDGES_MAX ||
	    head[ND_HEAP_HEAD_LOCATIONS] > head[ND_HEAP_HEAD_NODES] ||
	    head[ND_HEAP_HEAD_STRINGS] > ND_HEAP_STRINGS_MAX ||
	    head[ND_HEAP_HEAD_STRING_BYTES] > ND_HEAP_STRING_BYTES_MAX ||
	    head[ND_HEAP_HEAD_ROOT] >= head[ND_HEAP_HEAD_NODES] ||
	    (head[ND_HEAP_HEAD_DETACHED] &&
	     head[ND_HEAP_HEAD_DETACHED] != head[ND_HEAP_HEAD_NODES]))
		return damaged(r, "a number out of range", err);
	r->has_head = true;
	return nd_heap_unpacked_begin(&r->u, err);
}

static int read_analysis_head(struct nd_heap_unpacker *r, struct nd_err *err)
{
	uint64_t *head = r->u.analysis_head;

	/* With other rules there may be more numbers, or fewer. */
	if (!r->has_head || r->has_analysis || r->u.column < ND_HEAP_FIRST_ANALYSED ||
	    !get_numbers(&r->out, head, ND_HEAP_HEAD_RULES + 1))
		return damaged(r, "a bad head", err);
	r->has_analysis = true;
	r->is_skipping = head[ND_HEAP_HEAD_RULES] != ND_HEAP_RULES;
	if (r->is_skipping)
		return 0;
	if (!get_numbers(&r->out, head, ND_HEAP_ANALYSIS_NUMBERS))
		return damaged(r, "a bad head", err);
	if (!head[ND_HEAP_HEAD_CLASSES] ||
	    head[ND_HEAP_HEAD_CLASSES] > 2 * (uint64_t)ND_HEAP_NODES_MAX ||
	    head[ND_HEAP_HEAD_CLASS_BYTES] > ND_HEAP_STRING_BYTES_MAX ||
	    head[ND_HEAP_HEAD_SCRIPTS] > r->u.head[ND_HEAP_HEAD_LOCATIONS] ||
	    head[ND_HEAP_HEAD_SCOPES] > r->u.head[ND_HEAP_HEAD_LOCATIONS])
		return damaged(r, "a number out of range", err);
	return nd_heap_unpacked_begin_analysis(&r->u, err);
}

static int read_column(struct nd_heap_unpacker *r, struct nd_err *err)
{
	const char *what = NULL;
	int ret;

	if (r->is_skipping)
		return 0;
	if (!r->has_head)
		return damaged(r, "a column before its head", err);
	ret = nd_heap_unpacked_add(&r->u, (const uint8_t *)r->out.data, r->out.len, &what);
	if (ret == -ENOMEM)
		return nd_err_set(err, ret, "out of memory for the snapshot");
	return ret ? damaged(r, what, err) : 0;
}

static bool is_complete(const struct nd_heap_unpacker *r)
{
	if (!r->has_head)
		return false;
	return r->u.column ==
	       (r->has_analysis && !r->is_skipping ? ND_HEAP_COLUMNS : ND_HEAP_FIRST_ANALYSED);
}

static bool is_deferred(const struct nd_heap_unpacker *r)
{
	return r->defers_edges && r->has_head && r->part.kind == ND_PART_HEAP_COLUMN &&
	       r->u.column == ND_HEAP_EDGE_TYPES_COLUMN;
}

static int defer(struct nd_heap_unpacker *r, struct nd_err *err)
{
	int ret = 0;

	if (!r->deferred)
		r->deferred = nd_heap_deferred_new(r->u.head);
	if (!r->deferred || nd_heap_deferred_add(r->deferred, &r->part))
		ret = -ENOMEM;
	else if (nd_heap_deferred_is_whole(r->deferred))
		ret = nd_heap_unpacked_skip_edges(&r->u);
	return ret ? nd_err_set(err, ret, "out of memory for the snapshot") : 0;
}

static int read_part(struct nd_heap_unpacker *r, struct nd_err *err)
{
	int ret;

	nd_buf_reset(&r->out);
	r->part.packed = (const uint8_t *)r->in.data + ND_PART_HEAD_SIZE;
	if (is_deferred(r))
		return defer(r, err);
	ret = nd_frame_unpack(r->packer, &r->part, &r->out);
	if (ret == -ENOMEM)
		return nd_err_set(err, ret, "out of memory for the snapshot");
	if (ret)
		return damaged(r, "damaged bytes", err);
	switch (r->part.kind) {
	case ND_PART_HEAP:
		return read_head(r, err);
	case ND_PART_HEAP_COLUMN:
		return read_column(r, err);
	case ND_PART_HEAP_ANALYSIS:
		return read_analysis_head(r, err);
	case ND_PART_HEAP_END:
		r->state = END;
		return is_complete(r) ? 0 : damaged(r, "an end before all columns are there", err);
	case ND_PART_HEADER:
		nd_err_set(err, -EBADMSG, "it is a recording, and holds no heap snapshot");
		return nd_err_hint(err, "'nodiag heap snapshot' takes one of a running process");
	default:
		return 0; /* what a newer nodiag has besides */
	}
}

static int begin_part(struct nd_heap_unpacker *r, struct nd_err *err)
{
	if (!nd_frame_read_part(r->in.data, r->offset, &r->part))
		return damaged(r, "no sound head", err);
	if (r->part.packed_size > PACKED_MAX)
		return damaged(r, "too many bytes", err);
	r->state = PART;
	return 0;
}

/* How many bytes must be there to go on. */
static size_t bytes_needed(const struct nd_heap_unpacker *r)
{
	if (r->state == FILE_HEAD)
		return ND_FILE_HEAD_SIZE;
	return ND_PART_HEAD_SIZE + (r->state == PART ? r->part.packed_size : 0);
}

/* All that is needed is there. */
static int step(struct nd_heap_unpacker *r, struct nd_err *err)
{
	uint32_t minor;
	int ret;

	if (r->state == FILE_HEAD) {
		ret = nd_frame_read_head(r->in.data, r->in.len, &minor, err);
		r->state = PART_HEAD;
	} else if (r->state == PART_HEAD) {
		return begin_part(r, err);
	} else {
		r->state = PART_HEAD;
		ret = read_part(r, err);
	}
	r->offset += r->in.len;
	nd_buf_reset(&r->in);
	return ret;
}

int nd_heap_unpacker_feed(struct nd_heap_unpacker *r, const void *data, size_t len,
			  struct nd_err *err)
{
	const char *at = data;
	size_t part;
	int ret = 0;

	while (!ret && r->state != END) {
		part = bytes_needed(r) - r->in.len;
		if (part > len)
			part = len;
		if (nd_buf_add(&r->in, at, part))
			return nd_err_set(err, -ENOMEM, "out of memory for the snapshot");
		at += part;
		len -= part;
		if (r->in.len < bytes_needed(r))
			return 0;
		ret = step(r, err);
	}
	if (!ret && len)
		return nd_err_set(err, -EBADMSG,
				  "something follows the end of the snapshot, at byte %" PRIu64,
				  r->offset);
	return ret;
}

/* Without what an earlier analysis found, one is made, which looks at all edges. */
static int hand_over_deferred(struct nd_heap_unpacker *r, struct nd_err *err)
{
	struct nd_heap *heap = r->u.heap;

	if (!r->deferred)
		return 0;
	if (nd_heap_deferred_hand_over(r->deferred, heap))
		return nd_err_set(err, -ENOMEM, "out of memory for the snapshot");
	r->deferred = NULL;
	if (!heap->stored)
		nd_heap_need_all_edges(heap);
	return nd_heap_deferred_check(heap, err);
}

int nd_heap_unpacker_finish(struct nd_heap_unpacker *r, struct nd_heap **ret_heap,
			    struct nd_err *err)
{
	int ret;

	if (r->state != END)
		return nd_err_set(err, -EBADMSG, "it is cut off after byte %" PRIu64,
				  r->offset + r->in.len);
	nd_heap_unpacked_finish(&r->u);
	ret = hand_over_deferred(r, err);
	if (ret)
		return ret;
	*ret_heap = r->u.heap;
	r->u.heap = NULL;
	return 0;
}
