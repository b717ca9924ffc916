/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag lag: what keeps the event loop from its work, and who. */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "cli/arguments.h"
#include "cli/channel.h"
#include "cli/closing.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/lag_async.h"
#include "cli/lag_session.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/startup.h"
#include "cli/target.h"
#include "cli/term.h"
#include "cli/units.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"

#define DEFAULT_DURATION_NS (10 * ND_NSEC_PER_SEC)

#define CLEAR_SCREEN "\033[H\033[J"

/* A delay that is too much. */
struct limit {
	const char *text; /* as given; NULL: there is none */
	bool is_mean;
	bool is_max;
	double share; /* of a percentile */
	uint64_t ns;
};

struct lag {
	struct lag_options options;
	struct target target;
	bool json;
	bool live;
	bool startup;
	bool has_duration;
	struct limit limit;
	struct arguments arguments;
	enum term_colour colour;
	char **command; /* what stands behind "--" */
	struct nd_profile *frames;
	struct nd_lag *answer;
	struct lag_result result;
	struct nd_err err;
};

enum { OPT_THRESHOLD = 256, OPT_ASYNC, OPT_TRACE, OPT_STARTUP, OPT_JSON, OPT_FAIL_IF, OPT_COLOR };

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Watching", 1},
	{"duration", 'd', "TIME", 0,
	 "Watch that long: 500ms, 10s, 2m (default 10s; with -- until the command ends)", 1},
	{"threshold", OPT_THRESHOLD, "TIME", 0,
	 "An iteration that lasts so long is a stall (default 50ms, at least 1ms)", 1},
	{"async", OPT_ASYNC, NULL, 0,
	 "Follow timers, sockets, promises and the like too: how many are alive, and who creates "
	 "them. By the agent only; it costs the process some time",
	 1},
	{"trace", OPT_TRACE, NULL, 0,
	 "Follow HTTP requests, too, and name the one that each stall was for, and those that were "
	 "in the middle of their work when garbage was collected. By the agent only; "
	 "it costs the process some time. Without, that is done where requests are traced already",
	 1},
	{"live", 'l', NULL, 0, "Show the answer so far once a second, until Ctrl-C", 1},
	{"startup", OPT_STARTUP, NULL, 0,
	 "With --: show instead what loading each module cost, until the loop is idle", 1},
	{NULL, 0, NULL, 0, "Output", 2},
	{"json", OPT_JSON, NULL, 0, "Print JSON, for your own programs", 2},
	{"fail-if", OPT_FAIL_IF, "WHAT=TIME", 0,
	 "Exit with 5 if the delay's mean, p50, p90, p99, p99.9 or max is more than TIME", 2},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the answer: auto, always or never (default auto)",
	 2},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Show what keeps the event loop of a Node.js process from its work: how busy it is and in "
	"which phases, how late events are handled, what the garbage collector takes, and for each "
	"long iteration who it was, with the stack at that moment.\v"
	"TARGET is a process id, a recording (.nd), or -- and a command to run with the agent. "
	"Without, the one Node.js process of yours. A process without the agent is watched by "
	"eBPF, from outside. 'nodiag attach PID' puts the agent into a running process: it adds "
	"phases, exact pauses of the collector, and the heap.\n\n"
	"The delay is the time of an iteration: so long does an event wait that comes at its "
	"start.\n\n"
	"Examples:\n"
	"  nodiag lag 4242\n"
	"  nodiag lag --live 4242\n"
	"  nodiag lag --threshold 20ms -- node app.js\n"
	"  nodiag lag --async 4242\n"
	"  nodiag lag --trace 4242\n"
	"  nodiag lag --startup -- node app.js\n"
	"  nodiag lag night.nd\n"
	"  nodiag lag -d 1m --fail-if p99=200ms 4242\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such target, 4 not permitted, 5 a "
	"--fail-if threshold was crossed; with -- the command's own, or 125 if nodiag failed, 126 "
	"if it cannot be run, 127 if there is none.";

