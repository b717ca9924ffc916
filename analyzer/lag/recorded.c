/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/recorded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzer/lag/lag.h"
#include "analyzer/profile/profile.h"
#include "analyzer/profile/recorded.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/span.h"

/* Stalls are decided about so often at the least: each holds its stacks until then. */
#define SETTLE_EVENTS 1024

struct reader {
	struct nd_lag *lag;
	struct nd_recording *recording;
	struct nd_recorded *names;
	struct nd_channel_slot **first; /* of each slot, how it was at the beginning, or NULL */
	struct nd_lag_recorded *result;
	uint64_t start_ns;
	uint64_t now_ns; /* the end of the span that is being read */
	size_t events;
};

/* The first nodiag could record event loops only by the agent, and did not say who told of them. */
static void read_loops(struct reader *reader, const struct nd_recording_header *header)
{
	const char *loops = header->has_agent && !*header->loops ? "the agent" : header->loops;

	nd_lag_set_known(reader->lag, *header->loops ? header->loops_known
						     : nd_agent_known(header->agent_features));
	if (*loops)
		snprintf(reader->result->loops, sizeof(reader->result->loops), "%s", loops);
}

static void read_header(struct reader *reader, const struct nd_recording_header *header)
{
	struct nd_lag_recorded *result = reader->result;

	reader->start_ns = header->start_ns;
	read_loops(reader, header);
	result->agent_reason = header->agent_reason;
	result->threshold_ns = header->threshold_ns;
	snprintf(result->unnamed, sizeof(result->unnamed), "%s", header->unnamed);
}

static int read_moment(struct reader *reader, const struct nd_events *moment)
{
	int ret = reader->now_ns ? nd_lag_observe(reader->lag, reader->now_ns) : 0;

	if (ret)
		return ret;
	reader->now_ns = moment->time_ns;
	reader->result->dropped = moment->events_dropped;
	reader->result->left_out = moment->threads_left_out;
	return nd_lag_settle(reader->lag);
}

static int keep_first(struct reader *reader, const struct nd_recorded_counters *counters)
{
	struct nd_channel_slot **first = &reader->first[counters->index];

	if (!*first)
		*first = malloc(sizeof(struct nd_channel_slot));
	if (!*first)
		return -ENOMEM;
	**first = counters->slot;
	return 0;
}

static int read_counters(struct reader *reader, const struct nd_recorded_counters *counters)
{
	static const struct nd_channel_slot zero;
	const struct nd_channel_slot *first, *now = &counters->slot;

	if (now->kind == ND_THREAD_AGENT)
		return 0;
	if (counters->is_baseline && keep_first(reader, counters))
		return -ENOMEM;
	first = reader->first[counters->index];
	if (!first || first->generation != now->generation)
		first = &zero;
	return nd_lag_set_counters(reader->lag, first, now, reader->start_ns, reader->now_ns);
}

static int read_event(struct reader *reader, const union nd_recorded_event *event)
{
	struct nd_event_sample sample = {.event = event->event};
	struct nd_call *calls;
	size_t depth;
	int ret = 0;

	if (++reader->events % SETTLE_EVENTS == 0)
		ret = nd_lag_settle(reader->lag);
	if (!ret &&
	    (event->event.kind == ND_EVENT_SPAN_START || event->event.kind == ND_EVENT_SPAN))
		return nd_lag_add_event(reader->lag, &event->spanned.span->event,
					nd_span_get_size(event->spanned.span));
	if (ret || event->event.kind != ND_EVENT_SAMPLE)
		return ret ? ret : nd_lag_add_event(reader->lag, &event->event, sizeof(*event));
	reader->result->stacks++;
	sample.syscall = event->named.syscall;
	ret = nd_recorded_get_stack(reader->names, event->named.call, &calls, &depth);
	return ret ? ret
		   : nd_lag_add_stack(reader->lag, &sample.event, event->named.span_id, calls,
				      depth);
}

static int read_items(struct reader *reader)
{
	struct nd_item item;
	int ret;

	while ((ret = nd_recording_next(reader->recording, &item)) > 0) {
		ret = 0;
		if (item.kind == ND_ITEM_HEADER)
			read_header(reader, item.header);
		else if (item.kind == ND_ITEM_MOMENT)
			ret = read_moment(reader, item.moment);
		else if (item.kind == ND_ITEM_COUNTERS)
			ret = read_counters(reader, item.counters);
		else if (item.kind == ND_ITEM_EVENT)
			ret = read_event(reader, item.event);
		if (ret)
			return ret;
	}
	if (!ret)
		ret = nd_lag_finish(reader->lag, reader->now_ns);
	return ret || !reader->now_ns ? ret : nd_lag_observe(reader->lag, reader->now_ns);
}

static int read_all(struct reader *reader, struct nd_profile *frames, struct nd_err *err)
{
	struct nd_lag_recorded *result = reader->result;
	int ret;

	reader->names = nd_recorded_new(reader->recording, frames);
	reader->first = calloc(ND_CHANNEL_SLOTS_MAX, sizeof(struct nd_channel_slot *));
	ret = reader->names && reader->first ? read_items(reader) : -ENOMEM;
	if (ret)
		return nd_err_set_errno(err, ret, "cannot read the recording");
	if (!result->loops[0]) {
		nd_err_set(err, -ENODATA, "the recording has no event loops");
		nd_err_hint(err, "record with sudo, or a process with the agent in it: "
				 "nodiag attach PID");
		return -ENODATA;
	}
	nd_recording_get_state(reader->recording, &result->state);
	if (result->state.last_ns > reader->start_ns)
		result->duration_ns = result->state.last_ns - reader->start_ns;
	return 0;
}

int nd_lag_read_recording(struct nd_lag *lag, struct nd_profile *frames, const void *data,
			  size_t len, struct nd_lag_recorded *ret_recorded, struct nd_err *err)
{
	struct nd_lag_recorded result = {0};
	struct reader reader = {.lag = lag, .result = &result};
	size_t i;
	int ret = nd_recording_open(data, len, &reader.recording, err);

	if (!ret)
		ret = read_all(&reader, frames, err);
	if (!ret)
		*ret_recorded = result;
	for (i = 0; reader.first && i < ND_CHANNEL_SLOTS_MAX; i++)
		free(reader.first[i]);
	free(reader.first);
	nd_recorded_free(reader.names);
	nd_recording_close(reader.recording);
	return ret;
}
