/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/profile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "common/intern.h"
#include "proto/limits.h"

/* A growing array of plain structs. */
struct table {
	void *data;
	size_t count;
	size_t cap;
};

struct frame_key {
	uint32_t name;
	uint32_t file;
	uint32_t line;
	uint32_t column;
	uint32_t kind;
};

struct frame_entry {
	UT_hash_handle hh;
	struct frame_key key;
	uint32_t id;
};

struct node_key {
	uint32_t parent;
	uint32_t frame;
};

struct node_entry {
	UT_hash_handle hh;
	struct node_key key;
	uint32_t id;
};

struct nd_profile {
	struct nd_intern *strings;
	struct frame_entry *frame_index;
	struct node_entry *node_index;
	struct table frames;  /* struct nd_frame */
	struct table nodes;   /* struct nd_node */
	struct table lines;   /* struct nd_line */
	struct table samples; /* struct nd_sample */
	struct nd_profile_info info;
	uint64_t loss[ND_LOSS_COUNT];
	bool timeline;
};

static const char *const kind_names[ND_FRAME_KIND_COUNT] = {
	[ND_FRAME_UNKNOWN] = "unknown", [ND_FRAME_JS] = "js",
	[ND_FRAME_NPM] = "npm",		[ND_FRAME_NODE] = "node",
	[ND_FRAME_BUILTIN] = "builtin", [ND_FRAME_WASM] = "wasm",
	[ND_FRAME_NATIVE] = "native",	[ND_FRAME_GC] = "gc",
	[ND_FRAME_COMPILE] = "compile", [ND_FRAME_REGEXP] = "regexp",
	[ND_FRAME_KERNEL] = "kernel",	[ND_FRAME_IDLE] = "idle",
	[ND_FRAME_THREAD] = "thread",	[ND_FRAME_ROUTE] = "route",
};

static const char *const tier_names[ND_TIER_COUNT] = {
	[ND_TIER_NONE] = "",
	[ND_TIER_IGNITION] = "Ignition",
	[ND_TIER_SPARKPLUG] = "Sparkplug",
	[ND_TIER_MAGLEV] = "Maglev",
	[ND_TIER_TURBOFAN] = "TurboFan",
};

static const char *const loss_texts[ND_LOSS_COUNT] = {
	[ND_LOSS_RING_FULL] = "samples dropped because the ring was full",
	[ND_LOSS_THREAD_LIMIT] = "threads that could not be watched",
	[ND_LOSS_TRUNCATED] = "stacks cut at the deepest frame the walker keeps",
	[ND_LOSS_ROOT_MISSING] =
		"stacks without their root: code without frame pointers, or unreadable memory",
	[ND_LOSS_JS_UNNAMED] = "JavaScript frames without a name",
	[ND_LOSS_JS_STALE] = "JavaScript functions that moved or died before they were named",
	[ND_LOSS_NATIVE_UNNAMED] = "native frames known by their file only",
	[ND_LOSS_PROCESS_GONE] = "samples of a process that ended before they were named",
	[ND_LOSS_TIMELINE] = "samples in the totals but too many for the timeline",
	[ND_LOSS_RECORDING] = "parts of the recording that are damaged or missing",
};

const char *nd_frame_kind_name(enum nd_frame_kind kind)
{
	return kind_names[kind];
}

const char *nd_tier_name(enum nd_tier tier)
{
	return tier_names[tier];
}

const char *nd_loss_text(enum nd_loss loss)
{
	return loss_texts[loss];
}

/* Make room for one more item and return it, uncounted. */
static void *table_reserve(struct table *table, size_t item_size)
{
	size_t cap = table->cap ? table->cap * 2 : 64;
	void *data;

	if (table->count == table->cap) {
		data = reallocarray(table->data, cap, item_size);
		if (!data)
			return NULL;
		table->data = data;
		table->cap = cap;
	}
	return (char *)table->data + table->count * item_size;
}

