/* SPDX-License-Identifier: Apache-2.0 */
#define HASH_NONFATAL_OOM 1
#include "analyzer/profile/cpuprofile_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/kind.h"
#include "common/err.h"
#include "proto/limits.h"

/* One reading. */
struct reader {
	struct nd_cpuprofile_tree *tree;
	struct nd_profile *profile;
	struct nd_err *err;
};

static int no_memory(const struct reader *reader)
{
	return nd_err_set_errno(reader->err, -ENOMEM, "cannot read .cpuprofile");
}

static const char *get_string(const json_t *object, const char *key)
{
	const char *str = json_string_value(json_object_get(object, key));

	return str ? str : "";
}

/* Lines and columns count from 0 there and from 1 here. */
static uint32_t get_position(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return json_object_get(object, key) && value >= 0 && value < INT32_MAX ? (uint32_t)value + 1
									       : 0;
}

/*
 * The kind of a URL that nd_render_cpuprofile() made of a kind and a file; false for all others.
 * JavaScript keeps its URL: no scheme stands for its kinds.
 */
static bool split_url(const char *url, struct nd_frame *frame)
{
	const char *colon = strchr(url, ':');
	const char *name;
	int kind;

	for (kind = 0; colon && kind < ND_FRAME_KIND_COUNT; kind++) {
		if (kind == ND_FRAME_JS || kind == ND_FRAME_NPM || kind == ND_FRAME_NODE ||
		    kind == ND_FRAME_WASM)
			continue;
		name = nd_frame_kind_name((enum nd_frame_kind)kind);
		if (strlen(name) != (size_t)(colon - url) || strncmp(url, name, strlen(name)) != 0)
			continue;
		frame->kind = (enum nd_frame_kind)kind;
		frame->file = colon + 1;
		return true;
	}
	return false;
}

static int add_frame(struct reader *reader, const json_t *call, struct nd_cpuprofile_node *node)
{
	const char *name = get_string(call, "functionName");
	const char *script = get_string(call, "scriptId");
	struct nd_frame frame = {
		.name = name[0] ? name : "(anonymous)",
		.file = get_string(call, "url"),
		.line = get_position(call, "lineNumber"),
		.column = get_position(call, "columnNumber"),
	};

	node->is_root = !strcmp(name, "(root)");
	if (node->is_root)
		return 0;
	/* Code of eval() has a script and no URL; V8's own functions have neither. */
	if (!split_url(frame.file, &frame)) {
		if (!frame.file[0] && (!script[0] || !strcmp(script, "0")))
			frame.kind = nd_frame_kind_of_v8(name);
		else
			frame.kind = nd_frame_kind_of_url(frame.file);
	}
	if (nd_profile_add_frame(reader->profile, &frame, &node->frame))
		return no_memory(reader);
	return 0;
}

struct nd_cpuprofile_node *nd_cpuprofile_find(const struct nd_cpuprofile_tree *tree,
					      const json_t *id)
{
	int64_t key = json_integer_value(id);
	struct nd_cpuprofile_node *node = NULL;

	if (json_is_integer(id))
		HASH_FIND(hh, tree->by_id, &key, sizeof(key), node);
	return node;
}

static int read_node(struct reader *reader, const json_t *json, size_t index)
{
	const json_t *id = json_object_get(json, "id");
	const json_t *call = json_object_get(json, "callFrame");
	const json_t *hits = json_object_get(json, "hitCount");
	struct nd_cpuprofile_node *node = &reader->tree->nodes[index];

	if (!json_is_integer(id) || !json_is_object(call))
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: nodes[%zu] has no id or no callFrame", index);
	if (nd_cpuprofile_find(reader->tree, id))
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: nodes[%zu] has the id of another", index);
	if (json_integer_value(hits) < 0)
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: nodes[%zu] has a negative hitCount", index);
	node->id = json_integer_value(id);
	node->parent = ND_CPUPROFILE_NONE;
	node->depth = ND_CPUPROFILE_NONE;
	node->hits = (uint64_t)json_integer_value(hits);
	node->ticks = json_object_get(json, "positionTicks");
	HASH_ADD(hh, reader->tree->by_id, id, sizeof(node->id), node);
	if (!node->hh.tbl)
		return no_memory(reader);
	return add_frame(reader, call, node);
}

static int link_node(struct reader *reader, struct nd_cpuprofile_node *parent, const json_t *id)
{
	struct nd_cpuprofile_node *node = nd_cpuprofile_find(reader->tree, id);

	if (!node)
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: node %" PRId64
				  " has a child that is not there",
				  parent->id);
	if (node->parent != ND_CPUPROFILE_NONE && node->parent != parent - reader->tree->nodes)
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: node %" PRId64 " has two parents", node->id);
	node->parent = (uint32_t)(parent - reader->tree->nodes);
	return 0;
}

