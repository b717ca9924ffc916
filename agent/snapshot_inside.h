/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SNAPSHOT_INSIDE_H
#define NODIAG_AGENT_SNAPSHOT_INSIDE_H

/*
 * A heap snapshot that a thread takes of itself, where there can be no child. It stands still for
 * it, and V8's copy of the heap is its own; so it can be given up at any moment, by who asked for
 * it, at its time, and before memory runs out, and then all is as before.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_isolate;

struct nd_snapshot_inside {
	struct nd_isolate *isolate;
	int fd; /* a stream socket, for the snapshot */
	uint32_t timeout_s;
	uint64_t free_bytes;	 /* what the process may take more */
	const bool *is_unwanted; /* becomes true in another thread */
	const uint64_t *key;	 /* of hashes in place of texts; NULL: texts go out */
};

/* Take it, on the isolate's thread. 0 when all was written, or as struct nd_written says. */
int nd_snapshot_inside_run(const struct nd_snapshot_inside *inside);

#endif /* NODIAG_AGENT_SNAPSHOT_INSIDE_H */
