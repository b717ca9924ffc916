/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "analyzer/profile/cpuprofile_tree.h"
#include "common/err.h"
#include "proto/limits.h"

struct sample {
	int64_t time_ns;
	size_t index; /* in the file, which keeps the order of equal times */
	struct nd_cpuprofile_node *node;
};

struct reader {
	struct nd_profile *profile;
	json_t *json;
	struct nd_cpuprofile_tree tree;
	struct sample *samples;
	size_t sample_count; /* 0 where there are only hitCounts */
	int64_t start_ns;
	int64_t end_ns; /* 0 when the file does not say */
	uint64_t total;
	struct nd_call calls[ND_STACK_DEPTH_MAX];
	struct nd_err *err;
};

static int no_memory(const struct reader *reader)
{
	return nd_err_set_errno(reader->err, -ENOMEM, "cannot read .cpuprofile");
}

/* Microseconds as nanoseconds; false when it is no number or none that two can be subtracted of. */
static bool get_time(const json_t *value, int64_t *ret_ns)
{
	double real;

	if (json_is_integer(value))
		return !__builtin_mul_overflow((int64_t)json_integer_value(value), 1000, ret_ns) &&
		       llabs(*ret_ns) <= INT64_MAX / 4;
	real = json_number_value(value) * 1000;
	if (!json_is_real(value) || fabs(real) > (double)(INT64_MAX / 4))
		return false;
	*ret_ns = llround(real);
	return true;
}

static int read_times(struct reader *reader)
{
	const json_t *start = json_object_get(reader->json, "startTime");
	const json_t *end = json_object_get(reader->json, "endTime");

	if (start && !get_time(start, &reader->start_ns))
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: startTime is not a time");
	if (end && !get_time(end, &reader->end_ns))
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: endTime is not a time");
	return 0;
}

static int add_stack(struct reader *reader, const struct nd_cpuprofile_node *node,
		     struct nd_stack *stack, uint32_t line)
{
	uint32_t at = (uint32_t)(node - reader->tree.nodes);
	int ret;

	stack->calls = reader->calls;
	stack->depth = 0;
	for (; at != ND_CPUPROFILE_NONE && stack->depth < ND_STACK_DEPTH_MAX;
	     at = reader->tree.nodes[at].parent)
		if (!reader->tree.nodes[at].is_root)
			reader->calls[stack->depth++] =
				(struct nd_call){.frame = reader->tree.nodes[at].frame};
	if (stack->depth)
		reader->calls[0].line = line;
	if (stack->depth < node->depth)
		nd_profile_add_loss(reader->profile, ND_LOSS_TRUNCATED, stack->count);
	ret = nd_profile_add_stack(reader->profile, stack);
	if (ret == -ENOMEM)
		return no_memory(reader);
	if (ret)
		return nd_err_set(reader->err, ret, ".cpuprofile has more than %u stacks",
				  ND_PROFILE_NODES_MAX);
	return 0;
}

/* Without samples a hit is all there is to count. */
static int add_hits(struct reader *reader, const struct nd_cpuprofile_node *node)
{
	struct nd_stack stack = {0};
	uint64_t left = node->hits, count;
	uint32_t line;
	size_t i;
	int ret = 0;

	if (__builtin_add_overflow(reader->total, node->hits, &reader->total) ||
	    reader->total > INT64_MAX)
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: the sum of hitCounts is too large");
	for (i = 0; left && !ret; i++) {
		count = nd_cpuprofile_tick(node, i, &line);
		if (i >= json_array_size(node->ticks) || count > left)
			count = left;
		stack.weight = stack.count = count;
		if (count)
			ret = add_stack(reader, node, &stack, line);
		left -= count;
	}
	return ret;
}

