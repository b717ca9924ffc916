/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/order.h"
#include "analyzer/render/palette.h"
#include "analyzer/render/units.h"
#include "analyzer/utf8.h"
#include "common/buf.h"

/*
 * Flame orientation: the root at the bottom, a box as wide as its share. No script, no font but
 * the reader's monospace one, whose characters are FONT_WIDTH wide or narrower, so that text is cut
 * where its box ends without being measured.
 */

#define WIDTH	      1200
#define MARGIN	      10
#define INNER	      (WIDTH - 2 * MARGIN)
#define ROW	      17
#define HEADER	      50
#define LINE	      17 /* of the header, legend and footer */
#define FONT_WIDTH    6.65
#define TEXT_MIN      3	   /* characters; fewer say nothing */
#define SHARE_MIN     2000 /* boxes below 1/2000 (0.05 %) of the total are left out */
#define LEGEND_COLUMN 168
#define ROOT_COLOUR   0xd9dde3

struct svg {
	const struct nd_profile *profile;
	const struct nd_profile_info *info;
	const struct nd_frame *frames;
	const struct nd_node *nodes;
	const struct nd_placed *placed;
	uint32_t count;
	uint32_t rows;
	uint32_t hidden;		 /* nodes too narrow to be drawn */
	bool kinds[ND_FRAME_KIND_COUNT]; /* that are drawn */
	struct nd_buf *out;
};

/*
 * What XML 1.0 has no way to say, not even escaped (controls, U+FFFE, U+FFFF), and what turns the
 * text around it (U+202A to U+202E, U+2066 to U+2069).
 */
