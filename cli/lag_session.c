/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lag_session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/lag/lag.h"
#include "analyzer/profile/profile.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/agent.h"
#include "cli/channel.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* Stacks want to be named while the objects they speak of are where they were. */
#define POLL_MS 20

/* How long a command may take until its agent answers; it may run other programs before. */
#define CONNECT_POLL_MS 20

struct session {
	const struct target *target;
	const struct lag_options *options;
	struct nd_lag *lag;
	struct nd_profile *frames;
	struct nd_symbolizer *symbolizer;
	struct channel *channel;
	struct child child;
	struct nd_channel_slot *first; /* how the counters were at the beginning */
	struct nd_sample_stack *record;
	uint64_t start_ns;
	uint64_t shown_ns;
	struct lag_result *result;
};

static int handle_event(void *arg, const struct nd_event *event, size_t size)
{
	struct nd_named_stack stack = {0};
	struct session *s = arg;
	int ret;

	if (event->kind != ND_EVENT_SAMPLE)
		return nd_lag_add_event(s->lag, event, size);
	if (size < sizeof(struct nd_event_sample) ||
	    ((const struct nd_event_sample *)event)->reason != ND_REASON_STALL)
		return 0;
	s->result->stacks++;
	ret = channel_to_sample(event, size, s->result->pid, s->record);
	if (!ret)
		ret = nd_symbolizer_name_sample(s->symbolizer, &s->record->header, &stack);
	if (ret == -ENOMEM)
		return ret;
	return nd_lag_add_stack(s->lag, event, stack.calls, stack.depth);
}

static int update_counters(struct session *s)
{
	struct nd_channel_slot now;
	uint64_t now_ns = nd_clock_monotonic_ns();
	static const struct nd_channel_slot zero;
	const struct nd_channel_slot *first;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < channel_slots(s->channel) && !ret; i++) {
		if (!channel_copy_slot(s->channel, i, &now) || now.kind == ND_THREAD_AGENT)
			continue;
		first = &s->first[i];
		if (first->generation != now.generation)
			first = &zero;
		ret = nd_lag_set_counters(s->lag, first, &now, s->start_ns, now_ns);
	}
	return ret;
}

static int read_round(struct session *s)
{
	int ret = channel_read(s->channel, handle_event, s);

	nd_symbolizer_end_batch(s->symbolizer);
	if (!ret)
		ret = update_counters(s);
	return ret ? ret : nd_lag_settle(s->lag);
}

static void show(struct session *s, uint64_t elapsed_ns)
{
	uint64_t duration = s->options->duration_ns;

	if (elapsed_ns - s->shown_ns < ND_NSEC_PER_SEC)
		return;
	s->shown_ns = elapsed_ns;
	if (s->options->show)
		s->options->show(s->options->arg, s->lag);
	else if (duration)
		term_progress("watching: %.0f of %.0f s, %llu stacks", (double)elapsed_ns / 1e9,
			      (double)duration / 1e9, (unsigned long long)s->result->stacks);
	else
		term_progress("watching: %.0f s, %llu stacks; Ctrl-C ends it",
			      (double)elapsed_ns / 1e9, (unsigned long long)s->result->stacks);
}

/* Returns 0, or a negative errno with `err` set. */
static int watch(struct session *s, struct nd_err *err)
{
	uint64_t elapsed = 0;
	int ret = 0;

	while (!ret && !interrupt_was_asked_for()) {
		elapsed = nd_clock_monotonic_ns() - s->start_ns;
		if (s->options->duration_ns && elapsed >= s->options->duration_ns)
			break;
		if (channel_is_over(s->channel)) {
			s->result->target_ended = true;
			break;
		}
		show(s, elapsed);
		poll(NULL, 0, POLL_MS);
		ret = read_round(s);
	}
	/* A loop that polls tells of its handles at once; one that is busy has told at the start.
	 */
	if (!ret && !channel_is_over(s->channel) && !channel_want_handles(s->channel, NULL))
		poll(NULL, 0, POLL_MS);
	if (!ret)
		ret = read_round(s);
	if (!ret)
		ret = nd_lag_finish(s->lag, nd_clock_monotonic_ns());
	term_progress("%s", "");
	s->result->duration_ns = nd_clock_monotonic_ns() - s->start_ns;
	s->result->dropped = channel_dropped(s->channel);
	nd_lag_left_out(s->lag, &s->result->left_out, &s->result->stalls_left_out);
	s->result->left_out += channel_left_out(s->channel);
	return ret ? nd_err_set_errno(err, ret, "cannot read what the agent writes") : 0;
}

