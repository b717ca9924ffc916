/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag attach and nodiag detach: the agent into a running process, and silent again. */

#include "cli/attach.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/symbolizer.h"
#include "cli/agent.h"
#include "cli/arguments.h"
#include "cli/channel.h"
#include "cli/command.h"
#include "cli/file.h"
#include "cli/inspector.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/buf.h"
#include "common/err.h"
#include "probes/inject.h"
#include "proto/limits.h"
#include "proto/sample.h"

/* What the core exports; agent/core.h. */
#define START_SYMBOL "nodiag_agent_start"

/* The memory file in processes that do not see the agent's own. */
#define IMAGE_NAME "nodiag-core"

/* How long the agent may take to answer once it is there; a busy process may be slow. */
#define ANSWER_MS      5000
#define ANSWER_LOOK_MS 10

struct attach {
	const char *name; /* "nodiag attach" or "nodiag detach" */
	struct target target;
	struct arguments arguments;
	struct nd_profile *frames;
	struct nd_symbolizer *symbolizer;
	bool via_inspector;
	pid_t pid;
	struct nd_buf image; /* the agent, for processes that do not see its file */
	char inner_path[320];
	struct nd_err err;
};

enum { OPT_VIA = 256 };

static const struct argp_option attach_options[] = {
	{"via", OPT_VIA, "WAY", 0,
	 "ptrace, or inspector where that is not permitted (default ptrace)", 1},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const struct argp_option detach_options[] = {
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static error_t parse_via(struct attach *attach, const char *arg)
{
	attach->via_inspector = !strcmp(arg, "inspector");
	if (attach->via_inspector || !strcmp(arg, "ptrace"))
		return 0;
	nd_err_set(&attach->err, -EINVAL, "'%s' is no way into a process", arg);
	nd_err_hint(&attach->err, "ptrace or inspector");
	return EINVAL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct attach *attach = state->input;

	switch (key) {
	case OPT_VIA:
		return parse_via(attach, arg);
	default:
		return arguments_parse(key, state, &attach->arguments, &attach->err);
	}
}

static const char attach_documentation[] =
	"Load the agent into a running Node.js process, which needs no flag for it. The main "
	"thread is stopped for about a millisecond, where its event loop is about to wait for "
	"events, or, if that does not happen for a second, in the middle of JavaScript. Where "
	"neither is the case the process is left alone. It has the agent until it ends; 'nodiag "
	"detach' makes it silent.\n\n"
	"--via inspector sends SIGUSR1, which opens Node's debugger on a port of this machine, "
	"lets that load the agent, and closes it again. Node says on the standard error of the "
	"process that it did so. A program that handles SIGUSR1 itself gets the signal.\v"
	"PID is a process id (or several). Without, the one Node.js process of yours.\n\n"
	"Exit status: 0 done, also when the agent was there already, 1 failed, 2 wrong usage, 3 no "
	"such target, 4 not permitted.";

static const char detach_documentation[] =
	"Let the agent in a process stop: nothing of the process calls it afterwards. What is "
	"loaded stays loaded.\v"
	"PID is a process id (or several). Without, the one Node.js process of yours.\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 no such target, or no agent in it, 4 not "
	"permitted.";

static const struct argp attach_argp = {
	attach_options, parse_option, "[PID...]", attach_documentation, NULL, NULL, NULL};
static const struct argp detach_argp = {
	detach_options, parse_option, "[PID...]", detach_documentation, NULL, NULL, NULL};

static int parse_arguments(struct attach *attach, const struct argp *argp, int argc, char **argv)
{
	const struct target_syntax syntax = {.command = attach->name, .pids_only = true};
	char **command = target_split_command(&argc, argv);
	int ret = arguments_read(argp, argc, argv, attach, &attach->err);

	if (ret || attach->arguments.help)
		return ret;
	return target_parse(&syntax, attach->arguments.list, attach->arguments.count, command,
			    &attach->target, &attach->err);
}

static bool is_js(void *arg, uint64_t pc)
{
	struct attach *attach = arg;

	return nd_symbolizer_is_js(attach->symbolizer, attach->pid, pc);
}

/* Whether the process sees the same file under the same name; one in a container does not. */
static bool sees(pid_t pid, const char *path)
{
	struct stat ours, theirs;
	char inner[4200];

	snprintf(inner, sizeof(inner), "/proc/%d/root%s", pid, path);
	return !stat(path, &ours) && !stat(inner, &theirs) && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

/* The memory file that an attach before made in the process. False when there is none. */
static bool find_file(pid_t pid, char *path, size_t size)
{
	char folder[64], link[64];
	struct dirent *entry;
	bool found = false;
	ssize_t len;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	while (dir && !found && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = '\0';
		found = !strncmp(link, "/memfd:" IMAGE_NAME, strlen("/memfd:" IMAGE_NAME));
		if (found)
			snprintf(path, size, "/proc/self/fd/%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* How the process comes by the agent: by path, or by bytes where it has other files than we. */
static int choose_library(struct attach *attach, struct nd_inject *inject, struct nd_err *err)
{
	const char *core = agent_get_core();
	int ret;

	if (!core)
		return nd_err_set(err, -ENOENT, "the agent is not beside nodiag");
	if (sees(attach->pid, core)) {
		inject->library = core;
		return 0;
	}
	if (find_file(attach->pid, attach->inner_path, sizeof(attach->inner_path))) {
		inject->library = attach->inner_path;
		return 0;
	}
	nd_buf_reset(&attach->image);
	ret = file_read(core, &attach->image, err);
	inject->image = attach->image.data;
	inject->image_size = attach->image.len;
	inject->image_name = IMAGE_NAME;
	return ret;
}

static uint64_t find_function(const struct attach *attach, const char *name)
{
	return nd_symbolizer_find_libc_function(attach->symbolizer, attach->pid, name);
}

static int fill_inject(struct attach *attach, struct nd_inject *inject, struct nd_err *err)
{
	struct nd_walk_layout layout;
	struct nd_err why = {0};
	int ret = nd_symbolizer_add_process(attach->symbolizer, attach->pid, &layout, &why);

	if (ret == -ENOENT) {
		target_set_not_node(attach->pid, &why, err);
		return ret;
	}
	if (ret && ret != -ENOTSUP) {
		*err = why;
		return ret;
	}
	*inject = (struct nd_inject){
		.pid = attach->pid,
		.dlopen_address = find_function(attach, "dlopen"),
		.dlsym_address = find_function(attach, "dlsym"),
		.dlerror_address = find_function(attach, "dlerror"),
		.memfd_create_address = find_function(attach, "memfd_create"),
		.symbol = START_SYMBOL,
		.is_js = is_js,
		.arg = attach,
	};
	if (!inject->dlopen_address || !inject->dlsym_address)
		return nd_err_set(err, -ENOTSUP, "%d has no C library that could load the agent",
				  attach->pid);
	return choose_library(attach, inject, err);
}

/* The agent answers once the process has come by one of its hooks. */
static int wait_for_agent(const struct attach *attach, struct channel **ret_channel,
			  struct nd_err *err)
{
	int waited, ret = -ENOENT;

	for (waited = 0; waited < ANSWER_MS && ret == -ENOENT; waited += ANSWER_LOOK_MS) {
		ret = channel_open(attach->pid, ret_channel, err);
		if (ret == -ENOENT)
			poll(NULL, 0, ANSWER_LOOK_MS);
	}
	if (ret == -ENOENT)
		nd_err_set(err, -ETIMEDOUT, "the agent in %d does not answer", attach->pid);
	return ret;
}

/*
 * Close the debugger when the event loop comes round, whatever happens; nothing here may throw
 * later, where nobody catches it. `require` is there only while this is evaluated.
 */
static const char expression_text[] =
	"(() => {"
	"  const load = typeof require === 'function' ? require : process.getBuiltinModule;"
	"  const inspector = load('inspector');"
	"  setTimeout(() => inspector.close(), 0);"
	"  process.dlopen({exports: {}}, '%s');"
	"})()";

/* Let Node load the agent as it loads an addon. */
static int load_by_inspector(struct attach *attach, struct nd_err *err)
{
	const char *core = agent_get_core();
	char *expression;
	int ret;

	if (!core)
		return nd_err_set(err, -ENOENT, "the agent is not beside nodiag");
	if (!sees(attach->pid, core)) {
		nd_err_set(err, -ENOENT, "%d has other files: it does not see '%s'", attach->pid,
			   core);
		return nd_err_hint(err, "nodiag attach %d, without --via", attach->pid);
	}
	/* What would have to be quoted for JavaScript is refused. */
	if (strpbrk(core, "'\\\n"))
		return nd_err_set(err, -EINVAL, "'%s' cannot be quoted", core);
	if (asprintf(&expression, expression_text, core) < 0)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = inspector_evaluate(attach->pid, expression, err);
	free(expression);
	return ret;
}

static int attach_by_inspector(struct attach *attach, struct nd_err *err)
{
	struct channel *channel;
	int ret = load_by_inspector(attach, err);

	if (!ret)
		ret = wait_for_agent(attach, &channel, err);
	if (ret)
		return ret;
	channel_close(channel);
	term_note("%d: the agent is in; Node's debugger was open for it", attach->pid);
	return 0;
}

static int inject_agent(struct attach *attach, struct channel **ret_channel, struct nd_err *err)
{
	struct nd_injected injected = {0};
	struct channel *channel = NULL;
	struct nd_inject inject;
	int ret = fill_inject(attach, &inject, err);

	if (!ret)
		ret = nd_inject(&inject, &injected, err);
	if (!ret)
		ret = wait_for_agent(attach, &channel, err);
	if (ret)
		return ret;
	term_note("%d: the agent is in; its main thread was stopped for %.1f ms, %s", attach->pid,
		  (double)injected.stopped_ns / 1e6,
		  injected.place == ND_START_AT_POLL ? "between two events"
						     : "in the middle of JavaScript");
	if (channel_get_hello(channel)->reason)
		term_note("%d: not all can be measured: %s", attach->pid,
			  channel_reason_text(channel_get_hello(channel)->reason));
	*ret_channel = channel;
	return 0;
}

static int attach_by_ptrace(struct attach *attach, struct nd_err *err)
{
	struct channel *channel;
	int ret = inject_agent(attach, &channel, err);

	if (!ret)
		channel_close(channel);
	return ret;
}

static int attach_one(struct attach *attach, struct nd_err *err)
{
	struct channel *channel;
	int ret = channel_open(attach->pid, &channel, err);

	if (ret == -ENOENT)
		return attach->via_inspector ? attach_by_inspector(attach, err)
					     : attach_by_ptrace(attach, err);
	if (ret)
		return ret;
	if (channel_get_hello(channel)->reason == ND_AGENT_DETACHED) {
		ret = nd_err_set(err, -EBUSY, "the agent in %d is being detached", attach->pid);
		nd_err_hint(err, "it is gone as soon as its event loop comes round; try again");
	} else {
		term_note("%d: the agent is there already", attach->pid);
	}
	channel_close(channel);
	return ret;
}

static int detach_one(struct attach *attach, struct nd_err *err)
{
	struct channel *channel;
	int ret = channel_open(attach->pid, &channel, err);

	if (ret)
		return ret;
	ret = channel_detach(channel, err);
	channel_close(channel);
	if (!ret)
		term_note("%d: the agent is silent", attach->pid);
	return ret;
}

static int init(struct attach *attach)
{
	struct nd_symbolizer_options symbolizer = {0};

	nd_buf_init(&attach->image, ND_AGENT_IMAGE_MAX);
	attach->frames = nd_profile_new(false);
	symbolizer.profile = attach->frames;
	if (attach->frames)
		attach->symbolizer = nd_symbolizer_new(&symbolizer);
	if (attach->symbolizer)
		return EXIT_DONE;
	nd_err_set(&attach->err, -ENOMEM, "out of memory");
	return EXIT_FAILED;
}

static void fini(struct attach *attach)
{
	nd_buf_fini(&attach->image);
	nd_symbolizer_free(attach->symbolizer);
	nd_profile_free(attach->frames);
}

int attach_agent(pid_t pid, struct channel **ret_channel, struct nd_err *err)
{
	struct attach attach = {.pid = pid};
	int ret;

	if (init(&attach)) {
		*err = attach.err;
		ret = attach.err.code;
	} else {
		ret = inject_agent(&attach, ret_channel, err);
	}
	fini(&attach);
	return ret;
}

int attach_borrow_agent(pid_t pid, struct channel **ret_channel, bool *ret_is_ours,
			struct nd_err *err)
{
	int ret = channel_open(pid, ret_channel, err);

	*ret_is_ours = false;
	if (ret != -ENOENT)
		return ret;
	ret = attach_agent(pid, ret_channel, err);
	*ret_is_ours = !ret;
	return ret;
}

void attach_return_agent(struct channel *channel, bool is_ours)
{
	struct nd_err ignored;

	if (is_ours && !channel_is_over(channel) && channel_detach(channel, &ignored))
		term_note("%s", ignored.what);
	channel_close(channel);
}

/* The first process that it fails for makes the exit status; it is tried for the others. */
static int do_all(struct attach *attach, int (*one)(struct attach *attach, struct nd_err *err))
{
	int ret, failed = EXIT_DONE;
	size_t i;

	for (i = 0; i < attach->target.pids_count; i++) {
		attach->pid = attach->target.pids[i];
		attach->err = (struct nd_err){0};
		ret = one(attach, &attach->err);
		if (!ret)
			continue;
		ret = target_fail(attach->pid, ret, &attach->err);
		term_error(&attach->err);
		failed = failed ? failed : ret;
	}
	return failed;
}

static int run(struct attach *attach, const struct argp *argp, int argc, char **argv,
	       int (*one)(struct attach *attach, struct nd_err *err))
{
	int ret = parse_arguments(attach, argp, argc, argv);

	if (!ret && attach->arguments.help)
		ret = arguments_print_help(argp, &attach->arguments, argv[0], &attach->err);
	else if (!ret)
		ret = init(attach);
	if (ret)
		term_error(&attach->err);
	else if (!attach->arguments.help)
		ret = do_all(attach, one);
	fini(attach);
	return ret;
}

int command_attach(int argc, char **argv)
{
	struct attach attach = {.name = "nodiag attach"};

	return run(&attach, &attach_argp, argc, argv, attach_one);
}

int command_detach(int argc, char **argv)
{
	struct attach attach = {.name = "nodiag detach"};

	return run(&attach, &detach_argp, argc, argv, detach_one);
}
