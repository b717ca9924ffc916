/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_COLLECT_HEAP_H
#define NODIAG_CLI_COLLECT_HEAP_H

/*
 * The heap snapshot that a process asks for by NODIAG_HEAP_SNAPSHOT, when its heap has grown to its
 * limit. A child of the one that records the process waits for it, and goes on when that is done.
 */

#include <sys/types.h>

struct channel;

/*
 * Wait in a child for the process behind `channel` to run out of memory; where its folder has as
 * many snapshots as there may be, nothing is done. Returns the child, 0 without one.
 */
pid_t collect_heap_start(struct channel *channel);

/* Let it end when it has written what it is at; at once where the user has enough. */
void collect_heap_end(pid_t child);

#endif /* NODIAG_CLI_COLLECT_HEAP_H */
