/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/record_session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/agent.h"
#include "cli/agent_sampler.h"
#include "cli/channel.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/limits.h"
#include "proto/recorder.h"
#include "proto/sample.h"

/* A command's agent answers soon, if at all; it may run other programs before Node.js. */
#define CONNECT_SOON_NS	 (5 * ND_NSEC_PER_SEC)
#define CONNECT_LATER_NS ND_NSEC_PER_SEC

/* How long loops may take to tell of their handles. */
#define HANDLES_MS 20

struct recording {
	const struct target *target;
	const struct record_options *options;
	struct out *out;
	struct nd_profile *profile;
	struct nd_recorder *recorder;
	struct nd_symbolizer *symbolizer;
	struct channel *channel;
	struct nd_sample_stack *room;
	pid_t pid;
	pid_t node_pid;
	uint64_t tried_ns; /* when the agent of a command was looked for last */
	bool header_is_new;
	bool has_runtime;
	bool is_finished;
	bool is_unwritable;
	struct record_result *result;
};

static int write_output(struct recording *r, struct nd_err *err)
{
	const struct nd_buf *output = nd_recorder_get_output(r->recorder);
	int ret = out_append(r->out, output->data, output->len, err);

	r->is_unwritable = ret != 0;
	if (ret)
		nd_recorder_drop_output(r->recorder);
	else
		nd_recorder_take_output(r->recorder);
	return ret;
}

/* What the recorder returns: no room for more names is the end, no failure. */
static int check(struct recording *r, int ret, struct nd_err *err)
{
	if (ret == -E2BIG)
		r->result->is_full = true;
	else if (ret)
		return nd_err_set_errno(err, ret, "cannot record");
	return 0;
}

static int add_header(struct recording *r)
{
	const struct record_result *result = r->result;
	const char *limits = nd_symbolizer_get_limits(r->symbolizer, r->node_pid);
	struct nd_recording_header header = {
		.nodiag_version = ND_VERSION,
		.title = result->session.title,
		.command = result->session.command,
		.runtime = result->session.runtime,
		.sampler = result->session.sampler,
		.sampler_why = result->session.sampler_why,
		.limits = limits,
		.unnamed = result->unnamed,
		.start_ns = result->session.start_ns,
		.start_unix_ns = result->session.start_unix_ns,
		.period_ns = ND_NSEC_PER_SEC / r->options->session.hz,
		.threshold_ns = r->options->threshold_ns,
		.pid = (uint32_t)r->pid,
		.has_agent = result->has_agent,
	};

	if (r->channel) {
		header.agent_reason = channel_get_hello(r->channel)->reason;
		header.agent_features = channel_get_hello(r->channel)->features;
	}
	/* The agent takes CPU samples where nobody else may. */
	if (!header.sampler[0] && result->has_agent)
		header.sampler = "the agent";
	r->header_is_new = false;
	return nd_recorder_set_header(r->recorder, &header);
}

static int add_all_counters(struct recording *r, bool is_baseline)
{
	struct nd_channel_slot slot;
	uint32_t i;
	int ret = 0;

	for (i = 0; r->channel && i < channel_slots(r->channel) && !ret; i++)
		if (channel_copy_slot(r->channel, i, &slot) && slot.kind != ND_THREAD_AGENT)
			ret = nd_recorder_add_counters(r->recorder, i, &slot, is_baseline);
	return ret;
}

static void add_losses(struct recording *r, const struct session_moment *moment)
{
	uint64_t count;
	int loss;

	for (loss = 1; loss < ND_LOSS_COUNT; loss++) {
		count = nd_profile_get_loss(r->profile, loss);
		if (loss == ND_LOSS_RING_FULL)
			count += moment->ring_full;
		else if (loss == ND_LOSS_THREAD_LIMIT)
			count += moment->unwatched;
		nd_recorder_set_loss(r->recorder, loss, count);
	}
	if (r->channel)
		r->result->events_dropped = channel_dropped(r->channel);
	nd_recorder_set_agent_losses(r->recorder, r->result->events_dropped,
				     r->channel ? channel_left_out(r->channel) : 0);
}

/* Put all that came together into the file. */
static int flush(struct recording *r, struct nd_err *err)
{
	const struct nd_frame *frames;
	uint32_t count;
	int ret = r->header_is_new ? add_header(r) : 0;

	frames = nd_profile_frames(r->profile, &count);
	if (!ret)
		ret = nd_recorder_flush(r->recorder, nd_clock_monotonic_ns(),
					nd_clock_realtime_ns(), frames, count);
	ret = check(r, ret, err);
	return ret ? ret : write_output(r, err);
}

/* Names need the process's memory; without it there are times all the same. */
static void learn_process(struct recording *r, pid_t pid)
{
	struct nd_walk_layout layout;
	struct nd_err why = {0};

	if (!nd_symbolizer_has_process(r->symbolizer, pid) &&
	    nd_symbolizer_add_process(r->symbolizer, pid, &layout, &why))
		snprintf(r->result->unnamed, sizeof(r->result->unnamed), "%s", why.what);
}

