/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SNAPSHOT_WRITE_H
#define NODIAG_AGENT_SNAPSHOT_WRITE_H

/*
 * What V8 is asked for a heap snapshot, by a child or by the thread itself, which differ in how
 * they send it and in how long they go on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_heap_snapshot;
struct nd_isolate;

struct nd_snapshot_writer {
	/* Take the next bytes of V8's JSON; false when no more are wanted. */
	bool (*send)(struct nd_snapshot_writer *writer, const char *data, size_t size);
	/* Asked while V8 looks at the objects, every 10,000 of them; NULL: it goes on. */
	bool (*may_go_on)(struct nd_snapshot_writer *writer);
	int fd;		     /* for send() */
	const uint64_t *key; /* of hashes in place of texts; NULL: texts go out */
};

/*
 * Let V8 look at all objects of the isolate, and say in the channel how far it is. NULL when it was
 * stopped. The caller deletes it, or ends.
 */
const struct nd_heap_snapshot *nd_snapshot_take(struct nd_isolate *isolate,
						struct nd_snapshot_writer *writer);

/* Send it. False when not all was wanted, or without memory. */
bool nd_snapshot_serialize(const struct nd_heap_snapshot *heap, struct nd_snapshot_writer *writer);

#endif /* NODIAG_AGENT_SNAPSHOT_WRITE_H */
