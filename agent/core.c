/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/analyzer.h"
#include "agent/async.h"
#include "agent/channel.h"
#include "agent/control.h"
#include "agent/listener.h"
#include "agent/log.h"
#include "agent/loop.h"
#include "agent/node_abi.h"
#include "agent/otel.h"
#include "agent/sampler.h"
#include "agent/script.h"
#include "agent/snapshot.h"
#include "agent/thread.h"
#include "agent/trace.h"
#include "proto/limits.h"

/* Versions of V8 that the calls in node_abi.h were tried with: Node 18 to 26. */
#define V8_FIRST 10
#define V8_LAST	 14

struct nd_agent nd_agent = {.channel_fd = -1, .threshold_ns = ND_STALL_THRESHOLD_NS};

void nd_agent_give_reason(enum nd_agent_reason reason)
{
	if (nd_agent.reason == ND_AGENT_OK)
		nd_agent.reason = reason;
	if (nd_agent.channel) {
		nd_agent.channel->reason = nd_agent.reason;
		nd_agent.channel->features = nd_agent.features;
	}
}

/* A child that fork() made, and that did not become another program, is none of ours. */
static void on_fork_child(void)
{
	nd_agent.active = false;
	nd_thread_forget_all();
}

/* What of this program's V8 and libuv is as the agent expects it. */
static void find_features(void)
{
	long v8_major = nd_v8_get_version ? strtol(nd_v8_get_version(), NULL, 10) : 0;
	bool v8_is_known = v8_major >= V8_FIRST && v8_major <= V8_LAST;

	nd_agent.reason = ND_AGENT_OK;
	nd_agent.features = ND_FEATURE_LOOP;
	if (nd_loop_is_known())
		nd_agent.features |= ND_FEATURE_PHASES;
	else
		nd_agent_give_reason(ND_AGENT_UNKNOWN_LIBUV);
	if (v8_is_known && nd_isolate_add_gc_prologue && nd_isolate_add_gc_epilogue &&
	    nd_isolate_remove_gc_prologue && nd_isolate_remove_gc_epilogue &&
	    nd_isolate_get_heap_statistics)
		nd_agent.features |= ND_FEATURE_GC;
	else
		nd_agent_give_reason(ND_AGENT_UNKNOWN_V8);
	if (v8_is_known && nd_script_is_known())
		nd_agent.features |= ND_FEATURE_TRACE | ND_FEATURE_SPANS | ND_FEATURE_ACTIVE;
	else
		nd_agent_give_reason(ND_AGENT_UNKNOWN_V8);
	if (nd_agent.features & ND_FEATURE_GC && nd_async_is_known())
		nd_agent.features |= ND_FEATURE_ASYNC;
	if (v8_is_known && nd_snapshot_is_known())
		nd_agent.features |= ND_FEATURE_SNAPSHOT | ND_FEATURE_REDACT | ND_FEATURE_INSIDE |
				     (nd_snapshot_knows_limit() ? ND_FEATURE_TRIGGERS : 0);
	if (nd_sampler_start())
		nd_agent.features |= ND_FEATURE_STALLS | ND_FEATURE_CPU;
	else
		nd_agent_give_reason(ND_AGENT_NO_SIGNAL);
}

/* JavaScript that has not come back to its loop for long is being looked at from now on. */
static void on_interrupt(struct nd_isolate *isolate, void *data)
{
	struct nd_thread *thread = nd_agent.active ? nd_thread_adopt() : NULL;

	if (thread)
		nd_loop_begin_late(thread);
}

static bool has_imports(void)
{
	return nd_isolate_try_get_current && nd_isolate_in_context &&
	       nd_isolate_request_interrupt && nd_node_get_event_loop && uv_run && uv_backend_fd;
}

void nodiag_agent_start(enum nd_start_place place)
{
	static bool has_fork_handler;
	struct nd_thread *thread;

	if (nd_agent.active || !has_imports())
		return;
	if (!has_fork_handler)
		has_fork_handler = !pthread_atfork(NULL, NULL, on_fork_child);
	nd_log_read_environment();
	nd_listener_read_environment();
	nd_otel_read_environment(place == ND_START_EARLY);
	nd_analyzer_read_environment();
	nd_trace_read_environment();
	find_features();
	nd_agent.active = true;
	if (!nd_loop_hook()) {
		nd_agent.features = 0;
		nd_agent_give_reason(ND_AGENT_NO_HOOK);
	}
	if (nd_agent.reason)
		nd_log("not all can be measured: reason %u", nd_agent.reason);
	if (nd_agent.channel) {
		nd_agent.channel->features = nd_agent.features;
		nd_agent.channel->reason = nd_agent.reason;
		nd_control_start();
	}
	if (place == ND_START_AT_POLL) {
		thread = nd_thread_adopt();
		if (thread)
			nd_loop_begin_idle(thread);
	} else if (place == ND_START_IN_CALL) {
		on_interrupt(nd_isolate_try_get_current(), NULL);
	} else if (place == ND_START_IN_JS && nd_isolate_try_get_current()) {
		nd_isolate_request_interrupt(nd_isolate_try_get_current(), on_interrupt, NULL);
	}
}

void *napi_register_module_v1(void *env, void *exports)
{
	nodiag_agent_start(ND_START_IN_CALL);
	return exports;
}

void nd_agent_stop(void)
{
	nd_agent.active = false;
	nd_loop_unhook();
	nd_sampler_stop();
	nd_agent.reason = ND_AGENT_DETACHED;
	nd_agent.channel->reason = ND_AGENT_DETACHED;
}