static struct nd_node *node_at(const struct nd_profile *profile, uint32_t id)
{
	return (struct nd_node *)profile->nodes.data + id;
}

/* Returns 0 and the new node's id. The parent's child list keeps the order of arrival reversed. */
static int new_node(struct nd_profile *profile, uint32_t parent, uint32_t frame, uint32_t *ret_id)
{
	uint32_t id = (uint32_t)profile->nodes.count;
	struct nd_node *node = table_reserve(&profile->nodes, sizeof(*node));

	if (!node)
		return -ENOMEM;
	*node = (struct nd_node){.frame = frame, .parent = parent};
	if (id) {
		node->next_sibling = node_at(profile, parent)->first_child;
		node_at(profile, parent)->first_child = id;
	}
	profile->nodes.count++;
	*ret_id = id;
	return 0;
}

static int find_child(struct nd_profile *profile, uint32_t parent, uint32_t frame, uint32_t *ret_id)
{
	struct node_key key = {.parent = parent, .frame = frame};
	struct node_entry *entry;

	HASH_FIND(hh, profile->node_index, &key, sizeof(key), entry);
	if (entry) {
		*ret_id = entry->id;
		return 0;
	}
	if (profile->nodes.count >= ND_PROFILE_NODES_MAX)
		return -E2BIG;
	/* Reserve before indexing: after this the node cannot fail. */
	if (!table_reserve(&profile->nodes, sizeof(struct nd_node)))
		return -ENOMEM;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->key = key;
	HASH_ADD(hh, profile->node_index, key, sizeof(key), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return -ENOMEM;
	}
	new_node(profile, parent, frame, &entry->id);
	*ret_id = entry->id;
	return 0;
}

struct nd_profile *nd_profile_new(bool timeline)
{
	struct nd_profile *profile = calloc(1, sizeof(*profile));
	uint32_t root;

	if (!profile)
		return NULL;
	profile->timeline = timeline;
	profile->strings = nd_intern_new();
	if (!profile->strings || new_node(profile, 0, 0, &root)) {
		nd_profile_free(profile);
		return NULL;
	}
	return profile;
}

void nd_profile_free(struct nd_profile *profile)
{
	struct frame_entry *frame, *next_frame;
	struct node_entry *node, *next_node;

	if (!profile)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	frame = profile->frame_index;
	HASH_CLEAR(hh, profile->frame_index);
	for (; frame; frame = next_frame) {
		next_frame = frame->hh.next;
		free(frame);
	}
	node = profile->node_index;
	HASH_CLEAR(hh, profile->node_index);
	for (; node; node = next_node) {
		next_node = node->hh.next;
		free(node);
	}
	free(profile->frames.data);
	free(profile->nodes.data);
	free(profile->lines.data);
	free(profile->samples.data);
	nd_intern_free(profile->strings);
	free(profile);
}

static int intern(struct nd_profile *profile, const char *str, uint32_t *ret_id)
{
	if (!str)
		str = "";
	return nd_intern_add(profile->strings, str, strlen(str), ret_id);
}

int nd_profile_add_frame(struct nd_profile *profile, const struct nd_frame *frame,
			 uint32_t *ret_frame)
{
	struct frame_key key = {.line = frame->line, .column = frame->column, .kind = frame->kind};
	struct frame_entry *entry;
	struct nd_frame *copy;

	if (intern(profile, frame->name, &key.name) || intern(profile, frame->file, &key.file))
		return -ENOMEM;
	HASH_FIND(hh, profile->frame_index, &key, sizeof(key), entry);
	if (entry) {
		*ret_frame = entry->id;
		return 0;
	}
	copy = table_reserve(&profile->frames, sizeof(*copy));
	entry = calloc(1, sizeof(*entry));
	if (!copy || !entry) {
		free(entry);
		return -ENOMEM;
	}
	entry->key = key;
	entry->id = (uint32_t)profile->frames.count;
	HASH_ADD(hh, profile->frame_index, key, sizeof(key), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return -ENOMEM;
	}
	*copy = *frame;
	copy->name = nd_intern_get(profile->strings, key.name);
	copy->file = nd_intern_get(profile->strings, key.file);
	*ret_frame = (uint32_t)profile->frames.count++;
	return 0;
}

