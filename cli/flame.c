/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag flame: where CPU time goes, as a flame graph. */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/profile/import.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "cli/arguments.h"
#include "cli/closing.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/flame_routes.h"
#include "cli/losses.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/recording.h"

#define DEFAULT_DURATION_NS (10 * ND_NSEC_PER_SEC)
#define DEFAULT_HZ	    99
#define TABLE_ROWS	    10

struct flame {
	struct session_options session;
	struct target target;
	const struct nd_render_format *format;
	const char *output; /* NULL: a default name */
	bool force;
	bool has_duration;
	bool by_route;
	struct arguments arguments;
	enum term_colour colour;
	char **command; /* what stands behind "--" */
	struct session_result result;
	struct flame_routes routes; /* with --by route */
	struct nd_err err;
};

enum {
	OPT_THREADS = 256,
	OPT_BY,
	OPT_KERNEL,
	OPT_NO_KERNEL,
	OPT_IDLE,
	OPT_SOURCE_MAPS,
	OPT_FORCE,
	OPT_COLOR
};

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Recording", 1},
	{"duration", 'd', "TIME", 0,
	 "Record that long: 500ms, 10s, 2m (default 10s; with -- until the command ends)", 1},
	{"rate", 'r', "HZ", 0,
	 "Samples a second of CPU time of each thread, 1 to 4999 (default 99)", 1},
	{"threads", OPT_THREADS, NULL, 0, "Keep threads apart", 1},
	{"by", OPT_BY, "route", 0,
	 "Keep the routes of HTTP requests apart, GET /users/:id; by the agent, which must be in "
	 "the process and follows its requests meanwhile",
	 1},
	{"kernel", OPT_KERNEL, NULL, 0, "Take kernel stacks (default where permitted)", 1},
	{"no-kernel", OPT_NO_KERNEL, NULL, 0, "Take no kernel stacks", 1},
	{"idle", OPT_IDLE, NULL, 0, "Show also how long event loops waited, as (idle)", 1},
	{"source-maps", OPT_SOURCE_MAPS, NULL, 0,
	 "Show original sources (TypeScript) where scripts name a source map", 1},
	{NULL, 0, NULL, 0, "Output", 2},
	{"format", 'f', "FORMAT", 0,
	 "html, svg, folded, pprof, speedscope, cpuprofile or json (default html)", 2},
	{"output", 'o', "FILE", 0,
	 "Write to FILE, - for stdout (default flame-PID-TIME.html, or flame-TIME.html)", 2},
	{"force", OPT_FORCE, NULL, 0, "Replace FILE if it exists", 2},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the table: auto, always or never (default auto)",
	 2},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Show where a running Node.js process spends its CPU time: JavaScript with lines and "
	"inlined functions, C++, kernel and garbage collection in one flame graph. The process is "
	"not restarted, stopped or changed.\v"
	"TARGET is a process id (or several), a recording (.nd) or a profile to render "
	"(.cpuprofile, folded stacks, pprof), or -- and a command to run. Without, the one Node.js "
	"process of yours.\n\n"
	"Examples:\n"
	"  nodiag flame 4242                  ten seconds, into flame-4242-TIME.html\n"
	"  nodiag flame -d 60s -r 499 4242    longer and finer\n"
	"  nodiag flame -f pprof -o cpu.pb.gz 4242\n"
	"  nodiag flame -- node app.js        the whole life of a command\n"
	"  nodiag flame --by route 4242       by the requests that it was for\n"
	"  nodiag flame old.cpuprofile        a profile of another tool\n"
	"  nodiag flame night.nd              a recording of 'nodiag record'\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such target, 4 not permitted; with -- "
	"the command's own, or 125 if nodiag failed, 126 if it cannot be run, 127 if there is "
	"none.";

static error_t parse_format(struct flame *flame, const char *arg)
{
	flame->format = nd_render_find_format(arg);
	if (flame->format)
		return 0;
	nd_err_set(&flame->err, -EINVAL, "'%s' is no format that nodiag writes", arg);
	nd_err_hint(&flame->err, "html, svg, folded, pprof, speedscope, cpuprofile or json");
	return EINVAL;
}