/*
 * Be the reader of the target's agent. Without one there is less to record, which is no failure;
 * returns -ENOMEM only.
 */
static int open_agent(struct recording *r, pid_t pid)
{
	bool by_agent = !r->result->session.sampler[0];
	uint32_t features = ND_FEATURE_STALLS | (by_agent ? ND_FEATURE_CPU : 0) |
			    (r->options->async ? ND_FEATURE_ASYNC : 0);
	struct record_result *result = r->result;
	struct nd_err why = {0};
	int ret = channel_open(pid, &r->channel, &why);

	if (!ret && by_agent && r->options->session.hz > AGENT_SAMPLER_HZ_MAX)
		ret = nd_err_set(&why, -EINVAL, "the agent takes at most %d samples a second",
				 AGENT_SAMPLER_HZ_MAX);
	if (!ret)
		ret = channel_start(r->channel, features, by_agent ? r->options->session.hz : 0,
				    r->options->threshold_ns, &why);
	if (ret) {
		channel_close(r->channel);
		r->channel = NULL;
		snprintf(result->no_agent, sizeof(result->no_agent), "%s", why.what);
		return ret == -ENOMEM ? ret : 0;
	}
	r->pid = pid;
	r->header_is_new = true;
	result->no_agent[0] = '\0';
	result->has_agent = true;
	result->has_async =
		(features & channel_get_hello(r->channel)->features & ND_FEATURE_ASYNC) != 0;
	result->agent_reason = channel_reason_text(channel_get_hello(r->channel)->reason);
	learn_process(r, pid);
	channel_want_handles(r->channel, NULL);
	/* A command is recorded from its beginning: there all counters are zero. */
	return r->target->kind == TARGET_PIDS ? add_all_counters(r, true) : 0;
}

static int begin(void *arg, struct nd_symbolizer *symbolizer, pid_t pid, struct nd_err *err)
{
	struct recording *r = arg;
	struct record_result *result = r->result;
	int ret = 0;

	r->symbolizer = symbolizer;
	r->pid = pid;
	if (r->target->kind == TARGET_PIDS)
		ret = open_agent(r, pid);
	if (!ret && !result->session.sampler[0] && !r->channel && r->target->kind == TARGET_PIDS) {
		nd_err_set(err, -EPERM, "%s; %s", result->session.sampler_why, result->no_agent);
		return nd_err_hint(err,
				   "run it with sudo, or put the agent into the process: "
				   "nodiag attach %d",
				   pid);
	}
	r->header_is_new = true;
	return check(r, ret, err);
}

static int add_stack(void *arg, const struct nd_stack *stack)
{
	struct recording *r = arg;
	char comm[32] = "";
	int ret = 0;

	if (!nd_recorder_has_thread(r->recorder, stack->pid, stack->tid)) {
		if (nd_procfs_read_comm((pid_t)stack->pid, (pid_t)stack->tid, comm, sizeof(comm)))
			comm[0] = '\0';
		ret = nd_recorder_add_thread(r->recorder, stack->pid, stack->tid, comm);
	}
	if (!ret)
		ret = nd_recorder_add_sample(r->recorder, stack);
	return check(r, ret, NULL);
}

/* A stack of the agent's: of a stall, or a CPU sample in place of a sampler's. */
static int handle_sample(struct recording *r, const struct nd_event *event, size_t size)
{
	const struct nd_event_sample *sample = (const void *)event;
	struct nd_named_stack named = {0};
	struct nd_stack stack = {
		.weight = ND_NSEC_PER_SEC / r->options->session.hz,
		.count = 1,
		.time_ns = event->time_ns,
		.pid = (uint32_t)r->pid,
		.tid = event->tid,
	};

	/* Where its memory cannot be read there is a stack all the same, of no calls. */
	if (channel_to_sample(event, size, r->pid, r->room))
		return 0;
	if (nd_symbolizer_name_sample(r->symbolizer, &r->room->header, &named) == -ENOMEM)
		return -ENOMEM;
	if (sample->reason == ND_REASON_CPU) {
		stack.calls = named.calls;
		stack.depth = named.depth;
		r->result->agent_samples++;
		return add_stack(r, &stack);
	}
	r->result->stall_stacks++;
	return nd_recorder_add_named(r->recorder, sample, named.calls, named.depth);
}

static int handle_event(void *arg, const struct nd_event *event, size_t size)
{
	struct recording *r = arg;

	if (event->kind == ND_EVENT_SAMPLE)
		return handle_sample(r, event, size);
	return nd_recorder_add_event(r->recorder, event, size);
}

/* Look for the agent in a command: in Node.js, once it is known to run, or in what was started. */
static int find_agent(struct recording *r, uint64_t now_ns)
{
	uint64_t pause_ns =
		now_ns - r->result->session.start_ns < CONNECT_SOON_NS ? 0 : CONNECT_LATER_NS;

	if (r->channel || r->target->kind != TARGET_COMMAND || now_ns - r->tried_ns < pause_ns)
		return 0;
	r->tried_ns = now_ns;
	return open_agent(r, r->node_pid ? r->node_pid : r->pid);
}

