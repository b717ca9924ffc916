/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{"ps", "the Node.js processes, and what can be seen of each", command_ps},
	{"stack", "what every thread does at this moment", command_stack},
	{"flame", "where CPU time goes, as a flame graph", command_flame},
	{"lag", "what blocks the event loop: how long, and who", command_lag},
	{"trace", "where the time of requests goes", command_trace},
	{"heap", "heap snapshots: take one, what is in it, what grew, what keeps it", command_heap},
	{"record", "keep what happens in a file, to ask questions later", command_record},
	{"collect", "record or send all processes that ask for it", command_collect},
	{"export", "send a recording, or a process's metrics, to a collector", command_export},
	{"attach", "load the agent into a running process", command_attach},
	{"detach", "make the agent in a process silent", command_detach},
	{"check", "what this machine and user may do, and what allows the rest", command_check},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *f)
{
	size_t i;

	fputs("Usage: nodiag COMMAND [options] TARGET\n"
	      "See inside a running Node.js process: without restarting it, without flags.\n\n"
	      "Commands:\n",
	      f);
	for (i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("  help       this text, or with COMMAND that command's\n\n"
	      "TARGET is a process id, a file, or -- and a command to run. Without, the one "
	      "Node.js\n"
	      "process of yours.\n\n"
	      "'nodiag COMMAND --help' shows a command's options, 'man nodiag' the whole manual.\n",
	      f);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "nodiag: unknown command '%s'\nhint: nodiag help lists the commands\n",
		name);
	return EXIT_USAGE;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "nodiag %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

static int help(int argc, char **argv)
{
	char *help_argv[] = {argv[0], (char[]){"--help"}, NULL};
	const struct command *command;

	if (argc < 2 || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return EXIT_DONE;
	}
	command = find_command(argv[1]);
	return command ? run_command(command, 2, help_argv) : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
	const struct command *command;

	/* A reader that went away is an error of writing, not the end of us. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("nodiag " ND_VERSION);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(argc - 1, argv + 1);
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return run_command(command, argc - 1, argv + 1);
}
