/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/pack.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/packed.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/intern.h"
#include "proto/frame.h"
#include "proto/limits.h"

struct pack {
	const struct nd_heap *heap;
	const struct nd_heap_analysis *analysis;
	const uint64_t *original; /* self sizes before they were charged */
	const struct nd_heap_sink *sink;
	struct nd_err *err;
	struct nd_packer *packer;
	struct nd_buf names;   /* of classes, each with its NUL */
	uint32_t *name_size;   /* of these */
	struct nd_buf payload; /* of the part in the making */
	struct nd_buf out;
	uint64_t *values; /* a chunk of them */
	uint32_t from;	  /* the node that the next edge is of */
	uint64_t last;	  /* the value before the next one, where differences are written */
};

static int no_memory(struct nd_err *err)
{
	nd_err_set(err, -ENOMEM, "out of memory to pack the snapshot");
	return -ENOMEM;
}

static int hand_on(struct pack *p)
{
	int ret = p->sink->take(p->sink->arg, p->out.data, p->out.len, p->err);

	nd_buf_reset(&p->out);
	return ret;
}

static int end_part(struct pack *p, enum nd_part_kind kind)
{
	if (nd_buf_error(&p->payload) ||
	    nd_frame_add_part(p->packer, kind, p->payload.data, p->payload.len, &p->out))
		return no_memory(p->err);
	nd_buf_reset(&p->payload);
	return hand_on(p);
}

static int add_numbers(struct pack *p, enum nd_part_kind kind, const uint64_t *numbers,
		       size_t count)
{
	uint64_t number;
	size_t i;

	for (i = 0; i < count; i++) {
		number = htole64(numbers[i]);
		nd_buf_add(&p->payload, &number, sizeof(number));
	}
	return end_part(p, kind);
}

static void fill_nodes(struct pack *p, enum nd_heap_column column, uint64_t start, uint32_t count)
{
	const struct nd_heap *heap = p->heap;
	uint64_t *v = p->values, id;
	uint32_t i, node = (uint32_t)start;

	for (i = 0; i < count; i++, node++) {
		if (column == ND_HEAP_NODE_TYPES_COLUMN) {
			v[i] = heap->type[node];
		} else if (column == ND_HEAP_NODE_NAMES) {
			v[i] = heap->name[node];
		} else if (column == ND_HEAP_NODE_SIZES) {
			v[i] = heap->self_size[node];
		} else if (column == ND_HEAP_NODE_EDGES) {
			v[i] = heap->first_edge[node + 1] - heap->first_edge[node];
		} else if (column == ND_HEAP_NODE_DETACHED) {
			v[i] = heap->detachedness[node];
		} else {
			id = heap->id[node];
			v[i] = nd_heap_zigzag((int64_t)(id - p->last));
			p->last = id;
		}
	}
}

static void fill_edges(struct pack *p, enum nd_heap_column column, uint64_t start, uint32_t count)
{
	const struct nd_heap *heap = p->heap;
	uint64_t *v = p->values;
	uint32_t i, edge = (uint32_t)start;

	for (i = 0; i < count; i++, edge++) {
		if (column == ND_HEAP_EDGE_TYPES_COLUMN) {
			v[i] = nd_heap_edge_type(heap, edge);
		} else if (column == ND_HEAP_EDGE_NAMES) {
			v[i] = heap->edge_name[edge];
		} else {
			while (heap->first_edge[p->from + 1] <= edge)
				p->from++;
			v[i] = nd_heap_zigzag((int64_t)nd_heap_edge_to(heap, edge) -
					      (int64_t)p->from);
		}
	}
}

static void fill_locations(struct pack *p, enum nd_heap_column column, uint64_t start,
			   uint32_t count)
{
	const struct nd_heap_location *location = p->heap->location + start;
	uint64_t *v = p->values;
	uint32_t i;

	for (i = 0; i < count; i++, location++) {
		if (column == ND_HEAP_LOCATION_SCRIPTS) {
			v[i] = location->script;
		} else if (column == ND_HEAP_LOCATION_LINES) {
			v[i] = location->line;
		} else if (column == ND_HEAP_LOCATION_COLUMNS) {
			v[i] = location->column;
		} else {
			v[i] = location->node - p->last;
			p->last = location->node;
		}
	}
}

