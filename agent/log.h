/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_LOG_H
#define NODIAG_AGENT_LOG_H

/*
 * A line for whoever looks for what the agent does, into the file that NODIAG_LOG names; nowhere
 * without it. "stderr" is a name for the program's own. Never from a signal handler.
 */
void nd_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* NODIAG_AGENT_LOG_H */
