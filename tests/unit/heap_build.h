/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_HEAP_BUILD_H
#define NODIAG_TESTS_HEAP_BUILD_H

/* Heap snapshots made by hand: from nodes and edges to the text that V8 would write. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/reader.h"
#include "common/buf.h"
#include "common/err.h"

#define E_CONTEXT  ND_HEAP_EDGE_CONTEXT
#define E_ELEMENT  ND_HEAP_EDGE_ELEMENT
#define E_PROPERTY ND_HEAP_EDGE_PROPERTY
#define E_INTERNAL ND_HEAP_EDGE_INTERNAL
#define E_SHORTCUT ND_HEAP_EDGE_SHORTCUT
#define E_WEAK	   ND_HEAP_EDGE_WEAK

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct build_node {
	enum nd_heap_node_type type;
	const char *name;
	uint32_t id;
	uint64_t size;
};

/* In the order of `from`. Elements and hidden edges have an index, all others a name. */
struct build_edge {
	uint32_t from;
	enum nd_heap_edge_type type;
	const char *name;
	int64_t index;
	uint32_t to;
};

struct build {
	const struct build_node *node;
	uint32_t nodes;
	const struct build_edge *edge;
	uint32_t edges;
	const uint32_t (*location)[4]; /* node, script, line, column */
	uint32_t locations;
};

#define BUILD_HEAD                                                                                 \
	"{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","        \
	"\"edge_count\",\"detachedness\"],\"node_types\":[[\"hidden\",\"array\",\"string\","       \
	"\"object\",\"code\",\"closure\",\"regexp\",\"number\",\"native\",\"synthetic\","          \
	"\"concatenated string\",\"sliced string\",\"symbol\",\"bigint\",\"object shape\","        \
	"\"wasm object\"],\"string\",\"number\",\"number\",\"number\",\"number\",\"number\"],"     \
	"\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],\"edge_types\":[[\"context\","   \
	"\"element\",\"property\",\"internal\",\"hidden\",\"shortcut\",\"weak\"],"                 \
	"\"string_or_number\",\"node\"],\"location_fields\":[\"object_index\",\"script_id\","      \
	"\"line\",\"column\"]},"

#define BUILD_FIELDS 6

/* The number of a string, which is added when new. */
static inline uint32_t build_string(const char **strings, uint32_t *count, const char *text)
{
	uint32_t i;

	for (i = 0; i < *count; i++)
		if (!strcmp(strings[i], text))
			return i;
	strings[*count] = text;
	return (*count)++;
}

static inline void build_nodes(const struct build *b, const char **strings, uint32_t *count,
			       struct nd_buf *out)
{
	uint32_t i, e, edges;

	for (i = 0; i < b->nodes; i++) {
		for (e = 0, edges = 0; e < b->edges; e++)
			edges += b->edge[e].from == i;
		nd_buf_addf(out, "%s%d,%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",%" PRIu32 ",0",
			    i ? "\n," : "", (int)b->node[i].type,
			    build_string(strings, count, b->node[i].name), b->node[i].id,
			    b->node[i].size, edges);
	}
}

static inline void build_edges(const struct build *b, const char **strings, uint32_t *count,
			       struct nd_buf *out)
{
	const struct build_edge *edge;
	int64_t name;
	uint32_t e;

	for (e = 0; e < b->edges; e++) {
		edge = &b->edge[e];
		name = edge->name ? build_string(strings, count, edge->name) : edge->index;
		nd_buf_addf(out, "%s%d,%" PRId64 ",%" PRIu32, e ? "\n," : "", (int)edge->type, name,
			    edge->to * BUILD_FIELDS);
	}
}

static inline void build_text(const struct build *b, struct nd_buf *out)
{
	const char **strings = calloc((size_t)b->nodes + b->edges + 1, sizeof(*strings));
	uint32_t count = 0, i;

	build_string(strings, &count, "<dummy>");
	nd_buf_addf(out, BUILD_HEAD "\"node_count\":%" PRIu32 ",\"edge_count\":%" PRIu32, b->nodes,
		    b->edges);
	nd_buf_add_str(out, ",\"trace_function_count\":0},\n\"nodes\":[");
	build_nodes(b, strings, &count, out);
	nd_buf_add_str(out, "],\n\"edges\":[");
	build_edges(b, strings, &count, out);
	nd_buf_add_str(out, "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],"
			    "\n\"locations\":[");
	for (i = 0; i < b->locations; i++)
		nd_buf_addf(out, "%s%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32, i ? "," : "",
			    b->location[i][0] * BUILD_FIELDS, b->location[i][1], b->location[i][2],
			    b->location[i][3]);
	nd_buf_add_str(out, "],\n\"strings\":[");
	for (i = 0; i < count; i++)
		nd_buf_addf(out, "%s\"%s\"", i ? ",\n" : "", strings[i]);
	nd_buf_add_str(out, "]}\n");
	free(strings);
}

/* Read a text in pieces of `step` bytes. The reader, which may be NULL, is freed. */
static inline int build_feed(struct nd_heap_reader *reader, const char *text, size_t len,
			     size_t step, struct nd_heap **ret, struct nd_err *err)
{
	size_t at, part;
	int code = reader ? 0 : -ENOMEM;

	for (at = 0; at < len && !code; at += part) {
		part = len - at < step ? len - at : step;
		code = nd_heap_reader_feed(reader, text + at, part, err);
	}
	if (!code)
		code = nd_heap_reader_finish(reader, ret, err);
	nd_heap_reader_free(reader);
	return code;
}

static inline int build_read(const char *text, size_t len, size_t step, struct nd_heap **ret,
			     struct nd_err *err)
{
	return build_feed(nd_heap_reader_new(), text, len, step, ret, err);
}

/* With edges deferred. */
static inline int build_read_deferred(const char *text, size_t len, size_t step,
				      struct nd_heap **ret, struct nd_err *err)
{
	struct nd_heap_reader *reader = nd_heap_reader_new();

	if (reader)
		nd_heap_reader_defer_edges(reader);
	return build_feed(reader, text, len, step, ret, err);
}

/* The heap of a build, or NULL. */
static inline struct nd_heap *build_heap(const struct build *b)
{
	struct nd_heap *heap = NULL;
	struct nd_buf text;

	nd_buf_init(&text, SIZE_MAX / 2);
	build_text(b, &text);
	if (build_read(text.data, text.len, 4096, &heap, NULL))
		heap = NULL;
	nd_buf_fini(&text);
	return heap;
}

#endif /* NODIAG_TESTS_HEAP_BUILD_H */
