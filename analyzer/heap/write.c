/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "common/buf.h"
#include "common/err.h"

/* Handed on when there is as much. */
#define CHUNK (256u << 10)

/* The numbers of a node. */
#define FIELDS 6

struct writing {
	const struct nd_heap *heap;
	const struct nd_heap_sink *sink;
	struct nd_err *err;
	struct nd_buf out;
};

static int hand_on(struct writing *w, size_t least)
{
	int ret;

	if (nd_buf_error(&w->out))
		return nd_err_set(w->err, -ENOMEM, "out of memory to write the snapshot");
	if (w->out.len < least)
		return 0;
	ret = w->sink->take(w->sink->arg, w->out.data, w->out.len, w->err);
	nd_buf_reset(&w->out);
	return ret;
}

static void add_types(struct nd_buf *out, bool nodes)
{
	int count = nodes ? (int)ND_HEAP_NODE_TYPES : (int)ND_HEAP_EDGE_TYPES, i;

	for (i = 0; i < count; i++)
		nd_buf_addf(out, "%s\"%s\"", i ? "," : "",
			    nodes ? nd_heap_node_type_name((enum nd_heap_node_type)i)
				  : nd_heap_edge_type_name((enum nd_heap_edge_type)i));
}

static void add_head(struct writing *w)
{
	const struct nd_heap *heap = w->heap;

	nd_buf_add_str(&w->out, "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\","
				"\"id\",\"self_size\",\"edge_count\",\"detachedness\"],"
				"\"node_types\":[[");
	add_types(&w->out, true);
	nd_buf_add_str(&w->out, "],\"string\",\"number\",\"number\",\"number\",\"number\"],"
				"\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],"
				"\"edge_types\":[[");
	add_types(&w->out, false);
	nd_buf_add_str(&w->out,
		       "],\"string_or_number\",\"node\"],\"trace_function_info_fields\":["
		       "\"function_id\",\"name\",\"script_name\",\"script_id\",\"line\","
		       "\"column\"],\"trace_node_fields\":[\"id\",\"function_info_index\","
		       "\"count\",\"size\",\"children\"],\"sample_fields\":[\"timestamp_us\","
		       "\"last_assigned_id\"],\"location_fields\":[\"object_index\","
		       "\"script_id\",\"line\",\"column\"]},");
	nd_buf_addf(&w->out, "\"node_count\":%" PRIu32 ",\"edge_count\":%" PRIu32, heap->node_count,
		    heap->edge_count);
	if (heap->root)
		nd_buf_addf(&w->out, ",\"root_index\":%" PRIu64, (uint64_t)heap->root * FIELDS);
	nd_buf_addf(&w->out, ",\"trace_function_count\":0,\"extra_native_bytes\":%" PRIu64 "},\n",
		    heap->extra_native_bytes);
}

/* So many numbers, behind those that are there. */
static void add_numbers(struct nd_buf *out, const uint64_t *numbers, unsigned int count,
			bool are_first)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (i || !are_first)
			nd_buf_add_char(out, ',');
		nd_buf_add_number(out, numbers[i]);
	}
}

static int add_nodes(struct writing *w)
{
	const struct nd_heap *heap = w->heap;
	uint32_t i;
	int ret = 0;

	nd_buf_add_str(&w->out, "\"nodes\":[");
	for (i = 0; i < heap->node_count && !ret; i++) {
		const uint64_t fields[FIELDS] = {
			heap->type[i],
			heap->name[i],
			heap->id[i],
			heap->self_size[i],
			heap->first_edge[i + 1] - heap->first_edge[i],
			heap->detachedness ? heap->detachedness[i] : 0,
		};

		add_numbers(&w->out, fields, FIELDS, !i);
		ret = hand_on(w, CHUNK);
	}
	return ret;
}

static int add_edges(struct writing *w)
{
	const struct nd_heap *heap = w->heap;
	uint32_t i;
	int ret = 0;

	nd_buf_add_str(&w->out, "],\n\"edges\":[");
	for (i = 0; i < heap->edge_count && !ret; i++) {
		const uint64_t fields[] = {nd_heap_edge_type(heap, i), heap->edge_name[i],
					   (uint64_t)nd_heap_edge_to(heap, i) * FIELDS};

		add_numbers(&w->out, fields, sizeof(fields) / sizeof(fields[0]), !i);
		ret = hand_on(w, CHUNK);
	}
	return ret;
}

/* A script that V8 does not know is -1. */
static int add_locations(struct writing *w)
{
	const struct nd_heap_location *at;
	uint32_t i;
	int ret = 0;

	nd_buf_add_str(&w->out, "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n"
				"\"samples\":[],\n\"locations\":[");
	for (i = 0; i < w->heap->location_count && !ret; i++) {
		at = &w->heap->location[i];
		nd_buf_addf(&w->out, "%s%" PRIu64 ",%" PRId32, i ? "," : "",
			    (uint64_t)at->node * FIELDS, (int32_t)at->script);
		nd_buf_addf(&w->out, ",%" PRId32 ",%" PRId32, (int32_t)at->line,
			    (int32_t)at->column);
		ret = hand_on(w, CHUNK);
	}
	return ret;
}

/* Three bytes that stand for half a character are written as what they were, an escape. */
static bool is_half(const unsigned char *at)
{
	return at[0] == 0xed && at[1] >= 0xa0 && at[2];
}

/* How many bytes can be written as they are. */
static size_t find_plain(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at >= ' ' && *at != '"' && *at != '\\' && !is_half(at))
		at++;
	return (size_t)(at - (const unsigned char *)text);
}

/* One character that cannot. Returns what follows. */
static const char *add_escape(struct nd_buf *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	if (is_half(at)) {
		nd_buf_addf(out, "\\u%04x", 0xd000U | (at[1] & 0x3fU) << 6 | (at[2] & 0x3fU));
		return text + 3;
	}
	if (*at < ' ')
		nd_buf_addf(out, "\\u%04x", *at);
	else
		nd_buf_addf(out, "\\%c", *at);
	return text + 1;
}

static void add_text(struct nd_buf *out, const char *text)
{
	size_t plain;

	nd_buf_add_char(out, '"');
	for (;;) {
		plain = find_plain(text);
		nd_buf_add(out, text, plain);
		text += plain;
		if (!*text)
			break;
		text = add_escape(out, text);
	}
	nd_buf_add_char(out, '"');
}

static int add_strings(struct writing *w)
{
	uint32_t i;
	int ret = 0;

	nd_buf_add_str(&w->out, "],\n\"strings\":[");
	for (i = 0; i < w->heap->string_count && !ret; i++) {
		if (i)
			nd_buf_add_str(&w->out, ",\n");
		add_text(&w->out, nd_heap_string(w->heap, i));
		ret = hand_on(w, CHUNK);
	}
	nd_buf_add_str(&w->out, "]}\n");
	return ret;
}

int nd_heap_write(const struct nd_heap *heap, const struct nd_heap_sink *sink, struct nd_err *err)
{
	struct writing w = {.heap = heap, .sink = sink, .err = err};
	int ret;

	/* A string may be long. */
	nd_buf_init(&w.out, SIZE_MAX / 2);
	add_head(&w);
	ret = add_nodes(&w);
	if (!ret)
		ret = add_edges(&w);
	if (!ret)
		ret = add_locations(&w);
	if (!ret)
		ret = add_strings(&w);
	if (!ret)
		ret = hand_on(&w, 0);
	nd_buf_fini(&w.out);
	return ret;
}
