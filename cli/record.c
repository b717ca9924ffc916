/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag record: what happens in a process, in a file that other commands read. */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/units.h"
#include "cli/arguments.h"
#include "cli/closing.h"
#include "cli/command.h"
#include "cli/losses.h"
#include "cli/out.h"
#include "cli/record_session.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/limits.h"

#define DEFAULT_DURATION_NS (10 * ND_NSEC_PER_SEC)
#define DEFAULT_HZ	    99

struct record {
	struct record_options options;
	struct target target;
	const char *output; /* NULL: a default name */
	bool force;
	bool has_duration;
	struct arguments arguments;
	char **command; /* what stands behind "--" */
	struct record_result result;
	struct nd_err err;
};

enum { OPT_THRESHOLD = 256, OPT_ASYNC, OPT_TRACE, OPT_KERNEL, OPT_NO_KERNEL, OPT_FORCE };

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Recording", 1},
	{"duration", 'd', "TIME", 0,
	 "Record that long: 500ms, 10s, 2m (default 10s; with -- until the command ends)", 1},
	{"rate", 'r', "HZ", 0,
	 "Samples a second of CPU time of each thread, 1 to 4999 (default 99)", 1},
	{"threshold", OPT_THRESHOLD, "TIME", 0,
	 "An iteration of an event loop that lasts so long is a stall (default 50ms, at least 1ms)",
	 1},
	{"async", OPT_ASYNC, NULL, 0,
	 "Record timers, sockets, promises and the like too, where the agent is in it; it costs "
	 "the process some time",
	 1},
	{"trace", OPT_TRACE, NULL, 0,
	 "Follow HTTP requests, too, for nodiag trace and flame --by route; the agent must be in "
	 "the process, and takes the samples",
	 1},
	{"kernel", OPT_KERNEL, NULL, 0, "Take kernel stacks (default where permitted)", 1},
	{"no-kernel", OPT_NO_KERNEL, NULL, 0, "Take no kernel stacks", 1},
	{NULL, 0, NULL, 0, "Output", 2},
	{"output", 'o', "FILE", 0,
	 "Write to FILE, - for stdout (default record-PID-TIME.nd, or record-TIME.nd)", 2},
	{"force", OPT_FORCE, NULL, 0, "Replace FILE if it exists", 2},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Record what happens in a Node.js process into one file: samples of where CPU time goes, "
	"and its event loops with their stalls. Other commands read the file instead of a process, "
	"when that is long gone.\v"
	"TARGET is a process id, or -- and a command to run with the agent. Without, the one "
	"Node.js process of yours. Event loops are seen by the agent, or else by eBPF. 'nodiag "
	"attach PID' puts the agent into a running process: it adds phases, garbage collection, "
	"and the heap.\n\n"
	"The file is written as it goes: should nodiag be killed, what was recorded until then can "
	"be read.\n\n"
	"Examples:\n"
	"  nodiag record 4242                 ten seconds, into record-4242-TIME.nd\n"
	"  nodiag record -d 1h -o night.nd 4242\n"
	"  nodiag record -- node app.js       the whole life of a command\n"
	"  nodiag flame night.nd              ask where its CPU time went\n"
	"  nodiag lag night.nd                and what blocked its event loop\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such target, 4 not permitted; with -- "
	"the command's own, or 125 if nodiag failed, 126 if it cannot be run, 127 if there is "
	"none.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct record *record = state->input;

	switch (key) {
	case 'd':
		record->has_duration = true;
		return arguments_parse_time(arg, &record->options.session.duration_ns,
					    &record->err);
	case 'r':
		return arguments_parse_rate(arg, &record->options.session.hz, &record->err);
	case OPT_THRESHOLD:
		return arguments_parse_threshold(arg, &record->options.threshold_ns, &record->err);
	case OPT_ASYNC:
		record->options.async = true;
		return 0;
	case OPT_TRACE:
		record->options.trace = true;
		return 0;
	case OPT_KERNEL:
	case OPT_NO_KERNEL:
		record->options.session.kernel = key == OPT_KERNEL;
		return 0;
	case 'o':
		record->output = arg;
		return 0;
	case OPT_FORCE:
		record->force = true;
		return 0;
	default:
		return arguments_parse(key, state, &record->arguments, &record->err);
	}
}

static const struct argp argp = {
	options, parse_option, "[PID | -- COMMAND...]", documentation, NULL, NULL, NULL};

