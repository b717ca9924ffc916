/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_OTEL_H
#define NODIAG_AGENT_OTEL_H

/*
 * What the variables OTEL_* ask of the agent: whether what the process does is sent to a collector,
 * and which traces of it are. Where to is for nodiag to read, which sends.
 */

#include <stdbool.h>
#include <stdint.h>

/* What a request says of where it comes from: OTEL_PROPAGATORS. */
enum nd_otel_propagator {
	ND_OTEL_TRACE_CONTEXT = 1 << 0, /* "traceparent" and "tracestate" */
	ND_OTEL_BAGGAGE = 1 << 1,
};

/* What came with a request. */
enum nd_otel_parent { ND_OTEL_NO_PARENT, ND_OTEL_NOT_SAMPLED, ND_OTEL_SAMPLED };

/*
 * Note what the environment asks for. On the main thread. Only a program that was started with the
 * agent asks by it for anything to be sent: of one that it is loaded into later nobody said so.
 */
void nd_otel_read_environment(bool is_early);

/* Of enum nd_channel_export. */
uint32_t nd_otel_get_exports(void);

/* Of enum nd_otel_propagator: what is taken from requests that come, and put on those that go. */
uint32_t nd_otel_get_propagators(void);

/* Whether a trace is sent, by OTEL_TRACES_SAMPLER. */
bool nd_otel_is_sampled(const uint8_t trace_id[16], enum nd_otel_parent parent);

#endif /* NODIAG_AGENT_OTEL_H */
