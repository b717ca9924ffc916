/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SNAPSHOT_CHILD_H
#define NODIAG_AGENT_SNAPSHOT_CHILD_H

/*
 * The child that takes a heap snapshot: a copy of the program with one thread, which must not wait
 * for the others, nor do anything that the program or the world outside would notice.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_isolate;

struct nd_snapshot_child {
	struct nd_isolate *isolate;
	int fd; /* a stream socket, for the snapshot */
	pid_t parent;
	bool outlives; /* goes on when the process has ended */
	bool is_nice;  /* the process goes on, and comes first */
	uint32_t timeout_s;
	uint64_t limit_bytes; /* of memory that it may take itself */
	const uint64_t *key;  /* of hashes in place of texts; NULL: texts go out */
};

/*
 * Find the calls that must do nothing in the child, once, in the parent: the loader's lock may be
 * held when it forks. False where they are not found.
 */
bool nd_snapshot_child_prepare(void);

/* Be the child. Its exit status is 0 when all was written. */
_Noreturn void nd_snapshot_child_run(const struct nd_snapshot_child *child);

#endif /* NODIAG_AGENT_SNAPSHOT_CHILD_H */
