/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_ASYNC_H
#define NODIAG_AGENT_ASYNC_H

/*
 * Asynchronous resources of a thread: how many of which type are created and end, how long they
 * live, and where the program creates them.
 *
 * Only while a reader asks. Hooks are what only JavaScript can set, so a script does that
 * (async.js). It counts into a table of fixed size that it shares with us; whoever tells the reader
 * reads the table, whatever the thread does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct napi_ref__;
struct nd_async_table;
struct nd_ring;
struct nd_thread;

/* Of a thread. */
struct nd_async_state {
	struct nd_async_table *table; /* NULL before the first time */
	struct napi_ref__ *toggle;    /* the script's function */
	uint32_t session;	      /* that it follows resources for, or failed to; 0: none */
	uint32_t reason;	      /* enum nd_async_reason */
	uint64_t since_ns;
	bool is_on;
	bool is_gone; /* the thread's JavaScript has ended */
};

/* Whether this program has what is called here. */
bool nd_async_is_known(void);

/* Begin or end, as is wanted by now. On that thread, while it is about to poll. */
void nd_async_update(struct nd_thread *thread);

/* Let go. False when that has to be tried again later. Likewise. */
bool nd_async_stop(struct nd_thread *thread);

/* What time it is for the resources; on that thread. */
void nd_async_set_clock(struct nd_thread *thread, uint64_t now);

/*
 * Write what has changed since the last time into `ring`, which is the caller's. On that thread, or
 * on another that keeps it from ending.
 */
void nd_async_write(struct nd_thread *thread, struct nd_ring *ring);

/* The thread and its JavaScript are gone. */
void nd_async_free(struct nd_thread *thread);

#endif /* NODIAG_AGENT_ASYNC_H */
