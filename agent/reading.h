/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_READING_H
#define NODIAG_AGENT_READING_H

/*
 * What one reader has the agent watch, from when it says so until it goes: samples, stalls,
 * asynchronous resources, spans. Without a reader the threads do no more than count. All of this is
 * for the agent's thread.
 */

#include <stdint.h>

struct nd_start;

/* Watch what is asked for, as far as it works here, and nothing else. -EINVAL. */
int nd_reading_start(const struct nd_start *start);
void nd_reading_end(void);

/* Have all loops count their handles, and tell of asynchronous resources at once. */
void nd_reading_refresh(void);

/*
 * Look at all loops, and tell what is due. Returns how long until there is to be looked again, in
 * nanoseconds; UINT64_MAX: for ever.
 */
uint64_t nd_reading_look(void);

#endif /* NODIAG_AGENT_READING_H */
