/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_PATTERN_H
#define NODIAG_CLI_PATTERN_H

/* Names of files that several processes are to have. */

#include <stddef.h>
#include <sys/types.h>

/*
 * Make the path that `pattern` stands for: %p is the process id, %% a per cent sign. Each `attempt`
 * from 0 on gives another, for when one is taken: before its extension the name gets the id, where
 * that is not in it already, and then a number. -ENAMETOOLONG.
 */
int pattern_expand(const char *pattern, pid_t pid, unsigned int attempt, char *buf, size_t size);

#endif /* NODIAG_CLI_PATTERN_H */