static void fill_strings(struct pack *p, enum nd_heap_column column, uint64_t start, uint32_t count)
{
	const struct nd_heap *heap = p->heap;
	uint32_t i;

	for (i = 0; i < count; i++)
		p->values[i] =
			column == ND_HEAP_STRING_BYTES
				? (uint8_t)heap->string_bytes[start + i]
				: heap->string_start[start + i + 1] - heap->string_start[start + i];
}

static uint64_t pack_before(const struct nd_heap_analysis *a, uint32_t node)
{
	if (a->before[node] == a->dominator[node])
		return 0;
	if (a->before[node] == ND_HEAP_NONE)
		return 1;
	return 2 + nd_heap_zigzag((int64_t)a->before[node] - (int64_t)node);
}

static void fill_analysis(struct pack *p, enum nd_heap_column column, uint64_t start,
			  uint32_t count)
{
	const struct nd_heap_analysis *a = p->analysis;
	const struct nd_heap *heap = p->heap;
	uint64_t *v = p->values;
	uint32_t i, node = (uint32_t)start;

	for (i = 0; i < count; i++, node++) {
		if (column == ND_HEAP_CHARGES)
			v[i] = nd_heap_zigzag((int64_t)(heap->self_size[node] - p->original[node]));
		else if (column == ND_HEAP_DOMINATORS)
			v[i] = nd_heap_zigzag((int64_t)a->dominator[node] - (int64_t)node);
		else if (column == ND_HEAP_RETAINED)
			v[i] = a->retained[node] - heap->self_size[node];
		else if (column == ND_HEAP_DISTANCES)
			v[i] = nd_heap_zigzag(a->distance[node]);
		else if (column == ND_HEAP_BEFORE)
			v[i] = pack_before(a, node);
		else
			v[i] = a->class_of[node];
	}
}

static uint64_t get_class_value(const struct pack *p, enum nd_heap_column column, uint32_t class)
{
	const struct nd_heap_class_key *key = nd_heap_class_key(&p->analysis->classes, class);
	const struct nd_heap_class *sums = &p->analysis->class[class];

	switch (column) {
	case ND_HEAP_CLASS_NAME_SIZES:
		return p->name_size[class];
	case ND_HEAP_CLASS_LOCATED:
		return key->is_located;
	case ND_HEAP_CLASS_SCRIPTS:
		return key->script;
	case ND_HEAP_CLASS_LINES:
		return key->line;
	case ND_HEAP_CLASS_COLUMNS:
		return key->column;
	case ND_HEAP_CLASS_COUNTS:
		return sums->count;
	case ND_HEAP_CLASS_DISTANCES:
		return nd_heap_zigzag(sums->distance);
	case ND_HEAP_CLASS_SELF:
		return sums->self;
	default:
		return sums->retained;
	}
}

static void fill_classes(struct pack *p, enum nd_heap_column column, uint64_t start, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		p->values[i] = column == ND_HEAP_CLASS_NAME_BYTES
				       ? (uint8_t)p->names.data[start + i]
				       : get_class_value(p, column, (uint32_t)start + i);
}

static void fill_scopes(struct pack *p, enum nd_heap_column column, uint64_t start, uint32_t count)
{
	const struct nd_heap_scopes *s = &p->analysis->scopes;
	uint64_t *v = p->values;
	uint32_t i, at = (uint32_t)start;

	for (i = 0; i < count; i++, at++) {
		if (column == ND_HEAP_SCRIPTS) {
			v[i] = s->script[at];
		} else if (column == ND_HEAP_SCRIPT_NAMES) {
			v[i] = s->script_name[at];
		} else if (column == ND_HEAP_SCOPE_FUNCTIONS) {
			v[i] = nd_heap_zigzag((int64_t)s->function[at] - (int64_t)s->scope[at]);
		} else {
			v[i] = s->scope[at] - p->last;
			p->last = s->scope[at];
		}
	}
}

