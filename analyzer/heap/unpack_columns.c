/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/unpack_columns.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/stored.h"
#include "common/err.h"
#include "common/pages.h"
#include "proto/limits.h"

/* The first room of a column; it doubles. */
#define FIRST_VALUES (1u << 16)

static struct nd_heap_place find_stored(struct nd_heap_stored *s, int column)
{
	const struct nd_heap_place places[] = {
		{NULL, 0}, /* charges stay as they are */
		{(void **)&s->dominator, sizeof(*s->dominator)},
		{(void **)&s->retained, sizeof(*s->retained)},
		{(void **)&s->distance, sizeof(*s->distance)},
		{(void **)&s->before, sizeof(*s->before)},
		{(void **)&s->class_of, sizeof(*s->class_of)},
		{(void **)&s->name_size, sizeof(*s->name_size)},
		{(void **)&s->name_bytes, sizeof(*s->name_bytes)},
		{(void **)&s->is_located, sizeof(*s->is_located)},
		{(void **)&s->script, sizeof(*s->script)},
		{(void **)&s->line, sizeof(*s->line)},
		{(void **)&s->column, sizeof(*s->column)},
		{(void **)&s->count, sizeof(*s->count)},
		{(void **)&s->class_distance, sizeof(*s->class_distance)},
		{(void **)&s->self, sizeof(*s->self)},
		{(void **)&s->class_retained, sizeof(*s->class_retained)},
		{(void **)&s->scopes.script, sizeof(*s->scopes.script)},
		{(void **)&s->scopes.script_name, sizeof(*s->scopes.script_name)},
		{(void **)&s->scopes.scope, sizeof(*s->scopes.scope)},
		{(void **)&s->scopes.function, sizeof(*s->scopes.function)},
	};

	return places[column - ND_HEAP_FIRST_ANALYSED];
}

struct nd_heap_place nd_heap_unpacked_place(struct nd_heap_unpacked *u)
{
	struct nd_heap *h = u->heap;

	switch (u->column) {
	case ND_HEAP_NODE_TYPES_COLUMN:
		return (struct nd_heap_place){(void **)&h->type, sizeof(*h->type)};
	case ND_HEAP_NODE_NAMES:
		return (struct nd_heap_place){(void **)&h->name, sizeof(*h->name)};
	case ND_HEAP_NODE_IDS:
		return (struct nd_heap_place){(void **)&h->id, sizeof(*h->id)};
	case ND_HEAP_NODE_SIZES:
		return (struct nd_heap_place){(void **)&h->self_size, sizeof(*h->self_size)};
	case ND_HEAP_NODE_EDGES:
		return (struct nd_heap_place){(void **)&h->first_edge, sizeof(*h->first_edge)};
	case ND_HEAP_NODE_DETACHED:
		return (struct nd_heap_place){(void **)&h->detachedness, sizeof(*h->detachedness)};
	case ND_HEAP_EDGE_TYPES_COLUMN:
	case ND_HEAP_EDGE_NODES:
		return (struct nd_heap_place){(void **)&h->edge, sizeof(*h->edge)};
	case ND_HEAP_EDGE_NAMES:
		return (struct nd_heap_place){(void **)&h->edge_name, sizeof(*h->edge_name)};
	case ND_HEAP_LOCATION_NODES:
	case ND_HEAP_LOCATION_SCRIPTS:
	case ND_HEAP_LOCATION_LINES:
	case ND_HEAP_LOCATION_COLUMNS:
		return (struct nd_heap_place){(void **)&h->location, sizeof(*h->location)};
	case ND_HEAP_STRING_SIZES:
		return (struct nd_heap_place){(void **)&h->string_start, sizeof(*h->string_start)};
	case ND_HEAP_STRING_BYTES:
		return (struct nd_heap_place){(void **)&h->string_bytes, sizeof(*h->string_bytes)};
	default:
		return find_stored(u->stored, u->column);
	}
}

static uint64_t size_of(const struct nd_heap_unpacked *u)
{
	return nd_heap_column_size((enum nd_heap_column)u->column, u->head, u->analysis_head);
}

