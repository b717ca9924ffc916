/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag stack: what every thread does at this moment. */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "analyzer/stacks/stacks.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/losses.h"
#include "cli/out.h"
#include "cli/script.h"
#include "cli/stack_requests.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "probes/snapshot.h"
#include "proto/limits.h"
#include "proto/sample.h"
#include "proto/span.h"

struct stack {
	struct target target;
	bool json;
	bool source_maps;
	struct arguments arguments;
	enum term_colour colour;
	struct nd_profile *profile;
	struct nd_symbolizer *symbolizer;
	struct stack_requests *requests; /* of the process that is looked at, or NULL */
	uint64_t taken_ns;		 /* when its snapshot was */
	struct nd_stacks stacks;
	struct nd_err err;
};

enum { OPT_JSON = 256, OPT_SOURCE_MAPS, OPT_COLOR };

static const struct argp_option option_table[] = {
	{"json", OPT_JSON, NULL, 0, "Print JSON, for your own programs", 1},
	{"source-maps", OPT_SOURCE_MAPS, NULL, 0,
	 "Show original sources (TypeScript) where scripts name a source map", 1},
	{"color", OPT_COLOR, "WHEN", 0, "Colour names: auto, always or never (default auto)", 1},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Show the stack of every thread of a running Node.js process, once: JavaScript with the "
	"lines that are executing, and C++ below it. It works in an endless loop, in Atomics.wait, "
	"in a native call that does not return. Where requests are traced, it says which one a "
	"thread is in. The process is stopped for at most 5 ms, and goes on.\v"
	"PID is a process id (or several). Without, the one Node.js process of yours.\n\n"
	"Examples:\n"
	"  nodiag stack 4242\n"
	"  nodiag stack --json 4242 | jq '.processes[].threads[0].stack[0]'\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such target, 4 not permitted.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct stack *stack = state->input;

	switch (key) {
	case OPT_JSON:
		stack->json = true;
		return 0;
	case OPT_SOURCE_MAPS:
		stack->source_maps = true;
		return 0;
	case OPT_COLOR:
		return term_parse_colour(arg, &stack->colour, &stack->err);
	default:
		return arguments_parse(key, state, &stack->arguments, &stack->err);
	}
}

static const struct argp argp = {option_table, parse_option, "[PID...]", documentation,
				 NULL,	       NULL,	     NULL};

static int parse_arguments(struct stack *stack, int argc, char **argv)
{
	const struct target_syntax syntax = {.command = "nodiag stack", .pids_only = true};
	char **command = target_split_command(&argc, argv);
	int ret = arguments_read(&argp, argc, argv, stack, &stack->err);

	if (ret || stack->arguments.help)
		return ret;
	return target_parse(&syntax, stack->arguments.list, stack->arguments.count, command,
			    &stack->target, &stack->err);
}

static int init(struct stack *stack)
{
	struct nd_symbolizer_options options = {.source_maps = stack->source_maps};

	stack->profile = nd_profile_new(false);
	options.profile = stack->profile;
	if (stack->profile)
		stack->symbolizer = nd_symbolizer_new(&options);
	nd_stacks_init(&stack->stacks, stack->profile);
	if (stack->symbolizer)
		return EXIT_DONE;
	nd_err_set(&stack->err, -ENOMEM, "out of memory");
	return EXIT_FAILED;
}

static void fini(struct stack *stack)
{
	nd_stacks_fini(&stack->stacks);
	nd_symbolizer_free(stack->symbolizer);
	nd_profile_free(stack->profile);
}

/* Walk all stacks before any is named, which takes longer than the collector waits. */
static int walk(struct stack *stack, const struct nd_snapshot *snapshot,
		struct nd_sample_cpu **samples)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < snapshot->count && !ret; i++)
		if (snapshot->threads[i].stack)
			ret = nd_symbolizer_walk_stack(stack->symbolizer,
						       snapshot->threads[i].stack, &samples[i]);
	return ret;
}

static int add_thread(struct stack *stack, const struct nd_thread *info,
		      const struct nd_sample_cpu *sample)
{
	struct nd_thread_stack added = {
		.info = *info,
		.request = stack_requests_find(stack->requests, info->tid),
	};
	struct nd_named_stack named = {0};
	int ret;

	if (added.request && added.request->start_ns < stack->taken_ns)
		added.request_ns = stack->taken_ns - added.request->start_ns;
	if (sample) {
		ret = nd_symbolizer_name_sample(stack->symbolizer, &sample->header, &named);
		if (ret)
			return ret;
	}
	added.calls = (struct nd_call *)named.calls;
	added.depth = named.depth;
	added.truncated = named.truncated;
	added.rootless = named.rootless;
	return nd_stacks_add_thread(&stack->stacks, &added, named.ran_js);
}

