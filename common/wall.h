/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_WALL_H
#define NODIAG_COMMON_WALL_H

/*
 * Where the wall clock is, seen from the monotonic one, which is what events carry.
 *
 * The two run alike, until somebody sets the clock or the machine sleeps. No two readings are of
 * the same moment, and what was placed by another reading each time would be shifted against what
 * it belongs to. So one that differs by less than ND_WALL_STEP_NS changes nothing.
 */

#include <stdint.h>

#define ND_WALL_STEP_NS UINT64_C(1000000)

/* All zeros before the first reading. */
struct nd_wall {
	uint64_t offset_ns; /* wall clock minus monotonic clock, modulo 2^64 */
};

/* The monotonic moment `time_ns` was `unix_ns` by the wall clock. */
void nd_wall_set(struct nd_wall *wall, uint64_t time_ns, uint64_t unix_ns);

/* Look at both clocks. */
void nd_wall_read(struct nd_wall *wall);

#endif /* NODIAG_COMMON_WALL_H */
