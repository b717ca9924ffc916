/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/page_data.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/order.h"
#include "analyzer/render/page.h"
#include "analyzer/render/palette.h"
#include "common/buf.h"
#include "common/intern.h"

/* What the column getters look at. */
struct page {
	const struct nd_profile *profile;
	const struct nd_frame *frames;
	const struct nd_node *nodes;
	const struct nd_line *lines;
	const struct nd_placed *placed;
	uint32_t frame_count;
	uint32_t node_count;
	uint32_t line_count;
	uint64_t scale;
	struct nd_intern *strings;
	uint32_t *names; /* of each frame, ids in `strings` */
	uint32_t *files;
};

struct column {
	const char *name;
	uint64_t (*get)(const struct page *page, uint32_t row);
};

/* Objects and lists are written with a comma after each item; the last makes room for the end. */
static void close_with(struct nd_buf *out, const char *end)
{
	if (out->len && out->data[out->len - 1] == ',')
		out->data[--out->len] = '\0';
	nd_buf_add_str(out, end);
}

static void add_text(struct nd_buf *out, const char *key, const char *text)
{
	nd_buf_addf(out, "\"%s\":", key);
	nd_json_add_string(out, text);
	nd_buf_add_char(out, ',');
}

static void add_value(struct nd_buf *out, const char *key, uint64_t value)
{
	nd_buf_addf(out, "\"%s\":%" PRIu64 ",", key, value);
}

static void add_info(struct nd_buf *out, const struct nd_profile_info *info)
{
	nd_buf_add_str(out, "\"info\":{");
	add_text(out, "title", info->title);
	add_text(out, "command", info->command);
	add_text(out, "runtime", info->runtime);
	add_text(out, "sampler", info->sampler);
	add_text(out, "sampleType", info->sample_type);
	add_text(out, "unit", info->unit);
	add_value(out, "period", info->period);
	add_value(out, "duration", info->duration_ns);
	add_value(out, "start", info->start_unix_ns / 1000000);
	close_with(out, "},");
}

static void add_losses(struct nd_buf *out, const struct nd_profile *profile)
{
	uint64_t count;
	int i;

	nd_buf_add_str(out, "\"losses\":[");
	for (i = 1; i < ND_LOSS_COUNT; i++) {
		count = nd_profile_get_loss(profile, (enum nd_loss)i);
		if (!count)
			continue;
		nd_buf_add_char(out, '[');
		nd_json_add_string(out, nd_loss_text((enum nd_loss)i));
		nd_buf_addf(out, ",%" PRIu64 "],", count);
	}
	close_with(out, "],");
}

static void add_swatch(struct nd_buf *out, const char *name, const struct nd_swatch *swatch)
{
	nd_buf_add_char(out, '{');
	add_text(out, "name", name);
	add_text(out, "label", swatch->label);
	add_value(out, "light", swatch->light);
	add_value(out, "dark", swatch->dark);
	close_with(out, "},");
}

static void add_swatches(struct nd_buf *out)
{
	int i;

	nd_buf_add_str(out, "\"kinds\":[");
	for (i = 0; i < ND_FRAME_KIND_COUNT; i++)
		add_swatch(out, nd_frame_kind_name((enum nd_frame_kind)i), &nd_palette_kinds[i]);
	close_with(out, "],\"tiers\":[");
	for (i = 0; i < ND_TIER_COUNT; i++)
		add_swatch(out, nd_tier_name((enum nd_tier)i), &nd_palette_tiers[i]);
	close_with(out, "],");
}

static void add_strings(struct nd_buf *out, const struct nd_intern *strings)
{
	uint32_t i;

	nd_buf_add_str(out, "\"strings\":[");
	for (i = 0; i < nd_intern_count(strings); i++) {
		nd_json_add_string(out, nd_intern_get(strings, i));
		nd_buf_add_char(out, ',');
	}
	close_with(out, "]");
}

static int add_words(struct nd_buf *out, const struct page *page)
{
	struct nd_buf json;
	int ret;

	nd_buf_init(&json, out->max);
	nd_buf_add_char(&json, '{');
	add_info(&json, nd_profile_get_info(page->profile));
	add_losses(&json, page->profile);
	add_swatches(&json);
	add_strings(&json, page->strings);
	ret = nd_buf_add_char(&json, '}');
	if (!ret)
		ret = nd_page_add_json(out, &json);
	nd_buf_fini(&json);
	return ret;
}

static void begin_list(struct nd_buf *out, const char *name)
{
	nd_buf_addf(out, "\"%s\":[", name);
}

static void add_number(struct nd_buf *out, uint64_t value)
{
	nd_buf_add_number(out, value);
	nd_buf_add_char(out, ',');
}

static void add_columns(struct nd_buf *out, const struct page *page, const struct column *column,
			uint32_t rows)
{
	uint32_t i;

	for (; column->name; column++) {
		begin_list(out, column->name);
		for (i = 0; i < rows; i++)
			add_number(out, column->get(page, i));
		close_with(out, "],");
	}
}

static uint64_t frame_name(const struct page *page, uint32_t row)
{
	return page->names[row];
}

static uint64_t frame_file(const struct page *page, uint32_t row)
{
	return page->files[row];
}

static uint64_t frame_line(const struct page *page, uint32_t row)
{
	return page->frames[row].line;
}

static uint64_t frame_column(const struct page *page, uint32_t row)
{
	return page->frames[row].column;
}

