/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_TRACE_IDS_H
#define NODIAG_AGENT_TRACE_IDS_H

/*
 * Ids of spans and traces.
 *
 * They are not kept: the script numbers its spans, and a span's id is a permutation of its number,
 * by a secret of the thread. So ids are made only of spans that are written, at any time, and
 * again.
 */

#include <stdint.h>

#include "proto/event.h"

struct nd_thread;

#define ND_TRACE_ID_SIZE 16

/* What a "traceparent" says: https://www.w3.org/TR/trace-context/ */
#define ND_TRACEPARENT_LEN 55

#define ND_TRACE_SAMPLED 1 /* of its flags */

struct nd_traceparent {
	uint8_t trace_id[ND_TRACE_ID_SIZE];
	uint8_t span_id[ND_SPAN_ID_SIZE];
	uint8_t flags;
};

/* Of a text of ND_TRACEPARENT_LEN characters in which all digits are known to be such. */
void nd_traceparent_parse(const char *text, struct nd_traceparent *ret);

/* As a text of ND_TRACEPARENT_LEN characters and a NUL. */
void nd_traceparent_format(const struct nd_traceparent *parent,
			   char ret_text[ND_TRACEPARENT_LEN + 1]);

/* Make the thread's secret, by which its ids are no other's. */
void nd_trace_make_secret(struct nd_thread *thread);

/* Write the id of the span of a number; all zeros for 0. Async-signal-safe. */
void nd_trace_name_span(const struct nd_thread *thread, uint64_t number,
			uint8_t ret_id[ND_SPAN_ID_SIZE]);

/* Write the id of the trace that the span of a number began. */
void nd_trace_name_trace(const struct nd_thread *thread, uint64_t root,
			 uint8_t ret_id[ND_TRACE_ID_SIZE]);

#endif /* NODIAG_AGENT_TRACE_IDS_H */
