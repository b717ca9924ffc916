/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/kind.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/spans.h"
#include "common/buf.h"
#include "common/intern.h"
#include "proto/limits.h"

/*
 * Readers (DevTools, speedscope, VS Code) let a sample last until the next one. So the first delta
 * is 0, each further one is the weight of the sample before it, and a sample of the root, which
 * nobody counts, ends the last one.
 */

/* A profile of more samples opens slowly: then each stretch of the tree is one. */
#define SAMPLES_MAX (256u << 10)

struct page {
	const struct nd_profile *profile;
	const struct nd_frame *frames;
	const struct nd_node *nodes;
	const struct nd_line *lines;
	uint32_t frame_count;
	uint32_t node_count;
	uint64_t scale;		   /* nanoseconds in one unit of weight */
	struct nd_intern *scripts; /* URLs; their ids are script ids */
	uint32_t *script_ids;	   /* by frame */
	struct nd_buf *out;
	struct nd_buf samples;
	struct nd_buf deltas;
	uint64_t now_ns;    /* where the samples written so far end */
	uint64_t now_us;    /* the time of the last one as written */
	uint64_t idle_ns;   /* sum of the gaps */
	uint64_t idle_hits; /* samples that would have fallen into them */
};

/* Nodes that a profile has not; written where there are samples of them. */
static uint32_t program_id(const struct page *page)
{
	return page->node_count + 1;
}

static bool has_program(const struct page *page)
{
	return page->nodes[0].count || page->nodes[0].self;
}

static uint32_t idle_id(const struct page *page)
{
	return page->node_count + 2;
}

static bool is_script(enum nd_frame_kind kind)
{
	return kind == ND_FRAME_JS || kind == ND_FRAME_NPM || kind == ND_FRAME_NODE ||
	       kind == ND_FRAME_WASM;
}

/* Number the scripts as V8 does: 0 is for all that has none. */
static int number_scripts(struct page *page)
{
	const struct nd_frame *frame;
	uint32_t i, id;

	for (i = 0; i < page->frame_count; i++) {
		frame = &page->frames[i];
		if (!is_script(frame->kind))
			continue;
		if (nd_intern_add(page->scripts, frame->file, strlen(frame->file), &id))
			return -ENOMEM;
		page->script_ids[i] = id + 1;
	}
	return 0;
}

/*
 * V8 gives no name where there is none. Four names have a meaning of their own below the root, and
 * speedscope gives it to them anywhere: elsewhere they lose their parentheses.
 */
static const char *name_of(const struct page *page, const struct nd_node *node)
{
	static const char *const special[] = {"(root)", "(program)", "(idle)",
					      "(garbage collector)"};
	static const char *const plain[] = {"root", "program", "idle", "garbage collector"};
	const char *name = page->frames[node->frame].name;
	size_t i;

	for (i = 0; node->parent && i < sizeof(special) / sizeof(special[0]); i++)
		if (!strcmp(name, special[i]))
			return plain[i];
	return strcmp(name, "(anonymous)") != 0 ? name : "";
}

/* What is no script has its kind for a scheme, or no URL where V8 would write the same. */
static void add_url(struct page *page, const struct nd_node *node)
{
	const struct nd_frame *frame = &page->frames[node->frame];
	struct nd_buf url;

	if (is_script(frame->kind)) {
		nd_json_add_string(page->out, frame->file);
		return;
	}
	nd_buf_init(&url, page->out->max);
	if (frame->file[0] || nd_frame_kind_of_v8(name_of(page, node)) != frame->kind)
		nd_buf_addf(&url, "%s:%s", nd_frame_kind_name(frame->kind), frame->file);
	if (nd_buf_error(&url))
		page->out->error = nd_buf_error(&url);
	nd_json_add_string(page->out, url.data);
	nd_buf_fini(&url);
}

/* Lines and columns count from 0 here, -1 being unknown. */
static void add_position(struct page *page, uint32_t line, uint32_t column)
{
	nd_buf_addf(page->out, ",\"lineNumber\":%" PRId64 ",\"columnNumber\":%" PRId64 "}",
		    (int64_t)line - 1, (int64_t)column - 1);
}

