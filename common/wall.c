/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wall.h"

#include "common/clock.h"

#define READ_TRIES 4

void nd_wall_set(struct nd_wall *wall, uint64_t time_ns, uint64_t unix_ns)
{
	uint64_t offset_ns = unix_ns - time_ns;
	/* Modulo 2^64, so that a step is small in one direction and huge in the other. */
	uint64_t ahead_ns = offset_ns - wall->offset_ns;

	if (ahead_ns >= ND_WALL_STEP_NS && -ahead_ns >= ND_WALL_STEP_NS)
		wall->offset_ns = offset_ns;
}

void nd_wall_read(struct nd_wall *wall)
{
	uint64_t before_ns, unix_ns, took_ns;
	int tries = READ_TRIES;

	/* Who was interrupted between the clocks would see a step that is none. */
	do {
		before_ns = nd_clock_monotonic_ns();
		unix_ns = nd_clock_realtime_ns();
		took_ns = nd_clock_monotonic_ns() - before_ns;
	} while (took_ns >= ND_WALL_STEP_NS && --tries);
	if (tries || !wall->offset_ns)
		nd_wall_set(wall, before_ns + took_ns / 2, unix_ns);
}
