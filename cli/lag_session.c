/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lag_session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzer/lag/lag.h"
#include "analyzer/profile/profile.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/agent.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/lag_async.h"
#include "cli/lag_source.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/sample.h"

/* How often is looked at the loops. */
#define POLL_MS 20

/*
 * The same while one is late: stacks want to be named while the objects they speak of are where
 * they were, before the stall is over, after which V8 may move them.
 */
#define POLL_LATE_MS 5

/* How long a command may take until its agent answers; it may run other programs before. */
#define CONNECT_POLL_MS 20

struct session {
	const struct target *target;
	const struct lag_options *options;
	struct nd_lag *lag;
	struct lag_answer answer;
	struct nd_profile *frames;
	struct nd_symbolizer *symbolizer;
	struct nd_walk_layout layout;
	struct lag_source source;
	struct lag_observation o;
	struct child child;
	uint64_t shown_ns;
	struct lag_result *result;
};

static int read_round(struct session *s)
{
	int ret = s->source.ops->read(s->source.impl, &s->o);

	return ret ? ret : nd_lag_settle(s->lag);
}

static void show(struct session *s, uint64_t elapsed_ns)
{
	uint64_t duration = s->options->duration_ns;
	struct lag_report report;

	if (elapsed_ns - s->shown_ns < ND_NSEC_PER_SEC)
		return;
	s->shown_ns = elapsed_ns;
	if (s->options->ask && s->options->ask(s->options->arg))
		s->source.ops->ask(s->source.impl);
	s->source.ops->report(s->source.impl, &report);
	if (s->options->show)
		s->options->show(s->options->arg, s->lag);
	else if (duration)
		term_progress("watching: %.0f of %.0f s, %llu stacks", (double)elapsed_ns / 1e9,
			      (double)duration / 1e9, (unsigned long long)report.stacks);
	else
		term_progress("watching: %.0f s, %llu stacks; Ctrl-C ends it",
			      (double)elapsed_ns / 1e9, (unsigned long long)report.stacks);
}

/* What the source has to say when all is read. */
static void keep_report(struct session *s)
{
	struct lag_report report;
	uint64_t left_out = 0;

	s->source.ops->report(s->source.impl, &report);
	nd_lag_left_out(s->lag, &left_out, &s->result->stalls_left_out);
	s->result->stacks = report.stacks;
	s->result->dropped = report.dropped;
	s->result->left_out = report.left_out + left_out;
	s->result->reason = report.reason;
	s->result->untraced = report.untraced;
	s->result->unread = report.unread;
	s->result->spans_lost = report.spans_lost;
}

/* A loop is late for half of the threshold, which must not pass between two looks. */
static int choose_poll_ms(const struct session *s)
{
	const struct lag_source *source = &s->source;
	bool is_fast = s->o.threshold_ns < 2 * POLL_MS * ND_NSEC_PER_MSEC ||
		       source->ops->is_late(source->impl);

	/* Without stacks there is time until the rings are full. */
	return is_fast && !s->options->is_unattended ? POLL_LATE_MS : POLL_MS;
}

/* Returns 0, or a negative errno with `err` set. */
static int watch(struct session *s, struct nd_err *err)
{
	const struct lag_source *source = &s->source;
	uint64_t elapsed = 0;
	int ret = 0;

	/* Of one that ends before it is a second old, nothing can be found out afterwards. */
	if (s->options->is_unattended && s->options->show) {
		ret = read_round(s);
		s->options->show(s->options->arg, s->lag);
	}
	while (!ret && !interrupt_was_asked_for()) {
		elapsed = nd_clock_monotonic_ns() - s->o.start_ns;
		if (s->options->duration_ns && elapsed >= s->options->duration_ns)
			break;
		if (source->ops->is_over(source->impl, &s->o)) {
			s->result->target_ended = true;
			break;
		}
		show(s, elapsed);
		poll(NULL, 0, choose_poll_ms(s));
		ret = read_round(s);
	}
	if (!ret)
		ret = read_round(s);
	if (!ret)
		ret = source->ops->finish(source->impl, &s->o);
	if (!ret)
		ret = nd_lag_finish(s->lag, nd_clock_monotonic_ns());
	term_progress("%s", "");
	s->result->duration_ns = nd_clock_monotonic_ns() - s->o.start_ns;
	keep_report(s);
	return ret ? nd_err_set_errno(err, ret, "cannot read what there is of %d", s->o.pid) : 0;
}

/* Names need the process's memory; without it there are times all the same. */
static int learn_process(struct session *s, struct nd_err *err)
{
	struct nd_symbolizer_options options = {.profile = s->frames, .source_maps = false};
	struct nd_err why = {0};
	int ret;

	s->symbolizer = nd_symbolizer_new(&options);
	if (!s->symbolizer)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = nd_symbolizer_add_process(s->symbolizer, s->result->pid, &s->layout, &why);
	if (ret == -ENOMEM || (ret == -ESRCH && !s->options->is_unattended))
		return nd_err_set_errno(err, ret, "cannot look at %d", s->result->pid);
	if (ret == -ENOENT && !s->options->is_unattended) {
		target_set_not_node(s->result->pid, &why, err);
		return ret;
	}
	if (ret)
		snprintf(s->result->unnamed, sizeof(s->result->unnamed), "%s", why.what);
	nd_symbolizer_describe(s->symbolizer, s->result->pid, s->result->runtime,
			       sizeof(s->result->runtime));
	return 0;
}

/* Whether the source can do what was asked for. */
static bool is_able(const struct session *s)
{
	struct lag_report report;

	s->source.ops->report(s->source.impl, &report);
	return !s->options->async || (report.agent && report.agent->features & ND_FEATURE_ASYNC);
}

