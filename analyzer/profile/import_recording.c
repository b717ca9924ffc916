/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/profile/recorded.h"
#include "analyzer/trace/by_route.h"
#include "analyzer/trace/requests.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/recording.h"
#include "proto/span.h"

struct reader {
	struct nd_recording *recording;
	struct nd_recorded *recorded;
	struct nd_profile *profile;
	bool threads;
	bool has_samples; /* the sampler ran, whether there was something to take or not */
	uint64_t total_ns;
	struct nd_by_route *by_route; /* NULL: routes are not asked for */
	bool has_span_ids;	      /* samples have */
	struct nd_err *err;
};

static int no_memory(const struct reader *reader)
{
	return nd_err_set_errno(reader->err, -ENOMEM, "cannot read the recording");
}

static int read_header(struct reader *reader, const struct nd_recording_header *header)
{
	struct nd_profile_info info = {
		.title = header->title,
		.command = header->command,
		.runtime = header->runtime,
		.sampler = header->sampler,
		.sample_type = "cpu",
		.unit = "nanoseconds",
		.period = header->period_ns,
		.start_unix_ns = header->start_unix_ns,
		.start_ns = header->start_ns,
		.pid = header->pid,
	};

	reader->has_samples = header->sampler[0] != '\0';
	return nd_profile_set_info(reader->profile, &info) ? no_memory(reader) : 0;
}

static int add_thread(struct reader *reader, uint32_t thread, struct nd_stack *stack,
		      struct nd_call *calls)
{
	struct nd_call *root = &calls[stack->depth];
	const char *name;

	nd_recording_get_thread(reader->recording, thread, &stack->pid, &stack->tid, &name);
	if (!reader->threads)
		return 0;
	*root = (struct nd_call){0};
	stack->depth++;
	return nd_profile_add_thread(reader->profile, stack->pid, stack->tid, name, &root->frame);
}

static int check(const struct reader *reader, int ret)
{
	switch (ret) {
	case 0:
		return 0;
	case -E2BIG:
		return nd_err_set(reader->err, -E2BIG, "the recording has more than %u nodes",
				  ND_PROFILE_NODES_MAX);
	default:
		return no_memory(reader);
	}
}

static int read_sample(struct reader *reader, const struct nd_recorded_sample *sample)
{
	struct nd_stack stack = {
		.weight = sample->weight_ns, .count = 1, .time_ns = sample->time_ns};
	struct nd_call *calls;

	if (__builtin_add_overflow(reader->total_ns, sample->weight_ns, &reader->total_ns) ||
	    reader->total_ns > INT64_MAX)
		return nd_err_set(reader->err, -EBADMSG,
				  "the samples of the recording weigh too much");
	if (nd_recorded_get_stack(reader->recorded, sample->call, &calls, &stack.depth) ||
	    add_thread(reader, sample->thread, &stack, calls))
		return no_memory(reader);
	stack.calls = calls;
	memcpy(stack.span_id, sample->span_id, sizeof(stack.span_id));
	if (!reader->by_route)
		return check(reader, nd_profile_add_stack(reader->profile, &stack));
	reader->has_span_ids |= nd_span_id_is_set(stack.span_id);
	return check(reader, nd_by_route_add_stack(reader->by_route, &stack));
}

static int read_event(struct reader *reader, const union nd_recorded_event *event)
{
	if (!reader->by_route ||
	    (event->event.kind != ND_EVENT_SPAN && event->event.kind != ND_EVENT_SPAN_START))
		return 0;
	return check(reader, nd_by_route_add_event(reader->by_route, &event->spanned.span->event,
						   nd_span_get_size(event->spanned.span)));
}

/* A moment has the sums since the beginning, of which some are known already. */
static void read_losses(struct reader *reader, const struct nd_events *moment)
{
	uint64_t before;
	size_t i;

	for (i = 0; i < moment->loss_count; i++) {
		const struct nd_recorded_loss *loss = &moment->losses[i];

		if (!loss->loss || loss->loss >= ND_LOSS_COUNT)
			continue;
		before = nd_profile_get_loss(reader->profile, loss->loss);
		if (loss->count > before)
			nd_profile_add_loss(reader->profile, loss->loss, loss->count - before);
	}
}

