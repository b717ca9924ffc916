/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/startup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "proto/limits.h"

struct entry {
	struct nd_startup_module cost;
	uint32_t frame;
	uint32_t first_child; /* 0: none */
	uint32_t next_sibling;
};

struct builder {
	const struct nd_node *nodes;
	const struct nd_frame *frames;
	struct entry *entries;
	size_t count;
	/* For each node of the tree: the module it belongs to, and whether a loader is at work. */
	uint32_t *module_of;
	bool *is_loading;
};

/* A module's top-level function has no name and begins where its file does. */
static bool is_module(const struct nd_frame *frame)
{
	return (frame->kind == ND_FRAME_JS || frame->kind == ND_FRAME_NPM) && frame->file[0] &&
	       !strcmp(frame->name, "(anonymous)") && frame->line <= 1 && frame->column <= 1;
}

static bool is_loader(const struct nd_frame *frame)
{
	return frame->kind == ND_FRAME_NODE &&
	       !strncmp(frame->file, "node:internal/modules/", strlen("node:internal/modules/"));
}

static uint32_t find_child(const struct builder *b, uint32_t parent, uint32_t frame)
{
	uint32_t child = b->entries[parent].first_child;

	while (child && b->entries[child].frame != frame)
		child = b->entries[child].next_sibling;
	return child;
}

/* The entry of a module below the one that asked for it; 0 when there is no memory for it. */
static uint32_t get_child(struct builder *b, uint32_t parent, uint32_t frame)
{
	uint32_t child = find_child(b, parent, frame);
	struct entry *grown;

	if (child || b->count == ND_MODULES_MAX)
		return child;
	if ((b->count & (b->count - 1)) == 0) {
		grown = reallocarray(b->entries, b->count * 2, sizeof(*grown));
		if (!grown)
			return 0;
		b->entries = grown;
	}
	child = (uint32_t)b->count++;
	b->entries[child] = (struct entry){
		.cost = {.file = b->frames[frame].file,
			 .parent = parent,
			 .depth = b->entries[parent].cost.depth + 1},
		.frame = frame,
		.next_sibling = b->entries[parent].first_child,
	};
	b->entries[parent].first_child = child;
	return child;
}

static int add_node(struct builder *b, uint32_t index)
{
	const struct nd_node *node = &b->nodes[index];
	const struct nd_frame *frame = &b->frames[node->frame];
	uint32_t module = b->module_of[node->parent];
	bool loading = b->is_loading[node->parent];

	/* A module that a function of its own calls at its top level is still the same. */
	if (is_module(frame) && b->entries[module].frame != node->frame) {
		module = get_child(b, module, node->frame);
		if (!module)
			return b->count == ND_MODULES_MAX ? -E2BIG : -ENOMEM;
		loading = false;
	} else if (is_loader(frame)) {
		loading = true;
	}
	b->module_of[index] = module;
	b->is_loading[index] = loading;
	if (loading)
		b->entries[module].cost.loaded += node->self;
	else
		b->entries[module].cost.evaluated += node->self;
	return 0;
}

/* Children come after their parents. */
static void sum_totals(struct builder *b)
{
	size_t i;

	for (i = 0; i < b->count; i++)
		b->entries[i].cost.total +=
			b->entries[i].cost.evaluated + b->entries[i].cost.loaded;
	for (i = b->count; i-- > 1;)
		b->entries[b->entries[i].cost.parent].cost.total += b->entries[i].cost.total;
}

/* Take the most expensive child off an entry's list; 0 when there is none left. */
static uint32_t take_largest(struct builder *b, uint32_t parent)
{
	uint32_t *at, *best = &b->entries[parent].first_child, child;

	for (at = best; *at; at = &b->entries[*at].next_sibling)
		if (b->entries[*at].cost.total > b->entries[*best].cost.total)
			best = at;
	child = *best;
	if (child)
		*best = b->entries[child].next_sibling;
	return child;
}

/* Write the tree out, parents before children; `place` tells where an entry went. */
static void put_in_order(struct builder *b, struct nd_startup_module *modules, uint32_t *place)
{
	uint32_t at = 0, child;
	size_t count = 0;

	modules[count] = b->entries[0].cost;
	place[0] = (uint32_t)count++;
	for (;;) {
		child = take_largest(b, at);
		if (child) {
			modules[count] = b->entries[child].cost;
			modules[count].parent = place[at];
			place[child] = (uint32_t)count++;
			at = child;
		} else if (at) {
			at = b->entries[at].cost.parent;
		} else {
			break;
		}
	}
}

static int build(struct builder *b, uint32_t nodes_count)
{
	uint32_t i;
	int ret = 0;

	b->entries[0] = (struct entry){.cost.file = "", .frame = UINT32_MAX};
	b->count = 1;
	b->entries[0].cost.evaluated = b->nodes[0].self;
	for (i = 1; i < nodes_count && !ret; i++)
		ret = add_node(b, i);
	if (!ret)
		sum_totals(b);
	return ret;
}

int nd_startup_modules(const struct nd_profile *profile, struct nd_startup_module **ret_modules,
		       size_t *ret_count)
{
	uint32_t nodes_count, frames_count, *place = NULL;
	struct nd_startup_module *modules = NULL;
	struct builder b = {
		.nodes = nd_profile_nodes(profile, &nodes_count),
		.frames = nd_profile_frames(profile, &frames_count),
		.entries = calloc(1, sizeof(*b.entries)),
	};
	int ret = -ENOMEM;

	b.module_of = calloc(nodes_count, sizeof(*b.module_of));
	b.is_loading = calloc(nodes_count, sizeof(*b.is_loading));
	if (b.entries && b.module_of && b.is_loading)
		ret = build(&b, nodes_count);
	if (!ret) {
		modules = calloc(b.count, sizeof(*modules));
		place = calloc(b.count, sizeof(*place));
		if (!modules || !place)
			ret = -ENOMEM;
	}
	if (!ret) {
		put_in_order(&b, modules, place);
		*ret_modules = modules;
		*ret_count = b.count;
		modules = NULL;
	}
	free(modules);
	free(place);
	free(b.entries);
	free(b.module_of);
	free(b.is_loading);
	return ret;
}
