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

struct napi_callback_info__;
struct napi_env__;
struct napi_value__;
struct nd_thread;

enum nd_context_way {
	ND_CONTEXT_BY_NOTHING,
	ND_CONTEXT_BY_FRAME, /* a Map that V8 hands from callback to callback: AsyncContextFrame */
	ND_CONTEXT_BY_ID,    /* the id of the asynchronous resource that is executed */
};

/* Of a thread. */
struct nd_context_state {
	enum nd_context_way way;

	/* AsyncContextFrame */
	const uint64_t *frame;	/* where the isolate has the current one */
	const uint64_t *key;	/* a global handle's word: our AsyncLocalStorage */
	uint16_t map_type;	/* instance types of V8: of a Map, */
	uint16_t table_type;	/* of its table, */
	uint16_t span_type;	/* and of the script's spans */
	uint32_t number_offset; /* of a span's short number in it */
	uint32_t frame_offset;	/* what one look found, for the next one to agree */
	uint32_t first_number;	/* of the span at the first look; 0: there was none */

	/* ids */
	const double *executed; /* [0]: the resource's */
	const double *spans;	/* pairs of a resource's id and its span's number */
	uint64_t mask;		/* of an id: which pair */

	uint64_t newest; /* number of a span: the highest */
	uint64_t at_gc;	 /* what was read when the collector began, which moves all of it */
};

/*
 * frame(storage, span, short): a function of the script, whose data is the thread. Called where
 * `storage` has `span`, whose field has the number `short`; twice, with different ones. Returns
 * whether it can be read, by the second.
 */
struct napi_value__ *nd_context_on_frame(struct napi_env__ *env, struct napi_callback_info__ *info);

/*
 * ids(table): a Float64Array that the script keeps alive, of ids and numbers in pairs, by the id
 * modulo how many there are. Called in an asynchronous resource of which the table knows.
 */
struct napi_value__ *nd_context_on_ids(struct napi_env__ *env, struct napi_callback_info__ *info);

/* There is one more span. */
void nd_context_add(struct nd_thread *thread, uint64_t number);

/* The number of the span that the thread is in, 0 for none. On it; async-signal-safe. */
uint64_t nd_context_read(const struct nd_thread *thread);

/* The collector is about to begin. */
void nd_context_before_gc(struct nd_thread *thread);

/* Nothing can be read any more: the script, or the isolate, is about to end. On that thread. */
void nd_context_forget(struct nd_thread *thread);

#endif /* NODIAG_AGENT_CONTEXT_H */