static uint64_t frame_kind(const struct page *page, uint32_t row)
{
	return page->frames[row].kind;
}

static const struct column frame_columns[] = {
	{"frameName", frame_name},     {"frameFile", frame_file}, {"frameLine", frame_line},
	{"frameColumn", frame_column}, {"frameKind", frame_kind}, {NULL, NULL},
};

static const struct nd_node *placed_node(const struct page *page, uint32_t row)
{
	return &page->nodes[page->placed[row].node];
}

static uint64_t node_depth(const struct page *page, uint32_t row)
{
	return page->placed[row].depth;
}

static uint64_t node_frame(const struct page *page, uint32_t row)
{
	return placed_node(page, row)->frame;
}

static uint64_t node_self(const struct page *page, uint32_t row)
{
	return placed_node(page, row)->self / page->scale;
}

static uint64_t node_count(const struct page *page, uint32_t row)
{
	return placed_node(page, row)->count;
}

/* The tier of all of the node's time, or ND_TIER_COUNT when "mixed" has the split. */
static uint64_t node_tier(const struct page *page, uint32_t row)
{
	const uint64_t *tier = placed_node(page, row)->tier;
	int i, found = ND_TIER_NONE, used = 0;

	for (i = 0; i < ND_TIER_COUNT; i++) {
		if (!tier[i])
			continue;
		found = i;
		used++;
	}
	return used > 1 ? ND_TIER_COUNT : (uint64_t)found;
}

static const struct column node_columns[] = {
	{"depth", node_depth}, {"frame", node_frame}, {"self", node_self},
	{"count", node_count}, {"tier", node_tier},   {NULL, NULL},
};

/* What few nodes have: row, then the values. */
static void add_sparse(struct nd_buf *out, const struct page *page)
{
	const struct nd_node *node;
	uint32_t row, line;
	int i;

	begin_list(out, "mixed");
	for (row = 0; row < page->node_count; row++) {
		if (node_tier(page, row) != ND_TIER_COUNT)
			continue;
		add_number(out, row);
		for (i = 0; i < ND_TIER_COUNT; i++)
			add_number(out, placed_node(page, row)->tier[i] / page->scale);
	}
	close_with(out, "],");
	begin_list(out, "inlined");
	for (row = 0; row < page->node_count; row++) {
		node = placed_node(page, row);
		if (!node->inlined)
			continue;
		add_number(out, row);
		add_number(out, node->inlined / page->scale);
	}
	close_with(out, "],");
	begin_list(out, "lines");
	for (row = 0; row < page->node_count; row++) {
		line = placed_node(page, row)->first_line;
		for (; line; line = page->lines[line - 1].next) {
			add_number(out, row);
			add_number(out, page->lines[line - 1].line);
			add_number(out, page->lines[line - 1].self / page->scale);
		}
	}
	close_with(out, "],");
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	uint64_t rest;

	while (b) {
		rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

/* What divides every weight that is written. */
static uint64_t scale_of(const struct page *page)
{
	uint64_t scale = 0;
	uint32_t i;
	int tier;

	for (i = 0; i < page->node_count && scale != 1; i++) {
		scale = gcd(scale, page->nodes[i].self);
		scale = gcd(scale, page->nodes[i].inlined);
		for (tier = 0; tier < ND_TIER_COUNT; tier++)
			scale = gcd(scale, page->nodes[i].tier[tier]);
	}
	for (i = 0; i < page->line_count && scale != 1; i++)
		scale = gcd(scale, page->lines[i].self);
	return scale ? scale : 1;
}

static int add_profile(struct nd_buf *out, const struct page *page)
{
	int ret;

	nd_buf_add_char(out, '{');
	add_columns(out, page, frame_columns, page->frame_count);
	add_columns(out, page, node_columns, page->node_count);
	add_sparse(out, page);
	nd_buf_addf(out, "\"scale\":%" PRIu64 ",\"words\":", page->scale);
	ret = add_words(out, page);
	return ret ? ret : nd_buf_add_char(out, '}');
}

static int intern_names(struct page *page)
{
	uint32_t i;

	for (i = 0; i < page->frame_count; i++) {
		const char *name = page->frames[i].name;
		const char *file = page->frames[i].file;

		if (nd_intern_add(page->strings, name, strlen(name), &page->names[i]) ||
		    nd_intern_add(page->strings, file, strlen(file), &page->files[i]))
			return -ENOMEM;
	}
	return 0;
}

int nd_page_add_data(const struct nd_profile *profile, struct nd_buf *out)
{
	struct page page = {.profile = profile};
	struct nd_placed *placed = NULL;
	int ret = -ENOMEM;

	page.frames = nd_profile_frames(profile, &page.frame_count);
	page.nodes = nd_profile_nodes(profile, &page.node_count);
	page.lines = nd_profile_lines(profile, &page.line_count);
	page.scale = scale_of(&page);
	page.strings = nd_intern_new();
	page.names = calloc((size_t)page.frame_count + 1, sizeof(*page.names));
	page.files = calloc((size_t)page.frame_count + 1, sizeof(*page.files));
	if (!page.strings || !page.names || !page.files || intern_names(&page))
		goto out;
	ret = nd_order_nodes(profile, &placed);
	if (ret)
		goto out;
	page.placed = placed;
	ret = add_profile(out, &page);
out:
	free(placed);
	free(page.names);
	free(page.files);
	nd_intern_free(page.strings);
	return ret;
}
