/* SPDX-License-Identifier: Apache-2.0 */

/* Event loops as the agent in the process sees them. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "analyzer/symbols/symbolizer.h"
#include "cli/channel.h"
#include "cli/lag_source.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* How long an idle loop may take to tell of its handles. */
#define HANDLES_MS 20

struct lag_agent {
	struct channel *channel;
	bool is_borrowed;	       /* the channel */
	struct nd_channel_slot *first; /* how the counters were at the beginning */
	struct nd_sample_stack *record;
	uint64_t stacks;
	bool is_late;
	const struct lag_observation *o; /* while events are handed on */
	bool trace;			 /* spans are asked for */
};

static int handle_sample(struct lag_agent *agent, const struct nd_event_sample *sample, size_t size)
{
	const struct lag_observation *o = agent->o;
	bool is_cpu = sample->reason == ND_REASON_CPU;
	struct nd_named_stack stack = {0};

	if ((is_cpu && !o->hz) || channel_to_sample(&sample->event, size, o->pid, agent->record))
		return 0;
	/* Where its memory cannot be read there is a stack all the same, of no calls. */
	if (nd_symbolizer_name_sample(o->symbolizer, &agent->record->header, &stack) == -ENOMEM)
		return -ENOMEM;
	if (is_cpu)
		return o->sink.ops->add_sample(o->sink.impl, sample, agent->record->span_id,
					       stack.calls, stack.depth);
	agent->stacks++;
	return o->sink.ops->add_stack(o->sink.impl, sample, agent->record->span_id, stack.calls,
				      stack.depth);
}

static int handle_event(void *arg, const struct nd_event *event, size_t size)
{
	struct lag_agent *agent = arg;
	const struct lag_sink *sink = &agent->o->sink;

	if (event->kind != ND_EVENT_SAMPLE)
		return sink->ops->add_event(sink->impl, event, size);
	if (size < sizeof(struct nd_event_sample))
		return 0;
	return handle_sample(agent, (const struct nd_event_sample *)event, size);
}

static int update_counters(struct lag_agent *agent)
{
	static const struct nd_channel_slot zero;
	const struct lag_observation *o = agent->o;
	struct nd_channel_slot now;
	struct lag_counters counters = {
		.now = &now, .start_ns = o->start_ns, .now_ns = nd_clock_monotonic_ns()};
	uint32_t i;
	int ret = 0;

	agent->is_late = false;
	for (i = 0; i < channel_slots(agent->channel) && !ret; i++) {
		if (!channel_copy_slot(agent->channel, i, &now) || now.kind == ND_THREAD_AGENT)
			continue;
		counters.index = i;
		counters.first = &agent->first[i];
		if (counters.first->generation != now.generation)
			counters.first = &zero;
		agent->is_late |= lag_is_late(&now.loop, o->threshold_ns, counters.now_ns);
		ret = o->sink.ops->set_counters(o->sink.impl, &counters);
	}
	return ret;
}

static int agent_read(void *impl, const struct lag_observation *o)
{
	struct lag_agent *agent = impl;
	int ret;

	agent->o = o;
	ret = channel_read(agent->channel, handle_event, agent);
	nd_symbolizer_end_batch(o->symbolizer);
	return ret ? ret : update_counters(agent);
}

static int agent_start(void *impl, const struct lag_observation *o, struct nd_err *err)
{
	struct lag_agent *agent = impl;
	uint32_t i, slots = channel_slots(agent->channel);
	uint32_t features = (o->no_stacks ? 0 : ND_FEATURE_STALLS) | (o->hz ? ND_FEATURE_CPU : 0) |
			    (o->trace ? ND_FEATURE_TRACE | o->spans : 0) |
			    (o->async ? ND_FEATURE_ASYNC : 0) | (o->active ? ND_FEATURE_ACTIVE : 0);
	int ret;

	agent->trace = o->trace;
	agent->first = calloc(slots, sizeof(*agent->first));
	agent->record = malloc(sizeof(*agent->record) + ND_SAMPLE_COPY_MAX);
	if (!agent->first || !agent->record)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = channel_start(agent->channel, features, o->hz, o->threshold_ns, err);
	if (ret)
		return ret;
	if (!o->from_the_start)
		channel_skip(agent->channel);
	/* What is observed from its beginning had all counters at zero. */
	for (i = 0; i < slots && !o->from_the_start; i++)
		channel_copy_slot(agent->channel, i, &agent->first[i]);
	o->sink.ops->set_known(o->sink.impl,
			       nd_agent_known(channel_get_head(agent->channel)->features));
	channel_want_handles(agent->channel, NULL);
	return 0;
}

