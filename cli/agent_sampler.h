/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_AGENT_SAMPLER_H
#define NODIAG_CLI_AGENT_SAMPLER_H

/*
 * CPU samples by the agent in a process, for those whom the kernel lets use neither eBPF nor
 * perf_event: of the threads that run JavaScript, without kernel frames.
 */

#include <sys/types.h>

struct nd_err;
struct nd_sampler;
struct nd_sampler_options;

/* The agent's limit; it goes by a clock that is no finer. */
#define AGENT_SAMPLER_HZ_MAX 250

/* -ENOENT when there is no agent in the process, -EBUSY when somebody else reads from it. */
int agent_sampler_open(pid_t pid, const struct nd_sampler_options *options,
		       struct nd_sampler **ret_sampler, struct nd_err *err);

#endif /* NODIAG_CLI_AGENT_SAMPLER_H */
