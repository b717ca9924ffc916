/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_INSPECTOR_H
#define NODIAG_CLI_INSPECTOR_H

/*
 * Node's own debugger as a way into a process, for where ptrace is not permitted: SIGUSR1 opens it,
 * it evaluates one expression, which has to close it again.
 */

#include <sys/types.h>

struct nd_err;

/*
 * Evaluate JavaScript in the process. -EBUSY when the debugger does not open, which is so when the
 * program handles SIGUSR1 itself, -EPROTO when what answers is not that process's debugger, -EINVAL
 * with the exception's text when it threw.
 */
int inspector_evaluate(pid_t pid, const char *expression, struct nd_err *err);

#endif /* NODIAG_CLI_INSPECTOR_H */
