/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/gzip.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/spans.h"
#include "analyzer/utf8.h"
#include "common/buf.h"
#include "common/intern.h"
#include "proto/limits.h"
#include "proto/pprof.h"

/* One location stands for a chain of inlined calls, usually one call, and the line of a leaf. */
struct location {
	UT_hash_handle hh;
	uint32_t index;
	struct nd_pprof_line lines[]; /* the key */
};

/* Title, command, runtime, sampler and each loss. */
#define COMMENTS_MAX (4 + ND_LOSS_COUNT)

/* The call of samples that have none; as a function it comes after the profile's own. */
static const struct nd_frame no_stack = {.name = "[unknown]", .file = ""};

struct writer {
	const struct nd_profile *profile;
	const struct nd_frame *frames;
	const struct nd_node *nodes;
	uint32_t frame_count;
	struct nd_pprof_encoder *encoder;
	struct nd_intern *strings;  /* what was repaired */
	struct nd_intern *mappings; /* names; an id less 1 is the index */
	struct location *locations;
	const char *comments[COMMENTS_MAX];
	size_t comment_count;
	bool counts_only; /* weights are counts themselves: one value says all */
};

/* `str` as UTF-8, for as long as the writer lives; NULL when out of memory. */
static const char *keep(struct writer *writer, const char *str)
{
	struct nd_buf text;
	uint32_t id;
	int ret;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	nd_utf8_repair(str, strlen(str), &text);
	ret = nd_buf_error(&text);
	if (!ret)
		ret = nd_intern_add(writer->strings, text.data, text.len, &id);
	nd_buf_fini(&text);
	return ret ? NULL : nd_intern_get(writer->strings, id);
}

static int add_comment(struct writer *writer, const char *str)
{
	const char *kept;

	if (!str)
		return 0;
	kept = keep(writer, str);
	if (!kept)
		return -ENOMEM;
	writer->comments[writer->comment_count++] = kept;
	return 0;
}

static int add_comments(struct writer *writer, const struct nd_profile_info *info)
{
	char text[256];
	uint64_t count;
	int loss;

	if (add_comment(writer, info->title) || add_comment(writer, info->command) ||
	    add_comment(writer, info->runtime) || add_comment(writer, info->sampler))
		return -ENOMEM;
	for (loss = 1; loss < ND_LOSS_COUNT; loss++) {
		count = nd_profile_get_loss(writer->profile, (enum nd_loss)loss);
		if (!count)
			continue;
		snprintf(text, sizeof(text), "lost: %" PRIu64 " %s", count,
			 nd_loss_text((enum nd_loss)loss));
		if (add_comment(writer, text))
			return -ENOMEM;
	}
	return 0;
}

static int64_t clamp(uint64_t value)
{
	return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

static int write_header(struct writer *writer, const struct nd_profile_info *info)
{
	struct nd_pprof_value_type types[2] = {{"samples", "count"}, {"samples", "count"}};
	struct nd_pprof_header header = {
		.sample_types = writer->counts_only ? types + 1 : types,
		.sample_type_count = writer->counts_only ? 1 : 2,
		.period = clamp(info->period),
		.time_ns = clamp(info->start_unix_ns),
		.duration_ns = clamp(info->duration_ns),
		.comments = writer->comments,
	};

	if (info->sample_type)
		types[1].type = keep(writer, info->sample_type);
	if (info->unit)
		types[1].unit = keep(writer, info->unit);
	if (!types[1].type || !types[1].unit || add_comments(writer, info))
		return -ENOMEM;
	header.comment_count = writer->comment_count;
	header.default_sample_type = types[1].type;
	header.period_type = types[1];
	return nd_pprof_encode_header(writer->encoder, &header);
}

/*
 * Readers tell functions apart by name, file and line. Minified files have thousands of functions
 * without a name on one line: as in pprof-nodejs, the position takes the name's place.
 */
static const char *name_of(struct writer *writer, const struct nd_frame *frame)
{
	char name[64];

	if (strcmp(frame->name, "(anonymous)") != 0 || !frame->line || !frame->column)
		return keep(writer, frame->name);
	snprintf(name, sizeof(name), "(anonymous:L#%" PRIu32 ":C#%" PRIu32 ")", frame->line,
		 frame->column);
	return keep(writer, name);
}

static int write_functions(struct writer *writer)
{
	struct nd_pprof_function function;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < writer->frame_count && !ret; i++) {
		function.name = name_of(writer, &writer->frames[i]);
		function.file = keep(writer, writer->frames[i].file);
		function.start_line = writer->frames[i].line;
		if (!function.name || !function.file)
			return -ENOMEM;
		ret = nd_pprof_encode_function(writer->encoder, &function);
	}
	if (ret)
		return ret;
	function = (struct nd_pprof_function){.name = no_stack.name, .file = no_stack.file};
	return nd_pprof_encode_function(writer->encoder, &function);
}

