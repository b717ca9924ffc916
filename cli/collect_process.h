/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_COLLECT_PROCESS_H
#define NODIAG_CLI_COLLECT_PROCESS_H

/* One process of those that `nodiag collect` records. */

#include <sys/types.h>

struct channel;
struct record_options;

/*
 * Record a process into the file that its NODIAG_OUTPUT asks for, and send what it does, as its
 * OTEL_* ask, until it ends or SIGTERM comes, and take the heap snapshot of NODIAG_HEAP_SNAPSHOT;
 * `folder` is where its socket is. What happens is said on stderr and in the process's own log.
 * Returns EXIT_DONE, EXIT_NO_TARGET when it asks for nothing or has no agent, or EXIT_FAILED.
 */
int collect_process(pid_t pid, const char *folder, const struct record_options *options);

/* To whoever looks: the terminal, and the process's log, where it still lives. */
__attribute__((format(printf, 2, 3))) void collect_say(struct channel *channel, const char *fmt,
						       ...);

#endif /* NODIAG_CLI_COLLECT_PROCESS_H */
