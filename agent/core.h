/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_CORE_H
#define NODIAG_AGENT_CORE_H

/*
 * The agent in a Node process: libnodiag-core.so. It is loaded by the stub before Node starts, or
 * into a running process by `nodiag attach`; either way one function starts it, whose name is all
 * that the library exports.
 *
 * It may fail but not hurt: what does not work switches itself off, with a reason that a reader of
 * the channel sees. In the program's own threads it never waits, and allocates only once a thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"

#define ND_CORE_START "nodiag_agent_start"

struct nd_thread;

struct nd_agent {
	struct nd_channel_head *channel; /* NULL until the first thread is adopted */
	size_t channel_size;
	int channel_fd;
	bool active;	   /* hooks do something */
	uint32_t features; /* enum nd_agent_feature: what works here */
	uint32_t reason;   /* enum nd_agent_reason */
	/* What the reader wants, 0 without one. */
	uint32_t wanted;
	uint32_t hz;
	uint64_t threshold_ns;
	uint32_t async_session; /* counts the readers who want ND_FEATURE_ASYNC; 0: none does */
};

extern struct nd_agent nd_agent;

/* Hook into the program. Idempotent; also after it was stopped. Called on the main thread. */
void nodiag_agent_start(enum nd_start_place place) __attribute__((visibility("default")));

/*
 * The same as a Node-API module, for process.dlopen(): `nodiag attach --via inspector` lets Node
 * load the agent itself. The arguments are opaque here.
 */
void *napi_register_module_v1(void *env, void *exports) __attribute__((visibility("default")));

/* Leave no hook active. What is mapped stays, since somebody may be in it. */
void nd_agent_stop(void);

/* Say why not all works, in the channel too, unless something else was said before. */
void nd_agent_give_reason(enum nd_agent_reason reason);

#endif /* NODIAG_AGENT_CORE_H */