static bool is_unfit(const char *str, size_t len)
{
	const unsigned char *c = (const unsigned char *)str;

	if (len == 1)
		return c[0] < 0x20 || c[0] == 0x7f;
	if (len != 3)
		return false;
	return (c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe) ||
	       (c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
	       (c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

static const char *entity(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	default:
		return NULL;
	}
}

/*
 * Append at most `columns` columns of text, the last one an ellipsis where there is more. From
 * U+1100 on characters may be two columns wide and are counted so.
 */
static void add_text(struct nd_buf *out, const char *str, size_t columns)
{
	size_t left = strlen(str), used = 0, len, width;
	const char *escaped;

	for (; left; str += len, left -= len) {
		len = nd_utf8_sequence(str, left);
		width = len >= 3 && (unsigned char)str[0] >= 0xe1 ? 2 : 1;
		if (used + width + (left > (len ? len : 1)) > columns) {
			nd_buf_add_str(out, "\xe2\x80\xa6");
			return;
		}
		used += width;
		escaped = entity(*str);
		if (!len || is_unfit(str, len))
			nd_buf_add_str(out, "\xef\xbf\xbd");
		else if (escaped)
			nd_buf_add_str(out, escaped);
		else
			nd_buf_add(out, str, len);
		if (!len)
			len = 1;
	}
}

static void add_all(struct nd_buf *out, const char *str)
{
	add_text(out, str, SIZE_MAX / 2);
}

static void add_weight(const struct svg *svg, const char *label, uint64_t weight)
{
	double percent = 100.0 * (double)weight / (double)svg->nodes[0].total;
	char text[ND_UNITS_MAX];

	nd_units_weight(weight, svg->info->unit, text);
	nd_buf_addf(svg->out, "\n%s %s, %.2f %%", label, text, percent);
}

/* What a browser shows when the pointer rests on the box. */
static void add_title(const struct svg *svg, const struct nd_node *node,
		      const struct nd_frame *frame)
{
	nd_buf_add_str(svg->out, "<title>");
	add_all(svg->out, frame ? frame->name : "all");
	if (frame && *frame->file) {
		nd_buf_add_char(svg->out, '\n');
		add_all(svg->out, frame->file);
		if (frame->line)
			nd_buf_addf(svg->out, ":%" PRIu32, frame->line);
		if (frame->line && frame->column)
			nd_buf_addf(svg->out, ":%" PRIu32, frame->column);
	}
	add_weight(svg, "self", node->self);
	add_weight(svg, "total", node->total);
	nd_buf_add_str(svg->out, "</title>");
}

static void add_box(struct svg *svg, const struct nd_placed *placed, double x, double width)
{
	const struct nd_node *node = &svg->nodes[placed->node];
	const struct nd_frame *frame = placed->node ? &svg->frames[node->frame] : NULL;
	uint32_t y = HEADER + (svg->rows - 1 - placed->depth) * ROW;
	uint32_t colour = ROOT_COLOUR;
	size_t columns = (size_t)((width - 5) / FONT_WIDTH);

	if (frame) {
		svg->kinds[frame->kind] = true;
		colour = nd_palette_shade(nd_palette_kinds[frame->kind].light, frame->name);
	}
	nd_buf_add_str(svg->out, "<g>");
	add_title(svg, node, frame);
	nd_buf_addf(svg->out,
		    "<rect x=\"%.1f\" y=\"%" PRIu32 "\" width=\"%.1f\" height=\"%d\""
		    " fill=\"#%06" PRIx32 "\" rx=\"1\"/>",
		    x, y, width > 1.5 ? width - 0.5 : width, ROW - 1, colour);
	if (width > 5 && columns >= TEXT_MIN) {
		nd_buf_addf(svg->out, "<text x=\"%.1f\" y=\"%" PRIu32 "\">", x + 3, y + 12);
		add_text(svg->out, frame ? frame->name : "all", columns);
		nd_buf_add_str(svg->out, "</text>");
	}
	nd_buf_add_str(svg->out, "</g>\n");
}

static bool is_drawn(const struct svg *svg, const struct nd_placed *placed)
{
	return placed->total && placed->total >= svg->nodes[0].total / SHARE_MIN;
}

static void count_rows(struct svg *svg)
{
	uint32_t i;

	for (i = 0; i < svg->count; i++) {
		if (!is_drawn(svg, &svg->placed[i]))
			svg->hidden++;
		else if (svg->placed[i].depth >= svg->rows)
			svg->rows = svg->placed[i].depth + 1;
	}
}

/* Children start where their parent does; each one moves the place of the next. */
static int add_boxes(struct svg *svg)
{
	double unit = (double)INNER / (double)svg->nodes[0].total;
	uint64_t *next = calloc(svg->count, sizeof(*next));
	const struct nd_placed *placed;
	uint64_t start;
	uint32_t i, parent;

	if (!next)
		return -ENOMEM;
	for (i = 0; i < svg->count; i++) {
		placed = &svg->placed[i];
		parent = svg->nodes[placed->node].parent;
		start = next[parent];
		if (placed->node)
			next[parent] += placed->total;
		next[placed->node] = start;
		if (is_drawn(svg, placed))
			add_box(svg, placed, MARGIN + (double)start * unit,
				(double)placed->total * unit);
	}
	free(next);
	return 0;
}

static void add_line(struct nd_buf *out, const char *class, uint32_t y, const char *text)
{
	nd_buf_addf(out, "<text class=\"%s\" x=\"%d\" y=\"%" PRIu32 "\">", class, MARGIN, y);
	add_text(out, text, (size_t)(INNER / FONT_WIDTH));
	nd_buf_add_str(out, "</text>\n");
}

/* Colours that occur, in columns. Returns the first line below. */
static uint32_t add_legend(const struct svg *svg, uint32_t y)
{
	int i, kind, x = MARGIN;

	for (i = 1; i <= ND_FRAME_KIND_COUNT; i++) {
		kind = i % ND_FRAME_KIND_COUNT; /* what is unknown comes last */
		if (!svg->kinds[kind])
			continue;
		if (x + LEGEND_COLUMN > WIDTH) {
			x = MARGIN;
			y += LINE;
		}
		nd_buf_addf(svg->out,
			    "<rect x=\"%d\" y=\"%" PRIu32 "\" width=\"10\" height=\"10\" rx=\"2\""
			    " fill=\"#%06" PRIx32 "\"/><text class=\"note\" x=\"%d\" y=\"%" PRIu32
			    "\">%s</text>\n",
			    x, y - 9, nd_palette_kinds[kind].light, x + 15, y,
			    nd_palette_kinds[kind].label);
		x += LEGEND_COLUMN;
	}
	return x > MARGIN ? y + LINE : y;
}

static void add_samples(const struct svg *svg, uint32_t y)
{
	char text[4 * ND_UNITS_MAX], weight[ND_UNITS_MAX], count[ND_UNITS_MAX];
	uint64_t samples = 0;
	uint32_t i;
	int len;

	for (i = 0; i < svg->count; i++)
		samples += svg->nodes[i].count;
	len = snprintf(text, sizeof(text), "%s samples, %s", nd_units_weight(samples, NULL, count),
		       nd_units_weight(svg->nodes[0].total, svg->info->unit, weight));
	if (svg->nodes[0].total && svg->hidden)
		snprintf(text + len, sizeof(text) - (size_t)len,
			 "; frames below 0.05 %% (not drawn): %s",
			 nd_units_weight(svg->hidden, NULL, count));
	add_line(svg->out, "note", y, text);
}

/* Samples and losses. Returns the first line below. */
static uint32_t add_footer(const struct svg *svg, uint32_t y)
{
	char text[256], count[ND_UNITS_MAX];
	uint64_t lost;
	int i;

	add_samples(svg, y);
	for (i = 1; i < ND_LOSS_COUNT; i++) {
		lost = nd_profile_get_loss(svg->profile, (enum nd_loss)i);
		if (!lost)
			continue;
		y += LINE;
		snprintf(text, sizeof(text), "%s %s", nd_units_weight(lost, NULL, count),
			 nd_loss_text((enum nd_loss)i));
		add_line(svg->out, "loss", y, text);
	}
	return y + LINE;
}

static void add_header(const struct svg *svg)
{
	const char *const words[] = {svg->info->runtime, svg->info->sampler};
	char duration[ND_UNITS_MAX];
	struct nd_buf *out = svg->out;
	size_t i;

	nd_buf_addf(out, "<text class=\"title\" x=\"%d\" y=\"22\">", MARGIN);
	add_text(out, svg->info->title ? svg->info->title : "Flame graph", 110);
	nd_buf_addf(out, "</text>\n<text class=\"note\" x=\"%d\" y=\"39\">", MARGIN);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!words[i])
			continue;
		add_text(out, words[i], 60);
		nd_buf_add_str(out, " \xc2\xb7 ");
	}
	nd_units_weight(svg->info->duration_ns, "nanoseconds", duration);
	nd_buf_add_str(out, svg->info->duration_ns ? duration : "nodiag flame");
	nd_buf_add_str(out, "</text>\n");
}

