/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/record_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/agent.h"
#include "cli/agent_sampler.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/lag_source.h"
#include "cli/record_sink.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/channel.h"
#include "proto/recorder.h"
#include "proto/sample.h"

/* A command's agent answers soon, if at all; it may run other programs before Node.js. */
#define CONNECT_SOON_NS	 (5 * ND_NSEC_PER_SEC)
#define CONNECT_LATER_NS ND_NSEC_PER_SEC

struct recording {
	const struct target *target;
	const struct record_options *options;
	struct out *out;
	struct nd_profile *profile;
	struct nd_recorder *recorder;
	struct nd_symbolizer *symbolizer;
	struct record_sink sink;
	struct lag_tee tee;	 /* to the sink and to a tap */
	struct lag_source loops; /* who tells of event loops; no ops: nobody does */
	struct lag_observation o;
	struct nd_walk_layout layout;
	pid_t pid;
	pid_t node_pid;
	uint64_t tried_ns;   /* when the agent of a command was looked for last */
	uint32_t known;	     /* as the header says it */
	bool loops_are_over; /* nothing more will be told of them */
	bool has_taken_over; /* the agent takes the samples of its process, and nobody else */
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
	const struct nd_channel_head *agent = result->report.agent;
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
		.loops = result->loops,
		.start_ns = result->session.start_ns,
		.start_unix_ns = result->session.start_unix_ns,
		.period_ns = ND_NSEC_PER_SEC / r->options->session.hz,
		.threshold_ns = r->options->threshold_ns,
		.pid = (uint32_t)r->pid,
		.loops_known = r->sink.known,
		.has_agent = agent != NULL,
	};

	if (agent) {
		header.agent_reason = agent->reason;
		header.agent_features = agent->features;
	}
	/* The agent takes CPU samples where nobody else may. */
	if (!header.sampler[0] && agent)
		header.sampler = "the agent";
	/* A process that started before us is observed from where it began to tell. */
	if (agent && r->o.from_the_start && agent->start_ns < header.start_ns) {
		header.start_ns = agent->start_ns;
		header.start_unix_ns = agent->start_unix_ns;
	}
	r->header_is_new = false;
	r->known = r->sink.known;
	return nd_recorder_set_header(r->recorder, &header);
}

static void add_losses(struct recording *r, const struct session_moment *moment)
{
	struct lag_report *report = &r->result->report;
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
	if (r->loops.ops)
		r->loops.ops->report(r->loops.impl, report);
	nd_recorder_set_agent_losses(r->recorder, report->dropped, report->left_out);
}

