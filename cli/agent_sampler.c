/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_sampler.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cli/channel.h"
#include "common/err.h"
#include "probes/sampler_impl.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* Names want to be fresh; half a ring is filled by the deepest stacks in 160 ms at 99 Hz. */
#define POLL_INTERVAL_MS 10

struct agent {
	pid_t pid;
	struct channel *channel;
	struct nd_sample_stack *sample;
	uint64_t samples;
	int handled;
	int (*handle)(void *arg, const struct nd_sample_header *record);
	void *arg;
};

static void agent_close(void *impl)
{
	struct agent *agent = impl;

	channel_close(agent->channel);
	free(agent->sample);
	free(agent);
}

/* The agent finds the threads itself. */
static int agent_add_thread(void *impl, pid_t tid, bool on_exec)
{
	return 0;
}

static int agent_set_layout(void *impl, pid_t pid, const struct nd_walk_layout *layout)
{
	return 0; /* the symbolizer walks, and knows */
}

static int on_event(void *arg, const struct nd_event *event, size_t size)
{
	struct agent *agent = arg;

	if (event->kind != ND_EVENT_SAMPLE ||
	    channel_to_sample(event, size, agent->pid, agent->sample) ||
	    ((const struct nd_event_sample *)event)->reason != ND_REASON_CPU)
		return 0;
	agent->samples++;
	agent->handled++;
	return agent->handle(agent->arg, &agent->sample->header);
}

static int agent_poll(void *impl, int timeout_ms,
		      int (*handle)(void *arg, const struct nd_sample_header *record), void *arg)
{
	struct agent *agent = impl;
	int ret;

	agent->handle = handle;
	agent->arg = arg;
	agent->handled = 0;
	poll(NULL, 0, timeout_ms < POLL_INTERVAL_MS ? timeout_ms : POLL_INTERVAL_MS);
	ret = channel_read(agent->channel, on_event, agent);
	return ret ? ret : agent->handled;
}

static void agent_stop(void *impl)
{
	struct agent *agent = impl;

	/* No feature, no samples; what is in the rings stays. */
	channel_pause(agent->channel);
}

static void agent_get_stats(const void *impl, struct nd_sampler_stats *ret_stats)
{
	const struct agent *agent = impl;

	ret_stats->ring_full = channel_dropped(agent->channel);
	ret_stats->samples = agent->samples + ret_stats->ring_full;
}

static const struct nd_sampler_ops agent_ops = {
	.kind = ND_SAMPLER_AGENT,
	.close = agent_close,
	.add_thread = agent_add_thread,
	.set_layout = agent_set_layout,
	.poll = agent_poll,
	.stop = agent_stop,
	.get_stats = agent_get_stats,
};

int agent_sampler_open(pid_t pid, const struct nd_sampler_options *options,
		       struct nd_sampler **ret_sampler, struct nd_err *err)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int ret;

	if (!agent)
		return nd_err_set(err, -ENOMEM, "out of memory");
	agent->pid = pid;
	agent->sample = malloc(sizeof(*agent->sample) + ND_SAMPLE_COPY_MAX);
	ret = agent->sample ? 0 : nd_err_set(err, -ENOMEM, "out of memory");
	if (!ret)
		ret = channel_open(pid, &agent->channel, err);
	if (!ret && options->hz > AGENT_SAMPLER_HZ_MAX) {
		nd_err_set(err, -EINVAL, "the agent takes at most %d samples a second",
			   AGENT_SAMPLER_HZ_MAX);
		ret = nd_err_hint(err, "give a lower rate: -r 99");
	}
	if (!ret)
		ret = channel_start(agent->channel, ND_FEATURE_CPU, options->hz,
				    ND_STALL_THRESHOLD_NS, err);
	if (!ret) {
		channel_skip(agent->channel);
		ret = nd_sampler_new(options, &agent_ops, agent, ret_sampler);
	}
	if (ret)
		agent_close(agent);
	return ret;
}
