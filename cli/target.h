/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_TARGET_H
#define NODIAG_CLI_TARGET_H

/*
 * TARGET, the same for every command: process ids, "-- COMMAND", a file, or nothing, which stands
 * for the one Node.js process of this user.
 */

#include <stddef.h>
#include <sys/types.h>

struct nd_err;

enum target_kind { TARGET_PIDS, TARGET_COMMAND, TARGET_FILE };

/* Processes named in one call; each costs a descriptor a thread. */
#define TARGET_PIDS_MAX 256

struct target {
	enum target_kind kind;
	pid_t pids[TARGET_PIDS_MAX];
	size_t pids_count;
	char **command;	  /* NULL-terminated; borrowed from argv */
	const char *path; /* borrowed from argv */
};

/*
 * Make a target of the arguments that are no options. `command` is what stood behind "--", or NULL.
 * Returns 0, EXIT_USAGE or EXIT_NO_TARGET with `err` set.
 */
int target_parse(char **args, size_t count, char **command, struct target *ret_target,
		 struct nd_err *err);

#endif /* NODIAG_CLI_TARGET_H */
