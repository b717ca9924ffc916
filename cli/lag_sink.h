/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_LAG_SINK_H
#define NODIAG_CLI_LAG_SINK_H

/*
 * Where a source of event loops (lag_source.h) puts what it sees: into the analyzer, for an answer
 * now, or into a recording, for the same answer later (record_sink.h).
 *
 * Functions that return int give 0, -ENOMEM, or what else the sink says of its end.
 */

#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"
#include "proto/event.h"

struct nd_call;
struct nd_event_span;
struct nd_lag;
struct nd_trace;

/* The counters of a thread, as they are now. */
struct lag_counters {
	uint32_t index; /* who it is, among those that are there at the same time */
	const struct nd_channel_slot
		*first; /* when the observation began; all zeros: it came later */
	const struct nd_channel_slot *now;
	uint64_t start_ns; /* of the observation */
	uint64_t now_ns;
};

struct lag_sink_ops {
	/* What the source measures, of enum nd_loop_known; again when more is known. */
	void (*set_known)(void *impl, uint32_t known);
	/* An event of any kind but ND_EVENT_SAMPLE. */
	int (*add_event)(void *impl, const struct nd_event *event, size_t size);
	/*
	 * A stack that was taken during a stall. Its copy of the stack is not there any more;
	 * `span_id` is that of the span that the thread was in, NULL or all zeros for none.
	 */
	int (*add_stack)(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
			 const struct nd_call *calls, size_t depth);
	/* The same of a CPU sample by the agent, where those are asked for. */
	int (*add_sample)(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
			  const struct nd_call *calls, size_t depth);
	int (*set_counters)(void *impl, const struct lag_counters *counters);
};

struct lag_sink {
	const struct lag_sink_ops *ops;
	void *impl;
};

/* The analyzer's parts that answer. */
struct lag_answer {
	struct nd_lag *lag;
	struct nd_trace *trace; /* gets the spans of requests; NULL: nobody wants them */
	/* Gets those that have begun, and those that are over; likewise. */
	int (*add_span)(void *arg, const struct nd_event_span *span);
	/* Gets CPU samples by the agent, as that of struct lag_sink_ops; likewise. */
	int (*add_sample)(void *arg, const struct nd_event_sample *sample, const uint8_t *span_id,
			  const struct nd_call *calls, size_t depth);
	void *arg;
};

/* The analyzer's, which must stay. */
struct lag_sink lag_sink_to_answer(struct lag_answer *answer);

#endif /* NODIAG_CLI_LAG_SINK_H */