static void describe(struct stack *stack, struct nd_process_stacks *process, pid_t pid,
		     const struct nd_snapshot *snapshot)
{
	char args[sizeof(process->command)];
	ssize_t len;

	process->stopped_ns = snapshot->stopped_ns;
	process->time_unix_ns = nd_clock_realtime_ns();
	nd_procfs_read_cmdline(pid, process->command, sizeof(process->command));
	len = nd_procfs_read_args(pid, args, sizeof(args));
	snprintf(process->title, sizeof(process->title), "%.200s",
		 script_name(args, len > 0 ? (size_t)len : 0));
	nd_symbolizer_describe(stack->symbolizer, pid, process->runtime, sizeof(process->runtime));
}

static int add_process(struct stack *stack, pid_t pid, const struct nd_snapshot *snapshot)
{
	struct nd_sample_cpu **samples = calloc(snapshot->count, sizeof(struct nd_sample_cpu *));
	struct nd_process_stacks *process = nd_stacks_add_process(&stack->stacks, pid);
	size_t i;
	int ret = samples && process ? walk(stack, snapshot, samples) : -ENOMEM;

	for (i = 0; i < snapshot->count && !ret; i++)
		ret = add_thread(stack, &snapshot->threads[i].info, samples[i]);
	nd_symbolizer_end_batch(stack->symbolizer);
	for (i = 0; i < snapshot->count && samples; i++)
		free(samples[i]);
	free(samples);
	if (ret)
		return ret;
	describe(stack, process, pid, snapshot);
	return 0;
}

static void print_closing(const struct stack *stack, pid_t pid, const struct nd_snapshot *snapshot)
{
	const char *limits = nd_symbolizer_get_limits(stack->symbolizer, pid);
	size_t i, late = 0, missing = 0;

	for (i = 0; i < snapshot->count; i++) {
		late += snapshot->threads[i].info.later_ns > 0;
		missing += snapshot->threads[i].info.missing == ND_THREAD_LATE;
	}
	term_note("%d: %zu thread%s, stopped for %.1f ms", pid, snapshot->count,
		  snapshot->count == 1 ? "" : "s", (double)snapshot->stopped_ns / 1e6);
	if (late)
		term_note("%d: %zu did not stop with the others, and %s looked at later", pid, late,
			  late == 1 ? "was" : "were");
	if (missing)
		term_note("%d: %zu did not stop at all", pid, missing);
	if (limits)
		term_note("%d: %s", pid, limits);
}

static int take(struct stack *stack, pid_t pid, struct nd_snapshot *ret_snapshot)
{
	int ret;

	stack->requests = stack_requests_new(pid);
	ret = nd_snapshot_take(pid, stack_requests_look, stack->requests, ret_snapshot,
			       &stack->err);
	stack->taken_ns = nd_clock_monotonic_ns();
	if (!ret)
		return 0;
	stack_requests_free(stack->requests);
	stack->requests = NULL;
	return ret;
}

static int look(struct stack *stack, pid_t pid)
{
	struct nd_walk_layout layout;
	struct nd_snapshot snapshot;
	struct nd_err why = {0};
	int ret = nd_symbolizer_add_process(stack->symbolizer, pid, &layout, &why);

	if (ret == -ENOTSUP) {
		term_note("JavaScript of %d shows as [unknown]: %s", pid, why.what);
		ret = 0;
	}
	if (ret == -ENOENT)
		target_set_not_node(pid, &why, &stack->err);
	else if (ret)
		stack->err = why;
	else
		ret = take(stack, pid, &snapshot);
	if (ret)
		return target_fail(pid, ret, &stack->err);
	ret = add_process(stack, pid, &snapshot);
	stack_requests_free(stack->requests);
	stack->requests = NULL;
	print_closing(stack, pid, &snapshot);
	nd_snapshot_fini(&snapshot);
	if (!ret)
		return EXIT_DONE;
	nd_err_set(&stack->err, ret, "out of memory");
	return EXIT_FAILED;
}

static int print(struct stack *stack)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (stack->json)
		ret = nd_render_stacks_json(&stack->stacks, &text);
	else
		ret = nd_render_stacks(&stack->stacks, term_has_colour(stack->colour), &text);
	ret = out_print(&text, ret, &stack->err);
	nd_buf_fini(&text);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

/* The first process that cannot be looked at makes the exit status; the others are shown. */
static int answer(struct stack *stack)
{
	int ret, failed = EXIT_DONE;
	size_t i;

	for (i = 0; i < stack->target.pids_count; i++) {
		ret = look(stack, stack->target.pids[i]);
		if (ret)
			term_error(&stack->err);
		if (ret && !failed)
			failed = ret;
	}
	if (!stack->stacks.count)
		return failed;
	/* Native calls without a name show the file instead. */
	losses_print(stack->profile, ND_LOSS_NATIVE_UNNAMED);
	ret = print(stack);
	if (ret)
		term_error(&stack->err);
	return ret ? ret : failed;
}

int command_stack(int argc, char **argv)
{
	struct stack stack = {0};
	int ret = parse_arguments(&stack, argc, argv);

	if (!ret && stack.arguments.help)
		ret = arguments_print_help(&argp, &stack.arguments, argv[0], &stack.err);
	else if (!ret)
		ret = init(&stack);
	if (ret)
		term_error(&stack.err);
	else if (!stack.arguments.help)
		ret = answer(&stack);
	fini(&stack);
	return ret;
}