/* Room for what comes, and, behind all, for one more: where the last edge or string ends. */
static int reserve(struct nd_heap_unpacked *u, uint32_t count)
{
	struct nd_heap_place place = nd_heap_unpacked_place(u);
	uint64_t cap = u->cap ? u->cap : FIRST_VALUES, need = u->done + count, total = size_of(u);
	void *bytes;

	/* Types of edges, and nodes of locations, have made room for what comes later. */
	if (u->column == ND_HEAP_EDGE_NODES ||
	    (u->column > ND_HEAP_LOCATION_NODES && u->column <= ND_HEAP_LOCATION_COLUMNS))
		return 0;
	if (need <= u->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	if (cap > total)
		cap = total;
	bytes = reallocarray(*place.column, (size_t)cap + 1, place.size);
	if (!bytes)
		return -ENOMEM;
	*place.column = bytes;
	nd_pages_populate((char *)bytes + u->cap * place.size, (cap - u->cap) * place.size);
	u->cap = cap;
	return 0;
}

/* Columns without values have no part, and are there. */
static int skip_empty(struct nd_heap_unpacked *u, int end)
{
	struct nd_heap_place place;

	for (; u->column < end && !size_of(u); u->column++) {
		if (u->column == ND_HEAP_NODE_DETACHED)
			continue;
		if (reserve(u, 0))
			return -ENOMEM;
		place = nd_heap_unpacked_place(u);
		if (!*place.column)
			*place.column = calloc(1, place.size);
		if (!*place.column)
			return -ENOMEM;
	}
	return 0;
}

int nd_heap_unpacked_begin(struct nd_heap_unpacked *u, struct nd_err *err)
{
	u->column = 0;
	if (skip_empty(u, ND_HEAP_FIRST_ANALYSED))
		return nd_err_set(err, -ENOMEM, "out of memory for the snapshot");
	return 0;
}

int nd_heap_unpacked_begin_analysis(struct nd_heap_unpacked *u, struct nd_err *err)
{
	u->stored = calloc(1, sizeof(*u->stored));
	if (!u->stored)
		return nd_err_set(err, -ENOMEM, "out of memory for the snapshot");
	nd_buf_init(&u->stored->charges, SIZE_MAX / 2);
	u->stored->class_count = (uint32_t)u->analysis_head[ND_HEAP_HEAD_CLASSES];
	u->stored->class_bytes = u->analysis_head[ND_HEAP_HEAD_CLASS_BYTES];
	u->stored->scopes.script_count = (uint32_t)u->analysis_head[ND_HEAP_HEAD_SCRIPTS];
	u->stored->scopes.scope_count = (uint32_t)u->analysis_head[ND_HEAP_HEAD_SCOPES];
	return 0;
}

/* Each text ends with a NUL at its end. */
static bool are_texts(const struct nd_heap_unpacked *u)
{
	const struct nd_heap *heap = u->heap;
	size_t at = 0;
	uint64_t i;

	if (u->column == ND_HEAP_STRING_BYTES) {
		for (i = 1; i <= u->head[ND_HEAP_HEAD_STRINGS]; i++)
			if (heap->string_start[i] <= heap->string_start[i - 1] ||
			    heap->string_bytes[heap->string_start[i] - 1])
				return false;
		return true;
	}
	for (i = 0; i < u->stored->class_count; i++) {
		at += u->stored->name_size[i];
		if (u->stored->name_bytes[at - 1])
			return false;
	}
	return true;
}

/* What can only be seen at the end of a column. */
static bool end_column(struct nd_heap_unpacked *u)
{
	struct nd_heap *heap = u->heap;

	switch (u->column) {
	case ND_HEAP_NODE_EDGES:
		heap->first_edge[u->done] = (uint32_t)u->sum;
		return u->sum == u->head[ND_HEAP_HEAD_EDGES];
	case ND_HEAP_STRING_SIZES:
		heap->string_start[u->done] = u->sum;
		return u->sum == u->head[ND_HEAP_HEAD_STRING_BYTES];
	case ND_HEAP_CLASS_NAME_SIZES:
		return u->sum == u->analysis_head[ND_HEAP_HEAD_CLASS_BYTES];
	case ND_HEAP_STRING_BYTES:
	case ND_HEAP_CLASS_NAME_BYTES:
		return are_texts(u);
	default:
		return true;
	}
}

static int next_column(struct nd_heap_unpacked *u, const char **ret_what)
{
	if (!end_column(u)) {
		*ret_what = "a column that contradicts the head";
		return -EBADMSG;
	}
	u->column++;
	u->done = 0;
	u->cap = 0;
	u->sum = 0;
	u->from = 0;
	return skip_empty(u, u->stored ? ND_HEAP_COLUMNS : ND_HEAP_FIRST_ANALYSED);
}

/* The head of a part with values: false when it is not what comes next. */
static bool read_chunk_head(const struct nd_heap_unpacked *u, const uint8_t *part, size_t len,
			    uint32_t *ret_count)
{
	uint64_t rest;
	uint32_t count;

	if (len < ND_HEAP_CHUNK_HEAD || part[0] != u->column || part[1] > sizeof(uint64_t) ||
	    u->column == (u->stored ? ND_HEAP_COLUMNS : ND_HEAP_FIRST_ANALYSED))
		return false;
	memcpy(&count, part + 4, sizeof(count));
	*ret_count = le32toh(count);
	rest = size_of(u) - u->done;
	return *ret_count == (rest < ND_HEAP_CHUNK ? rest : ND_HEAP_CHUNK) &&
	       (part[1] <= sizeof(uint32_t) || !nd_heap_unpacked_is_narrow(u)) &&
	       len - ND_HEAP_CHUNK_HEAD == (size_t)part[1] * *ret_count;
}

/* A few values at a time, so that they stay in the first cache on their way. */
static int add_chunk(struct nd_heap_unpacked *u, const uint8_t *part, uint32_t total)
{
	uint32_t at, count;

	if (reserve(u, total))
		return -ENOMEM;
	for (at = 0; at < total; at += count) {
		count = total - at < ND_HEAP_VALUES ? total - at : ND_HEAP_VALUES;
		if (!nd_heap_unpacked_add_values(u, part + ND_HEAP_CHUNK_HEAD + at, total, part[1],
						 count))
			return -EBADMSG;
	}
	return 0;
}

static int keep_charges(struct nd_heap_unpacked *u, const uint8_t *part, size_t len, uint32_t total)
{
	if (nd_buf_add(&u->stored->charges, part, len))
		return -ENOMEM;
	u->done += total;
	return 0;
}

int nd_heap_unpacked_add_chunk(struct nd_heap_unpacked *u, const uint8_t *part, size_t len,
			       const char **ret_what)
{
	uint32_t total;

	*ret_what = "a number out of range";
	if (!read_chunk_head(u, part, len, &total)) {
		*ret_what = "another column than comes next";
		return -EBADMSG;
	}
	return u->column == ND_HEAP_CHARGES ? keep_charges(u, part, len, total)
					    : add_chunk(u, part, total);
}

int nd_heap_unpacked_add(struct nd_heap_unpacked *u, const uint8_t *part, size_t len,
			 const char **ret_what)
{
	int ret = nd_heap_unpacked_add_chunk(u, part, len, ret_what);

	if (ret)
		return ret;
	return u->done < size_of(u) ? 0 : next_column(u, ret_what);
}

int nd_heap_unpacked_skip_edges(struct nd_heap_unpacked *u)
{
	u->column = ND_HEAP_LOCATION_NODES;
	return skip_empty(u, ND_HEAP_FIRST_ANALYSED);
}

void nd_heap_unpacked_finish(struct nd_heap_unpacked *u)
{
	struct nd_heap *heap = u->heap;

	heap->node_count = (uint32_t)u->head[ND_HEAP_HEAD_NODES];
	heap->edge_count = (uint32_t)u->head[ND_HEAP_HEAD_EDGES];
	heap->location_count = (uint32_t)u->head[ND_HEAP_HEAD_LOCATIONS];
	heap->string_count = (uint32_t)u->head[ND_HEAP_HEAD_STRINGS];
	heap->root = (uint32_t)u->head[ND_HEAP_HEAD_ROOT];
	heap->extra_native_bytes = u->head[ND_HEAP_HEAD_NATIVE_BYTES];
	heap->stored = u->stored;
	u->stored = NULL;
}