/* Names need the process's memory; without it there are times all the same. */
static int learn_process(struct session *s, struct nd_err *err)
{
	struct nd_symbolizer_options options = {.profile = s->frames, .source_maps = false};
	struct nd_walk_layout layout;
	struct nd_err why = {0};
	int ret;

	s->symbolizer = nd_symbolizer_new(&options);
	if (!s->symbolizer)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = nd_symbolizer_add_process(s->symbolizer, s->result->pid, &layout, &why);
	if (ret == -ENOMEM || ret == -ESRCH)
		return nd_err_set_errno(err, ret, "cannot look at %d", s->result->pid);
	if (ret)
		snprintf(s->result->unnamed, sizeof(s->result->unnamed), "%s", why.what);
	nd_symbolizer_describe(s->symbolizer, s->result->pid, s->result->runtime,
			       sizeof(s->result->runtime));
	return 0;
}

static int begin(struct session *s, struct nd_err *err)
{
	uint32_t i, slots = channel_slots(s->channel);
	int ret = learn_process(s, err);

	if (ret)
		return ret;
	s->first = calloc(slots, sizeof(*s->first));
	s->record = malloc(sizeof(*s->record) + ND_SAMPLE_COPY_MAX);
	if (!s->first || !s->record)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = channel_start(s->channel, ND_FEATURE_STALLS, 0, s->options->threshold_ns, err);
	if (ret)
		return ret;
	/* A command is observed from its beginning: there all counters are zero. */
	for (i = 0; i < slots && s->target->kind == TARGET_PIDS; i++)
		channel_copy_slot(s->channel, i, &s->first[i]);
	channel_want_handles(s->channel, NULL);
	s->start_ns = nd_clock_monotonic_ns();
	s->result->reason = channel_reason_text(channel_get_hello(s->channel)->reason);
	return 0;
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

static int open_running(struct session *s, struct nd_err *err)
{
	int ret = channel_open(s->result->pid, &s->channel, err);

	if (ret == -ENOENT)
		nd_err_hint(err, "nodiag attach %d, or start it with LD_PRELOAD=%s", s->result->pid,
			    agent_get_stub());
	return ret;
}

/* Start the command with the agent in it, and wait for that to answer. */
static int start_command(struct session *s, struct nd_err *err)
{
	int ret = agent_preload(err);

	if (!ret)
		ret = child_start(&s->child, s->target->command, err);
	if (ret)
		return EXIT_COMMAND_NODIAG;
	s->result->pid = s->child.pid;
	ret = child_go(&s->child, s->target->command, err);
	if (ret)
		return ret;
	while (channel_open(s->child.pid, &s->channel, NULL)) {
		if (interrupt_was_asked_for() || child_reap(&s->child, false))
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
		if (ret || !s->channel)
			return ret;
	} else {
		s->result->pid = s->target->pids[0];
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
		.child = {.pid = -1, .go_fd = -1, .status_fd = -1},
		.result = ret_result,
	};
	int ret;

	*ret_result = (struct lag_result){.reason = ""};
	interrupt_catch();
	ret = run(&s, err);
	nd_symbolizer_free(s.symbolizer);
	channel_close(s.channel);
	free(s.first);
	free(s.record);
	child_cancel(&s.child);
	if (target->kind == TARGET_COMMAND && !ret)
		child_reap(&s.child, true);
	ret_result->status = s.child.status;
	interrupt_release();
	return ret;
}
