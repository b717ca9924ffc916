/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/nodes.h"
#include "cli/nodes_table.h"
#include "cli/term.h"
#include "cli/units.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/limits.h"

/* Print those that it could be, as 'nodiag ps' does, but on stderr. */
static void list(struct nodes *nodes)
{
	struct nd_buf table;

	if (nodes_look(nodes, NULL))
		return;
	nd_buf_init(&table, ND_OUTPUT_MAX);
	nodes_table_add(nodes, term_width(STDERR_FILENO), false, &table);
	fwrite(table.data, 1, table.len, stderr);
	nd_buf_fini(&table);
}

static int choose(const struct target_syntax *syntax, struct nodes *nodes, struct target *target,
		  struct nd_err *err)
{
	char *text;

	if (!nodes->count) {
		nd_err_set(err, -ESRCH, "no Node.js process of yours is running");
		if (syntax->pids_only)
			nd_err_hint(err, "give a process id; nodiag ps lists everybody's");
		else
			nd_err_hint(err, "give a process id, or start one: %s -- node app.js",
				    syntax->command);
		return EXIT_NO_TARGET;
	}
	if (nodes->count > 1) {
		list(nodes);
		nd_err_set(err, -EINVAL, "which of these Node.js processes?");
		nd_err_hint(err, "give its id, as in: %s %d", syntax->command,
			    nodes->count ? nodes->list[0].pid : 4242);
		return EXIT_USAGE;
	}
	text = nodes_describe(nodes->list[0].pid);
	term_note("the one Node.js process is %d: %s", nodes->list[0].pid, text ? text : "");
	free(text);
	target->kind = TARGET_PIDS;
	target->pids[0] = nodes->list[0].pid;
	target->pids_count = 1;
	return 0;
}

static int find_only_process(const struct target_syntax *syntax, struct target *target,
			     struct nd_err *err)
{
	struct nodes nodes;
	int ret;

	if (nodes_find(&nodes, err))
		return EXIT_FAILED;
	nodes_keep_own(&nodes);
	ret = choose(syntax, &nodes, target, err);
	nodes_fini(&nodes);
	return ret;
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

static int add_pid(struct target *target, const char *text, struct nd_err *err)
{
	uint64_t pid;

	if (!units_parse_number(text, 1, 1u << 30, &pid) ||
	    (kill((pid_t)pid, 0) && errno == ESRCH)) {
		nd_err_set(err, -ESRCH, "no process '%s'", text);
		nd_err_hint(err, "nodiag ps lists the ones that run");
		return EXIT_NO_TARGET;
	}
	if (target->pids_count == TARGET_PIDS_MAX) {
		nd_err_set(err, -E2BIG, "more than %d processes", TARGET_PIDS_MAX);
		return EXIT_USAGE;
	}
	target->kind = TARGET_PIDS;
	target->pids[target->pids_count++] = (pid_t)pid;
	return 0;
}

static int use_file(struct target *target, char **args, size_t count, struct nd_err *err)
{
	if (count > 1) {
		nd_err_set(err, -EINVAL, "'%s': one file at a time", args[1]);
		return EXIT_USAGE;
	}
	if (access(args[0], R_OK)) {
		nd_err_set_errno(err, -errno, "'%s' is neither a process id nor a file", args[0]);
		nd_err_hint(err, "TARGET is a process id, a profile, or -- and a command");
		return errno == EACCES ? EXIT_PERMISSION : EXIT_NO_TARGET;
	}
	target->kind = TARGET_FILE;
	target->path = args[0];
	return 0;
}

char **target_split_command(int *argc, char **argv)
{
	int i;

	for (i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		*argc = i;
		return argv + i + 1;
	}
	return NULL;
}

/* Refuse what is no process, for a command that only looks at those that run. */
static int refuse(const struct target_syntax *syntax, const char *what, struct nd_err *err)
{
	nd_err_set(err, -EINVAL, "'%s': %s looks only at running processes", what, syntax->command);
	nd_err_hint(err, "give process ids; nodiag ps lists the ones that run");
	return EXIT_USAGE;
}

static int parse(const struct target_syntax *syntax, char **args, size_t count, char **command,
		 struct target *ret_target, struct nd_err *err)
{
	size_t i;
	int ret = 0;

	*ret_target = (struct target){0};
	if (syntax->pids_only && command)
		return refuse(syntax, "--", err);
	for (i = 0; i < count; i++)
		if (syntax->pids_only && !is_number(args[i]))
			return refuse(syntax, args[i], err);
	if (command && count) {
		nd_err_set(err, -EINVAL, "'%s': either a process or a command", args[0]);
		return EXIT_USAGE;
	}
	if (command && !command[0]) {
		nd_err_set(err, -EINVAL, "no command after '--'");
		nd_err_hint(err, "%s -- node app.js", syntax->command);
		return EXIT_USAGE;
	}
	if (command) {
		ret_target->kind = TARGET_COMMAND;
		ret_target->command = command;
		return 0;
	}
	if (!count)
		return find_only_process(syntax, ret_target, err);
	if (!is_number(args[0]))
		return use_file(ret_target, args, count, err);
	for (i = 0; i < count && !ret; i++)
		ret = add_pid(ret_target, args[i], err);
	return ret;
}

int target_parse(const struct target_syntax *syntax, char **args, size_t count, char **command,
		 struct target *ret_target, struct nd_err *err)
{
	int ret = parse(syntax, args, count, command, ret_target, err);
	bool has_many = syntax->one_pid && ret_target->pids_count > 1;

	if (ret || (!has_many && !(syntax->no_file && ret_target->kind == TARGET_FILE)))
		return ret;
	nd_err_set(err, -EINVAL, "'%s': give one process id", args[has_many]);
	nd_err_hint(err, "%s --help", syntax->command);
	return EXIT_USAGE;
}

void target_set_not_node(pid_t pid, const struct nd_err *why, struct nd_err *err)
{
	char exe[4096];

	/* The link goes with the program, before the process does. */
	if (nd_procfs_read_exe(pid, exe, sizeof(exe)) == -ESRCH) {
		nd_err_set(err, -ESRCH,
			   "process %d runs no program: it has ended, or is the kernel's", pid);
		return;
	}
	nd_err_set(err, -ENOENT, "%d is not a Node.js process: %s", pid, why->what);
	nd_err_hint(err, "nodiag ps lists the ones that run");
}

int target_fail(pid_t pid, int ret, struct nd_err *err)
{
	if ((ret == -EPERM || ret == -EACCES) && !err->hint[0]) {
		if (geteuid())
			nd_err_hint(err, "run it with sudo, or as the user that runs process %d",
				    pid);
		else
			nd_err_hint(err, "nodiag check says what keeps even root out");
	}
	if (ret == -ESRCH || ret == -ENOENT)
		return EXIT_NO_TARGET;
	if (ret == -EPERM || ret == -EACCES)
		return EXIT_PERMISSION;
	return EXIT_FAILED;
}
