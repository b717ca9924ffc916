/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/agent_sampler.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/script.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "probes/sampler.h"
#include "proto/sample.h"

/* How long to wait for samples before looking at clocks, signals and the target again. */
#define POLL_MS 50

/* The same where the hooks want to look more often, and where they are in a hurry. */
#define POLL_HOOKS_MS  20
#define POLL_URGENT_MS 5

/* A process that has just started does not know its own version yet. */
#define DESCRIBE_AFTER_NS (300 * ND_NSEC_PER_MSEC)

/* After the end, time for what is still in the ring; it is at most a ring's worth. */
#define DRAIN_POLLS_MAX 64

struct session {
	const struct target *target;
	const struct session_options *options;
	struct nd_profile *profile;
	struct nd_sampler *sampler;
	struct nd_symbolizer *symbolizer;
	struct child child;
	pid_t node_pid; /* the first process seen to run V8, 0 before */
	bool described;
	struct session_result *result;
};

static bool name_kernel(void *arg, uint64_t address, char *buf, size_t size)
{
	return nd_sampler_name_kernel(arg, address, buf, size);
}

/* Look at a process (again) and tell the walker about its V8. */
static int learn_process(struct session *s, pid_t pid, struct nd_err *err)
{
	struct nd_walk_layout layout;
	int ret = nd_symbolizer_add_process(s->symbolizer, pid, &layout, err);

	if (ret && ret != -ENOENT && ret != -ENOTSUP)
		return ret;
	if (!ret && !s->node_pid)
		s->node_pid = pid;
	if (nd_sampler_set_layout(s->sampler, pid, &layout))
		return nd_err_set(err, -E2BIG, "too many processes");
	return ret;
}

static int handle_record(void *arg, const struct nd_sample_header *record)
{
	struct session *s = arg;
	pid_t pid = (pid_t)record->pid;

	if (record->kind == ND_SAMPLE_EXEC || !nd_symbolizer_has_process(s->symbolizer, pid)) {
		/* Where it fails the sample below is counted as lost. */
		learn_process(s, pid, NULL);
		if (record->kind == ND_SAMPLE_EXEC)
			return 0;
	}
	return nd_symbolizer_add_sample(s->symbolizer, record);
}

static int poll_samples(struct session *s, int timeout_ms)
{
	int ret = nd_sampler_poll(s->sampler, timeout_ms, handle_record, s);

	nd_symbolizer_end_batch(s->symbolizer);
	return ret;
}

static int fail(const struct session *s, int ret, struct nd_err *err)
{
	if (s->target->kind == TARGET_COMMAND)
		return EXIT_COMMAND_NODIAG;
	return target_fail(s->target->pids[0], ret, err);
}

/*
 * What the kernel permits, and where it permits nothing the agent in the process, if there is one.
 * `ret_why` tells what is missing and why.
 */
static int choose_sampler(struct session *s, const struct nd_sampler_options *options,
			  struct nd_err *ret_why, struct nd_err *err)
{
	static const char *const names[] = {"eBPF", "perf_event", "the agent", ""};
	const struct session_hooks *hooks = s->options->hooks;
	bool is_open = false;
	int ret;

	if (hooks && hooks->no_sampler)
		return nd_sampler_open_none(&s->sampler) ? nd_err_set(err, -ENOMEM, "out of memory")
							 : 0;
	ret = nd_sampler_open(options, &s->sampler, ret_why, err);
	if (ret && hooks && hooks->may_lack_sampler)
		is_open = !nd_sampler_open_none(&s->sampler);
	else if (ret && s->target->kind == TARGET_PIDS && s->target->pids_count == 1)
		is_open = !agent_sampler_open(s->target->pids[0], options, &s->sampler, NULL);
	if (is_open) {
		*ret_why = *err;
		*err = (struct nd_err){0};
		ret = 0;
	}
	if (ret)
		return ret;
	s->result->sampler = names[nd_sampler_get_kind(s->sampler)];
	if (nd_sampler_get_kind(s->sampler) != ND_SAMPLER_BPF)
		snprintf(s->result->sampler_why, sizeof(s->result->sampler_why), "%s",
			 ret_why->what);
	return 0;
}

static int open_sampler(struct session *s, struct nd_err *err)
{
	const struct session_hooks *hooks = s->options->hooks;
	struct nd_sampler_options options = {
		.hz = s->options->hz,
		.kernel = s->options->kernel,
		.idle = s->options->idle,
		.follow = s->target->kind == TARGET_COMMAND,
	};
	struct nd_symbolizer_options symbolizer = {
		.profile = s->profile,
		.period_ns = ND_NSEC_PER_SEC / s->options->hz,
		.threads = s->options->threads,
		.source_maps = s->options->source_maps,
		.name_kernel = name_kernel,
	};
	struct nd_err why = {0};
	int ret = choose_sampler(s, &options, &why, err);

	if (ret)
		return ret;
	symbolizer.arg = s->sampler;
	if (hooks) {
		symbolizer.add_stack = hooks->add_stack;
		symbolizer.stack_arg = hooks->arg;
	}
	s->symbolizer = nd_symbolizer_new(&symbolizer);
	return s->symbolizer ? 0 : nd_err_set(err, -ENOMEM, "out of memory");
}