static void add_call_frame(struct page *page, uint32_t id)
{
	const struct nd_node *node = &page->nodes[id];
	const struct nd_frame *frame;

	nd_buf_addf(page->out, "{\"id\":%" PRIu32 ",\"callFrame\":{\"functionName\":", id + 1);
	if (!id) {
		nd_buf_add_str(page->out, "\"(root)\",\"scriptId\":\"0\",\"url\":\"\"");
		add_position(page, 0, 0);
		return;
	}
	frame = &page->frames[node->frame];
	nd_json_add_string(page->out, name_of(page, node));
	nd_buf_addf(page->out,
		    ",\"scriptId\":\"%" PRIu32 "\",\"url\":", page->script_ids[node->frame]);
	add_url(page, node);
	add_position(page, frame->line, frame->column);
}

static void add_position_ticks(struct page *page, const struct nd_node *node)
{
	const struct nd_line *line;
	uint32_t i;

	nd_buf_add_str(page->out, ",\"positionTicks\":[");
	for (i = node->first_line; i; i = line->next) {
		line = &page->lines[i - 1];
		nd_buf_addf(page->out, "{\"line\":%" PRIu32 ",\"ticks\":%" PRIu64 "}%s", line->line,
			    line->count, line->next ? "," : "");
	}
	nd_buf_add_char(page->out, ']');
}

static void add_child(struct page *page, uint32_t id, bool *any)
{
	if (*any)
		nd_buf_add_char(page->out, ',');
	nd_buf_add_number(page->out, id);
	*any = true;
}

static void add_children(struct page *page, uint32_t id)
{
	bool any = false;
	uint32_t child;

	nd_buf_add_str(page->out, ",\"children\":[");
	for (child = page->nodes[id].first_child; child; child = page->nodes[child].next_sibling)
		add_child(page, child + 1, &any);
	if (!id && has_program(page))
		add_child(page, program_id(page), &any);
	if (!id && page->idle_ns)
		add_child(page, idle_id(page), &any);
	nd_buf_add_char(page->out, ']');
}

static void add_node(struct page *page, uint32_t id)
{
	const struct nd_node *node = &page->nodes[id];

	add_call_frame(page, id);
	nd_buf_addf(page->out, ",\"hitCount\":%" PRIu64, id ? node->count : 0);
	add_children(page, id);
	if (node->first_line)
		add_position_ticks(page, node);
	nd_buf_add_char(page->out, '}');
}

static void add_meta_node(struct page *page, uint32_t id, const char *name, uint64_t hits)
{
	nd_buf_addf(page->out,
		    ",{\"id\":%" PRIu32
		    ",\"callFrame\":{\"functionName\":\"%s\",\"scriptId\":\"0\","
		    "\"url\":\"\"",
		    id, name);
	add_position(page, 0, 0);
	nd_buf_addf(page->out, ",\"hitCount\":%" PRIu64 ",\"children\":[]}", hits);
}

static void add_nodes(struct page *page)
{
	uint32_t id;

	for (id = 0; id < page->node_count; id++) {
		if (id)
			nd_buf_add_char(page->out, ',');
		add_node(page, id);
	}
	if (has_program(page))
		add_meta_node(page, program_id(page), "(program)", page->nodes[0].count);
	if (page->idle_ns)
		add_meta_node(page, idle_id(page), "(idle)", page->idle_hits);
}

/* A sample at the current time; rounding does not add up, for it is the time that is rounded. */
static void add_sample(struct page *page, uint32_t id, uint64_t weight_ns)
{
	uint64_t now_us = page->now_ns / 1000;

	if (page->samples.len) {
		nd_buf_add_char(&page->samples, ',');
		nd_buf_add_char(&page->deltas, ',');
	}
	nd_buf_add_number(&page->samples, id);
	nd_buf_add_number(&page->deltas, now_us - page->now_us);
	page->now_us = now_us;
	page->now_ns += weight_ns;
}

/* As many samples as the span stands for, each with its share. */
static void add_span(struct page *page, const struct nd_span *span, bool single)
{
	uint32_t id = span->node ? span->node + 1 : program_id(page);
	uint64_t count = single || !span->count ? 1 : span->count;
	uint64_t weight = span->weight * page->scale;
	uint64_t i;

	for (i = 0; i < count; i++)
		add_sample(page, id, weight / count + (i < weight % count));
}