static int begin(struct session *s, struct nd_err *err)
{
	struct lag_report report;
	int ret = is_able(s) ? learn_process(s, err) : lag_async_refuse(s->result->pid, err);

	if (ret)
		return ret;
	s->o.pid = s->result->pid;
	s->source.ops->report(s->source.impl, &report);
	s->o.from_the_start = s->target->kind == TARGET_COMMAND ||
			      (s->options->is_unattended && report.is_unread);
	s->o.symbolizer = s->symbolizer;
	s->o.layout = &s->layout;
	s->result->source = s->source.ops->name;
	s->result->adds = s->source.ops->adds;
	ret = s->source.ops->start(s->source.impl, &s->o, err);
	s->o.start_ns = nd_clock_monotonic_ns();
	return ret;
}

static int exit_code_of(const struct session *s, int ret)
{
	if (s->target->kind == TARGET_COMMAND)
		return EXIT_COMMAND_NODIAG;
	if (ret == -ESRCH || ret == -ENOENT)
		return EXIT_NO_TARGET;
	if (ret == -EPERM || ret == -EACCES)
		return EXIT_PERMISSION;
	return EXIT_FAILED;
}

/* Without an agent in it the process is looked at from outside, where that is permitted. */
static int open_running(struct session *s, struct nd_err *err)
{
	pid_t pid = s->target->pids[0];
	bool takes_agent = s->o.trace || s->o.hz;
	struct nd_err why = {0};
	int ret;

	s->result->pid = pid;
	if (s->options->channel)
		return lag_agent_use(s->options->channel, &s->source);
	ret = lag_agent_open(pid, &s->source, err);
	if (ret == -ENOENT && takes_agent)
		return nd_err_hint(err, "load it: nodiag attach %d", pid);
	if ((ret != -ENOENT && ret != -EPERM) || takes_agent || s->options->is_unattended)
		return ret;
	if (s->options->async)
		return ret == -ENOENT ? lag_async_hint(pid, err) : ret;
	if (!lag_probes_open(s->options->threshold_ns, &s->source, &why))
		return 0;
	if (ret == -EPERM)
		return nd_err_hint(err, "run it with sudo, or as the user that runs process %d",
				   pid);
	nd_err_set(err, why.code, "there is no agent in %d, and %s", pid, why.what);
	return nd_err_hint(
		err,
		"run it with sudo, or load the agent: nodiag attach %d, or start it with "
		"LD_PRELOAD=%s",
		pid, agent_get_stub());
}

/* Start the command with the agent in it, and wait for that to answer. */
static int start_command(struct session *s, struct nd_err *err)
{
	uint64_t start_ns;
	int ret = agent_preload(err);

	/* From its first request on, and not only when it is found to run. */
	if (!ret && s->o.trace)
		setenv("NODIAG_TRACE", "1", 1);
	if (!ret)
		ret = child_start(&s->child, s->target->command, err);
	if (ret)
		return EXIT_COMMAND_NODIAG;
	s->result->pid = s->child.pid;
	ret = child_go(&s->child, s->target->command, err);
	if (ret)
		return ret;
	start_ns = nd_clock_monotonic_ns();
	while (lag_agent_open(s->child.pid, &s->source, NULL)) {
		if (interrupt_was_asked_for() || child_reap(&s->child, false))
			return EXIT_DONE;
		if (s->options->duration_ns &&
		    nd_clock_monotonic_ns() - start_ns >= s->options->duration_ns)
			return EXIT_DONE;
		poll(NULL, 0, CONNECT_POLL_MS);
	}
	return EXIT_DONE;
}

static int run(struct session *s, struct nd_err *err)
{
	uint64_t cpu_before;
	int ret;

	if (s->target->kind == TARGET_COMMAND) {
		ret = start_command(s, err);
		if (ret || !s->source.ops)
			return ret;
	} else {
		ret = open_running(s, err);
		if (ret)
			return exit_code_of(s, ret);
	}
	ret = begin(s, err);
	if (ret)
		return exit_code_of(s, ret);
	cpu_before = nd_clock_process_cpu_ns();
	ret = watch(s, err);
	s->result->own_cpu_ns = nd_clock_process_cpu_ns() - cpu_before;
	return ret ? exit_code_of(s, ret) : EXIT_DONE;
}

int lag_session_run(const struct target *target, const struct lag_options *options,
		    struct nd_lag *lag, struct nd_profile *frames, struct lag_result *ret_result,
		    struct nd_err *err)
{
	struct session s = {
		.target = target,
		.options = options,
		.lag = lag,
		.frames = frames,
		.answer = {lag, options->trace, options->add_span, options->add_sample,
			   options->arg},
		.o = {.threshold_ns = options->threshold_ns,
		      .trace = options->trace || options->add_span || options->requests,
		      .spans = options->spans,
		      .hz = options->hz,
		      .async = options->async,
		      .active = options->active,
		      .no_stacks = options->is_unattended},
		.child = {.pid = -1, .go_fd = -1, .status_fd = -1},
		.result = ret_result,
	};
	int ret;

	*ret_result = (struct lag_result){
		.source = "", .adds = "", .reason = "", .untraced = "", .unread = ""};
	s.o.sink = lag_sink_to_answer(&s.answer);
	interrupt_catch();
	ret = run(&s, err);
	if (s.source.ops)
		s.source.ops->close(s.source.impl);
	nd_symbolizer_free(s.symbolizer);
	child_cancel(&s.child);
	ret_result->child = s.child;
	interrupt_release();
	return ret;
}