/* What --fail-if can name; the shares of nd_lag_percentile(). */
static const struct {
	const char *name;
	double share;
} limit_names[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

#define LIMIT_NAMES (sizeof(limit_names) / sizeof(limit_names[0]))

static bool parse_limit_name(const char *name, size_t len, struct limit *ret)
{
	size_t i;

	*ret = (struct limit){0};
	ret->is_mean = len == 4 && !strncmp(name, "mean", len);
	ret->is_max = len == 3 && !strncmp(name, "max", len);
	for (i = 0; i < LIMIT_NAMES; i++)
		if (strlen(limit_names[i].name) == len && !strncmp(name, limit_names[i].name, len))
			ret->share = limit_names[i].share;
	return ret->is_mean || ret->is_max || ret->share > 0;
}

static error_t parse_limit(struct lag *lag, const char *arg)
{
	size_t len = strcspn(arg, "=");

	if (parse_limit_name(arg, len, &lag->limit) && arg[len] &&
	    units_parse_time(arg + len + 1, &lag->limit.ns)) {
		lag->limit.text = arg;
		return 0;
	}
	nd_err_set(&lag->err, -EINVAL, "'%s' is no threshold", arg);
	nd_err_hint(&lag->err, "mean, p50, p90, p99, p99.9 or max, as in: --fail-if p99=200ms");
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct lag *lag = state->input;

	switch (key) {
	case 'd':
		lag->has_duration = true;
		return arguments_parse_time(arg, &lag->options.duration_ns, &lag->err);
	case OPT_THRESHOLD:
		return arguments_parse_threshold(arg, &lag->options.threshold_ns, &lag->err);
	case 'l':
		lag->live = true;
		return 0;
	case OPT_ASYNC:
		lag->options.async = true;
		return 0;
	case OPT_TRACE:
		lag->options.requests = true;
		return 0;
	case OPT_STARTUP:
		lag->startup = true;
		return 0;
	case OPT_JSON:
		lag->json = true;
		return 0;
	case OPT_FAIL_IF:
		return parse_limit(lag, arg);
	case OPT_COLOR:
		return term_parse_colour(arg, &lag->colour, &lag->err);
	default:
		return arguments_parse(key, state, &lag->arguments, &lag->err);
	}
}

static const struct argp argp = {
	options, parse_option, "[PID | FILE | -- COMMAND...]", documentation, NULL, NULL, NULL};

static int parse_arguments(struct lag *lag, int argc, char **argv)
{
	const struct target_syntax syntax = {.command = "nodiag lag", .one_pid = true};
	int ret;

	lag->command = target_split_command(&argc, argv);
	ret = arguments_read(&argp, argc, argv, lag, &lag->err);
	if (ret || lag->arguments.help)
		return ret;
	ret = target_parse(&syntax, lag->arguments.list, lag->arguments.count, lag->command,
			   &lag->target, &lag->err);
	if (ret)
		return ret;
	if (lag->startup && (lag->options.async || lag->options.requests)) {
		nd_err_set(&lag->err, -EINVAL, "--startup shows no %s",
			   lag->options.async ? "asynchronous resources" : "requests");
		nd_err_hint(&lag->err, "give --startup or %s",
			    lag->options.async ? "--async" : "--trace");
		return EXIT_USAGE;
	}
	if (lag->startup && lag->target.kind != TARGET_COMMAND) {
		nd_err_set(&lag->err, -EINVAL, "--startup needs a program that starts");
		nd_err_hint(&lag->err, "nodiag lag --startup -- node app.js");
		return EXIT_USAGE;
	}
	if (lag->target.kind == TARGET_PIDS && !lag->has_duration && !lag->live)
		lag->options.duration_ns = DEFAULT_DURATION_NS;
	return EXIT_DONE;
}

/* Print the answer, or the answer so far over the last one. */
static int print(struct lag *lag, const char *before, struct nd_err *err)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	nd_buf_add_str(&text, before);
	if (lag->json)
		ret = nd_render_lag_json(lag->answer, lag->frames, lag->options.threshold_ns,
					 &text);
	else
		ret = nd_render_lag(lag->answer, lag->frames, lag->options.threshold_ns,
				    term_has_colour(lag->colour), &text);
	ret = out_print(&text, ret, err);
	nd_buf_fini(&text);
	return ret;
}