static void fill(struct pack *p, enum nd_heap_column column, uint64_t start, uint32_t count)
{
	if (column <= ND_HEAP_NODE_DETACHED)
		fill_nodes(p, column, start, count);
	else if (column <= ND_HEAP_EDGE_NODES)
		fill_edges(p, column, start, count);
	else if (column <= ND_HEAP_LOCATION_COLUMNS)
		fill_locations(p, column, start, count);
	else if (column <= ND_HEAP_STRING_BYTES)
		fill_strings(p, column, start, count);
	else if (column <= ND_HEAP_CLASS_OF)
		fill_analysis(p, column, start, count);
	else if (column <= ND_HEAP_CLASS_RETAINED)
		fill_classes(p, column, start, count);
	else
		fill_scopes(p, column, start, count);
}

/* As many planes as the largest value has bytes. */
static int add_chunk(struct pack *p, enum nd_heap_column column, uint32_t count)
{
	uint8_t head[ND_HEAP_CHUNK_HEAD] = {(uint8_t)column};
	uint32_t width, i, plane, size = htole32(count);
	uint64_t all = 0;
	uint8_t *at;

	for (i = 0; i < count; i++)
		all |= p->values[i];
	for (width = 0; width < 8 && all >> (8 * width); width++)
		;
	head[1] = (uint8_t)width;
	memcpy(head + 4, &size, sizeof(size));
	nd_buf_add(&p->payload, head, sizeof(head));
	at = (uint8_t *)nd_buf_reserve(&p->payload, (size_t)width * count);
	if (!at)
		return no_memory(p->err);
	for (plane = 0; plane < width; plane++)
		for (i = 0; i < count; i++)
			*at++ = (uint8_t)(p->values[i] >> (8 * plane));
	p->payload.len += (size_t)width * count;
	return end_part(p, ND_PART_HEAP_COLUMN);
}

static int add_column(struct pack *p, enum nd_heap_column column, uint64_t total)
{
	uint64_t start;
	uint32_t count;
	int ret = 0;

	p->last = 0;
	p->from = 0;
	for (start = 0; start < total && !ret; start += count) {
		count = total - start < ND_HEAP_CHUNK ? (uint32_t)(total - start) : ND_HEAP_CHUNK;
		fill(p, column, start, count);
		ret = add_chunk(p, column, count);
	}
	return ret;
}

static int add_columns(struct pack *p, enum nd_heap_column first, enum nd_heap_column end,
		       const uint64_t *head, const uint64_t *analysis_head)
{
	int column, ret = 0;

	for (column = (int)first; column < (int)end && !ret; column++)
		ret = add_column(
			p, (enum nd_heap_column)column,
			nd_heap_column_size((enum nd_heap_column)column, head, analysis_head));
	return ret;
}

static void fill_head(const struct nd_heap *heap, uint64_t head[ND_HEAP_HEAD_NUMBERS])
{
	head[ND_HEAP_HEAD_NODES] = heap->node_count;
	head[ND_HEAP_HEAD_EDGES] = heap->edge_count;
	head[ND_HEAP_HEAD_LOCATIONS] = heap->location_count;
	head[ND_HEAP_HEAD_STRINGS] = heap->string_count;
	head[ND_HEAP_HEAD_STRING_BYTES] = heap->string_start[heap->string_count];
	head[ND_HEAP_HEAD_ROOT] = heap->root;
	head[ND_HEAP_HEAD_NATIVE_BYTES] = heap->extra_native_bytes;
	head[ND_HEAP_HEAD_DETACHED] = heap->detachedness ? heap->node_count : 0;
}

static int add_heap(struct pack *p)
{
	uint64_t head[ND_HEAP_HEAD_NUMBERS];
	int ret;

	fill_head(p->heap, head);
	if (nd_frame_add_head(&p->out))
		return no_memory(p->err);
	ret = add_numbers(p, ND_PART_HEAP, head, ND_HEAP_HEAD_NUMBERS);
	return ret ? ret
		   : add_columns(p, (enum nd_heap_column)0, ND_HEAP_FIRST_ANALYSED, head, NULL);
}

static int gather_names(struct pack *p)
{
	const struct nd_heap_classes *classes = &p->analysis->classes;
	const char *name;
	uint32_t i;

	p->name_size = malloc(((size_t)classes->keys.count + 1) * sizeof(*p->name_size));
	if (!p->name_size)
		return no_memory(p->err);
	for (i = 0; i < classes->keys.count; i++) {
		name = nd_heap_class_name(classes, i);
		p->name_size[i] = (uint32_t)strlen(name) + 1;
		nd_buf_add(&p->names, name, p->name_size[i]);
	}
	return nd_buf_error(&p->names) ? no_memory(p->err) : 0;
}

