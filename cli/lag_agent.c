/* SPDX-License-Identifier: Apache-2.0 */

/* Event loops as the agent in the process sees them. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "analyzer/lag/lag.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/channel.h"
#include "cli/lag_async.h"
#include "cli/lag_session.h"
#include "cli/lag_source.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* How long an idle loop may take to tell of its handles. */
#define HANDLES_MS 20

struct lag_agent {
	struct channel *channel;
	struct nd_channel_slot *first; /* how the counters were at the beginning */
	struct nd_sample_stack *record;
	const struct lag_observation *o; /* while events are handed on */
};

static int handle_event(void *arg, const struct nd_event *event, size_t size)
{
	struct lag_agent *agent = arg;
	const struct lag_observation *o = agent->o;
	struct nd_named_stack stack = {0};
	int ret;

	if (event->kind != ND_EVENT_SAMPLE)
		return nd_lag_add_event(o->lag, event, size);
	if (size < sizeof(struct nd_event_sample) ||
	    ((const struct nd_event_sample *)event)->reason != ND_REASON_STALL)
		return 0;
	o->result->stacks++;
	ret = channel_to_sample(event, size, o->pid, agent->record);
	if (!ret)
		ret = nd_symbolizer_name_sample(o->symbolizer, &agent->record->header, &stack);
	if (ret == -ENOMEM)
		return ret;
	return nd_lag_add_stack(o->lag, event, stack.calls, stack.depth);
}

static int update_counters(struct lag_agent *agent)
{
	struct nd_channel_slot now;
	uint64_t now_ns = nd_clock_monotonic_ns();
	static const struct nd_channel_slot zero;
	const struct nd_channel_slot *first;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < channel_slots(agent->channel) && !ret; i++) {
		if (!channel_copy_slot(agent->channel, i, &now) || now.kind == ND_THREAD_AGENT)
			continue;
		first = &agent->first[i];
		if (first->generation != now.generation)
			first = &zero;
		ret = nd_lag_set_counters(agent->o->lag, first, &now, agent->o->start_ns, now_ns);
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
	uint32_t features = channel_get_hello(agent->channel)->features;
	int ret;

	agent->first = calloc(slots, sizeof(*agent->first));
	agent->record = malloc(sizeof(*agent->record) + ND_SAMPLE_COPY_MAX);
	if (!agent->first || !agent->record)
		return nd_err_set(err, -ENOMEM, "out of memory");
	if (o->options->async && !(features & ND_FEATURE_ASYNC))
		return lag_async_refuse(o->pid, err);
	ret = channel_start(agent->channel,
			    ND_FEATURE_STALLS | (o->options->async ? ND_FEATURE_ASYNC : 0), 0,
			    o->options->threshold_ns, err);
	if (ret)
		return ret;
	/* A command is observed from its beginning: there all counters are zero. */
	for (i = 0; i < slots && !o->from_the_start; i++)
		channel_copy_slot(agent->channel, i, &agent->first[i]);
	nd_lag_set_known(o->lag, ND_LAG_EVENTS |
					 (features & ND_FEATURE_PHASES ? ND_LAG_PHASES : 0) |
					 (features & ND_FEATURE_GC ? ND_LAG_GC : 0));
	channel_want_handles(agent->channel, NULL);
	o->result->reason = channel_reason_text(channel_get_hello(agent->channel)->reason);
	return 0;
}

static void agent_finish(void *impl, const struct lag_observation *o)
{
	struct lag_agent *agent = impl;

	/* A loop that polls tells of its handles at once; one that is busy told at the start. */
	if (!channel_is_over(agent->channel) && !channel_want_handles(agent->channel, NULL)) {
		poll(NULL, 0, HANDLES_MS);
		agent_read(agent, o);
	}
	o->result->dropped = channel_dropped(agent->channel);
	o->result->left_out = channel_left_out(agent->channel);
}

static bool agent_is_over(void *impl, const struct lag_observation *o)
{
	struct lag_agent *agent = impl;

	return channel_is_over(agent->channel);
}

static void agent_close(void *impl)
{
	struct lag_agent *agent = impl;

	channel_close(agent->channel);
	free(agent->first);
	free(agent->record);
	free(agent);
}

static const struct lag_source_ops agent_ops = {
	.name = "by the agent",
	.adds = "",
	.start = agent_start,
	.read = agent_read,
	.finish = agent_finish,
	.is_over = agent_is_over,
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
