/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_CHILD_H
#define NODIAG_CLI_CHILD_H

/* The command behind "--": started, but held back until it is watched. */

#include <stdbool.h>
#include <sys/types.h>

struct nd_err;

struct child {
	pid_t pid;
	int go_fd;     /* writing here lets it run */
	int status_fd; /* here it says why it could not */
	bool ended;
	int status; /* exit status as a shell has it, once `ended` */
};

/* Fork, and stop before the command is run. */
int child_start(struct child *child, char **command, struct nd_err *err);

/*
 * Let the command run. Returns 0, EXIT_COMMAND_NOT_FOUND or EXIT_COMMAND_NOT_RUNNABLE with `err`
 * set.
 */
int child_go(struct child *child, char **command, struct nd_err *err);

/* Take its exit status if it has ended, or wait until it has. Returns whether it has. */
bool child_reap(struct child *child, bool wait);

/*
 * Wait for the end of a command that goes on when its observation is over, while Ctrl-C is for the
 * command alone. Returns its exit status, 0 where none was started.
 */
int child_wait(struct child *child);

/* End one that was not let go, or do nothing. */
void child_cancel(struct child *child);

#endif /* NODIAG_CLI_CHILD_H */