/* The picture without its frame, whose height is known at the end only. */
static int add_picture(struct svg *svg, uint32_t *ret_height)
{
	uint32_t y;
	int ret = 0;

	count_rows(svg);
	add_header(svg);
	if (svg->nodes[0].total)
		ret = add_boxes(svg);
	else
		add_line(svg->out, "note", HEADER + 12,
			 "No samples: nothing ran while this was recorded.");
	y = HEADER + (svg->rows ? svg->rows : 1) * ROW + 18;
	y = add_legend(svg, y);
	*ret_height = add_footer(svg, y) - LINE + MARGIN;
	return ret;
}

int nd_render_svg(const struct nd_profile *profile, struct nd_buf *out)
{
	struct nd_buf picture;
	struct svg svg = {.profile = profile, .out = &picture};
	struct nd_placed *placed;
	uint32_t unused, height;
	int ret;

	svg.info = nd_profile_get_info(profile);
	svg.frames = nd_profile_frames(profile, &unused);
	svg.nodes = nd_profile_nodes(profile, &svg.count);
	ret = nd_order_nodes(profile, &placed);
	if (ret)
		return ret;
	svg.placed = placed;
	nd_buf_init(&picture, out->max);
	ret = add_picture(&svg, &height);
	free(placed);
	if (!ret)
		ret = nd_buf_error(&picture);
	if (ret)
		goto out;
	nd_buf_addf(out,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%" PRIu32
		    "\" viewBox=\"0 0 %d %" PRIu32 "\" role=\"img\" font-family=\"ui-monospace,"
		    " Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"11\" "
		    "fill=\"#%06x\">\n"
		    "<style>.title{font-size:16px;font-weight:bold}.note{fill:#5a6470}"
		    ".loss{fill:#8a4b00}</style>\n"
		    "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
		    WIDTH, height, WIDTH, height, ND_PALETTE_TEXT);
	nd_buf_add(out, picture.data, picture.len);
	ret = nd_buf_add_str(out, "</svg>\n");
out:
	nd_buf_fini(&picture);
	return ret;
}