static int add_analysis(struct pack *p)
{
	uint64_t head[ND_HEAP_HEAD_NUMBERS], own[ND_HEAP_ANALYSIS_NUMBERS];
	int ret = gather_names(p);

	if (ret)
		return ret;
	fill_head(p->heap, head);
	own[ND_HEAP_HEAD_RULES] = ND_HEAP_RULES;
	own[ND_HEAP_HEAD_CLASSES] = p->analysis->classes.keys.count;
	own[ND_HEAP_HEAD_CLASS_BYTES] = p->names.len;
	own[ND_HEAP_HEAD_SCRIPTS] = p->analysis->scopes.script_count;
	own[ND_HEAP_HEAD_SCOPES] = p->analysis->scopes.scope_count;
	ret = add_numbers(p, ND_PART_HEAP_ANALYSIS, own, ND_HEAP_ANALYSIS_NUMBERS);
	return ret ? ret : add_columns(p, ND_HEAP_FIRST_ANALYSED, ND_HEAP_COLUMNS, head, own);
}

static int begin(struct pack *p, const struct nd_heap *heap, const struct nd_heap_sink *sink,
		 struct nd_err *err)
{
	*p = (struct pack){
		.heap = heap,
		.sink = sink,
		.err = err,
		.packer = nd_packer_new(),
		.values = malloc(ND_HEAP_CHUNK * sizeof(*p->values)),
	};
	nd_buf_init(&p->payload, ND_PART_UNPACKED_MAX);
	nd_buf_init(&p->out, 2 * ND_PART_UNPACKED_MAX);
	nd_buf_init(&p->names, ND_HEAP_STRING_BYTES_MAX);
	return p->packer && p->values ? add_heap(p) : no_memory(err);
}

static int end(struct pack *p, int ret)
{
	if (!ret)
		ret = end_part(p, ND_PART_HEAP_END);
	nd_packer_free(p->packer);
	nd_buf_fini(&p->payload);
	nd_buf_fini(&p->out);
	nd_buf_fini(&p->names);
	free(p->name_size);
	free(p->values);
	return ret;
}

int nd_heap_pack(const struct nd_heap *heap, const struct nd_heap_sink *sink, struct nd_err *err)
{
	struct pack p = {0};

	return end(&p, begin(&p, heap, sink, err));
}

/* An error that is none of memory is one of what was found before, and stored. */
static int find_and_add_analysis(struct pack *p, struct nd_heap *heap, bool *ret_is_analysed)
{
	size_t size = heap->node_count * sizeof(*heap->self_size);
	struct nd_intern *names = nd_intern_new();
	struct nd_heap_analysis analysis = {0};
	uint64_t *original = malloc(size);
	struct nd_err why = {0};
	int ret = -ENOMEM;

	if (names && original) {
		memcpy(original, heap->self_size, size);
		ret = nd_heap_analyse(heap, names, &analysis, &why);
	}
	if (!ret)
		ret = nd_heap_find_sums(heap, &analysis, &why);
	if (!ret)
		ret = nd_heap_find_scopes(heap, &analysis, &why);
	*ret_is_analysed = !ret;
	if (!ret) {
		p->original = original;
		p->analysis = &analysis;
		ret = add_analysis(p);
	} else {
		ret = ret == -ENOMEM ? 0 : nd_err_set(p->err, ret, "%s", why.what);
	}
	p->analysis = NULL;
	p->original = NULL;
	nd_heap_analysis_fini(&analysis);
	nd_intern_free(names);
	free(original);
	return ret;
}

int nd_heap_pack_analysed(struct nd_heap *heap, const struct nd_heap_sink *sink,
			  bool *ret_is_analysed, struct nd_err *err)
{
	struct pack p;
	int ret = begin(&p, heap, sink, err);

	if (!ret)
		ret = find_and_add_analysis(&p, heap, ret_is_analysed);
	return end(&p, ret);
}