static int compare_samples(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Without "timeDeltas" samples are equally far apart. */
static int read_sample(struct reader *reader, const json_t *samples, const json_t *deltas, size_t i)
{
	int64_t time_ns = i ? reader->samples[i - 1].time_ns : reader->start_ns;
	struct sample *sample = &reader->samples[i];
	int64_t delta_ns = 0;

	sample->index = i;
	sample->node = nd_cpuprofile_find(&reader->tree, json_array_get(samples, i));
	if (!sample->node)
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: samples[%zu] is not the id of a node", i);
	if (deltas && !get_time(json_array_get(deltas, i), &delta_ns))
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: timeDeltas[%zu] is not a time", i);
	if (!deltas && i && reader->end_ns > reader->start_ns)
		delta_ns = (reader->end_ns - reader->start_ns) / (int64_t)reader->sample_count;
	/* So that any two times can be subtracted. */
	if (__builtin_add_overflow(time_ns, delta_ns, &sample->time_ns) ||
	    llabs(sample->time_ns) > INT64_MAX / 2)
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: the sum of timeDeltas is too large");
	return 0;
}

/* V8 writes samples in the order in which threads handed them over: a delta may be negative. */
static int read_samples(struct reader *reader, const json_t *samples, const json_t *deltas)
{
	size_t i;
	int ret = 0;

	reader->sample_count = json_array_size(samples);
	if (deltas && json_array_size(deltas) != reader->sample_count)
		return nd_err_set(reader->err, -EBADMSG,
				  "not a .cpuprofile: %zu samples but %zu timeDeltas",
				  reader->sample_count, json_array_size(deltas));
	reader->samples = calloc(reader->sample_count, sizeof(*reader->samples));
	if (!reader->samples)
		return no_memory(reader);
	for (i = 0; i < reader->sample_count && !ret; i++)
		ret = read_sample(reader, samples, deltas, i);
	if (!ret)
		qsort(reader->samples, reader->sample_count, sizeof(*reader->samples),
		      compare_samples);
	return ret;
}

/* A sample lasts until the next one, the last until the end of the profile: so do all readers. */
static int add_samples(struct reader *reader)
{
	size_t count = reader->sample_count, i;
	struct nd_stack stack = {.count = 1};
	struct sample *sample;
	int64_t end_ns;
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		sample = &reader->samples[i];
		end_ns = i + 1 < count ? sample[1].time_ns : reader->end_ns;
		stack.weight = end_ns > sample->time_ns ? (uint64_t)(end_ns - sample->time_ns) : 0;
		stack.time_ns = sample->time_ns > 0 ? (uint64_t)sample->time_ns + stack.weight : 0;
		/* What ends a profile of nodiag's is not a sample. */
		if (i + 1 == count && !stack.weight && sample->node->is_root) {
			reader->sample_count--;
			break;
		}
		ret = add_stack(reader, sample->node, &stack,
				nd_cpuprofile_next_line(sample->node));
		reader->total += stack.weight;
	}
	return ret;
}

static int set_info(struct reader *reader, bool timed)
{
	struct nd_profile_info info = {
		.sampler = "imported .cpuprofile",
		.sample_type = timed ? "wall" : "samples",
		.unit = timed ? "nanoseconds" : "count",
		.period = timed && reader->sample_count ? reader->total / reader->sample_count : 0,
		.start_ns = reader->start_ns > 0 ? (uint64_t)reader->start_ns : 0,
	};

	if (reader->end_ns > reader->start_ns)
		info.duration_ns = (uint64_t)(reader->end_ns - reader->start_ns);
	return nd_profile_set_info(reader->profile, &info) ? no_memory(reader) : 0;
}

static int read_profile(struct reader *reader)
{
	const json_t *samples = json_object_get(reader->json, "samples");
	bool timed = json_array_size(samples) > 0;
	size_t i;
	int ret = read_times(reader);

	reader->profile = nd_profile_new(timed);
	if (!reader->profile)
		return no_memory(reader);
	if (!ret)
		ret = nd_cpuprofile_tree_read(&reader->tree, json_object_get(reader->json, "nodes"),
					      reader->profile, reader->err);
	if (!ret && timed) {
		ret = read_samples(reader, samples, json_object_get(reader->json, "timeDeltas"));
		if (!ret)
			ret = add_samples(reader);
	}
	for (i = 0; !timed && i < reader->tree.count && !ret; i++)
		ret = add_hits(reader, &reader->tree.nodes[i]);
	return ret ? ret : set_info(reader, timed);
}

static int load(const void *data, size_t len, json_t **ret_json, struct nd_err *err)
{
	json_error_t error;
	json_t *json;

	if (len > ND_IMPORT_JSON_MAX)
		return nd_err_set(err, -EFBIG, ".cpuprofile is larger than %u MiB",
				  ND_IMPORT_JSON_MAX >> 20);
	json = json_loadb(data, len, 0, &error);
	/* jansson has nothing to say, more often than not, when it is out of memory. */
	if (!json && !error.text[0])
		return nd_err_set_errno(err, -ENOMEM, "cannot read .cpuprofile");
	if (!json)
		return nd_err_set(err, -EBADMSG, "not a .cpuprofile: line %d, column %d: %s",
				  error.line, error.column, error.text);
	*ret_json = json;
	return 0;
}

int nd_import_cpuprofile(const void *data, size_t len, struct nd_profile **ret_profile,
			 struct nd_err *err)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int ret;

	if (!reader)
		return nd_err_set_errno(err, -ENOMEM, "cannot read .cpuprofile");
	reader->err = err;
	ret = load(data, len, &reader->json, err);
	if (!ret)
		ret = read_profile(reader);
	if (ret)
		nd_profile_free(reader->profile);
	else
		*ret_profile = reader->profile;
	nd_cpuprofile_tree_fini(&reader->tree);
	free(reader->samples);
	json_decref(reader->json);
	free(reader);
	return ret;
}
