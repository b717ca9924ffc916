/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_ATTACH_H
#define NODIAG_CLI_ATTACH_H

/* What `nodiag attach` does, for commands that need the agent for a while. */

#include <sys/types.h>

struct channel;
struct nd_err;

/* Load the agent into a process that has none, by ptrace, and connect to it. */
int attach_agent(pid_t pid, struct channel **ret_channel, struct nd_err *err);

#endif /* NODIAG_CLI_ATTACH_H */