/*
 * The mapping of a native frame is its module. All else has its kind: pprof does not go looking for
 * symbols of what is in brackets.
 */
static int find_mapping(struct writer *writer, const struct nd_frame *frame, uint32_t *ret_index)
{
	uint32_t count = nd_intern_count(writer->mappings);
	const char *name;
	char kind[32];
	uint32_t id;
	int ret = 0;

	snprintf(kind, sizeof(kind), "[%s]", nd_frame_kind_name(frame->kind));
	name = frame->kind == ND_FRAME_NATIVE && frame->file[0] ? keep(writer, frame->file) : kind;
	if (!name || nd_intern_add(writer->mappings, name, strlen(name), &id))
		return -ENOMEM;
	if (nd_intern_count(writer->mappings) > count)
		ret = nd_pprof_encode_mapping(writer->encoder, name);
	*ret_index = id - 1;
	return ret;
}

static int new_location(struct writer *writer, const struct nd_pprof_line *lines, size_t count,
			uint32_t *ret_index)
{
	struct nd_pprof_location message = {.lines = lines, .line_count = count};
	uint32_t outermost = lines[count - 1].function;
	struct location *location;
	int ret = find_mapping(
		writer, outermost < writer->frame_count ? &writer->frames[outermost] : &no_stack,
		&message.mapping);

	if (!ret)
		ret = nd_pprof_encode_location(writer->encoder, &message);
	if (ret)
		return ret;
	location = calloc(1, sizeof(*location) + count * sizeof(*lines));
	if (!location)
		return -ENOMEM;
	memcpy(location->lines, lines, count * sizeof(*lines));
	location->index = HASH_COUNT(writer->locations);
	HASH_ADD_KEYPTR(hh, writer->locations, location->lines, count * sizeof(*lines), location);
	if (!location->hh.tbl) {
		free(location);
		return -ENOMEM;
	}
	*ret_index = location->index;
	return 0;
}

/* The line and, where it is the definition's, the column of a call. */
static struct nd_pprof_line line_of(const struct writer *writer, uint32_t node, uint32_t executing)
{
	uint32_t id = writer->nodes[node].frame;
	const struct nd_frame *frame = &writer->frames[id];

	if (executing)
		return (struct nd_pprof_line){.function = id, .line = executing};
	return (struct nd_pprof_line){.function = id, .line = frame->line, .column = frame->column};
}

/* A call is part of its caller's location where it never ran but inlined. */
static bool is_inlined(const struct nd_node *node)
{
	return node->inlined && node->inlined == node->total && node->parent;
}

static int find_location(struct writer *writer, const struct nd_pprof_line *lines, size_t count,
			 uint32_t *ret_index)
{
	struct location *location;

	HASH_FIND(hh, writer->locations, lines, count * sizeof(*lines), location);
	if (!location)
		return new_location(writer, lines, count, ret_index);
	*ret_index = location->index;
	return 0;
}

/* The location of `*node` and what it is inlined into; `*node` becomes the caller of that. */
static int find_call(struct writer *writer, uint32_t *node, uint32_t executing, uint32_t *ret_index)
{
	struct nd_pprof_line lines[ND_STACK_DEPTH_MAX];
	size_t count = 0;
	bool inlined;

	do {
		lines[count++] = line_of(writer, *node, executing);
		inlined = is_inlined(&writer->nodes[*node]);
		*node = writer->nodes[*node].parent;
		executing = 0;
	} while (inlined);
	return find_location(writer, lines, count, ret_index);
}