static error_t parse_by(struct flame *flame, const char *arg)
{
	flame->by_route = !strcmp(arg, "route");
	if (flame->by_route)
		return 0;
	nd_err_set(&flame->err, -EINVAL, "'%s' is nothing that stacks can be kept apart by", arg);
	nd_err_hint(&flame->err, "nodiag flame --by route PID");
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct flame *flame = state->input;

	switch (key) {
	case 'd':
		flame->has_duration = true;
		return arguments_parse_time(arg, &flame->session.duration_ns, &flame->err);
	case 'r':
		return arguments_parse_rate(arg, &flame->session.hz, &flame->err);
	case 'f':
		return parse_format(flame, arg);
	case 'o':
		flame->output = arg;
		return 0;
	case OPT_THREADS:
		flame->session.threads = true;
		return 0;
	case OPT_BY:
		return parse_by(flame, arg);
	case OPT_KERNEL:
	case OPT_NO_KERNEL:
		flame->session.kernel = key == OPT_KERNEL;
		return 0;
	case OPT_IDLE:
		flame->session.idle = true;
		return 0;
	case OPT_SOURCE_MAPS:
		flame->session.source_maps = true;
		return 0;
	case OPT_FORCE:
		flame->force = true;
		return 0;
	case OPT_COLOR:
		return term_parse_colour(arg, &flame->colour, &flame->err);
	default:
		return arguments_parse(key, state, &flame->arguments, &flame->err);
	}
}

static const struct argp argp = {
	options, parse_option, "[PID... | FILE | -- COMMAND...]", documentation, NULL, NULL, NULL};

static int set_info(const struct flame *flame, struct nd_profile *profile)
{
	const struct session_result *result = &flame->result;
	struct nd_profile_info info = {
		.title = result->title,
		.command = result->command,
		.runtime = result->runtime,
		.sampler = result->sampler,
		.sample_type = "cpu",
		.unit = "nanoseconds",
		.period = ND_NSEC_PER_SEC / flame->session.hz,
		.start_unix_ns = result->start_unix_ns,
		.start_ns = result->start_ns,
		.duration_ns = result->duration_ns,
	};

	if (flame->target.kind == TARGET_PIDS && flame->target.pids_count == 1)
		info.pid = (uint32_t)flame->target.pids[0];
	return nd_profile_set_info(profile, &info);
}

static int print_table(const struct flame *flame, const struct nd_profile *profile,
		       struct nd_err *err)
{
	struct nd_buf table;
	int ret;

	nd_buf_init(&table, ND_OUTPUT_MAX);
	ret = nd_render_table(profile, TABLE_ROWS, term_width(STDOUT_FILENO),
			      term_has_colour(flame->colour), &table);
	if (!ret)
		fwrite(table.data, 1, table.len, stdout);
	nd_buf_fini(&table);
	return ret ? nd_err_set_errno(err, ret, "cannot print the table") : 0;
}

static int write_answer(const struct flame *flame, const struct nd_profile *profile,
			struct out *out, struct nd_err *err)
{
	bool to_stdout = !strcmp(out->path, "-");
	struct nd_buf data;
	int ret;

	nd_buf_init(&data, ND_OUTPUT_MAX);
	ret = flame->format->render(profile, &data);
	if (ret)
		nd_err_set_errno(err, ret, "cannot make the %s", flame->format->name);
	else
		ret = out_commit(out, data.data, data.len, err);
	nd_buf_fini(&data);
	if (ret || to_stdout)
		return ret;
	ret = print_table(flame, profile, err);
	if (ret)
		return ret;
	printf("%s\n", out->path);
	return out_flush_stdout(err);
}

static void print_routes(const struct flame_routes *routes)
{
	if (!routes->requests)
		term_note("no request came meanwhile");
	if (*routes->untraced)
		term_note("not all threads are traced: %s", routes->untraced);
	if (*routes->unread)
		term_note("not all threads tell of their requests: %s", routes->unread);
	if (routes->spans_lost)
		term_note("requests that could not be followed: %" PRIu64, routes->spans_lost);
}