static int link_children(struct reader *reader, struct nd_cpuprofile_node *parent,
			 const json_t *children)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < json_array_size(children) && !ret; i++)
		ret = link_node(reader, parent, json_array_get(children, i));
	return ret;
}

/* Parents know their children in files, children their parents in what traces carry. */
static int link_nodes(struct reader *reader, const json_t *nodes)
{
	struct nd_cpuprofile_node *parent;
	const json_t *json, *parent_id;
	size_t i;
	int ret = 0;

	for (i = 0; i < reader->tree->count && !ret; i++) {
		json = json_array_get(nodes, i);
		parent_id = json_object_get(json, "parent");
		parent = nd_cpuprofile_find(reader->tree, parent_id);
		if (parent_id && !json_is_null(parent_id) && !parent)
			return nd_err_set(reader->err, -EBADMSG,
					  "not a .cpuprofile: nodes[%zu] has a parent that is not "
					  "there",
					  i);
		if (parent)
			ret = link_node(reader, parent, json_object_get(json, "id"));
		if (!ret)
			ret = link_children(reader, &reader->tree->nodes[i],
					    json_object_get(json, "children"));
	}
	return ret;
}

/*
 * Give every node its depth, which also proves that its way up ends. `way` has room for all nodes.
 * Each node is walked over twice at most: a way up stops where a depth is known.
 */
static int find_depths(struct reader *reader, uint32_t *way)
{
	uint32_t at, depth;
	size_t i, len;

	for (i = 0; i < reader->tree->count; i++) {
		at = (uint32_t)i;
		for (len = 0; at != ND_CPUPROFILE_NONE &&
			      reader->tree->nodes[at].depth == ND_CPUPROFILE_NONE;
		     len++) {
			if (len == reader->tree->count)
				return nd_err_set(reader->err, -EBADMSG,
						  "not a .cpuprofile: node %" PRId64
						  " is its own ancestor",
						  reader->tree->nodes[at].id);
			way[len] = at;
			at = reader->tree->nodes[at].parent;
		}
		depth = at == ND_CPUPROFILE_NONE ? 0 : reader->tree->nodes[at].depth;
		while (len-- > 0) {
			depth += !reader->tree->nodes[way[len]].is_root;
			reader->tree->nodes[way[len]].depth = depth;
		}
	}
	return 0;
}

int nd_cpuprofile_tree_read(struct nd_cpuprofile_tree *tree, const json_t *nodes,
			    struct nd_profile *profile, struct nd_err *err)
{
	struct reader reader = {.tree = tree, .profile = profile, .err = err};
	uint32_t *way;
	size_t i;
	int ret = 0;

	if (!json_is_array(nodes))
		return nd_err_set(err, -EBADMSG, "not a .cpuprofile: no \"nodes\"");
	tree->count = json_array_size(nodes);
	if (tree->count > ND_PROFILE_NODES_MAX)
		return nd_err_set(err, -E2BIG, ".cpuprofile has more than %u nodes",
				  ND_PROFILE_NODES_MAX);
	tree->nodes = calloc(tree->count + 1, sizeof(*tree->nodes));
	way = calloc(tree->count + 1, sizeof(*way));
	if (!tree->nodes || !way) {
		free(way);
		return no_memory(&reader);
	}
	for (i = 0; i < tree->count && !ret; i++)
		ret = read_node(&reader, json_array_get(nodes, i), i);
	if (!ret)
		ret = link_nodes(&reader, nodes);
	if (!ret)
		ret = find_depths(&reader, way);
	free(way);
	return ret;
}

void nd_cpuprofile_tree_fini(struct nd_cpuprofile_tree *tree)
{
	HASH_CLEAR(hh, tree->by_id);
	free(tree->nodes);
}

uint64_t nd_cpuprofile_tick(const struct nd_cpuprofile_node *node, size_t index, uint32_t *ret_line)
{
	const json_t *tick = json_array_get(node->ticks, index);
	json_int_t line = json_integer_value(json_object_get(tick, "line"));
	json_int_t count = json_integer_value(json_object_get(tick, "ticks"));

	*ret_line = line > 0 && line < INT32_MAX ? (uint32_t)line : 0;
	return count > 0 ? (uint64_t)count : 0;
}

uint32_t nd_cpuprofile_next_line(struct nd_cpuprofile_node *node)
{
	uint32_t line;

	for (; node->tick < json_array_size(node->ticks); node->tick++, node->tick_used = 0) {
		if (node->tick_used >= nd_cpuprofile_tick(node, node->tick, &line))
			continue;
		node->tick_used++;
		return line;
	}
	return 0;
}