/* Fill in the locations of a span's stack, the innermost first. */
static int find_stack(struct writer *writer, const struct nd_span *span, uint32_t *locations,
		      size_t *ret_depth)
{
	struct nd_pprof_line none = {.function = writer->frame_count};
	uint32_t node = span->node, line = span->line;
	size_t depth = 0;
	int ret;

	if (!node) {
		*ret_depth = 1;
		return find_location(writer, &none, 1, locations);
	}
	for (; node; line = 0) {
		ret = find_call(writer, &node, line, &locations[depth++]);
		if (ret)
			return ret;
	}
	*ret_depth = depth;
	return 0;
}

static int write_sample(struct writer *writer, const struct nd_span *span)
{
	const struct nd_profile_info *info = nd_profile_get_info(writer->profile);
	const int64_t values[] = {clamp(span->count), clamp(span->weight)};
	struct nd_pprof_label labels[2];
	uint32_t locations[ND_STACK_DEPTH_MAX];
	struct nd_pprof_sample sample = {
		.locations = locations,
		.values = writer->counts_only ? values + 1 : values,
		.labels = labels,
	};
	uint32_t pid = span->pid ? span->pid : info->pid;
	int ret = find_stack(writer, span, locations, &sample.depth);

	if (ret)
		return ret;
	if (pid)
		labels[sample.label_count++] = (struct nd_pprof_label){.key = "pid", .num = pid};
	if (span->tid)
		labels[sample.label_count++] =
			(struct nd_pprof_label){.key = "tid", .num = span->tid};
	return nd_pprof_encode_sample(writer->encoder, &sample);
}

static int compare_stacks(const void *a, const void *b)
{
	const struct nd_span *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* One sample for each stack and thread. */
static int write_samples(struct writer *writer, struct nd_span *spans, size_t count)
{
	struct nd_span sum;
	size_t i = 0;
	int ret = 0;

	qsort(spans, count, sizeof(*spans), compare_stacks);
	while (i < count && !ret) {
		sum = spans[i];
		for (i++; i < count && !compare_stacks(&sum, &spans[i]); i++) {
			sum.weight += spans[i].weight;
			sum.count += spans[i].count;
		}
		ret = write_sample(writer, &sum);
	}
	return ret;
}

static int write_all(struct writer *writer, struct nd_span *spans, size_t count)
{
	static const struct nd_frame script = {.kind = ND_FRAME_JS};
	uint32_t mapping;
	int ret = write_header(writer, nd_profile_get_info(writer->profile));

	/* The first mapping is what readers name the profile after. */
	if (!ret)
		ret = find_mapping(writer, &script, &mapping);
	if (!ret)
		ret = write_functions(writer);
	if (!ret)
		ret = write_samples(writer, spans, count);
	if (!ret)
		ret = nd_pprof_encode_end(writer->encoder);
	return ret;
}

static void fini(struct writer *writer)
{
	struct location *location = writer->locations, *next;

	/* uthash keeps its elements in a list too, which outlives the table. */
	HASH_CLEAR(hh, writer->locations);
	for (; location; location = next) {
		next = location->hh.next;
		free(location);
	}
	nd_pprof_encoder_free(writer->encoder);
	nd_intern_free(writer->strings);
	nd_intern_free(writer->mappings);
}

int nd_render_pprof(const struct nd_profile *profile, struct nd_buf *out)
{
	const char *unit = nd_profile_get_info(profile)->unit;
	struct writer writer = {.profile = profile, .counts_only = !unit || !strcmp(unit, "count")};
	struct nd_span *spans = NULL;
	struct nd_buf plain;
	uint32_t unused;
	size_t count;
	int ret = -ENOMEM;

	nd_buf_init(&plain, ND_IMPORT_UNPACKED_MAX);
	writer.frames = nd_profile_frames(profile, &writer.frame_count);
	writer.nodes = nd_profile_nodes(profile, &unused);
	writer.encoder = nd_pprof_encoder_new(&plain);
	writer.strings = nd_intern_new();
	writer.mappings = nd_intern_new();
	if (writer.encoder && writer.strings && writer.mappings)
		ret = nd_spans_of_timeline(profile, &spans, &count);
	if (!ret && !spans)
		ret = nd_spans_of_tree(profile, &spans, &count);
	if (!ret)
		ret = write_all(&writer, spans, count);
	if (!ret)
		ret = nd_gzip(plain.data, plain.len, out);
	fini(&writer);
	free(spans);
	nd_buf_fini(&plain);
	return ret;
}
