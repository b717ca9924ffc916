/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/deferred.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/graph.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/unpack_columns.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/pages.h"
#include "proto/frame.h"
#include "proto/limits.h"

/* Columns of edges. */
#define COLUMNS 3

/* A part, and where in the bytes that are kept it is. */
struct kept {
	struct nd_part part;
	size_t at;
};

struct nd_heap_deferred {
	struct nd_heap_unpacked u;
	struct nd_packer *packer;
	struct nd_buf packed; /* the parts, one behind the other */
	struct nd_buf out;    /* one of them, unpacked */
	struct kept *part;    /* for each column, for each chunk of it */
	uint32_t part_count;  /* that came */
	uint32_t chunk_count; /* of a column */
	uint8_t *is_there;    /* a bit for each chunk */
	struct nd_err err;    /* the first */
};

struct nd_heap_deferred *nd_heap_deferred_new(const uint64_t head[ND_HEAP_HEAD_NUMBERS])
{
	struct nd_heap_deferred *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	nd_buf_init(&d->packed, SIZE_MAX / 2);
	nd_buf_init(&d->out, ND_PART_UNPACKED_MAX);
	memcpy(d->u.head, head, sizeof(d->u.head));
	d->chunk_count = (uint32_t)((head[ND_HEAP_HEAD_EDGES] + ND_HEAP_CHUNK - 1) / ND_HEAP_CHUNK);
	d->packer = nd_packer_new();
	d->part = calloc((size_t)COLUMNS * d->chunk_count, sizeof(*d->part));
	d->is_there = calloc(d->chunk_count / 8 + 1, 1);
	if (d->packer && d->part && d->is_there)
		return d;
	nd_heap_deferred_free(d);
	return NULL;
}

void nd_heap_deferred_free(struct nd_heap_deferred *d)
{
	if (!d)
		return;
	nd_buf_fini(&d->packed);
	nd_buf_fini(&d->out);
	nd_packer_free(d->packer);
	free(d->part);
	free(d->is_there);
	free(d);
}

int nd_heap_deferred_add(struct nd_heap_deferred *d, const struct nd_part *part)
{
	d->part[d->part_count++] = (struct kept){*part, d->packed.len};
	return nd_buf_add(&d->packed, part->packed, part->packed_size) ? -ENOMEM : 0;
}

bool nd_heap_deferred_is_whole(const struct nd_heap_deferred *d)
{
	return d->part_count == COLUMNS * d->chunk_count;
}

int nd_heap_deferred_hand_over(struct nd_heap_deferred *d, struct nd_heap *heap)
{
	heap->edge = calloc((size_t)heap->edge_count + 1, sizeof(*heap->edge));
	heap->edge_name = calloc((size_t)heap->edge_count + 1, sizeof(*heap->edge_name));
	if (!heap->edge || !heap->edge_name)
		return -ENOMEM;
	d->u.heap = heap;
	d->u.cap = heap->edge_count;
	heap->deferred = d;
	return 0;
}

/* The edges of a chunk. */
struct chunk {
	uint32_t number;
	uint32_t first;
	uint32_t count;
};

static struct chunk get_chunk(const struct nd_heap_deferred *d, uint32_t number)
{
	uint32_t first = number * ND_HEAP_CHUNK, rest = d->u.heap->edge_count - first;

	return (struct chunk){number, first, rest < ND_HEAP_CHUNK ? rest : ND_HEAP_CHUNK};
}

static struct kept *find_part(const struct nd_heap_deferred *d, const struct chunk *chunk,
			      int column)
{
	return &d->part[(size_t)(column - ND_HEAP_EDGE_TYPES_COLUMN) * d->chunk_count +
			chunk->number];
}

/* A column of a chunk, as if the values before it had come. */
static int unpack_part(struct nd_heap_deferred *d, const struct chunk *chunk, int column,
		       const char **ret_what)
{
	struct kept *kept = find_part(d, chunk, column);
	struct nd_heap_unpacked *u = &d->u;
	int ret;

	kept->part.packed = (const uint8_t *)d->packed.data + kept->at;
	nd_buf_reset(&d->out);
	*ret_what = "damaged bytes";
	ret = nd_frame_unpack(d->packer, &kept->part, &d->out);
	if (ret)
		return ret;
	u->column = column;
	u->done = chunk->first;
	u->from = nd_heap_find_owner(u->heap, chunk->first);
	return nd_heap_unpacked_add_chunk(u, (const uint8_t *)d->out.data, d->out.len, ret_what);
}

static void unpack_chunk(struct nd_heap_deferred *d, const struct chunk *chunk)
{
	const struct nd_heap *heap = d->u.heap;
	const char *what = NULL;
	int column, ret = 0;

	nd_heap_set_bit(d->is_there, chunk->number);
	nd_pages_populate(heap->edge + chunk->first, chunk->count * sizeof(*heap->edge));
	nd_pages_populate(heap->edge_name + chunk->first, chunk->count * sizeof(*heap->edge_name));
	for (column = ND_HEAP_EDGE_TYPES_COLUMN; column <= ND_HEAP_EDGE_NODES && !ret; column++)
		ret = unpack_part(d, chunk, column, &what);
	if (ret == -ENOMEM)
		nd_err_set(&d->err, ret, "out of memory for the snapshot");
	else if (ret)
		nd_err_set(&d->err, ret, "%s in the part at byte %" PRIu64, what,
			   find_part(d, chunk, column - 1)->part.start);
}

void nd_heap_deferred_unpack(struct nd_heap_deferred *d, uint32_t first, uint32_t end)
{
	struct chunk chunk;
	uint32_t number;

	for (number = first / ND_HEAP_CHUNK; (uint64_t)number * ND_HEAP_CHUNK < end; number++) {
		if (nd_heap_bit(d->is_there, number) || d->err.code)
			continue;
		chunk = get_chunk(d, number);
		unpack_chunk(d, &chunk);
	}
}

int nd_heap_deferred_check(const struct nd_heap *heap, struct nd_err *err)
{
	const struct nd_err *found = heap->deferred ? &heap->deferred->err : NULL;

	if (!found || !found->code)
		return 0;
	return nd_err_set(err, found->code, "%s", found->what);
}
