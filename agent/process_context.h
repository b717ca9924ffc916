/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_PROCESS_CONTEXT_H
#define NODIAG_AGENT_PROCESS_CONTEXT_H

/*
 * Publishes what the process is called where eBPF profilers and the like look for it: a mapping
 * named OTEL_CTX, with a header and a message of protobuf. OpenTelemetry's OTEP 4719 (process
 * context), version 2.
 *
 * All of this is for the agent's thread.
 */

#include <stddef.h>

/*
 * Publish a ProcessContext, or another one in its place. Returns 0 or a negative errno: -EEXIST,
 * somebody else in the process has published one; -EMSGSIZE, it is too long.
 */
int nd_process_context_publish(const void *message, size_t size);

/* Take it back, where there is one. */
void nd_process_context_withdraw(void);

#endif /* NODIAG_AGENT_PROCESS_CONTEXT_H */
