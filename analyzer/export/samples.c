/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/samples.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analyzer/export/profile.h"
#include "analyzer/profile/profile.h"
#include "analyzer/trace/requests.h"
#include "proto/limits.h"
#include "proto/span.h"

struct nd_samples {
	const struct nd_profile *frames;
	struct nd_profile *profile; /* of this interval */
	struct nd_requests *requests;
	uint64_t period_ns;
	uint64_t start_ns; /* of this interval */
	bool is_empty;
	struct nd_call calls[ND_STACK_DEPTH_MAX]; /* of the stack that is being added */
};

/* Nothing of the last interval is kept: what no longer runs would be carried along for ever. */
static int begin(struct nd_samples *samples, uint64_t time_ns)
{
	nd_profile_free(samples->profile);
	samples->profile = nd_profile_new(true);
	samples->start_ns = time_ns;
	samples->is_empty = true;
	return samples->profile ? 0 : -ENOMEM;
}

struct nd_samples *nd_samples_new(const struct nd_profile *frames, uint64_t period_ns,
				  uint64_t start_ns)
{
	struct nd_samples *samples = calloc(1, sizeof(*samples));

	if (!samples)
		return NULL;
	samples->frames = frames;
	samples->period_ns = period_ns;
	samples->requests = nd_requests_new();
	if (samples->requests && !begin(samples, start_ns))
		return samples;
	nd_samples_free(samples);
	return NULL;
}

void nd_samples_free(struct nd_samples *samples)
{
	if (!samples)
		return;
	nd_profile_free(samples->profile);
	nd_requests_free(samples->requests);
	free(samples);
}

/* The interval's profile has frames of its own. */
static int adopt_calls(struct nd_samples *samples, const struct nd_stack *stack, size_t depth)
{
	const struct nd_frame *frames;
	uint32_t count;
	size_t i;
	int ret = 0;

	frames = nd_profile_frames(samples->frames, &count);
	for (i = 0; i < depth && !ret; i++) {
		samples->calls[i] = stack->calls[i];
		ret = nd_profile_add_frame(samples->profile, &frames[stack->calls[i].frame],
					   &samples->calls[i].frame);
	}
	return ret;
}

int nd_samples_add(struct nd_samples *samples, const struct nd_stack *stack)
{
	struct nd_stack own = *stack;
	int ret;

	/* The innermost calls are those that are kept of a deeper one. */
	if (own.depth > ND_STACK_DEPTH_MAX)
		own.depth = ND_STACK_DEPTH_MAX;
	own.calls = samples->calls;
	own.weight = samples->period_ns;
	ret = adopt_calls(samples, stack, own.depth);
	if (!ret)
		ret = nd_profile_add_stack(samples->profile, &own);
	samples->is_empty &= ret != 0;
	return ret;
}

int nd_samples_add_span(struct nd_samples *samples, const struct nd_event_span *span)
{
	/* What is not sent, or by another, is nothing to link to. */
	if (span->flags & (ND_SPAN_UNSAMPLED | ND_SPAN_OBSERVED))
		return 0;
	return nd_requests_add_event(samples->requests, &span->event, nd_span_get_size(span));
}

static const uint8_t *find_trace(const void *arg, const uint8_t *span_id)
{
	const struct nd_request *request = nd_requests_find(arg, span_id);

	return request ? request->trace_id : NULL;
}

int nd_samples_flush(struct nd_samples *samples, uint64_t time_ns, uint64_t unix_offset_ns,
		     const struct nd_source *source, const struct nd_sink *sink)
{
	const struct nd_profile_info info = {
		.sample_type = "cpu",
		.unit = "nanoseconds",
		.period = samples->period_ns,
		.start_ns = samples->start_ns,
		.start_unix_ns = samples->start_ns + unix_offset_ns,
		.duration_ns = time_ns - samples->start_ns,
	};
	const struct nd_links links = {find_trace, samples->requests};
	int ret = 0;

	if (!samples->is_empty)
		ret = nd_profile_set_info(samples->profile, &info);
	if (!ret && !samples->is_empty)
		ret = nd_export_profile(samples->profile, &links, source, sink);
	return ret ? ret : begin(samples, time_ns);
}
