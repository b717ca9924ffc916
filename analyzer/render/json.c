/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/spans.h"
#include "common/buf.h"

/* Grows by one when a field changes its meaning or goes; docs/format-json.md. */
#define VERSION 1

static void add_number(struct nd_buf *out, const char *key, uint64_t number)
{
	nd_buf_add_str(out, key);
	nd_buf_add_number(out, number);
}

static void add_info(const struct nd_profile *profile, struct nd_buf *out)
{
	const struct nd_profile_info *info = nd_profile_get_info(profile);

	nd_json_add_field(out, "\"info\":{\"title\":", info->title);
	nd_json_add_field(out, ",\"command\":", info->command);
	nd_json_add_field(out, ",\"runtime\":", info->runtime);
	nd_json_add_field(out, ",\"sampler\":", info->sampler);
	nd_json_add_field(out, ",\"sample_type\":", info->sample_type);
	nd_json_add_field(out, ",\"unit\":", info->unit);
	add_number(out, ",\"period\":", info->period);
	add_number(out, ",\"start_unix_ns\":", info->start_unix_ns);
	add_number(out, ",\"duration_ns\":", info->duration_ns);
	add_number(out, ",\"pid\":", info->pid);
	nd_buf_add_str(out, "},\n");
}

static void add_frames(const struct nd_profile *profile, struct nd_buf *out)
{
	uint32_t count, i;
	const struct nd_frame *frames = nd_profile_frames(profile, &count);

	nd_buf_add_str(out, "\"frames\":[");
	for (i = 0; i < count; i++) {
		nd_json_add_field(out, i ? ",\n{\"name\":" : "\n{\"name\":", frames[i].name);
		nd_json_add_field(out, ",\"file\":", frames[i].file);
		add_number(out, ",\"line\":", frames[i].line);
		add_number(out, ",\"column\":", frames[i].column);
		nd_buf_addf(out, ",\"kind\":\"%s\"}", nd_frame_kind_name(frames[i].kind));
	}
	nd_buf_add_str(out, "],\n");
}

/* Only the tiers that occur. */
static void add_tiers(const uint64_t *tiers, struct nd_buf *out)
{
	bool any = false;
	int tier;

	nd_buf_add_str(out, ",\"tiers\":{");
	for (tier = 0; tier < ND_TIER_COUNT; tier++) {
		if (!tiers[tier])
			continue;
		nd_buf_addf(out, "%s\"%s\":", any ? "," : "", nd_json_tier_keys[tier]);
		nd_buf_add_number(out, tiers[tier]);
		any = true;
	}
	nd_buf_add_char(out, '}');
}

static void add_lines(const struct nd_node *node, const struct nd_line *lines, struct nd_buf *out)
{
	uint32_t i;

	nd_buf_add_str(out, ",\"lines\":[");
	for (i = node->first_line; i; i = lines[i - 1].next) {
		add_number(out,
			   i == node->first_line ? "{\"line\":" : ",{\"line\":", lines[i - 1].line);
		add_number(out, ",\"self\":", lines[i - 1].self);
		add_number(out, ",\"samples\":", lines[i - 1].count);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_char(out, ']');
}

static void add_nodes(const struct nd_profile *profile, struct nd_buf *out)
{
	uint32_t count, unused, i;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);
	const struct nd_line *lines = nd_profile_lines(profile, &unused);

	nd_buf_add_str(out, "\"nodes\":[");
	for (i = 0; i < count; i++) {
		if (i) {
			add_number(out, ",\n{\"parent\":", nodes[i].parent);
			add_number(out, ",\"frame\":", nodes[i].frame);
		} else {
			nd_buf_add_str(out, "\n{\"parent\":null,\"frame\":null");
		}
		add_number(out, ",\"self\":", nodes[i].self);
		add_number(out, ",\"total\":", nodes[i].total);
		add_number(out, ",\"samples\":", nodes[i].count);
		if (nodes[i].inlined)
			add_number(out, ",\"inlined\":", nodes[i].inlined);
		if (i)
			add_tiers(nodes[i].tier, out);
		if (nodes[i].first_line)
			add_lines(&nodes[i], lines, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "],\n");
}

static int add_functions(const struct nd_profile *profile, struct nd_buf *out)
{
	struct nd_function *functions;
	size_t count, i;
	int ret = nd_profile_functions(profile, &functions, &count);

	if (ret)
		return ret;
	nd_buf_add_str(out, "\"functions\":[");
	for (i = 0; i < count; i++) {
		add_number(out, i ? ",\n{\"frame\":" : "\n{\"frame\":", functions[i].frame);
		add_number(out, ",\"self\":", functions[i].self);
		add_number(out, ",\"total\":", functions[i].total);
		add_tiers(functions[i].tier, out);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "]");
	free(functions);
	return 0;
}

/* Spans come by thread. */
static void add_thread_list(const struct nd_span *spans, size_t count, struct nd_buf *out)
{
	struct nd_span sum;
	size_t i = 0;

	nd_buf_add_str(out, ",\n\"threads\":[");
	while (i < count) {
		nd_buf_add_str(out, i ? ",\n" : "\n");
		sum = (struct nd_span){.pid = spans[i].pid, .tid = spans[i].tid};
		for (; i < count && spans[i].pid == sum.pid && spans[i].tid == sum.tid; i++) {
			sum.weight += spans[i].weight;
			sum.count += spans[i].count;
		}
		add_number(out, "{\"pid\":", sum.pid);
		add_number(out, ",\"tid\":", sum.tid);
		add_number(out, ",\"total\":", sum.weight);
		add_number(out, ",\"samples\":", sum.count);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_char(out, ']');
}

static int add_threads(const struct nd_profile *profile, struct nd_buf *out)
{
	struct nd_span *spans;
	size_t count;
	int ret = nd_spans_of_timeline(profile, &spans, &count);

	if (ret)
		return ret;
	if (spans && spans[count - 1].tid)
		add_thread_list(spans, count, out);
	free(spans);
	return 0;
}

int nd_render_json(const struct nd_profile *profile, struct nd_buf *out)
{
	int ret;

	nd_buf_addf(out, "{\"format\":\"nodiag-profile\",\"version\":%d,\n", VERSION);
	add_info(profile, out);
	nd_json_add_losses(out, profile);
	nd_buf_add_str(out, ",\n");
	add_frames(profile, out);
	add_nodes(profile, out);
	ret = add_functions(profile, out);
	if (!ret)
		ret = add_threads(profile, out);
	nd_buf_add_str(out, "}\n");
	return ret ? ret : nd_buf_error(out);
}