static void agent_ask(void *impl)
{
	struct lag_agent *agent = impl;

	if (!channel_is_over(agent->channel))
		channel_want_handles(agent->channel, NULL);
}

static int agent_finish(void *impl, const struct lag_observation *o)
{
	struct lag_agent *agent = impl;

	/* A loop that polls tells of its handles at once; one that is busy told at the start. */
	if (channel_is_over(agent->channel) || channel_want_handles(agent->channel, NULL))
		return 0;
	poll(NULL, 0, HANDLES_MS);
	return agent_read(agent, o);
}

static bool agent_is_late(void *impl)
{
	struct lag_agent *agent = impl;

	return agent->is_late;
}

/* How tracing goes in those threads that are known. */
static void report_tracing(const struct lag_agent *agent, struct lag_report *report)
{
	struct nd_channel_slot slot;
	uint32_t i;

	if (!(report->agent->features & ND_FEATURE_TRACE))
		report->untraced =
			*report->reason ? report->reason : "the agent in it is of an older nodiag";
	for (i = 0; i < channel_slots(agent->channel); i++) {
		if (!channel_copy_slot(agent->channel, i, &slot) || slot.kind == ND_THREAD_AGENT)
			continue;
		report->spans_lost += slot.spans_lost;
		if (*channel_tracing_text(slot.tracing))
			report->untraced = channel_tracing_text(slot.tracing);
		if (slot.context > ND_CONTEXT_ON)
			report->unread = channel_context_text(slot.context);
	}
}

static void agent_report(void *impl, struct lag_report *ret_report)
{
	struct lag_agent *agent = impl;
	const struct nd_channel_head *head = channel_get_head(agent->channel);

	*ret_report = (struct lag_report){
		.stacks = agent->stacks,
		.dropped = channel_dropped(agent->channel),
		.left_out = channel_left_out(agent->channel),
		.reason = channel_reason_text(head->reason),
		.agent = head,
		.is_unread = channel_is_unread(agent->channel),
		.untraced = "",
		.unread = "",
	};
	if (agent->trace)
		report_tracing(agent, ret_report);
}

static bool agent_is_over(void *impl, const struct lag_observation *o)
{
	struct lag_agent *agent = impl;

	return channel_is_over(agent->channel);
}

static void agent_close(void *impl)
{
	struct lag_agent *agent = impl;

	if (!agent->is_borrowed)
		channel_close(agent->channel);
	free(agent->first);
	free(agent->record);
	free(agent);
}

static const struct lag_source_ops agent_ops = {
	.name = "the agent",
	.adds = "",
	.start = agent_start,
	.read = agent_read,
	.ask = agent_ask,
	.finish = agent_finish,
	.is_over = agent_is_over,
	.is_late = agent_is_late,
	.report = agent_report,
	.close = agent_close,
};

int lag_agent_open(pid_t pid, struct lag_source *ret_source, struct nd_err *err)
{
	struct lag_agent *agent = calloc(1, sizeof(*agent));
	int ret;

	if (!agent)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = channel_open(pid, &agent->channel, err);
	if (ret) {
		free(agent);
		return ret;
	}
	*ret_source = (struct lag_source){&agent_ops, agent};
	return 0;
}

int lag_agent_use(struct channel *channel, struct lag_source *ret_source)
{
	struct lag_agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return -ENOMEM;
	agent->channel = channel;
	agent->is_borrowed = true;
	ret_source->ops = &agent_ops;
	ret_source->impl = agent;
	return 0;
}
