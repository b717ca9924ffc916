/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag trace: where the time of requests goes. */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "analyzer/trace/recorded.h"
#include "analyzer/trace/trace.h"
#include "cli/arguments.h"
#include "cli/closing.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/lag_session.h"
#include "cli/out.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"

#define DEFAULT_DURATION_NS (10 * ND_NSEC_PER_SEC)

/* Requests that are printed for a person. */
#define REQUESTS_SHOWN 10

#define CLEAR_SCREEN "\033[H\033[J"

struct trace {
	struct lag_options session;
	struct nd_trace_options options;
	struct target target;
	bool json;
	bool live;
	bool has_duration;
	struct arguments arguments;
	enum term_colour colour;
	char **command; /* what stands behind "--" */
	struct nd_profile *frames;
	struct nd_lag *lag;
	uint64_t end_ns; /* of a recording; 0: now */
	struct lag_result result;
	struct nd_err err;
};

enum { OPT_SLOW = 256, OPT_ROUTE, OPT_SPANS, OPT_JSON, OPT_COLOR };

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Watching", 1},
	{"duration", 'd', "TIME", 0,
	 "Watch that long: 500ms, 10s, 2m (default 10s; with -- until the command ends)", 1},
	{"live", 'l', NULL, 0, "Show the answer so far once a second, until Ctrl-C", 1},
	{"spans", OPT_SPANS, "LIST", 0,
	 "Follow what requests wait for besides: dns, net, tls, fs, child_process, worker, or all",
	 1},
	{NULL, 0, NULL, 0, "Which requests", 2},
	{"slow", OPT_SLOW, "TIME", 0, "List only those that took so long", 2},
	{"route", OPT_ROUTE, "ROUTE", 0,
	 "List only those of a route as it is shown, with or without its method", 2},
	{NULL, 0, NULL, 0, "Output", 3},
	{"json", OPT_JSON, NULL, 0, "Print JSON, for your own programs", 3},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the answer: auto, always or never (default auto)",
	 3},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Show where the time of HTTP requests goes: how many of each route, how long they took, "
	"how many failed, and of the slowest what they asked other services, and who else kept the "
	"event loop while they had to wait.\v"
	"TARGET is a process id, a recording (.nd), or -- and a command to run with the agent. "
	"Without, the one Node.js process of yours. The agent must be in the process: 'nodiag "
	"attach PID' puts it there. While this runs, and only then, requests that come in are "
	"followed, and those that go out carry the header 'traceparent'.\n\n"
	"Examples:\n"
	"  nodiag trace 4242\n"
	"  nodiag trace --live 4242\n"
	"  nodiag trace -d 1m --slow 200ms 4242\n"
	"  nodiag trace --route 'GET /users/:id' 4242\n"
	"  nodiag trace -- node app.js\n"
	"  nodiag trace night.nd\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such target, 4 not permitted; with -- "
	"the command's own, or 125 if nodiag failed, 126 if it cannot be run, 127 if there is "
	"none.";

static error_t parse_spans(struct trace *trace, const char *list)
{
	const char *unknown;

	trace->session.spans = nd_span_features_parse(list, &unknown);
	if (!unknown)
		return 0;
	nd_err_set(&trace->err, -EINVAL, "'%.*s': there are no spans of that",
		   (int)strcspn(unknown, ","), unknown);
	nd_err_hint(&trace->err,
		    "give --spans dns,net,tls,fs,child_process,worker, some of these, or all");
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct trace *trace = state->input;

	switch (key) {
	case 'd':
		trace->has_duration = true;
		return arguments_parse_time(arg, &trace->session.duration_ns, &trace->err);
	case 'l':
		trace->live = true;
		return 0;
	case OPT_SLOW:
		return arguments_parse_time(arg, &trace->options.slow_ns, &trace->err);
	case OPT_ROUTE:
		trace->options.route = arg;
		return 0;
	case OPT_SPANS:
		return parse_spans(trace, arg);
	case OPT_JSON:
		trace->json = true;
		return 0;
	case OPT_COLOR:
		return term_parse_colour(arg, &trace->colour, &trace->err);
	default:
		return arguments_parse(key, state, &trace->arguments, &trace->err);
	}
}

static const struct argp argp = {
	options, parse_option, "[PID | FILE | -- COMMAND...]", documentation, NULL, NULL, NULL};

static int parse_arguments(struct trace *trace, int argc, char **argv)
{
	const struct target_syntax syntax = {.command = "nodiag trace", .one_pid = true};
	int ret;

	trace->command = target_split_command(&argc, argv);
	ret = arguments_read(&argp, argc, argv, trace, &trace->err);
	if (ret || trace->arguments.help)
		return ret;
	ret = target_parse(&syntax, trace->arguments.list, trace->arguments.count, trace->command,
			   &trace->target, &trace->err);
	if (ret)
		return ret;
	if (trace->target.kind == TARGET_PIDS && !trace->has_duration && !trace->live)
		trace->session.duration_ns = DEFAULT_DURATION_NS;
	trace->options.max = trace->json ? ND_TRACE_REQUESTS_MAX : REQUESTS_SHOWN;
	return EXIT_DONE;
}

static int render(const struct trace *trace, const struct nd_trace_answer *answer,
		  struct nd_buf *text)
{
	return trace->json ? nd_render_trace_json(answer, trace->frames, text)
			   : nd_render_trace(answer, trace->frames, term_has_colour(trace->colour),
					     text);
}

