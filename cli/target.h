/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_TARGET_H
#define NODIAG_CLI_TARGET_H

/*
 * TARGET, the same for every command: process ids, "-- COMMAND", a file, or nothing, which stands
 * for the one Node.js process of this user.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct nd_err;

enum target_kind { TARGET_PIDS, TARGET_COMMAND, TARGET_FILE };

/* Processes named in one call; each costs a descriptor a thread. */
#define TARGET_PIDS_MAX 256

/* What a command takes. */
struct target_syntax {
	const char *command; /* "nodiag flame", for hints */
	bool pids_only;	     /* neither a command behind "--" nor a file */
	bool one_pid;	     /* no more than one process */
	bool no_file;	     /* a process or a command */
};

struct target {
	enum target_kind kind;
	pid_t pids[TARGET_PIDS_MAX];
	size_t pids_count;
	char **command;	  /* NULL-terminated; borrowed from argv */
	const char *path; /* borrowed from argv */
};

/* Take "-- COMMAND..." off the arguments, and return it; NULL where there is none. */
char **target_split_command(int *argc, char **argv);

/*
 * Make a target of the arguments that are no options. `command` is what stood behind "--", or NULL.
 * Returns 0, EXIT_USAGE or EXIT_NO_TARGET with `err` set.
 */
int target_parse(const struct target_syntax *syntax, char **args, size_t count, char **command,
		 struct target *ret_target, struct nd_err *err);

/* Say that a process is not one of Node.js, or not any more. */
void target_set_not_node(pid_t pid, const struct nd_err *why, struct nd_err *err);

/* The exit code for a process that could not be looked at; where it is not permitted, a hint too.
 */
int target_fail(pid_t pid, int ret, struct nd_err *err);

#endif /* NODIAG_CLI_TARGET_H */