/* Watch the processes that the user named. One that is not of Node.js is refused. */
static int watch_pids(struct session *s, struct nd_err *err)
{
	struct nd_err why = {0};
	size_t i;
	int ret;

	for (i = 0; i < s->target->pids_count; i++) {
		ret = learn_process(s, s->target->pids[i], &why);
		if (ret == -ENOENT) {
			target_set_not_node(s->target->pids[i], &why, err);
			return ret;
		}
		if (ret == -ENOTSUP)
			term_note("JavaScript of %d shows as [unknown]: %s", s->target->pids[i],
				  why.what);
		else if (ret) {
			*err = why;
			return ret;
		}
		ret = nd_sampler_add_process(s->sampler, s->target->pids[i], false, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* Keep the command line, arguments ended by NULs, and a title made of it. */
static void set_command(struct session *s, pid_t pid, const char *args, size_t len)
{
	struct session_result *result = s->result;
	size_t i;

	snprintf(result->title, sizeof(result->title), "%.200s (%d)", script_name(args, len), pid);
	for (i = 0; i < len; i++)
		result->command[i] = args[i] ? args[i] : ' ';
	result->command[len] = '\0';
}

static void describe_target(struct session *s)
{
	if (!s->node_pid || s->described)
		return;
	nd_symbolizer_describe(s->symbolizer, s->node_pid, s->result->runtime,
			       sizeof(s->result->runtime));
	s->described = true;
}

static bool all_ended(struct session *s)
{
	size_t i;

	if (s->target->kind == TARGET_COMMAND)
		return child_reap(&s->child, false);
	for (i = 0; i < s->target->pids_count; i++)
		if (!kill(s->target->pids[i], 0) || errno != ESRCH)
			return false;
	return true;
}

static void show_progress(const struct session *s, uint64_t elapsed_ns)
{
	const struct session_hooks *hooks = s->options->hooks;
	struct nd_sampler_stats stats;

	if (elapsed_ns < ND_NSEC_PER_SEC || (hooks && hooks->no_sampler))
		return;
	nd_sampler_get_stats(s->sampler, &stats);
	if (s->options->duration_ns)
		term_progress("sampling: %.0f of %.0f s, %llu samples", (double)elapsed_ns / 1e9,
			      (double)s->options->duration_ns / 1e9,
			      (unsigned long long)stats.samples);
	else
		term_progress("sampling: %.0f s, %llu samples; Ctrl-C ends it",
			      (double)elapsed_ns / 1e9, (unsigned long long)stats.samples);
}

/* Let the hooks have their turn. Returns what they do. */
static int look(struct session *s, bool is_last, struct nd_err *err)
{
	struct session_moment moment = {.node_pid = s->node_pid, .is_last = is_last};
	struct nd_sampler_stats stats;

	if (!s->options->hooks)
		return 0;
	nd_sampler_get_stats(s->sampler, &stats);
	moment.samples = stats.samples;
	moment.ring_full = stats.ring_full;
	moment.unwatched = stats.unwatched;
	return s->options->hooks->look(s->options->hooks->arg, &moment, err);
}

/* Whether the time has come, by the clock, the user, the target or the caller. */
static bool is_over(struct session *s, uint64_t elapsed_ns)
{
	const struct session_options *options = s->options;

	if (interrupt_was_asked_for() ||
	    (options->duration_ns && elapsed_ns >= options->duration_ns))
		return true;
	s->result->target_ended = all_ended(s);
	return s->result->target_ended ||
	       (options->is_over && options->is_over(options->arg, s->child.pid));
}

static int choose_pause(const struct session *s)
{
	const struct session_hooks *hooks = s->options->hooks;

	if (!hooks)
		return POLL_MS;
	return hooks->is_urgent(hooks->arg) ? POLL_URGENT_MS : POLL_HOOKS_MS;
}

static int record(struct session *s, struct nd_err *err)
{
	uint64_t elapsed;
	int ret = 0;

	for (;;) {
		elapsed = nd_clock_monotonic_ns() - s->result->start_ns;
		if (is_over(s, elapsed))
			break;
		if (elapsed > DESCRIBE_AFTER_NS)
			describe_target(s);
		show_progress(s, elapsed);
		ret = poll_samples(s, choose_pause(s));
		if (ret < 0)
			return nd_err_set_errno(err, ret, "cannot read samples");
		ret = look(s, false, err);
		if (ret < 0)
			return ret;
		if (ret)
			break;
	}
	s->result->duration_ns = nd_clock_monotonic_ns() - s->result->start_ns;
	nd_sampler_stop(s->sampler);
	for (int i = 0; i < DRAIN_POLLS_MAX; i++)
		if (poll_samples(s, 0) <= 0)
			break;
	term_progress("%s", "");
	describe_target(s);
	ret = look(s, true, err);
	return ret < 0 ? ret : 0;
}

static int add_idle(void *arg, pid_t pid, pid_t tid, uint64_t idle_ns)
{
	struct session *s = arg;

	return nd_symbolizer_add_idle(s->symbolizer, pid, tid, idle_ns);
}

static int finish(struct session *s, uint64_t cpu_before, struct nd_err *err)
{
	const char *limits = nd_symbolizer_get_limits(s->symbolizer, s->node_pid);
	struct nd_sampler_stats stats;
	int ret = 0;

	if (limits)
		snprintf(s->result->limits, sizeof(s->result->limits), "%s", limits);
	if (s->options->idle)
		ret = nd_sampler_visit_idle(s->sampler, add_idle, s);
	if (ret == -ENOTSUP)
		term_note("no idle time: only eBPF measures it");
	else if (ret)
		return nd_err_set_errno(err, ret, "cannot read idle times");
	nd_sampler_get_stats(s->sampler, &stats);
	nd_profile_add_loss(s->profile, ND_LOSS_RING_FULL, stats.ring_full);
	nd_profile_add_loss(s->profile, ND_LOSS_THREAD_LIMIT, stats.unwatched);
	s->result->samples = stats.samples;
	s->result->sampler_cpu_ns = stats.cost_ns;
	s->result->own_cpu_ns = nd_clock_process_cpu_ns() - cpu_before;
	return 0;
}

static void join_command(struct session *s)
{
	char args[sizeof(s->result->command)] = "";
	size_t len = 0;
	char **arg;

	for (arg = s->target->command; *arg && len < sizeof(args); arg++)
		len += (size_t)snprintf(args + len, sizeof(args) - len, "%s", *arg) + 1;
	set_command(s, s->child.pid, args, len < sizeof(args) ? len - 1 : sizeof(args) - 1);
}

/* All that is observed comes after this. */
static int begin(struct session *s, pid_t pid, struct nd_err *err)
{
	const struct session_hooks *hooks = s->options->hooks;

	s->result->start_ns = nd_clock_monotonic_ns();
	s->result->start_unix_ns = nd_clock_realtime_ns();
	return hooks ? hooks->begin(hooks->arg, s->symbolizer, pid, err) : 0;
}

/* Returns 0 or an exit code that is the answer already. */
static int start_target(struct session *s, struct nd_err *err)
{
	char args[sizeof(s->result->command)];
	ssize_t len;
	int ret;

	if (s->target->kind == TARGET_PIDS) {
		ret = watch_pids(s, err);
		if (ret)
			return fail(s, ret, err);
		len = nd_procfs_read_args(s->target->pids[0], args, sizeof(args));
		set_command(s, s->target->pids[0], len > 0 ? args : "", len > 0 ? (size_t)len : 0);
		ret = begin(s, s->target->pids[0], err);
		return ret ? fail(s, ret, err) : 0;
	}
	ret = child_start(&s->child, s->target->command, err);
	if (!ret)
		ret = nd_sampler_add_process(s->sampler, s->child.pid, true, err);
	if (!ret) {
		join_command(s);
		ret = begin(s, s->child.pid, err);
	}
	if (ret)
		return fail(s, ret, err);
	return child_go(&s->child, s->target->command, err);
}

static int run(struct session *s, struct nd_err *err)
{
	uint64_t cpu_before;
	int ret = open_sampler(s, err);

	if (ret)
		return fail(s, ret, err);
	ret = start_target(s, err);
	if (ret)
		return ret;
	cpu_before = nd_clock_process_cpu_ns();
	ret = record(s, err);
	if (!ret)
		ret = finish(s, cpu_before, err);
	if (ret)
		return fail(s, ret, err);
	if (!s->node_pid && s->target->kind == TARGET_COMMAND)
		term_note("'%s' ran no Node.js", s->target->command[0]);
	return EXIT_DONE;
}

int session_run(const struct target *target, const struct session_options *options,
		struct nd_profile *profile, struct session_result *ret_result, struct nd_err *err)
{
	struct session s = {
		.target = target,
		.options = options,
		.profile = profile,
		.child = {.pid = -1, .go_fd = -1, .status_fd = -1},
		.result = ret_result,
	};
	int ret;

	*ret_result = (struct session_result){.sampler = ""};
	interrupt_catch();
	ret = run(&s, err);
	nd_symbolizer_free(s.symbolizer);
	nd_sampler_close(s.sampler);
	child_cancel(&s.child);
	ret_result->child = s.child;
	interrupt_release();
	return ret;
}