int nd_profile_add_thread(struct nd_profile *profile, uint32_t pid, uint32_t tid, const char *comm,
			  uint32_t *ret_frame)
{
	char text[96];
	struct nd_frame frame = {.name = text, .kind = ND_FRAME_THREAD};

	if (pid == tid)
		snprintf(text, sizeof(text), "main thread %u", tid);
	else
		snprintf(text, sizeof(text), "thread %u%s%.64s%s", tid, comm[0] ? " (" : "", comm,
			 comm[0] ? ")" : "");
	return nd_profile_add_frame(profile, &frame, ret_frame);
}

/* The line entry of a node, made when new; NULL when out of memory. */
static struct nd_line *find_line(struct nd_profile *profile, uint32_t node, uint32_t line)
{
	struct nd_line *lines = profile->lines.data;
	struct nd_line *entry;
	uint32_t i;

	for (i = node_at(profile, node)->first_line; i; i = lines[i - 1].next)
		if (lines[i - 1].line == line)
			return &lines[i - 1];
	entry = table_reserve(&profile->lines, sizeof(*entry));
	if (!entry)
		return NULL;
	*entry = (struct nd_line){.line = line, .next = node_at(profile, node)->first_line};
	node_at(profile, node)->first_line = (uint32_t)++profile->lines.count;
	return entry;
}

static void add_sample(struct nd_profile *profile, const struct nd_stack *stack, uint32_t node)
{
	struct nd_sample *sample;

	if (!profile->timeline)
		return;
	if (profile->samples.count >= ND_PROFILE_SAMPLES_MAX) {
		nd_profile_add_loss(profile, ND_LOSS_TIMELINE, 1);
		return;
	}
	sample = table_reserve(&profile->samples, sizeof(*sample));
	if (!sample) {
		nd_profile_add_loss(profile, ND_LOSS_TIMELINE, 1);
		return;
	}
	*sample = (struct nd_sample){
		.time_ns = stack->time_ns,
		.weight = stack->weight,
		.node = node,
		.line = stack->depth ? stack->calls[0].line : 0,
		.pid = stack->pid,
		.tid = stack->tid,
	};
	memcpy(sample->span_id, stack->span_id, sizeof(sample->span_id));
	profile->samples.count++;
}

/*
 * Nodes are found or made in a first pass and weighed in a second, so that running out of memory
 * half-way leaves the weights as they were.
 */
int nd_profile_add_stack(struct nd_profile *profile, const struct nd_stack *stack)
{
	size_t depth = stack->depth < ND_STACK_DEPTH_MAX ? stack->depth : ND_STACK_DEPTH_MAX;
	struct nd_line *line;
	uint32_t node = 0;
	size_t i;
	int ret;

	for (i = depth; i-- > 0;) {
		assert(stack->calls[i].frame < profile->frames.count);
		ret = find_child(profile, node, stack->calls[i].frame, &node);
		if (ret)
			return ret;
	}
	if (depth && stack->calls[0].line) {
		line = find_line(profile, node, stack->calls[0].line);
		if (!line)
			return -ENOMEM;
		line->self += stack->weight;
		line->count += stack->count;
	}
	node_at(profile, node)->self += stack->weight;
	node_at(profile, node)->count += stack->count;
	add_sample(profile, stack, node);
	for (i = 0; i < depth; i++, node = node_at(profile, node)->parent) {
		node_at(profile, node)->total += stack->weight;
		node_at(profile, node)->tier[stack->calls[i].tier] += stack->weight;
		if (stack->calls[i].inlined)
			node_at(profile, node)->inlined += stack->weight;
	}
	node_at(profile, 0)->total += stack->weight;
	return 0;
}

