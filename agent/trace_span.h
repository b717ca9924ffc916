/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_TRACE_SPAN_H
#define NODIAG_AGENT_TRACE_SPAN_H

/*
 * What a thread's script tells of a span becomes a record in the thread's ring: the functions that
 * the script is given, on whose side trace/span.js stands.
 */

struct napi_callback_info__;
struct napi_env__;
struct napi_value__;
struct nd_thread;

/* As Node-API calls them, with the thread as their data; they never throw. */
typedef struct napi_value__ *nd_trace_function(struct napi_env__ *env,
					       struct napi_callback_info__ *info);

/* What is among the numbers while no function is called; trace/toggle.js has the same. */
enum nd_trace_shared {
	ND_TRACE_PROPAGATORS, /* enum nd_otel_propagator, for share() */
	ND_TRACE_WANTED	      /* for toggle(): bits of ND_FEATURE_SPANS, from the lowest on */
};

/*
 * share(numbers): the array that goes with each call, which the script keeps alive. Leaves in it
 * what is to be propagated.
 */
nd_trace_function nd_trace_on_share;

/* begin(span...): leaves its time among the numbers, for end(). */
nd_trace_function nd_trace_on_begin;

/*
 * finish(route, error), or finish() where it has neither: ends the server's span that the numbers
 * tell of, and leaves 0 for its kind. Where it is not known as it began, that stays, and end() is
 * to be called.
 */
nd_trace_function nd_trace_on_finish;

/* end(span...) */
nd_trace_function nd_trace_on_end;

/* name(remote): the "traceparent" of what the span that the numbers tell of asks for. */
nd_trace_function nd_trace_on_name;

/* tell(): a request that the script could make nothing of; tell(why): it has ended by itself. */
nd_trace_function nd_trace_on_tell;

/* Before the script is loaded: the secret of its ids, and room for spans that have begun. */
void nd_trace_prepare(struct nd_thread *thread);

/* Let go of that room, of a script or a thread that has ended. */
void nd_trace_free(struct nd_thread *thread);

#endif /* NODIAG_AGENT_TRACE_SPAN_H */