static void show(void *arg, struct nd_lag *answer)
{
	print(arg, CLEAR_SCREEN, NULL);
}

static int read_recording(struct lag *lag, struct nd_lag_recorded *ret_recorded)
{
	const char *path = lag->target.path;
	struct nd_err why = {0};
	struct nd_buf data;
	int ret;

	nd_buf_init(&data, ND_RECORDING_MAX);
	ret = file_read(path, &data, &lag->err);
	if (!ret) {
		ret = nd_lag_read_recording(lag->answer, lag->frames, data.data, data.len,
					    ret_recorded, &why);
		if (ret)
			nd_err_set_why(&lag->err, ret, &why, "cannot read '%s'", path);
	}
	nd_buf_fini(&data);
	return ret;
}

/* Whether the loop's delay is more than --fail-if allows. */
static bool is_over(const struct limit *limit, const struct nd_lag_loop *loop)
{
	uint64_t delay;

	if (limit->is_max)
		delay = loop->max_ns;
	else if (limit->is_mean)
		delay = loop->iterations ? loop->busy_ns / loop->iterations : loop->busy_ns;
	else
		delay = nd_lag_percentile(loop, limit->share);
	return delay > limit->ns;
}

static int check_limit(struct lag *lag)
{
	const struct nd_lag_loop *loops;
	size_t count, i;

	if (!lag->limit.text)
		return EXIT_DONE;
	loops = nd_lag_loops(lag->answer, &count);
	for (i = 0; i < count; i++)
		if (is_over(&lag->limit, &loops[i])) {
			term_note("the delay is over --fail-if %s, in thread %u", lag->limit.text,
				  loops[i].tid);
			return EXIT_THRESHOLD;
		}
	return EXIT_DONE;
}

static const char *why_no_async(const struct lag *lag)
{
	if (!lag->options.async)
		return NULL;
	return lag->target.kind == TARGET_FILE ? "it was recorded without --async"
					       : "no event loop came to poll";
}

static void print_missing(const struct lag *lag)
{
	const struct lag_result *r = &lag->result;

	if (r->unnamed[0])
		term_note("stacks have no names: %s", r->unnamed);
	if (*r->reason)
		term_note("not all could be measured: %s", r->reason);
	if (r->dropped)
		term_note("events dropped because the ring was full: %" PRIu64, r->dropped);
	if (r->left_out)
		term_note("threads that were not watched: %" PRIu64, r->left_out);
	if (r->stalls_left_out)
		term_note("stalls that no function could be charged with: %" PRIu64,
			  r->stalls_left_out);
	if (*r->untraced)
		term_note("not all threads are traced: %s", r->untraced);
	if (*r->unread)
		term_note("not all threads tell of their requests: %s", r->unread);
	if (r->spans_lost)
		term_note("requests that could not be followed: %" PRIu64, r->spans_lost);
	lag_async_print_missing(nd_lag_async(lag->answer), why_no_async(lag));
}

static void print_closing(const struct lag *lag)
{
	const struct lag_result *r = &lag->result;

	if (r->target_ended && lag->target.kind == TARGET_PIDS)
		term_note("the process ended after %.1f s", (double)r->duration_ns / 1e9);
	term_note("%.1f s by %s, %" PRIu64 " stacks; nodiag used %.2f %% of one core",
		  (double)r->duration_ns / 1e9, r->source, r->stacks,
		  100 * (double)r->own_cpu_ns / (double)r->duration_ns);
	if (*r->adds)
		term_note("the agent would add %s: nodiag attach %d", r->adds, r->pid);
	print_missing(lag);
}

