/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "analyzer/export/batch.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/spans.h"
#include "analyzer/trace/requests.h"
#include "analyzer/utf8.h"
#include "common/buf.h"
#include "common/set.h"
#include "proto/limits.h"
#include "proto/otlp_profile.h"

/* A stack is a node of the tree with the line that its leaf executed; no padding. */
struct stack {
	uint32_t node;
	uint32_t line;
};

/* A sample, wherever it comes from; without a timeline its time is 0. */
struct entry {
	struct stack stack;
	uint32_t tid;
	uint8_t span_id[ND_SPAN_ID_SIZE];
	uint64_t weight;
	uint64_t time_ns;
};

struct writer {
	const struct nd_profile *profile;
	const struct nd_links *links; /* or NULL */
	const struct nd_profile_info *info;
	const struct nd_frame *frames;
	const struct nd_node *nodes;
	struct nd_batch batch;
	/* Of the request that is being made: */
	struct nd_otlp_dictionary *dictionary;
	struct nd_buf samples;
	struct nd_set stacks; /* an id is an index of `stack_of` */
	uint32_t *stack_of;   /* its index in the dictionary */
	struct nd_buf text;   /* what is being repaired */
	int64_t *values;      /* as many as there are entries */
	uint64_t *times;
};

/* As UTF-8, until the next one. */
static const char *repair(struct writer *writer, const char *str)
{
	nd_buf_reset(&writer->text);
	nd_utf8_repair(str, strlen(str), &writer->text);
	return writer->text.data;
}

static const char *type_of(const struct nd_frame *frame)
{
	switch (frame->kind) {
	case ND_FRAME_JS:
	case ND_FRAME_NPM:
	case ND_FRAME_NODE:
	case ND_FRAME_BUILTIN:
	case ND_FRAME_WASM:
		return "v8js";
	case ND_FRAME_KERNEL:
		return "kernel";
	default:
		return "native";
	}
}

static int add_function(struct writer *writer, const struct nd_frame *frame, uint32_t *ret_index)
{
	struct nd_buf file;
	int ret;

	nd_buf_init(&file, ND_OTLP_REQUEST_MAX);
	nd_utf8_repair(frame->file, strlen(frame->file), &file);
	ret = nd_otlp_dictionary_add_function(writer->dictionary, repair(writer, frame->name),
					      file.data, frame->line, ret_index);
	if (!ret)
		ret = nd_buf_error(&writer->text) ? nd_buf_error(&writer->text)
						  : nd_buf_error(&file);
	nd_buf_fini(&file);
	return ret;
}

static int add_location(struct writer *writer, uint32_t id, uint32_t line, uint32_t *ret_index)
{
	const struct nd_frame *frame = &writer->frames[id];
	struct nd_otlp_location location = {.line = line ? line : frame->line};
	int ret = add_function(writer, frame, &location.function);

	if (!ret && frame->kind == ND_FRAME_NATIVE)
		ret = nd_otlp_dictionary_add_mapping(
			writer->dictionary, repair(writer, frame->file), &location.mapping);
	if (!ret)
		ret = nd_otlp_dictionary_add_attribute(writer->dictionary, "profile.frame.type",
						       type_of(frame), 0, &location.attribute);
	if (!ret)
		ret = nd_otlp_dictionary_add_location(writer->dictionary, &location, ret_index);
	return ret;
}

static int new_stack(struct writer *writer, const struct stack *stack, uint32_t *ret_index)
{
	uint32_t locations[ND_STACK_DEPTH_MAX], node, line = stack->line;
	size_t depth = 0;
	int ret;

	for (node = stack->node; node && depth < ND_STACK_DEPTH_MAX;
	     node = writer->nodes[node].parent) {
		ret = add_location(writer, writer->nodes[node].frame, line, &locations[depth++]);
		if (ret)
			return ret;
		line = 0;
	}
	return nd_otlp_dictionary_add_stack(writer->dictionary, locations, depth, ret_index);
}

