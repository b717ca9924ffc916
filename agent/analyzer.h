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

/*
 * The pattern of the file that NODIAG_OUTPUT asks for, and the folder of NODIAG_HEAP_SNAPSHOT, both
 * absolute; "" where it does not.
 */
const char *nd_analyzer_get_output(void);
const char *nd_analyzer_get_heap_folder(void);

/*
 * Start an analyzer for the processes whose sockets are in `folder`, if the environment asks for
 * one, and none runs; it is expected from then on. Once, when the program begins. This and what
 * follows is for the agent's thread.
 */
void nd_analyzer_start(const char *folder);

/* It is here, or somebody else is; or who read from us is gone, and it may come again. */
void nd_analyzer_has_come(void);
void nd_analyzer_has_gone(void);

/*
 * How long to wait for the analyzer where it is expected, in ms, `timeout_ms` at most; -1 is for
 * ever. Says in the log that it has not come when it should have.
 */
int nd_analyzer_wait(int timeout_ms);

/* Whether a process runs the program that is started as analyzer. */
bool nd_analyzer_is(pid_t pid);

#endif /* NODIAG_AGENT_ANALYZER_H */