/* Answer as if what is recorded happened now. */
static int look_back(struct lag *lag)
{
	struct nd_lag_recorded recorded;
	struct lag_result *r = &lag->result;
	int ret;

	if (read_recording(lag, &recorded))
		return EXIT_FAILED;
	lag->options.threshold_ns = recorded.threshold_ns;
	r->reason = channel_reason_text(recorded.agent_reason);
	r->untraced = r->unread = "";
	r->dropped = recorded.dropped;
	nd_lag_left_out(lag->answer, &r->left_out, &r->stalls_left_out);
	r->left_out += recorded.left_out;
	snprintf(r->unnamed, sizeof(r->unnamed), "%s", recorded.unnamed);
	closing_print_recording(&recorded.state, (double)recorded.duration_ns / 1e9,
				lag->target.path);
	if (recorded.state.damaged)
		term_note("parts of the recording that are damaged or missing: %" PRIu64,
			  recorded.state.damaged);
	term_note("%.1f s by %s, %" PRIu64 " stacks", (double)recorded.duration_ns / 1e9,
		  recorded.loops, recorded.stacks);
	print_missing(lag);
	ret = print(lag, "", &lag->err) ? EXIT_FAILED : EXIT_DONE;
	return ret ? ret : check_limit(lag);
}

static int watch(struct lag *lag)
{
	int ret;

	if (lag->live) {
		lag->options.show = show;
		lag->options.arg = lag;
	}
	ret = lag_session_run(&lag->target, &lag->options, lag->answer, lag->frames, &lag->result,
			      &lag->err);
	if (ret)
		return ret;
	if (!lag->result.duration_ns) {
		term_note("'%s' ran no Node.js", lag->target.command[0]);
		return EXIT_DONE;
	}
	print_closing(lag);
	ret = print(lag, "", &lag->err) ? EXIT_FAILED : EXIT_DONE;
	return ret ? ret : check_limit(lag);
}

static int print_startup(struct lag *lag, const struct nd_profile *profile)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	ret = lag->json ? nd_render_startup_json(profile, &text)
			: nd_render_startup(profile, term_has_colour(lag->colour), &text);
	ret = out_print(&text, ret, &lag->err);
	nd_buf_fini(&text);
	return ret ? EXIT_COMMAND_NODIAG : EXIT_DONE;
}

static int watch_startup(struct lag *lag)
{
	struct nd_profile *profile = nd_profile_new(false);
	struct startup_result result = {0};
	struct session_result session = {0};
	int ret;

	if (!profile) {
		nd_err_set(&lag->err, -ENOMEM, "out of memory");
		return EXIT_COMMAND_NODIAG;
	}
	ret = startup_run(&lag->target, lag->options.duration_ns, profile, &session, &result,
			  &lag->err);
	if (!ret) {
		term_note("%" PRIu64 " samples at %d Hz by %s", session.samples, STARTUP_HZ,
			  session.sampler);
		if (result.loop_was_idle)
			term_note("after %.0f ms the event loop was idle for %d ms",
				  (double)result.took_ns / 1e6, STARTUP_IDLE_MS);
		ret = print_startup(lag, profile);
	}
	lag->result.child = session.child;
	nd_profile_free(profile);
	return ret;
}

static int run(struct lag *lag)
{
	lag->frames = nd_profile_new(false);
	lag->answer = lag->frames ? nd_lag_new(lag->frames) : NULL;
	if (!lag->answer) {
		nd_err_set(&lag->err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	if (lag->startup)
		return watch_startup(lag);
	return lag->target.kind == TARGET_FILE ? look_back(lag) : watch(lag);
}

int command_lag(int argc, char **argv)
{
	struct lag lag = {.options = {.threshold_ns = ND_STALL_THRESHOLD_NS}};
	int ret = parse_arguments(&lag, argc, argv), status = EXIT_DONE;

	if (!ret && lag.arguments.help)
		ret = arguments_print_help(&argp, &lag.arguments, argv[0], &lag.err);
	else if (!ret)
		ret = run(&lag);
	if (ret && lag.err.code)
		term_error(&lag.err);
	nd_lag_free(lag.answer);
	nd_profile_free(lag.frames);
	if (!ret || ret == EXIT_THRESHOLD)
		status = child_wait(&lag.result.child);
	return ret ? ret : status;
}
