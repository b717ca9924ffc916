/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trace.h"

#include <stdlib.h>
#include <string.h>

#include "agent/context.h"
#include "agent/core.h"
#include "agent/node_abi.h"
#include "agent/otel.h"
#include "agent/script.h"
#include "agent/thread.h"
#include "agent/trace_span.h"
#include "proto/span.h"

/* Embedded. */
extern const unsigned char nd_trace_js[] __attribute__((visibility("hidden")));
extern const unsigned int nd_trace_js_len __attribute__((visibility("hidden")));

static bool always;

/* What NODIAG_SPANS asks for, of ND_FEATURE_SPANS. */
static uint32_t own_spans;

void nd_trace_read_environment(void)
{
	const char *wanted = secure_getenv("NODIAG_TRACE");

	own_spans = nd_span_features_parse(secure_getenv("NODIAG_SPANS"), NULL);
	always = (wanted && !strcmp(wanted, "1")) || nd_otel_get_exports() & ND_EXPORTS_TRACES;
}

static void load(struct nd_thread *thread, struct napi_env__ *env)
{
	static const struct {
		const char *name;
		nd_napi_callback *callback;
	} functions[] = {{"begin", nd_trace_on_begin},	 {"finish", nd_trace_on_finish},
			 {"end", nd_trace_on_end},	 {"name", nd_trace_on_name},
			 {"tell", nd_trace_on_tell},	 {"share", nd_trace_on_share},
			 {"frame", nd_context_on_frame}, {"ids", nd_context_on_ids}};
	struct napi_value__ *argv[sizeof(functions) / sizeof(functions[0])];
	size_t argc = sizeof(functions) / sizeof(functions[0]), i;

	for (i = 0; i < argc; i++)
		if (napi_create_function(env, functions[i].name, ND_NAPI_AUTO_LENGTH,
					 functions[i].callback, thread, &argv[i]))
			return;
	nd_trace_prepare(thread);
	thread->trace.toggle = nd_script_load(env, nd_trace_js, nd_trace_js_len, argc, argv);
}

/* Whether samples tell of requests from now on, for readers. */
static void show_context(struct nd_thread *thread)
{
	uint32_t tracing = thread->slot->tracing, state = ND_CONTEXT_OFF;

	if (tracing != ND_TRACING_ON && tracing != ND_TRACING_OBSERVED)
		nd_context_forget(thread);
	else
		state = thread->context.place.way == ND_CONTEXT_BY_NOTHING ? ND_CONTEXT_UNREADABLE
									   : ND_CONTEXT_ON;
	__atomic_store_n(&thread->slot->context, state, __ATOMIC_RELAXED);
}

static void tell_script(struct nd_thread *thread, struct napi_env__ *env)
{
	uint32_t spans = thread->trace.spans / ND_FEATURE_SPANS_LOWEST;
	int state = ND_TRACING_FAILED;

	if (!thread->trace.toggle)
		load(thread, env);
	if (thread->trace.numbers)
		thread->trace.numbers[ND_TRACE_WANTED] = spans;
	if (thread->trace.toggle)
		state = nd_script_switch(env, thread->trace.toggle, thread->trace.is_wanted,
					 ND_TRACING_FAILED);
	__atomic_store_n(&thread->slot->tracing, (uint32_t)state, __ATOMIC_RELAXED);
	show_context(thread);
}

void nd_trace_update(struct nd_thread *thread)
{
	const struct nd_trace_state before = thread->trace;
	bool wanted = nd_agent.features & ND_FEATURE_TRACE &&
		      (always || nd_agent.wanted & ND_FEATURE_TRACE);
	uint32_t spans = wanted ? own_spans | (nd_agent.wanted & ND_FEATURE_SPANS) : 0;

	if (wanted == before.is_wanted && spans == before.spans)
		return;
	thread->trace.is_wanted = wanted;
	thread->trace.spans = spans;
	if (nd_script_enter(thread, tell_script))
		return;
	thread->trace.is_wanted = before.is_wanted;
	thread->trace.spans = before.spans;
}

static void drop_script(struct nd_thread *thread, struct napi_env__ *env)
{
	tell_script(thread, env);
	napi_delete_reference(env, thread->trace.toggle);
	thread->trace.toggle = NULL;
	thread->trace.numbers = NULL;
	thread->slot->kept = 0;
	nd_trace_free(thread);
}

bool nd_trace_stop(struct nd_thread *thread)
{
	if (!thread->trace.toggle || thread->script.is_over)
		return true;
	thread->trace.is_wanted = false;
	return nd_script_enter(thread, drop_script);
}