/* A sample without a stack has the empty one, which is there already. */
static int find_stack(struct writer *writer, const struct stack *stack, uint32_t *ret_index)
{
	uint32_t count = writer->stacks.count, id, *grown;
	int ret;

	*ret_index = 0;
	if (!stack->node)
		return 0;
	ret = nd_set_add(&writer->stacks, stack, INT32_MAX, &id);
	if (ret)
		return ret;
	if (writer->stacks.count > count) {
		/* The set grows to a power of two in the same way. */
		if (!(id & (id - 1))) {
			grown = reallocarray(writer->stack_of, id ? id * 2 : 1, sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			writer->stack_of = grown;
		}
		ret = new_stack(writer, stack, &writer->stack_of[id]);
		if (ret)
			return ret;
	}
	*ret_index = writer->stack_of[id];
	return 0;
}

static int begin(struct writer *writer)
{
	writer->dictionary = nd_otlp_dictionary_new(ND_OTLP_REQUEST_MAX);
	return writer->dictionary ? 0 : -ENOMEM;
}

static int64_t clamp(uint64_t value)
{
	return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

/* Make a request of what there is, and be ready for another one. */
static int end(struct writer *writer)
{
	const struct nd_profile_info *info = writer->info;
	struct nd_otlp_profile profile = {
		.start_unix_ns = info->start_unix_ns,
		.duration_ns = info->duration_ns,
		.period = clamp(info->period),
	};
	int ret = nd_otlp_dictionary_add_string(
		writer->dictionary,
		repair(writer, info->sample_type ? info->sample_type : "samples"), &profile.type);

	if (!ret)
		ret = nd_otlp_dictionary_add_string(
			writer->dictionary, repair(writer, info->unit ? info->unit : "count"),
			&profile.unit);
	if (!ret && getrandom(profile.id, sizeof(profile.id), 0) != sizeof(profile.id))
		ret = -EIO;
	if (!ret)
		ret = nd_otlp_encode_profile(&profile, &writer->samples, &writer->batch.items);
	if (ret)
		return ret;
	writer->batch.count = 1;
	ret = nd_batch_flush(&writer->batch, nd_otlp_dictionary_get(writer->dictionary));
	nd_otlp_dictionary_free(writer->dictionary);
	writer->dictionary = NULL;
	nd_buf_reset(&writer->samples);
	nd_set_fini(&writer->stacks);
	return ret;
}

/* The link to a span, if its trace is known. */
static int find_link(struct writer *writer, const uint8_t *span_id, uint32_t *ret_index)
{
	const struct nd_links *links = writer->links;
	const uint8_t *trace_id = NULL;
	struct nd_otlp_link link;

	if (links && nd_span_id_is_set(span_id))
		trace_id = links->find_trace(links->arg, span_id);
	if (!trace_id)
		return 0;
	memcpy(link.trace_id, trace_id, sizeof(link.trace_id));
	memcpy(link.span_id, span_id, sizeof(link.span_id));
	return nd_otlp_dictionary_add_link(writer->dictionary, &link, ret_index);
}

static int write_sample(struct writer *writer, const struct entry *entries, size_t count)
{
	struct nd_otlp_sample sample = {.values = writer->values, .count = count};
	uint64_t start_ns = writer->info->start_ns;
	size_t i;
	int ret = find_stack(writer, &entries->stack, &sample.stack);

	if (!ret && entries->tid)
		ret = nd_otlp_dictionary_add_attribute(writer->dictionary, "thread.id", NULL,
						       entries->tid, &sample.attribute);
	if (!ret)
		ret = find_link(writer, entries->span_id, &sample.link);
	if (ret)
		return ret;
	for (i = 0; i < count; i++) {
		writer->values[i] = clamp(entries[i].weight);
		writer->times[i] = writer->info->start_unix_ns + (entries[i].time_ns - start_ns);
	}
	if (entries->time_ns)
		sample.times_unix_ns = writer->times;
	return nd_otlp_encode_sample(&sample, &writer->samples);
}

/* Samples of one stack and thread that are encoded together: they must fit into a request. */
#define TOGETHER_MAX 32768

static int write_entries(struct writer *writer, const struct entry *entries, size_t count)
{
	size_t i = 0, from;
	int ret = begin(writer);

	while (i < count && !ret) {
		from = i;
		for (i++; i < count && i - from < TOGETHER_MAX &&
			  !memcmp(&entries[i].stack, &entries[from].stack, sizeof(struct stack)) &&
			  entries[i].tid == entries[from].tid &&
			  !memcmp(entries[i].span_id, entries[from].span_id, ND_SPAN_ID_SIZE);)
			i++;
		ret = write_sample(writer, &entries[from], i - from);
		if (ret || writer->samples.len + nd_otlp_dictionary_get(writer->dictionary)->len <
				   ND_OTLP_REQUEST_LIMIT)
			continue;
		ret = end(writer);
		if (!ret && i < count)
			ret = begin(writer);
	}
	return ret || !writer->samples.len ? ret : end(writer);
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int ret;

	if (x->stack.node != y->stack.node)
		return x->stack.node < y->stack.node ? -1 : 1;
	if (x->stack.line != y->stack.line)
		return x->stack.line < y->stack.line ? -1 : 1;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	ret = memcmp(x->span_id, y->span_id, sizeof(x->span_id));
	return ret ? ret : x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

/* The samples with their times, or NULL where not all of them have one. */
static int read_timeline(const struct nd_profile *profile, struct entry **ret_entries,
			 size_t *ret_count)
{
	const struct nd_sample *samples = nd_profile_samples(profile, ret_count);
	struct entry *entries;
	size_t i;

	*ret_entries = NULL;
	if (!*ret_count || nd_profile_get_loss(profile, ND_LOSS_TIMELINE) ||
	    !nd_profile_get_info(profile)->start_unix_ns)
		return 0;
	entries = calloc(*ret_count, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (i = 0; i < *ret_count; i++) {
		entries[i] = (struct entry){
			.stack = {samples[i].node, samples[i].line},
			.tid = samples[i].tid,
			.weight = samples[i].weight,
			.time_ns = samples[i].time_ns,
		};
		memcpy(entries[i].span_id, samples[i].span_id, sizeof(entries[i].span_id));
	}
	*ret_entries = entries;
	return 0;
}

static int read_tree(const struct nd_profile *profile, struct entry **ret_entries,
		     size_t *ret_count)
{
	struct nd_span *spans;
	struct entry *entries;
	size_t i;
	int ret = nd_spans_of_tree(profile, &spans, ret_count);

	if (ret)
		return ret;
	entries = calloc(*ret_count + 1, sizeof(*entries));
	for (i = 0; entries && i < *ret_count; i++)
		entries[i] = (struct entry){
			.stack = {spans[i].node, spans[i].line},
			.weight = spans[i].weight,
		};
	free(spans);
	*ret_entries = entries;
	return entries ? 0 : -ENOMEM;
}

static int write_all(struct writer *writer)
{
	struct entry *entries = NULL;
	size_t count;
	int ret = read_timeline(writer->profile, &entries, &count);

	if (!ret && !entries)
		ret = read_tree(writer->profile, &entries, &count);
	if (ret)
		return ret;
	writer->values = calloc(TOGETHER_MAX, sizeof(*writer->values));
	writer->times = calloc(TOGETHER_MAX, sizeof(*writer->times));
	if (writer->values && writer->times) {
		qsort(entries, count, sizeof(*entries), compare);
		ret = write_entries(writer, entries, count);
	} else {
		ret = -ENOMEM;
	}
	free(entries);
	return ret;
}

int nd_export_profile(const struct nd_profile *profile, const struct nd_links *links,
		      const struct nd_source *source, const struct nd_sink *sink)
{
	struct writer writer = {.profile = profile,
				.links = links,
				.info = nd_profile_get_info(profile),
				.stacks = {.size = sizeof(struct stack)}};
	uint32_t unused;
	int ret;

	writer.frames = nd_profile_frames(profile, &unused);
	writer.nodes = nd_profile_nodes(profile, &unused);
	nd_batch_init(&writer.batch, ND_OTLP_PROFILES, source, *sink);
	nd_buf_init(&writer.samples, ND_OTLP_REQUEST_MAX);
	nd_buf_init(&writer.text, ND_OTLP_REQUEST_MAX);
	ret = write_all(&writer);
	nd_otlp_dictionary_free(writer.dictionary);
	nd_batch_fini(&writer.batch);
	nd_buf_fini(&writer.samples);
	nd_buf_fini(&writer.text);
	nd_set_fini(&writer.stacks);
	free(writer.stack_of);
	free(writer.values);
	free(writer.times);
	return ret;
}
