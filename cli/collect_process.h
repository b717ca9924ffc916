/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_COLLECT_PROCESS_H
#define NODIAG_CLI_COLLECT_PROCESS_H

/* One process of those that `nodiag collect` records. */

#include <sys/types.h>

struct record_options;

/*
 * Record a process into the file that its NODIAG_OUTPUT asks for, until it ends or SIGTERM comes.
 * What happens is said on stderr and in the process's own log. Returns EXIT_DONE, EXIT_NO_TARGET
 * when it asks for none or has no agent, or EXIT_FAILED.
 */
int collect_process(pid_t pid, const struct record_options *options);

#endif /* NODIAG_CLI_COLLECT_PROCESS_H */
