/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_ANALYZER_H
#define NODIAG_AGENT_ANALYZER_H

/*
 * The analyzer that a process asks for by its environment: `nodiag collect`, a process of its own
 * for all processes of the user. The one that comes first starts it.
 */

#include <stdbool.h>
#include <sys/types.h>

/*
 * Note what the environment asks for. On the main thread: the program may change its environment,
 * which no other thread may read meanwhile.
 */
void nd_analyzer_read_environment(void);

/* Whether it asks for an analyzer: to record the process, or to send what it does. */
bool nd_analyzer_is_wanted(void);

/* The pattern of the file that NODIAG_OUTPUT asks for, absolute; "" where it does not. */
const char *nd_analyzer_get_output(void);

/*
 * Start an analyzer for the processes whose sockets are in `folder`, if the environment asks for
 * one, and none runs. Once, by the agent's thread, which waits for the program to begin. Returns
 * whether one should come now.
 */
bool nd_analyzer_start(const char *folder);

/* Whether a process runs the program that is started as analyzer. */
bool nd_analyzer_is(pid_t pid);

#endif /* NODIAG_AGENT_ANALYZER_H */
