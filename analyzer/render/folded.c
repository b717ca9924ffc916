/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/order.h"
#include "analyzer/utf8.h"
#include "common/buf.h"
#include "proto/limits.h"

struct folder {
	const struct nd_frame *frames;
	const struct nd_node *nodes;
	bool in_samples;
	struct nd_buf stack; /* "root;caller", of the node being written */
	size_t *ends;	     /* by depth: where the stack of that depth ends */
};

/*
 * stackcollapse programs count samples, and readers take them at their word: Firefox's makes one
 * sample for each count, which nanoseconds would make billions. Measured time has no samples.
 */
static bool counts_samples(const struct nd_profile_info *info)
{
	return info->period && info->unit && !strcmp(info->unit, "nanoseconds");
}

static const char *suffix_of(enum nd_frame_kind kind)
{
	switch (kind) {
	case ND_FRAME_JS:
	case ND_FRAME_NPM:
	case ND_FRAME_NODE:
	case ND_FRAME_BUILTIN:
	case ND_FRAME_WASM:
		return "_[j]";
	case ND_FRAME_KERNEL:
		return "_[k]";
	default:
		return "";
	}
}

static bool has_place(const struct nd_frame *frame)
{
	return frame->file[0] && (frame->kind == ND_FRAME_JS || frame->kind == ND_FRAME_NPM ||
				  frame->kind == ND_FRAME_NODE || frame->kind == ND_FRAME_WASM);
}

static void add_frame(const struct nd_frame *frame, struct nd_buf *out)
{
	size_t start = out->len, i;

	nd_utf8_repair(frame->name, strlen(frame->name), out);
	if (!frame->name[0])
		nd_buf_add_str(out, "(anonymous)");
	if (has_place(frame)) {
		nd_buf_add_str(out, " (");
		nd_utf8_repair(frame->file, strlen(frame->file), out);
		if (frame->line)
			nd_buf_addf(out, ":%" PRIu32, frame->line);
		if (frame->line && frame->column)
			nd_buf_addf(out, ":%" PRIu32, frame->column);
		nd_buf_add_str(out, ")");
	}
	/* stackcollapse-perf.pl writes ":" for ";" too. */
	for (i = start; i < out->len; i++) {
		if (out->data[i] == ';')
			out->data[i] = ':';
		else if ((unsigned char)out->data[i] < ' ' || out->data[i] == 0x7f)
			out->data[i] = ' ';
	}
	nd_buf_add_str(out, suffix_of(frame->kind));
}

static void add_line(const struct folder *folder, const struct nd_placed *placed,
		     struct nd_buf *out)
{
	const struct nd_node *node = &folder->nodes[placed->node];
	uint64_t weight = folder->in_samples ? node->count : node->self;

	if (!weight)
		return;
	nd_buf_add(out, folder->stack.data, folder->stack.len);
	if (!placed->node)
		nd_buf_add_str(out, "[unknown]");
	nd_buf_addf(out, " %" PRIu64 "\n", weight);
}

/* Nodes come depth first, so the stack of a node is that of its parent and one frame more. */
static int fold(struct folder *folder, const struct nd_placed *placed, uint32_t count,
		struct nd_buf *out)
{
	uint32_t i, depth;

	for (i = 0; i < count; i++) {
		depth = placed[i].depth;
		folder->stack.len = depth ? folder->ends[depth - 1] : 0;
		if (depth > 1)
			nd_buf_add_char(&folder->stack, ';');
		if (depth)
			add_frame(&folder->frames[folder->nodes[placed[i].node].frame],
				  &folder->stack);
		folder->ends[depth] = folder->stack.len;
		add_line(folder, &placed[i], out);
	}
	return nd_buf_error(&folder->stack) ? nd_buf_error(&folder->stack) : nd_buf_error(out);
}

int nd_render_folded(const struct nd_profile *profile, struct nd_buf *out)
{
	uint32_t count;
	struct folder folder = {
		.frames = nd_profile_frames(profile, &count),
		.nodes = nd_profile_nodes(profile, &count),
		.in_samples = counts_samples(nd_profile_get_info(profile)),
		.ends = calloc(ND_STACK_DEPTH_MAX + 1, sizeof(*folder.ends)),
	};
	struct nd_placed *placed = NULL;
	int ret = -ENOMEM;

	nd_buf_init(&folder.stack, ND_OUTPUT_MAX);
	if (folder.ends)
		ret = nd_order_nodes(profile, &placed);
	if (!ret)
		ret = fold(&folder, placed, count, out);
	nd_buf_fini(&folder.stack);
	free(folder.ends);
	free(placed);
	return ret;
}
