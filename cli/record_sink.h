/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_RECORD_SINK_H
#define NODIAG_CLI_RECORD_SINK_H

/*
 * What is observed, into a recorder: event loops through the face of lag_sink.h, and CPU samples.
 * Returns what the recorder does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/lag_sink.h"

struct nd_recorder;
struct nd_stack;
struct record_slot;

struct record_sink {
	struct nd_recorder *recorder;
	uint32_t pid;	      /* whose samples the agent takes; these two are set by the caller */
	uint64_t period_ns;   /* CPU time between two of these */
	uint32_t known;	      /* enum nd_loop_known */
	uint64_t cpu_samples; /* by the agent */
	struct record_slot
		*slots; /* of ND_CHANNEL_SLOTS_MAX: the counters of each, until a flush */
	uint32_t slots_used;
};

/* `recorder` must stay. -ENOMEM. */
int record_sink_init(struct record_sink *sink, struct nd_recorder *recorder);
void record_sink_fini(struct record_sink *sink);

/* The sink's face, while it stays where it is. */
struct lag_sink record_sink_face(struct record_sink *sink);

/* A CPU sample; its thread gets its name when it is new. */
int record_sink_add_sample(struct record_sink *sink, const struct nd_stack *stack);

/* Give the recorder the counters that were set since the last time. To be called before it flushes.
 */
int record_sink_flush(struct record_sink *sink);

#endif /* NODIAG_CLI_RECORD_SINK_H */
