/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_AGENT_H
#define NODIAG_CLI_AGENT_H

/* Where the agent's two libraries are: beside this program, as built or as installed. */

struct nd_err;

/* The path for LD_PRELOAD, "libnodiag-agent.so" where it is not found. */
const char *agent_get_stub(void);

/* The path of the agent itself, NULL where it is not found. */
const char *agent_get_core(void);

/*
 * Set LD_PRELOAD for the programs that are started from now on, before what it names already. They
 * start no analyzer of their own.
 */
int agent_preload(struct nd_err *err);

#endif /* NODIAG_CLI_AGENT_H */
