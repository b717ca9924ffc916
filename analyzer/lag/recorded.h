/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_LAG_RECORDED_H
#define NODIAG_ANALYZER_LAG_RECORDED_H

/*
 * The event loops of a recording, as if they were observed now.
 */

#include <stddef.h>
#include <stdint.h>

#include "proto/recording.h"

struct nd_err;
struct nd_lag;
struct nd_profile;

/* What else the recording says. */
struct nd_lag_recorded {
	struct nd_recording_state state;
	char loops[64];	       /* who told of them: "the agent" */
	uint32_t agent_reason; /* enum nd_agent_reason, or a newer one */
	uint64_t threshold_ns;
	uint64_t duration_ns;
	uint64_t stacks;   /* taken during stalls */
	uint64_t dropped;  /* events that found no room */
	uint64_t left_out; /* threads without a place of their own */
	char unnamed[640]; /* why stacks have no names, or "" */
};

/*
 * Read a recording into `lag`, which is new and has `frames` for its names. -ENODATA when it was
 * made where nobody told of event loops, and as nd_recording_open().
 */
int nd_lag_read_recording(struct nd_lag *lag, struct nd_profile *frames, const void *data,
			  size_t len, struct nd_lag_recorded *ret_recorded, struct nd_err *err);

#endif /* NODIAG_ANALYZER_LAG_RECORDED_H */
