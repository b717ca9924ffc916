/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/spans.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/order.h"

/* Whether the timeline holds every sample that the tree does. */
static bool is_complete(const struct nd_profile *profile)
{
	uint32_t nodes, i;
	const struct nd_node *node = nd_profile_nodes(profile, &nodes);
	size_t samples;
	uint64_t in_tree = 0;

	nd_profile_samples(profile, &samples);
	for (i = 0; i < nodes; i++)
		in_tree += node[i].count;
	return samples && samples == in_tree;
}

/* While sorting, `start` is the sample's time and `count` its place in the profile. */
static int compare_spans(const void *a, const void *b)
{
	const struct nd_span *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->count < y->count ? -1 : x->count > y->count;
}

/* When the profile began: where it does not say, with its first sample. */
static uint64_t find_origin(const struct nd_profile *profile, const struct nd_span *spans,
			    size_t count)
{
	uint64_t origin = nd_profile_get_info(profile)->start_ns;
	uint64_t begin;
	size_t i;

	if (origin)
		return origin;
	origin = UINT64_MAX;
	for (i = 0; i < count; i++) {
		begin = spans[i].start > spans[i].weight ? spans[i].start - spans[i].weight : 0;
		if (begin < origin)
			origin = begin;
	}
	return origin;
}

/* Turn times into starts. */
static void lay_out(struct nd_span *spans, size_t count, uint64_t origin, bool timed)
{
	uint64_t end = 0, time, begin;
	size_t i;

	for (i = 0; i < count; i++) {
		if (i && (spans[i].pid != spans[i - 1].pid || spans[i].tid != spans[i - 1].tid))
			end = 0;
		time = spans[i].start > origin ? spans[i].start - origin : 0;
		begin = time > spans[i].weight ? time - spans[i].weight : 0;
		if (timed && begin > end && begin - end > spans[i].weight)
			end = begin;
		spans[i].start = end;
		spans[i].count = 1;
		end += spans[i].weight;
	}
}

int nd_spans_of_timeline(const struct nd_profile *profile, struct nd_span **ret_spans,
			 size_t *ret_count)
{
	const struct nd_profile_info *info = nd_profile_get_info(profile);
	size_t count, i;
	const struct nd_sample *samples = nd_profile_samples(profile, &count);
	struct nd_span *spans;

	if (!is_complete(profile)) {
		*ret_spans = NULL;
		*ret_count = 0;
		return 0;
	}
	spans = calloc(count, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		spans[i] = (struct nd_span){
			.start = samples[i].time_ns,
			.weight = samples[i].weight,
			.count = i,
			.node = samples[i].node,
			.line = samples[i].line,
			.pid = samples[i].pid,
			.tid = samples[i].tid,
		};
	qsort(spans, count, sizeof(*spans), compare_spans);
	lay_out(spans, count, find_origin(profile, spans, count),
		info->unit && !strcmp(info->unit, "nanoseconds"));
	*ret_spans = spans;
	*ret_count = count;
	return 0;
}

/* Write the spans of one node and return how many. */
static size_t add_node(const struct nd_profile *profile, uint32_t id, uint64_t start,
		       struct nd_span *spans)
{
	uint32_t unused, i;
	const struct nd_node *node = &nd_profile_nodes(profile, &unused)[id];
	const struct nd_line *lines = nd_profile_lines(profile, &unused);
	struct nd_span rest = {
		.start = start, .weight = node->self, .count = node->count, .node = id};
	size_t count = 0;

	for (i = node->first_line; i; i = lines[i - 1].next) {
		spans[count] = rest;
		spans[count].weight = lines[i - 1].self;
		spans[count].count = lines[i - 1].count;
		spans[count++].line = lines[i - 1].line;
		rest.start += lines[i - 1].self;
		rest.weight -= lines[i - 1].self;
		rest.count -= lines[i - 1].count;
	}
	if (rest.weight || rest.count)
		spans[count++] = rest;
	return count;
}

int nd_spans_of_tree(const struct nd_profile *profile, struct nd_span **ret_spans,
		     size_t *ret_count)
{
	uint32_t nodes, lines, i;
	struct nd_placed *placed;
	struct nd_span *spans;
	uint64_t start = 0;
	size_t count = 0;
	const struct nd_node *node = nd_profile_nodes(profile, &nodes);
	int ret = nd_order_nodes(profile, &placed);

	if (ret)
		return ret;
	nd_profile_lines(profile, &lines);
	spans = calloc((size_t)nodes + lines, sizeof(*spans));
	if (!spans) {
		free(placed);
		return -ENOMEM;
	}
	for (i = 0; i < nodes; i++) {
		count += add_node(profile, placed[i].node, start, spans + count);
		start += node[placed[i].node].self;
	}
	free(placed);
	*ret_spans = spans;
	*ret_count = count;
	return 0;
}
