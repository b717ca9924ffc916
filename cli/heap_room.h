/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_ROOM_H
#define NODIAG_CLI_HEAP_ROOM_H

/*
 * Whether a disk has room for a snapshot, asked before a process is paused for one that nobody
 * could keep.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cli/heap_format.h"

struct heap_room {
	uint64_t known_bytes; /* what one takes, by those that were taken; 0: by the heap's size */
	bool is_short;	      /* that was said */
	uint32_t left_out;    /* snapshots */
};

/* What a snapshot of such a heap takes at most, most of the time: twice its bytes, less packed. */
uint64_t heap_room_expect(uint64_t used_bytes, enum heap_format format);

/*
 * Whether `folder`, NULL for the one we are in, has room for one that is expected to take so much.
 * Where it has not, that is said the first time, and each time with `is_asked`.
 */
bool heap_room_is_enough(struct heap_room *room, const char *folder, uint64_t expected_bytes,
			 bool is_asked);

/* How many snapshots there are in a folder, by their names; or a negative errno. */
int heap_room_count(const char *folder);

/* One was written, at `path`; or there was too little room for it in `folder`, which is free again.
 */
void heap_room_learn(struct heap_room *room, const char *path);
void heap_room_learn_full(struct heap_room *room, const char *folder);

#endif /* NODIAG_CLI_HEAP_ROOM_H */