void nd_profile_add_loss(struct nd_profile *profile, enum nd_loss loss, uint64_t count)
{
	profile->loss[loss] += count;
}

uint64_t nd_profile_get_loss(const struct nd_profile *profile, enum nd_loss loss)
{
	return profile->loss[loss];
}

int nd_profile_set_info(struct nd_profile *profile, const struct nd_profile_info *info)
{
	struct nd_profile_info copy = *info;
	const char **strings[] = {&copy.title,	 &copy.command,	    &copy.runtime,
				  &copy.sampler, &copy.sample_type, &copy.unit};
	uint32_t id;
	size_t i;

	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		if (!*strings[i])
			continue;
		if (intern(profile, *strings[i], &id))
			return -ENOMEM;
		*strings[i] = nd_intern_get(profile->strings, id);
	}
	profile->info = copy;
	return 0;
}

const struct nd_profile_info *nd_profile_get_info(const struct nd_profile *profile)
{
	return &profile->info;
}

const struct nd_frame *nd_profile_frames(const struct nd_profile *profile, uint32_t *ret_count)
{
	*ret_count = (uint32_t)profile->frames.count;
	return profile->frames.data;
}

const struct nd_node *nd_profile_nodes(const struct nd_profile *profile, uint32_t *ret_count)
{
	*ret_count = (uint32_t)profile->nodes.count;
	return profile->nodes.data;
}

const struct nd_line *nd_profile_lines(const struct nd_profile *profile, uint32_t *ret_count)
{
	*ret_count = (uint32_t)profile->lines.count;
	return profile->lines.data;
}

const struct nd_sample *nd_profile_samples(const struct nd_profile *profile, size_t *ret_count)
{
	*ret_count = profile->samples.count;
	return profile->samples.data;
}

static int compare_functions(const void *a, const void *b)
{
	const struct nd_function *x = a, *y = b;

	if (x->self != y->self)
		return x->self < y->self ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/*
 * Walk the tree depth first without recursion. `on_path` counts how often each frame is on the way
 * to the current node, so that only the outermost call of a recursion adds to the total.
 */
static void sum_functions(const struct nd_profile *profile, struct nd_function *functions,
			  uint32_t *on_path)
{
	uint32_t id = node_at(profile, 0)->first_child;
	const struct nd_node *node;
	int tier;

	while (id) {
		node = node_at(profile, id);
		functions[node->frame].self += node->self;
		if (on_path[node->frame]++ == 0) {
			functions[node->frame].total += node->total;
			for (tier = 0; tier < ND_TIER_COUNT; tier++)
				functions[node->frame].tier[tier] += node->tier[tier];
		}
		if (node->first_child) {
			id = node->first_child;
			continue;
		}
		on_path[node->frame]--;
		while (id && !node_at(profile, id)->next_sibling) {
			id = node_at(profile, id)->parent;
			if (id)
				on_path[node_at(profile, id)->frame]--;
		}
		id = id ? node_at(profile, id)->next_sibling : 0;
	}
}

int nd_profile_functions(const struct nd_profile *profile, struct nd_function **ret_functions,
			 size_t *ret_count)
{
	size_t frames = profile->frames.count;
	size_t i, count = 0;
	struct nd_function *functions = calloc(frames + 1, sizeof(*functions));
	uint32_t *on_path = calloc(frames + 1, sizeof(*on_path));

	if (!functions || !on_path) {
		free(functions);
		free(on_path);
		return -ENOMEM;
	}
	sum_functions(profile, functions, on_path);
	free(on_path);
	for (i = 0; i < frames; i++) {
		if (!functions[i].total)
			continue;
		functions[count] = functions[i];
		functions[count++].frame = (uint32_t)i;
	}
	qsort(functions, count, sizeof(*functions), compare_functions);
	*ret_functions = functions;
	*ret_count = count;
	return 0;
}
