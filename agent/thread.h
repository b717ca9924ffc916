/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_THREAD_H
#define NODIAG_AGENT_THREAD_H

/*
 * A thread of the program that has an event loop: the main one, or a worker's.
 *
 * It is adopted when it first comes by one of our hooks, on that thread itself, and let go when the
 * thread ends. Only that thread touches its struct, except where a field says otherwise.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "agent/async.h"
#include "agent/context.h"
#include "agent/node_abi.h"
#include "agent/script.h"
#include "agent/trace.h"
#include "common/ring.h"
#include "proto/channel.h"

/*
 * CPU time and time on the run queue at some moment before an iteration, by the agent's thread.
 * `sequence` is odd while it writes.
 */
struct nd_baseline {
	uint32_t sequence;
	uint64_t time_ns;
	uint64_t cpu_ns;
	uint64_t run_delay_ns;
};

struct nd_thread {
	struct nd_channel_slot *slot;
	struct nd_ring ring;
	uint64_t trimmed_ns; /* when the ring's memory was given back last */
	pthread_t pthread;
	uint32_t tid;
	clockid_t cpu_clock;
	int schedstat_fd; /* -1 where the kernel has none */
	uintptr_t stack_end;
	uintptr_t stack_start;

	struct nd_isolate *isolate;
	uv_loop_t *loop;
	int backend_fd;
	bool hooked; /* its loop and its isolate call us */

	/* phases of the loop; see loop.c */
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t marker[2];
	bool marker_closing[2];
	bool has_phases;
	bool checked;		 /* our check handle was called since the iteration's first poll */
	bool poll_found_nothing; /* the last one, which did not wait either */
	int closing;		 /* of `prepare` and `check`: libuv is not done with them */
	uint64_t mark_ns;	 /* when the current phase began */
	uint64_t phase_ns[ND_PHASE_COUNT];

	uint64_t gc_start_ns[5]; /* by bit of enum nd_gc_type */
	uint64_t gc_used_bytes[5];
	uint32_t gc_depth;	  /* pauses of one kind may lie in those of another */
	uint64_t iteration_gc_ns; /* pauses in the current iteration */

	bool knows_memory;	     /* nd_spaces_learn() was here */
	const size_t *array_buffers; /* Node's sum of their bytes, NULL where it is not known */
	uint64_t spaces_ns;	     /* when the heap's spaces were written last */
	uint64_t active_ns;	     /* likewise what keeps it alive; see active.c */

	struct nd_script_state script;
	struct nd_async_state async;
	struct nd_trace_state trace;
	struct nd_context_state context;

	/* Of the agent's thread. */
	struct nd_baseline baseline[2];
	uint64_t watched_start_ns; /* of the iteration that was there at the last look */
	uint64_t stall_start_ns;   /* the stall it takes stacks of; read by the signal handler */
	uint64_t next_sample_ns;
	uint32_t baselines; /* taken so far */
	int32_t asleep_in;  /* the system call that it slept in at the last look, or -1 */
	timer_t timer;
	bool has_timer;
	bool want_handles; /* set by the agent's thread, taken by its own */
};

/* The calling thread's, or NULL. Async-signal-safe. */
struct nd_thread *nd_thread_self(void);

/*
 * The calling thread's, adopted now if it runs JavaScript and is new; NULL where it does not, or
 * where that failed. Cheap for a thread that has been here.
 */
struct nd_thread *nd_thread_adopt(void);

/*
 * Whether the thread is in its isolate. A worker's loop is closed when its isolate is gone already,
 * and polls meanwhile. On that thread.
 */
bool nd_thread_has_isolate(const struct nd_thread *thread);

/* Let the agent be called by the thread's loop and isolate, or no longer; on that thread. */
void nd_thread_hook(struct nd_thread *thread);
void nd_thread_unhook(struct nd_thread *thread);

/*
 * Call `visit` for each thread that lives, under the lock that adopting and ending take; so none of
 * them ends meanwhile. For the agent's thread.
 */
void nd_thread_visit(void (*visit)(struct nd_thread *thread, void *arg), void *arg);

/* In a child that fork() made: nothing of what is here is the child's. Async-signal-safe. */
void nd_thread_forget_all(void);

#endif /* NODIAG_AGENT_THREAD_H */
