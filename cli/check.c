/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag check: what this machine and user may do, and what would allow the rest. */

#include <argp.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "analyzer/render/cell.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/terminal.h"
#include "cli/abilities.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/out.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"

/* Grows by one when a field of the JSON changes its meaning or goes; docs/format-json.md. */
#define VERSION 1

/* Columns before the reason. */
#define STATE_WIDTH 9
#define TITLE_WIDTH 29

struct check {
	bool json;
	struct arguments arguments;
	enum term_colour colour;
	pid_t pid; /* 0: the machine */
	struct abilities abilities;
	struct nd_err err;
};

enum { OPT_JSON = 256, OPT_COLOR };

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Output", 1},
	{"json", OPT_JSON, NULL, 0, "Write JSON for programs in place of the list", 1},
	{"color", OPT_COLOR, "WHEN", 0, "Colour the list: auto, always or never (default auto)", 1},
	ARGUMENTS_HELP_OPTIONS,
	{0},
};

static const char documentation[] =
	"Try what nodiag can see on this machine as this user, or with PID of that process, and "
	"say what blocks the rest and which command allows it.\v"
	"Everything is tried, nothing is changed. With PID, the process is also recorded for a "
	"moment.\n\n"
	"Exit status: that of 'nodiag flame': 0 if it would work in some way, 1 failed, 2 wrong "
	"usage, 3 no such process, or not one of Node.js, 4 not permitted.";

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct check *check = state->input;

	switch (key) {
	case OPT_JSON:
		check->json = true;
		return 0;
	case OPT_COLOR:
		return term_parse_colour(arg, &check->colour, &check->err);
	default:
		return arguments_parse(key, state, &check->arguments, &check->err);
	}
}

static const struct argp argp = {options, parse_option, "[PID]", documentation, NULL, NULL, NULL};

static const char *const states[] = {
	[ABILITY_OK] = "ok",
	[ABILITY_LIMITED] = "limited",
	[ABILITY_NO] = "no",
};

static void add_ability(struct nd_buf *out, const struct ability *ability, bool colour)
{
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[1;31m"};
	size_t title = strlen(ability->title), state = strlen(states[ability->state]);

	nd_buf_add_str(out, colour ? colours[ability->state] : "");
	nd_buf_add_str(out, states[ability->state]);
	nd_buf_add_str(out, colour ? "\033[0m" : "");
	nd_cell_add_spaces(out, STATE_WIDTH - state);
	nd_buf_add_str(out, ability->title);
	if (ability->why[0]) {
		nd_cell_add_spaces(out, TITLE_WIDTH - title);
		nd_terminal_add(out, ability->why);
	}
	nd_buf_add_char(out, '\n');
	if (ability->allow[0]) {
		nd_cell_add_spaces(out, STATE_WIDTH + TITLE_WIDTH);
		nd_buf_addf(out, "%s\n", ability->allow);
	}
}

static const char *find_user(char buf[32])
{
	const struct passwd *user = getpwuid(geteuid());

	snprintf(buf, 32, "%u", geteuid());
	return user ? user->pw_name : buf;
}

static void add_list(const struct check *check, struct nd_buf *out)
{
	bool colour = term_has_colour(check->colour);
	struct utsname kernel;
	char uid[32];
	size_t i;

	uname(&kernel);
	nd_buf_addf(out, "nodiag %s on Linux %s %s, as %s\n\n", ND_VERSION, kernel.release,
		    kernel.machine, find_user(uid));
	for (i = 0; i < check->abilities.count; i++)
		add_ability(out, &check->abilities.list[i], colour);
}

static void add_string(struct nd_buf *out, const char *key, const char *str)
{
	nd_buf_addf(out, ",\"%s\":", key);
	nd_json_add_string(out, str && *str ? str : NULL);
}

static void add_json(const struct check *check, struct nd_buf *out)
{
	const struct ability *ability;
	struct utsname kernel;
	char uid[32];
	size_t i;

	uname(&kernel);
	nd_buf_addf(out, "{\"format\":\"nodiag-check\",\"version\":%d,\"nodiag\":\"%s\"", VERSION,
		    ND_VERSION);
	add_string(out, "kernel", kernel.release);
	add_string(out, "machine", kernel.machine);
	nd_buf_addf(out, ",\"uid\":%u", geteuid());
	add_string(out, "user", find_user(uid));
	if (check->pid)
		nd_buf_addf(out, ",\"pid\":%d", check->pid);
	else
		nd_buf_add_str(out, ",\"pid\":null");
	add_string(out, "sampler", check->abilities.sampler);
	nd_buf_addf(out, ",\"exit\":%d,\n\"abilities\":[", check->abilities.exit_code);
	for (i = 0; i < check->abilities.count; i++) {
		ability = &check->abilities.list[i];
		nd_buf_addf(out, "%s{\"name\":\"%s\",\"state\":\"%s\"", i ? ",\n" : "\n",
			    ability->name, states[ability->state]);
		add_string(out, "title", ability->title);
		add_string(out, "why", ability->why);
		add_string(out, "allow", ability->allow);
		nd_buf_add_char(out, '}');
	}
	nd_buf_add_str(out, "]}\n");
}

static int print(const struct check *check, struct nd_err *err)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (check->json)
		add_json(check, &text);
	else
		add_list(check, &text);
	ret = out_print(&text, nd_buf_error(&text), err);
	nd_buf_fini(&text);
	return ret;
}

/* Returns 0 or the exit code of wrong arguments. */
static int parse_pid(struct check *check)
{
	const struct target_syntax syntax = {.command = "nodiag check", .pids_only = true};
	const char *arg = check->arguments.count ? check->arguments.list[0] : NULL;
	struct target target;
	int ret;

	if (!arg)
		return 0;
	if (check->arguments.count > 1) {
		nd_err_set(&check->err, -EINVAL, "'%s': one process at a time",
			   check->arguments.list[1]);
	} else if (arg[strspn(arg, "0123456789")]) {
		nd_err_set(&check->err, -EINVAL, "'%s' is no process id", arg);
	} else {
		ret = target_parse(&syntax, check->arguments.list, 1, NULL, &target, &check->err);
		check->pid = ret ? 0 : target.pids[0];
		return ret;
	}
	nd_err_hint(&check->err, "nodiag ps lists the processes");
	return EXIT_USAGE;
}

static int run(struct check *check)
{
	int ret = parse_pid(check);

	if (ret)
		return ret;
	abilities_add_samplers(&check->abilities);
	if (!check->pid) {
		abilities_add_machine(&check->abilities);
	} else if (abilities_add_process(&check->abilities, check->pid, &check->err)) {
		nd_err_hint(&check->err, "nodiag ps lists the ones that run");
		return check->err.code == -ENOMEM ? EXIT_FAILED : EXIT_NO_TARGET;
	}
	if (print(check, &check->err))
		return EXIT_FAILED;
	return check->abilities.exit_code;
}

int command_check(int argc, char **argv)
{
	struct check check = {0};
	int ret = arguments_read(&argp, argc, argv, &check, &check.err);

	if (check.arguments.help)
		ret = arguments_print_help(&argp, &check.arguments, argv[0], &check.err);
	else if (!ret)
		ret = run(&check);
	if (check.err.code)
		term_error(&check.err);
	return ret;
}