static int read_items(struct reader *reader)
{
	struct nd_item item;
	int ret;

	for (;;) {
		ret = nd_recording_next(reader->recording, &item);
		if (ret <= 0)
			return ret ? no_memory(reader) : 0;
		if (item.kind == ND_ITEM_HEADER)
			ret = read_header(reader, item.header);
		else if (item.kind == ND_ITEM_SAMPLE)
			ret = read_sample(reader, item.sample);
		else if (item.kind == ND_ITEM_EVENT)
			ret = read_event(reader, item.event);
		else if (item.kind == ND_ITEM_MOMENT)
			read_losses(reader, item.moment);
		if (ret < 0)
			return ret;
	}
}

/* Put what waits for its request into the profile, if there were requests at all. */
static int finish_routes(struct reader *reader)
{
	if (!reader->by_route)
		return 0;
	if (nd_by_route_spans(reader->by_route) && reader->has_span_ids)
		return check(reader, nd_by_route_finish(reader->by_route));
	nd_err_set(reader->err, -ENODATA,
		   nd_by_route_spans(reader->by_route)
			   ? "its samples do not tell of which request they are"
			   : "the recording has no requests");
	nd_err_hint(reader->err, "record both with the agent: nodiag record --trace PID");
	return -ENODATA;
}

/* Returns 0 when there is a profile in it. */
static int finish(struct reader *reader, struct nd_recording_state *state)
{
	struct nd_profile_info info = *nd_profile_get_info(reader->profile);

	nd_recording_get_state(reader->recording, state);
	if (!reader->has_samples && !reader->total_ns && !state->damaged)
		return nd_err_set(reader->err, -ENODATA, "the recording has no CPU samples");
	nd_profile_add_loss(reader->profile, ND_LOSS_RECORDING,
			    state->damaged + (state->has_end ? 0 : 1));
	info.sample_type = "cpu";
	info.unit = "nanoseconds";
	if (state->last_ns > info.start_ns)
		info.duration_ns = state->last_ns - info.start_ns;
	return nd_profile_set_info(reader->profile, &info) ? no_memory(reader) : 0;
}

static int read_recording(struct reader *reader, bool by_route, struct nd_recording_state *state)
{
	int ret;

	reader->profile = nd_profile_new(true);
	reader->by_route = reader->profile && by_route ? nd_by_route_new(reader->profile) : NULL;
	reader->recorded =
		reader->profile ? nd_recorded_new(reader->recording, reader->profile) : NULL;
	if (!reader->recorded || (by_route && !reader->by_route))
		return no_memory(reader);
	ret = read_items(reader);
	if (!ret)
		ret = finish_routes(reader);
	return ret ? ret : finish(reader, state);
}

static int import(struct reader *reader, bool by_route, struct nd_profile **ret_profile,
		  struct nd_recording_state *ret_state)
{
	struct nd_recording_state state;
	int ret = read_recording(reader, by_route, &state);

	nd_by_route_free(reader->by_route);
	if (ret) {
		nd_profile_free(reader->profile);
	} else {
		*ret_profile = reader->profile;
		if (ret_state)
			*ret_state = state;
	}
	nd_recorded_free(reader->recorded);
	nd_recording_close(reader->recording);
	return ret;
}

int nd_import_recording(const void *data, size_t len, bool threads, struct nd_profile **ret_profile,
			struct nd_recording_state *ret_state, struct nd_err *err)
{
	struct reader reader = {.threads = threads, .err = err};
	int ret = nd_recording_open(data, len, &reader.recording, err);

	return ret ? ret : import(&reader, false, ret_profile, ret_state);
}

int nd_import_recording_by_route(const void *data, size_t len, bool threads,
				 struct nd_profile **ret_profile,
				 struct nd_recording_state *ret_state, struct nd_err *err)
{
	struct reader reader = {.threads = threads, .err = err};
	int ret = nd_recording_open(data, len, &reader.recording, err);

	return ret ? ret : import(&reader, true, ret_profile, ret_state);
}
