/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_TRACE_H
#define NODIAG_AGENT_TRACE_H

/*
 * Spans of HTTP requests: the thread's JavaScript tells of them (trace/span.js), and each becomes
 * one record in its ring when it begins, and one when it ends (proto/span.h).
 *
 * The script is there only while a reader asks for spans, or from the beginning where NODIAG_TRACE
 * is set, or spans are to be sent (agent/otel.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/event.h"

struct napi_ref__;
struct nd_kept_span;
struct nd_thread;

/* Of a thread. */
struct nd_trace_state {
	struct napi_ref__ *toggle; /* the script's function; NULL before it was loaded */
	double *numbers;	   /* the script's, and there as long as that */
	struct nd_kept_span *kept; /* as spans began, for their ends; NULL: there is no memory */
	uint64_t secret[3];	   /* what ids are made of, besides a number */
	bool is_wanted;		   /* what the script was told last, or will be */
	uint32_t spans;		   /* likewise: of ND_FEATURE_SPANS */
};

/* Whether NODIAG_TRACE asks for spans, or they are to be sent: after nd_otel_read_environment(). */
void nd_trace_read_environment(void);

/* Let the script begin or end, as is wanted by now. On that thread, while it is about to poll. */
void nd_trace_update(struct nd_thread *thread);

/* Let go of the script. False when that has to be tried again later. Likewise. */
bool nd_trace_stop(struct nd_thread *thread);

#endif /* NODIAG_AGENT_TRACE_H */