static int parse_arguments(struct record *record, int argc, char **argv)
{
	const struct target_syntax syntax = {
		.command = "nodiag record", .one_pid = true, .no_file = true};
	int ret;

	record->command = target_split_command(&argc, argv);
	ret = arguments_read(&argp, argc, argv, record, &record->err);
	if (ret || record->arguments.help)
		return ret;
	ret = target_parse(&syntax, record->arguments.list, record->arguments.count,
			   record->command, &record->target, &record->err);
	if (ret)
		return ret;
	if (record->target.kind == TARGET_PIDS && !record->has_duration)
		record->options.session.duration_ns = DEFAULT_DURATION_NS;
	return EXIT_DONE;
}

static int open_output(struct record *record, struct out *out)
{
	pid_t pid = record->target.kind == TARGET_PIDS ? record->target.pids[0] : 0;
	char name[64];

	out_make_name("record", pid, "nd", name, sizeof(name));
	if (!out_open(out, record->output ? record->output : name, record->force, true,
		      &record->err))
		return EXIT_DONE;
	return record->command ? EXIT_COMMAND_NODIAG : EXIT_FAILED;
}

static void print_loops(const struct record *record)
{
	const struct record_result *r = &record->result;

	if (!*r->loops) {
		if (r->no_loops[0])
			term_note("without event loops: %s", r->no_loops);
		return;
	}
	term_note("event loops by %s, with %" PRIu64 " stacks during stalls", r->loops,
		  r->report.stacks);
	if (*r->adds)
		term_note("the agent would add %s: nodiag attach %d", r->adds,
			  record->target.pids[0]);
	if (r->unnamed[0])
		term_note("its stacks have no names: %s", r->unnamed);
	if (*r->report.reason)
		term_note("not all could be measured: %s", r->report.reason);
	if (*r->report.untraced)
		term_note("not all threads are traced: %s", r->report.untraced);
	if (*r->report.unread)
		term_note("not all samples tell of their requests: %s", r->report.unread);
	if (r->report.spans_lost)
		term_note("requests that could not be followed: %" PRIu64, r->report.spans_lost);
	if (r->report.dropped)
		term_note("events dropped because the ring was full: %" PRIu64, r->report.dropped);
}

static void print_closing(const struct record *record, const struct nd_profile *profile)
{
	const struct record_result *r = &record->result;
	char size[ND_UNITS_MAX];

	if (r->session.sampler[0])
		closing_print_session(&r->session, &record->target, record->options.session.hz);
	else
		term_note("%" PRIu64 " samples at %u Hz in %.1f s by the agent: %s",
			  r->agent_samples, record->options.session.hz,
			  (double)r->session.duration_ns / 1e9,
			  r->session.sampler_why[0] ? r->session.sampler_why
						    : "only its samples tell of their requests");
	print_loops(record);
	if (record->options.async && !r->has_async)
		term_note("without asynchronous resources: only the agent follows them");
	if (record->options.trace && !r->has_trace)
		term_note("without requests: only the agent follows them");
	losses_print(profile, LOSSES_ALL);
	if (r->is_full)
		term_note("the recording is full: this is as much as can be read back");
	term_note("%s written", nd_units_weight(r->size_bytes, "bytes", size));
}

static int run(struct record *record, struct out *out)
{
	struct nd_profile *profile = nd_profile_new(false);
	int ret;

	if (!profile) {
		nd_err_set(&record->err, -ENOMEM, "out of memory");
		return record->command ? EXIT_COMMAND_NODIAG : EXIT_FAILED;
	}
	ret = record_session_run(&record->target, &record->options, out, profile, &record->result,
				 &record->err);
	if (!ret) {
		print_closing(record, profile);
		if (out->is_new)
			printf("%s\n", out->path);
		if (out_flush_stdout(&record->err))
			ret = record->command ? EXIT_COMMAND_NODIAG : EXIT_FAILED;
	}
	nd_profile_free(profile);
	return ret;
}

int command_record(int argc, char **argv)
{
	struct record record = {
		.options = {.session = {.hz = DEFAULT_HZ, .kernel = true},
			    .threshold_ns = ND_STALL_THRESHOLD_NS},
	};
	struct out out = {.fd = -1};
	int ret = parse_arguments(&record, argc, argv);

	if (!ret && record.arguments.help) {
		ret = arguments_print_help(&argp, &record.arguments, argv[0], &record.err);
	} else if (!ret) {
		ret = open_output(&record, &out);
		if (!ret)
			ret = run(&record, &out);
		out_close(&out);
	}
	if (ret)
		term_error(&record.err);
	return ret ? ret : child_wait(&record.result.session.child);
}
