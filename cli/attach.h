/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_ATTACH_H
#define NODIAG_CLI_ATTACH_H

/* What `nodiag attach` does, for commands that need the agent for a while. */

#include <stdbool.h>
#include <sys/types.h>

struct channel;
struct nd_err;

/* Load the agent into a process that has none, by ptrace, and connect to it. */
int attach_agent(pid_t pid, struct channel **ret_channel, struct nd_err *err);

/*
 * Connect to the agent in a process, which is loaded where there is none; `ret_is_ours` says so.
 * A negative errno with `err` set.
 */
int attach_borrow_agent(pid_t pid, struct channel **ret_channel, bool *ret_is_ours,
			struct nd_err *err);

/* Close the channel, which may be NULL, and let go of the process if the agent is ours. */
void attach_return_agent(struct channel *channel, bool is_ours);

#endif /* NODIAG_CLI_ATTACH_H */