/* Print the answer, or the answer so far over the last one. */
static int print(struct trace *trace, const char *before, struct nd_err *err)
{
	uint64_t now_ns = trace->end_ns ? trace->end_ns : nd_clock_monotonic_ns();
	struct nd_trace_answer answer;
	struct nd_buf text;
	int ret;

	ret = nd_trace_make_answer(trace->session.trace, &trace->options, now_ns, &answer);
	if (ret)
		return nd_err_set_errno(err, ret, "cannot make the answer");
	nd_buf_init(&text, ND_OUTPUT_MAX);
	nd_buf_add_str(&text, before);
	ret = out_print(&text, render(trace, &answer, &text), err);
	nd_buf_fini(&text);
	nd_trace_free_answer(&answer);
	return ret;
}

static void show(void *arg, struct nd_lag *lag)
{
	print(arg, CLEAR_SCREEN, NULL);
}

static int read_recording(struct trace *trace, struct nd_lag_recorded *ret_recorded)
{
	const char *path = trace->target.path;
	struct nd_err why = {0};
	struct nd_buf data;
	int ret;

	nd_buf_init(&data, ND_RECORDING_MAX);
	ret = file_read(path, &data, &trace->err);
	if (!ret) {
		ret = nd_trace_read_recording(trace->session.trace, data.data, data.len,
					      &trace->end_ns, &why);
		if (!ret)
			ret = nd_lag_read_recording(trace->lag, trace->frames, data.data, data.len,
						    ret_recorded, &why);
		if (ret)
			nd_err_set_why(&trace->err, ret, &why, "cannot read '%s'", path);
	}
	nd_buf_fini(&data);
	return ret;
}

static void print_missing(const struct lag_result *r)
{
	if (*r->untraced)
		term_note("not all threads are traced: %s", r->untraced);
	if (r->spans_lost)
		term_note("requests that could not be followed: %" PRIu64, r->spans_lost);
	if (r->unnamed[0])
		term_note("stacks have no names: %s", r->unnamed);
	if (r->dropped)
		term_note("events dropped because the ring was full: %" PRIu64
			  "; what seems open may be over",
			  r->dropped);
	if (r->left_out)
		term_note("threads that were not watched: %" PRIu64, r->left_out);
}

/* Answer as if what is recorded happened now. */
static int look_back(struct trace *trace)
{
	struct nd_lag_recorded recorded;
	struct lag_result *r = &trace->result;

	if (read_recording(trace, &recorded))
		return EXIT_FAILED;
	r->untraced = "";
	r->dropped = recorded.dropped;
	r->left_out = recorded.left_out;
	snprintf(r->unnamed, sizeof(r->unnamed), "%s", recorded.unnamed);
	closing_print_recording(&recorded.state, (double)recorded.duration_ns / 1e9,
				trace->target.path);
	term_note("%.1f s by %s", (double)recorded.duration_ns / 1e9, recorded.loops);
	print_missing(r);
	return print(trace, "", &trace->err) ? EXIT_FAILED : EXIT_DONE;
}

static int fail(const struct trace *trace)
{
	return trace->command ? EXIT_COMMAND_NODIAG : EXIT_FAILED;
}

/* Where nothing at all was traced there is no answer. */
static int check_traced(struct trace *trace)
{
	const struct lag_result *r = &trace->result;

	if (!*r->untraced || nd_trace_count(trace->session.trace))
		return EXIT_DONE;
	nd_err_set(&trace->err, -ENOTSUP, "cannot trace the requests of %d: %s", r->pid,
		   r->untraced);
	return fail(trace);
}

static int watch(struct trace *trace)
{
	struct lag_result *r = &trace->result;
	int ret;

	if (trace->live) {
		trace->session.show = show;
		trace->session.arg = trace;
	}
	ret = lag_session_run(&trace->target, &trace->session, trace->lag, trace->frames, r,
			      &trace->err);
	if (ret)
		return ret;
	if (!r->duration_ns) {
		term_note("'%s' ran no Node.js", trace->target.command[0]);
		return EXIT_DONE;
	}
	ret = check_traced(trace);
	if (ret)
		return ret;
	if (r->target_ended && trace->target.kind == TARGET_PIDS)
		term_note("the process ended after %.1f s", (double)r->duration_ns / 1e9);
	term_note("%.1f s by %s; nodiag used %.2f %% of one core", (double)r->duration_ns / 1e9,
		  r->source, 100 * (double)r->own_cpu_ns / (double)r->duration_ns);
	print_missing(r);
	return print(trace, "", &trace->err) ? fail(trace) : EXIT_DONE;
}

static int run(struct trace *trace)
{
	trace->frames = nd_profile_new(false);
	trace->lag = trace->frames ? nd_lag_new(trace->frames) : NULL;
	trace->session.trace = nd_trace_new();
	if (!trace->lag || !trace->session.trace) {
		nd_err_set(&trace->err, -ENOMEM, "out of memory");
		return fail(trace);
	}
	nd_lag_set_listener(trace->lag, nd_trace_add_stall, trace->session.trace);
	return trace->target.kind == TARGET_FILE ? look_back(trace) : watch(trace);
}

int command_trace(int argc, char **argv)
{
	struct trace trace = {.session = {.threshold_ns = ND_STALL_THRESHOLD_NS}};
	int ret = parse_arguments(&trace, argc, argv);

	if (!ret && trace.arguments.help)
		ret = arguments_print_help(&argp, &trace.arguments, argv[0], &trace.err);
	else if (!ret)
		ret = run(&trace);
	if (ret && trace.err.code)
		term_error(&trace.err);
	nd_trace_free(trace.session.trace);
	nd_lag_free(trace.lag);
	nd_profile_free(trace.frames);
	return ret ? ret : child_wait(&trace.result.child);
}