/* Put all that came together into the file. */
static int flush(struct recording *r, struct nd_err *err)
{
	const struct nd_frame *frames;
	uint32_t count;
	int ret = r->header_is_new || r->known != r->sink.known ? add_header(r) : 0;

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

/* Nobody tells of event loops, for that reason. */
static void close_loops(struct recording *r, const char *why)
{
	if (r->loops.ops)
		r->loops.ops->close(r->loops.impl);
	r->loops = (struct lag_source){0};
	r->result->report = (struct lag_report){.reason = "", .untraced = "", .unread = ""};
	snprintf(r->result->no_loops, sizeof(r->result->no_loops), "%s", why);
}

/* Choose who is to tell of event loops: the agent where there is one, else eBPF where it may. */
static int choose_loops(struct recording *r, pid_t pid, struct nd_err *why)
{
	bool by_agent = !r->result->session.sampler[0];
	struct nd_err no_probes = {0};
	int ret = lag_agent_open(pid, &r->loops, why);

	if (!ret && r->o.hz > AGENT_SAMPLER_HZ_MAX)
		return nd_err_set(why, -EINVAL, "the agent takes at most %d samples a second",
				  AGENT_SAMPLER_HZ_MAX);
	if (by_agent || r->target->kind == TARGET_COMMAND || (ret != -ENOENT && ret != -EPERM))
		return ret;
	ret = lag_probes_open(r->options->threshold_ns, &r->loops, &no_probes);
	if (ret)
		nd_err_set(why, ret, "there is no agent in %d, and %s", pid, no_probes.what);
	return ret;
}

/*
 * Let somebody tell of the target's event loops. Without there is less to record, which is no
 * failure; returns -ENOMEM only.
 */
static int open_loops(struct recording *r, pid_t pid)
{
	struct record_result *result = r->result;
	struct nd_err why = {0};
	int ret = choose_loops(r, pid, &why);

	if (!ret) {
		learn_process(r, pid);
		nd_symbolizer_get_walk(r->symbolizer, pid, &r->layout);
		r->o.pid = pid;
		r->o.symbolizer = r->symbolizer;
		r->loops.ops->report(r->loops.impl, &result->report);
		if (r->options->agent_only)
			r->o.from_the_start = result->report.is_unread;
		ret = r->loops.ops->start(r->loops.impl, &r->o, &why);
		r->o.start_ns = nd_clock_monotonic_ns();
	}
	if (ret) {
		close_loops(r, why.what);
		return ret == -ENOMEM ? ret : 0;
	}
	r->pid = pid;
	r->sink.pid = (uint32_t)pid;
	/* Another sampler only was to find it, among what the command has started. */
	r->has_taken_over = r->options->trace && r->target->kind == TARGET_COMMAND;
	if (r->has_taken_over)
		result->session.sampler = "";
	r->header_is_new = true;
	result->no_loops[0] = '\0';
	result->loops = r->loops.ops->name;
	result->adds = r->loops.ops->adds;
	return 0;
}

static int begin(void *arg, struct nd_symbolizer *symbolizer, pid_t pid, struct nd_err *err)
{
	struct recording *r = arg;
	struct record_result *result = r->result;
	bool by_agent = !result->session.sampler[0];
	int ret = 0;

	r->symbolizer = symbolizer;
	r->pid = pid;
	r->o.hz = by_agent || r->options->trace ? r->options->session.hz : 0;
	if (r->target->kind == TARGET_PIDS)
		ret = open_loops(r, pid);
	if (!ret && by_agent && !r->loops.ops && r->target->kind == TARGET_PIDS) {
		nd_err_set(err, -EPERM, "%s%s%s", result->session.sampler_why,
			   result->session.sampler_why[0] ? "; " : "", result->no_loops);
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

	if (r->has_taken_over && (pid_t)stack->pid == r->pid)
		return 0;
	return check(r, record_sink_add_sample(&r->sink, stack), NULL);
}

/* Look for the agent in a command: in Node.js, once it is known to run, or in what was started. */
static int find_agent(struct recording *r, uint64_t now_ns)
{
	uint64_t pause_ns =
		now_ns - r->result->session.start_ns < CONNECT_SOON_NS ? 0 : CONNECT_LATER_NS;

	if (r->loops.ops || r->target->kind != TARGET_COMMAND || now_ns - r->tried_ns < pause_ns)
		return 0;
	r->tried_ns = now_ns;
	return open_loops(r, r->node_pid ? r->node_pid : r->pid);
}

static int read_loops(struct recording *r, bool is_last)
{
	int ret;

	if (r->loops_are_over)
		return 0;
	/* What was written until the end is there in any case. */
	r->loops_are_over = r->loops.ops->is_over(r->loops.impl, &r->o);
	ret = r->loops.ops->read(r->loops.impl, &r->o);
	return ret || !is_last ? ret : r->loops.ops->finish(r->loops.impl, &r->o);
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
	ret = check(r, record_sink_flush(&r->sink), err);
	if (!ret)
		ret = flush(r, err);
	r->result->is_full |= nd_recorder_is_full(r->recorder);
	if (!ret && moment->is_last)
		ret = finish(r, find_cause(r->result), err);
	return ret;
}

static void look_by_tap(struct recording *r)
{
	const struct lag_tap *tap = r->options->tap;

	if (tap->look(tap->arg, r->result->session.runtime) && r->loops.ops)
		r->loops.ops->ask(r->loops.impl);
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
	if (!ret && r->loops.ops)
		ret = read_loops(r, moment->is_last);
	if (!ret && r->options->tap)
		look_by_tap(r);
	ret = check(r, ret, err);
	if (!ret)
		ret = flush_if_due(r, moment, now_ns, err);
	if (r->options->agent_only)
		r->result->session.target_ended |= r->loops_are_over;
	return ret ? ret : r->result->is_full || (r->options->agent_only && r->loops_are_over);
}

/* Stacks want to be named before their stall is over, after which V8 may move what they speak of.
 */
static bool is_urgent(void *arg)
{
	struct recording *r = arg;

	return r->loops.ops && r->loops.ops->is_late(r->loops.impl);
}

/* The failure, and that not all is lost. */
static void explain(const struct recording *r, struct nd_err *err)
{
	if (r->out->size && r->out->is_new)
		nd_err_hint(err, "what was recorded until then is in '%s', and readable",
			    r->out->path);
}

/*
 * Only the agent's samples tell of the request that they were for, so it takes them where requests
 * are followed and it is there.
 */
static bool is_by_agent(const struct recording *r)
{
	struct lag_source agent;

	if (r->options->agent_only || !r->options->trace || r->target->kind == TARGET_COMMAND)
		return r->options->agent_only;
	if (lag_agent_open(r->target->pids[0], &agent, NULL))
		return false;
	agent.ops->close(agent.impl);
	return true;
}

static int run(struct recording *r, struct nd_err *err)
{
	struct session_hooks hooks = {
		.begin = begin,
		.add_stack = add_stack,
		.look = look,
		.is_urgent = is_urgent,
		.arg = r,
		.may_lack_sampler = true,
	};
	struct session_options options = r->options->session;
	struct nd_err why = {0};
	int ret;

	if (r->target->kind == TARGET_COMMAND && agent_preload(&why))
		snprintf(r->result->no_loops, sizeof(r->result->no_loops), "%s", why.what);
	/* From its first request on, and not only when its agent is found. */
	if (r->target->kind == TARGET_COMMAND && r->options->trace)
		setenv("NODIAG_TRACE", "1", 1);
	hooks.no_sampler = is_by_agent(r);
	options.hooks = &hooks;
	ret = session_run(r->target, &options, r->profile, &r->result->session, err);
	/* After a failure, which most likely is a full disk, the end may still find room. */
	finish(r, r->is_unwritable ? ND_END_FULL : ND_END_UNKNOWN, NULL);
	if (ret)
		explain(r, err);
	return ret;
}

/* What the source of event loops is to work with. */
static void prepare(struct recording *r)
{
	r->sink.period_ns = ND_NSEC_PER_SEC / r->options->session.hz;
	r->o = (struct lag_observation){
		.from_the_start = r->target->kind == TARGET_COMMAND,
		.threshold_ns = r->options->threshold_ns,
		.async = r->options->async,
		.trace = r->options->trace,
		/* Who taps makes metrics; recordings do not have them. */
		.active = r->options->tap != NULL,
		.layout = &r->layout,
		.sink = record_sink_face(&r->sink),
	};
	if (r->options->tap) {
		r->tee = (struct lag_tee){r->o.sink, r->options->tap->sink};
		r->o.sink = lag_sink_to_both(&r->tee);
	}
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
		.result = ret_result,
	};
	const struct nd_channel_head *agent;
	int ret = target->kind == TARGET_COMMAND ? EXIT_COMMAND_NODIAG : EXIT_FAILED;

	*ret_result = (struct record_result){
		.loops = "", .adds = "", .report = {.reason = "", .untraced = "", .unread = ""}};
	if (r.recorder && !record_sink_init(&r.sink, r.recorder)) {
		prepare(&r);
		ret = run(&r, err);
	} else {
		nd_err_set(err, -ENOMEM, "out of memory");
	}
	agent = ret_result->report.agent;
	ret_result->has_async = agent && agent->features & ND_FEATURE_ASYNC;
	ret_result->has_trace = agent && agent->features & ND_FEATURE_TRACE;
	if (r.loops.ops)
		r.loops.ops->close(r.loops.impl);
	ret_result->agent_samples = r.sink.cpu_samples;
	ret_result->report.agent = NULL;
	record_sink_fini(&r.sink);
	nd_recorder_free(r.recorder);
	return ret;
}