static int record(struct flame *flame, struct nd_profile **ret_profile, struct nd_err *err)
{
	int ret;

	*ret_profile = nd_profile_new(flame->format->timeline);
	if (!*ret_profile) {
		nd_err_set(err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	if (flame->by_route)
		ret = flame_routes_run(&flame->target, &flame->session, *ret_profile,
				       &flame->result, &flame->routes, err);
	else
		ret = session_run(&flame->target, &flame->session, *ret_profile, &flame->result,
				  err);
	if (ret)
		return ret;
	if (set_info(flame, *ret_profile)) {
		nd_err_set(err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	closing_print_session(&flame->result, &flame->target, flame->session.hz);
	if (flame->by_route)
		print_routes(&flame->routes);
	return EXIT_DONE;
}

static int import_recording(const struct flame *flame, const struct nd_buf *data,
			    struct nd_profile **ret_profile, struct nd_err *err)
{
	struct nd_recording_state state;
	bool threads = flame->session.threads;
	int ret = flame->by_route ? nd_import_recording_by_route(data->data, data->len, threads,
								 ret_profile, &state, err)
				  : nd_import_recording(data->data, data->len, threads, ret_profile,
							&state, err);

	if (!ret)
		closing_print_recording(
			&state, (double)nd_profile_get_info(*ret_profile)->duration_ns / 1e9,
			flame->target.path);
	return ret;
}

static int refuse_routes(struct nd_err *err)
{
	nd_err_set(err, -ENODATA, "profiles of other tools know nothing of requests");
	nd_err_hint(err, "nodiag record --trace PID makes recordings that do");
	return -ENODATA;
}

static int import(const struct flame *flame, struct nd_profile **ret_profile, struct nd_err *err)
{
	struct nd_err why = {0};
	struct nd_buf data;
	int ret;

	nd_buf_init(&data, ND_IMPORT_MAX);
	ret = file_read(flame->target.path, &data, err);
	if (!ret) {
		if (nd_frame_is_recording(data.data, data.len))
			ret = import_recording(flame, &data, ret_profile, &why);
		else if (flame->by_route)
			ret = refuse_routes(&why);
		else
			ret = nd_import_profile(data.data, data.len, ret_profile, &why);
		if (ret)
			nd_err_set_why(err, ret, &why, "cannot read '%s'", flame->target.path);
	}
	nd_buf_fini(&data);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

static int answer(struct flame *flame, struct out *out, struct nd_err *err)
{
	struct nd_profile *profile = NULL;
	int ret;

	if (flame->target.kind == TARGET_FILE)
		ret = import(flame, &profile, err);
	else
		ret = record(flame, &profile, err);
	if (!ret) {
		losses_print(profile, LOSSES_ALL);
		if (write_answer(flame, profile, out, err))
			ret = flame->target.kind == TARGET_COMMAND ? EXIT_COMMAND_NODIAG
								   : EXIT_FAILED;
	}
	nd_profile_free(profile);
	return ret;
}

/* What --by route cannot do. */
static int check_routes(struct flame *flame)
{
	if (flame->target.kind == TARGET_COMMAND) {
		nd_err_set(&flame->err, -EINVAL, "--by route takes no command");
		nd_err_hint(&flame->err, "record it first: nodiag record --trace -o app.nd -- "
					 "COMMAND, then nodiag flame --by route app.nd");
		return EXIT_USAGE;
	}
	if (flame->target.kind == TARGET_PIDS && flame->target.pids_count > 1) {
		nd_err_set(&flame->err, -EINVAL, "--by route takes one process id");
		nd_err_hint(&flame->err, "nodiag flame --by route %d", flame->target.pids[0]);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int parse_arguments(struct flame *flame, int argc, char **argv)
{
	const struct target_syntax syntax = {.command = "nodiag flame"};
	int ret;

	flame->command = target_split_command(&argc, argv);
	ret = arguments_read(&argp, argc, argv, flame, &flame->err);
	if (ret || flame->arguments.help)
		return ret;
	ret = target_parse(&syntax, flame->arguments.list, flame->arguments.count, flame->command,
			   &flame->target, &flame->err);
	return ret || !flame->by_route ? ret : check_routes(flame);
}

static int open_output(struct flame *flame, struct out *out)
{
	pid_t pid = flame->target.kind == TARGET_PIDS ? flame->target.pids[0] : 0;
	char name[128];

	out_make_name("flame", pid, flame->format->extension, name, sizeof(name));
	if (!out_open(out, flame->output ? flame->output : name, flame->force,
		      flame->format->binary, &flame->err))
		return EXIT_DONE;
	return flame->command ? EXIT_COMMAND_NODIAG : EXIT_FAILED;
}

int command_flame(int argc, char **argv)
{
	struct flame flame = {
		.session = {.hz = DEFAULT_HZ, .kernel = true},
		.format = &nd_render_formats[0],
	};
	struct out out = {.fd = -1};
	int ret = parse_arguments(&flame, argc, argv);

	if (!ret && flame.arguments.help) {
		ret = arguments_print_help(&argp, &flame.arguments, argv[0], &flame.err);
		if (ret)
			term_error(&flame.err);
		return ret;
	}
	if (!ret && flame.target.kind == TARGET_PIDS && !flame.has_duration)
		flame.session.duration_ns = DEFAULT_DURATION_NS;
	if (!ret)
		ret = open_output(&flame, &out);
	if (!ret)
		ret = answer(&flame, &out, &flame.err);
	out_close(&out);
	if (ret)
		term_error(&flame.err);
	return ret ? ret : child_wait(&flame.result.child);
}