static void add_samples(struct page *page, const struct nd_span *spans, size_t count)
{
	const struct nd_node *root = &page->nodes[0];
	uint64_t samples = 0, gap;
	size_t i;

	for (i = 0; i < count; i++)
		samples += spans[i].count;
	for (i = 0; i < count; i++) {
		gap = spans[i].start * page->scale - page->now_ns;
		if (gap)
			add_sample(page, idle_id(page), gap);
		page->idle_ns += gap;
		add_span(page, &spans[i], samples > SAMPLES_MAX);
	}
	add_sample(page, 1, 0);
	if (root->total)
		page->idle_hits = (uint64_t)((double)page->idle_ns * (double)samples /
					     ((double)root->total * (double)page->scale));
}

static int add_page(struct page *page, const struct nd_span *spans, size_t count)
{
	uint64_t start_us = nd_profile_get_info(page->profile)->start_ns / 1000;
	struct nd_buf *out = page->out;

	if (number_scripts(page))
		return -ENOMEM;
	add_samples(page, spans, count);
	nd_buf_add_str(out, "{\"nodes\":[");
	add_nodes(page);
	nd_buf_addf(out, "],\"startTime\":%" PRIu64 ",\"endTime\":%" PRIu64 ",\"samples\":[",
		    start_us, start_us + page->now_us);
	nd_buf_add(out, page->samples.data, page->samples.len);
	nd_buf_add_str(out, "],\"timeDeltas\":[");
	nd_buf_add(out, page->deltas.data, page->deltas.len);
	nd_buf_add_str(out, "]}\n");
	if (nd_buf_error(&page->samples))
		return nd_buf_error(&page->samples);
	if (nd_buf_error(&page->deltas))
		return nd_buf_error(&page->deltas);
	return nd_buf_error(out);
}

/* The format has one thread: what ran side by side is put one after the other. */
static int get_spans(const struct nd_profile *profile, struct nd_span **ret_spans,
		     size_t *ret_count)
{
	struct nd_span *spans;
	size_t count;
	int ret = nd_spans_of_timeline(profile, &spans, &count);

	if (ret)
		return ret;
	if (!spans || spans[0].pid != spans[count - 1].pid ||
	    spans[0].tid != spans[count - 1].tid) {
		free(spans);
		return nd_spans_of_tree(profile, ret_spans, ret_count);
	}
	*ret_spans = spans;
	*ret_count = count;
	return 0;
}

/* The format knows time only: 1 byte or 1 of whatever is counted shows as 1 us, where that fits. */
static uint64_t scale_of(const struct nd_profile *profile, uint64_t total)
{
	const char *unit = nd_profile_get_info(profile)->unit;

	return (unit && !strcmp(unit, "nanoseconds")) || total > UINT64_MAX / 1000 ? 1 : 1000;
}

int nd_render_cpuprofile(const struct nd_profile *profile, struct nd_buf *out)
{
	struct page page = {.profile = profile, .out = out};
	struct nd_span *spans = NULL;
	uint32_t unused;
	size_t count;
	int ret = -ENOMEM;

	page.frames = nd_profile_frames(profile, &page.frame_count);
	page.nodes = nd_profile_nodes(profile, &page.node_count);
	page.lines = nd_profile_lines(profile, &unused);
	page.scale = scale_of(profile, page.nodes[0].total);
	page.scripts = nd_intern_new();
	page.script_ids = calloc((size_t)page.frame_count + 1, sizeof(*page.script_ids));
	nd_buf_init(&page.samples, ND_OUTPUT_MAX);
	nd_buf_init(&page.deltas, ND_OUTPUT_MAX);
	if (page.scripts && page.script_ids)
		ret = get_spans(profile, &spans, &count);
	if (!ret)
		ret = add_page(&page, spans, count);
	nd_buf_fini(&page.samples);
	nd_buf_fini(&page.deltas);
	nd_intern_free(page.scripts);
	free(page.script_ids);
	free(spans);
	return ret;
}
