/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_CONTEXT_H
#define NODIAG_AGENT_CONTEXT_H

/*
 * Which span the thread is in at this moment, as a signal handler finds it: by loads alone, from
 * where Node keeps what follows asynchronous calls. docs/internals/context.md says where that is.
 *
 * Nothing of it is taken for granted: the script of trace.h puts known things there, and only where
 * they are found again is it used.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/context.h"

struct napi_callback_info__;
struct napi_env__;
struct napi_value__;
struct nd_thread;

/* Of a thread. */
struct nd_context_state {
	struct nd_context_place place; /* as it is published in the thread's slot */
	uint32_t first_number;	       /* of the span at the first look; 0: there was none */
};

/*
 * frame(storage, span, short): a function of the script, whose data is the thread. Called where
 * `storage` has `span`, whose field has the number `short`; twice, with different ones. Returns
 * whether it can be read, by the second.
 */
struct napi_value__ *nd_context_on_frame(struct napi_env__ *env, struct napi_callback_info__ *info);

/*
 * ids(table): a Float64Array that the script keeps alive, as of ND_CONTEXT_IDS. Called in an
 * asynchronous resource of which the table knows.
 */
struct napi_value__ *nd_context_on_ids(struct napi_env__ *env, struct napi_callback_info__ *info);

/* There is one more span. */
void nd_context_add(struct nd_thread *thread, uint64_t number);

/* The number of the span that the thread is in, 0 for none. On it; async-signal-safe. */
uint64_t nd_context_read(const struct nd_thread *thread);

/* The collector is about to begin, and has ended. */
void nd_context_before_gc(struct nd_thread *thread);
void nd_context_after_gc(struct nd_thread *thread);

/* Nothing can be read any more: the script, or the isolate, is about to end. On that thread. */
void nd_context_forget(struct nd_thread *thread);

#endif /* NODIAG_AGENT_CONTEXT_H */