static int read_agent(struct recording *r, bool is_last)
{
	int ret;

	/* A loop that polls tells of its handles at once; one that is busy told at the start. */
	if (is_last && !channel_is_over(r->channel) && !channel_want_handles(r->channel, NULL))
		poll(NULL, 0, HANDLES_MS);
	ret = channel_read(r->channel, handle_event, r);
	nd_symbolizer_end_batch(r->symbolizer);
	return ret;
}

static enum nd_end_cause find_cause(const struct record_result *result)
{
	if (result->is_full)
		return ND_END_FULL;
	if (result->session.target_ended)
		return ND_END_TARGET;
	return interrupt_was_asked_for() ? ND_END_INTERRUPT : ND_END_DURATION;
}

/* Give the file its end, as far as it has a beginning. */
static int finish(struct recording *r, enum nd_end_cause cause, struct nd_err *err)
{
	int ret;

	if (r->is_finished || !nd_recorder_get_size(r->recorder))
		return 0;
	r->is_finished = true;
	nd_recorder_drop_output(r->recorder);
	ret = nd_recorder_finish(r->recorder, cause, nd_clock_monotonic_ns());
	ret = ret ? nd_err_set_errno(err, ret, "cannot end the recording") : write_output(r, err);
	if (!ret)
		ret = out_sync(r->out, err);
	r->result->size_bytes = nd_recorder_get_size(r->recorder);
	r->result->samples = nd_recorder_get_samples(r->recorder);
	return ret;
}

static int flush_if_due(struct recording *r, const struct session_moment *moment, uint64_t now_ns,
			struct nd_err *err)
{
	int ret;

	/* The file is there from the first look on: then the target runs. */
	if (r->out->size && !moment->is_last && !nd_recorder_is_due(r->recorder, now_ns))
		return 0;
	add_losses(r, moment);
	ret = check(r, add_all_counters(r, false), err);
	if (!ret)
		ret = flush(r, err);
	r->result->is_full |= nd_recorder_is_full(r->recorder);
	if (!ret && moment->is_last)
		ret = finish(r, find_cause(r->result), err);
	return ret;
}

static int look(void *arg, const struct session_moment *moment, struct nd_err *err)
{
	struct recording *r = arg;
	uint64_t now_ns = nd_clock_monotonic_ns();
	bool has_runtime = r->result->session.runtime[0] != '\0';
	int ret;

	r->header_is_new |= r->has_runtime != has_runtime || moment->is_last;
	r->has_runtime = has_runtime;
	r->node_pid = moment->node_pid;
	ret = find_agent(r, now_ns);
	if (!ret && r->channel)
		ret = read_agent(r, moment->is_last);
	ret = check(r, ret, err);
	if (!ret)
		ret = flush_if_due(r, moment, now_ns, err);
	return ret ? ret : r->result->is_full;
}

/* The failure, and that not all is lost. */
static void explain(const struct recording *r, struct nd_err *err)
{
	if (r->out->size && r->out->is_new)
		nd_err_hint(err, "what was recorded until then is in '%s', and readable",
			    r->out->path);
}

static int run(struct recording *r, struct nd_err *err)
{
	const struct session_hooks hooks = {
		.begin = begin,
		.add_stack = add_stack,
		.look = look,
		.arg = r,
		.may_lack_sampler = true,
	};
	struct session_options options = r->options->session;
	struct nd_err why = {0};
	int ret;

	if (r->target->kind == TARGET_COMMAND && agent_preload(&why))
		snprintf(r->result->no_agent, sizeof(r->result->no_agent), "%s", why.what);
	options.hooks = &hooks;
	ret = session_run(r->target, &options, r->profile, &r->result->session, err);
	/* After a failure, which most likely is a full disk, the end may still find room. */
	finish(r, r->is_unwritable ? ND_END_FULL : ND_END_UNKNOWN, NULL);
	if (ret)
		explain(r, err);
	return ret;
}

int record_session_run(const struct target *target, const struct record_options *options,
		       struct out *out, struct nd_profile *profile,
		       struct record_result *ret_result, struct nd_err *err)
{
	struct recording r = {
		.target = target,
		.options = options,
		.out = out,
		.profile = profile,
		.recorder = nd_recorder_new(),
		.room = malloc(sizeof(struct nd_sample_stack) + ND_SAMPLE_COPY_MAX),
		.result = ret_result,
	};
	int ret = target->kind == TARGET_COMMAND ? EXIT_COMMAND_NODIAG : EXIT_FAILED;

	*ret_result = (struct record_result){.agent_reason = ""};
	if (r.recorder && r.room)
		ret = run(&r, err);
	else
		nd_err_set(err, -ENOMEM, "out of memory");
	channel_close(r.channel);
	free(r.room);
	nd_recorder_free(r.recorder);
	return ret;
}
