/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/spans.h"
#include "common/buf.h"
#include "proto/limits.h"

/* The spans of one thread, or all those of the tree. */
struct track {
	const struct nd_span *spans;
	size_t count;
};

struct page {
	const struct nd_profile *profile;
	const struct nd_frame *frames;
	const struct nd_node *nodes;
	uint32_t frame_count;
	struct nd_buf *out;
	struct nd_buf weights; /* of the track being written, which come after its samples */
};

static void add_frames(struct page *page)
{
	const struct nd_frame *frame;
	uint32_t i;

	for (i = 0; i < page->frame_count; i++) {
		frame = &page->frames[i];
		nd_buf_add_str(page->out, i ? ",{\"name\":" : "{\"name\":");
		nd_json_add_string(page->out, frame->name);
		if (frame->file[0]) {
			nd_buf_add_str(page->out, ",\"file\":");
			nd_json_add_string(page->out, frame->file);
		}
		if (frame->line)
			nd_buf_addf(page->out, ",\"line\":%" PRIu32, frame->line);
		if (frame->line && frame->column)
			nd_buf_addf(page->out, ",\"col\":%" PRIu32, frame->column);
		nd_buf_add_char(page->out, '}');
	}
	/* Stands for the stack of samples that have none. */
	nd_buf_add_str(page->out, i ? ",{\"name\":\"[unknown]\"}" : "{\"name\":\"[unknown]\"}");
}

static const char *unit_of(const struct nd_profile_info *info)
{
	if (info->unit && (!strcmp(info->unit, "nanoseconds") || !strcmp(info->unit, "bytes")))
		return info->unit;
	return "none";
}

static void add_weight(struct page *page, uint64_t weight)
{
	if (page->weights.len)
		nd_buf_add_char(&page->weights, ',');
	nd_buf_add_number(&page->weights, weight);
}

/* A sample without frames, which speedscope leaves blank and out of its percentages. */
static void add_gap(struct page *page, uint64_t weight)
{
	nd_buf_add_str(page->out, page->weights.len ? ",[]" : "[]");
	add_weight(page, weight);
}

/* A sample with the frames of its stack, the outermost first. */
static void add_sample(struct page *page, uint32_t node, uint64_t weight)
{
	uint32_t frames[ND_STACK_DEPTH_MAX];
	size_t depth = 0;

	if (!node)
		frames[depth++] = page->frame_count;
	for (; node; node = page->nodes[node].parent)
		frames[depth++] = page->nodes[node].frame;
	nd_buf_add_str(page->out, page->weights.len ? ",[" : "[");
	while (depth-- > 0) {
		nd_buf_add_number(page->out, frames[depth]);
		if (depth)
			nd_buf_add_char(page->out, ',');
	}
	nd_buf_add_char(page->out, ']');
	add_weight(page, weight);
}

/* Neighbours with one stack become one sample, or a long timeline would not fit. */
static uint64_t add_samples(struct page *page, const struct track *track)
{
	const struct nd_span *span;
	uint64_t end = 0, weight;
	size_t i = 0;

	while (i < track->count) {
		span = &track->spans[i];
		if (span->start > end)
			add_gap(page, span->start - end);
		end = span->start;
		for (weight = 0; i < track->count && track->spans[i].node == span->node &&
				 track->spans[i].start == end;
		     i++) {
			weight += track->spans[i].weight;
			end += track->spans[i].weight;
		}
		if (weight)
			add_sample(page, span->node, weight);
	}
	return end;
}

/* The root that --threads put there has the thread's name. */
static void add_thread_name(struct page *page, const struct nd_span *span)
{
	uint32_t node = span->node;
	char name[32];

	while (node && page->nodes[node].parent)
		node = page->nodes[node].parent;
	if (node && page->frames[page->nodes[node].frame].kind == ND_FRAME_THREAD) {
		nd_json_add_string(page->out, page->frames[page->nodes[node].frame].name);
		return;
	}
	snprintf(name, sizeof(name), "thread %" PRIu32, span->tid);
	nd_json_add_string(page->out, name);
}

static void add_track(struct page *page, const struct track *track)
{
	const struct nd_profile_info *info = nd_profile_get_info(page->profile);
	uint64_t end;

	nd_buf_reset(&page->weights);
	nd_buf_add_str(page->out, "{\"type\":\"sampled\",\"name\":");
	if (track->count && track->spans[0].tid)
		add_thread_name(page, &track->spans[0]);
	else
		nd_json_add_string(page->out, info->title ? info->title : "profile");
	nd_buf_addf(page->out, ",\"unit\":\"%s\",\"samples\":[", unit_of(info));
	end = add_samples(page, track);
	nd_buf_add_str(page->out, "],\"weights\":[");
	nd_buf_add(page->out, page->weights.data, page->weights.len);
	nd_buf_addf(page->out, "],\"startValue\":0,\"endValue\":%" PRIu64 "}", end);
}

static size_t track_len(const struct nd_span *spans, size_t count)
{
	size_t len = 0;

	while (len < count && spans[len].pid == spans[0].pid && spans[len].tid == spans[0].tid)
		len++;
	return len;
}

/* Write all tracks and say which is the heaviest, the one to show first. */
static uint32_t add_tracks(struct page *page, const struct nd_span *spans, size_t count)
{
	uint64_t weight, most = 0;
	uint32_t number = 0, heaviest = 0;
	struct track track;
	size_t done = 0, i;

	do {
		track.spans = spans + done;
		track.count = track_len(track.spans, count - done);
		for (weight = 0, i = 0; i < track.count; i++)
			weight += track.spans[i].weight;
		if (weight > most) {
			most = weight;
			heaviest = number;
		}
		if (number++)
			nd_buf_add_char(page->out, ',');
		add_track(page, &track);
		done += track.count;
	} while (done < count);
	return heaviest;
}

static int add_page(struct page *page, const struct nd_span *spans, size_t count)
{
	const struct nd_profile_info *info = nd_profile_get_info(page->profile);
	struct nd_buf *out = page->out;
	uint32_t heaviest;

	nd_buf_add_str(out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\","
			    "\"exporter\":\"nodiag\",\"name\":");
	nd_json_add_string(out, info->title ? info->title : "profile");
	nd_buf_add_str(out, ",\"shared\":{\"frames\":[");
	add_frames(page);
	nd_buf_add_str(out, "]},\"profiles\":[");
	heaviest = add_tracks(page, spans, count);
	nd_buf_addf(out, "],\"activeProfileIndex\":%" PRIu32 "}\n", heaviest);
	return nd_buf_error(&page->weights) ? nd_buf_error(&page->weights) : nd_buf_error(out);
}

int nd_render_speedscope(const struct nd_profile *profile, struct nd_buf *out)
{
	struct page page = {.profile = profile, .out = out};
	struct nd_span *spans;
	uint32_t unused;
	size_t count;
	int ret;

	page.frames = nd_profile_frames(profile, &page.frame_count);
	page.nodes = nd_profile_nodes(profile, &unused);
	ret = nd_spans_of_timeline(profile, &spans, &count);
	if (!ret && !spans)
		ret = nd_spans_of_tree(profile, &spans, &count);
	if (ret)
		return ret;
	nd_buf_init(&page.weights, ND_OUTPUT_MAX);
	ret = add_page(&page, spans, count);
	nd_buf_fini(&page.weights);
	free(spans);
	return ret;
}
