/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_LOG_H
#define NODIAG_AGENT_LOG_H

/*
 * Note what NODIAG_LOG says, before anything is logged. On the main thread: the program may change
 * its environment, which no other thread may read meanwhile.
 */
void nd_log_read_environment(void);

/*
 * A line for whoever looks for what the agent does, into the file that NODIAG_LOG names; nowhere
 * without it. "stderr" is a name for the program's own. Never from a signal handler.
 */
void nd_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* NODIAG_AGENT_LOG_H */
