/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_LAG_ASYNC_H
#define NODIAG_CLI_LAG_ASYNC_H

/* What is to be said of --async beside the answer. */

#include <sys/types.h>

struct nd_async;
struct nd_err;

/* The agent in a process is too old, or the process too strange. Returns -ENOTSUP. */
int lag_async_refuse(pid_t pid, struct nd_err *err);

/* There is no agent in a process. Returns what `err` has. */
int lag_async_hint(pid_t pid, struct nd_err *err);

/*
 * Which threads were not followed and why, and what else is missing, on stderr. `why_none` is said
 * where none was followed; NULL: that is as it was asked for.
 */
void lag_async_print_missing(const struct nd_async *async, const char *why_none);

#endif /* NODIAG_CLI_LAG_ASYNC_H */
