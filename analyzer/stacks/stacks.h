/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_STACKS_STACKS_H
#define NODIAG_ANALYZER_STACKS_STACKS_H

/*
 * What the threads of processes do at one moment: the answer of 'nodiag stack'.
 *
 * Frames are in a profile, which outlives this. Functions that return int give 0 or -ENOMEM.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/profile/profile.h"
#include "proto/thread.h"

struct nd_event_span;

/* What a thread is there for. In this order they are shown. */
enum nd_thread_role {
	ND_ROLE_MAIN,
	ND_ROLE_WORKER,	      /* runs JavaScript of its own: worker_threads */
	ND_ROLE_OTHER,	      /* an addon's, or not known */
	ND_ROLE_POOL,	      /* libuv's pool: files, DNS, crypto, zlib */
	ND_ROLE_V8,	      /* V8's helpers: they collect garbage and compile */
	ND_ROLE_V8_DELAYED,   /* keeps V8's tasks that are due later */
	ND_ROLE_DEBUG_SIGNAL, /* waits for SIGUSR1, to start the inspector */
	ND_ROLE_INSPECTOR,    /* talks to a debugger */
	ND_ROLE_IO_URING,     /* the kernel's */
	ND_ROLE_COUNT
};

/* One thread and its stack. */
struct nd_thread_stack {
	struct nd_thread info;
	enum nd_thread_role role;
	enum nd_frame_kind work; /* ND_FRAME_GC, ND_FRAME_COMPILE, or else ND_FRAME_UNKNOWN */
	struct nd_call *calls;	 /* [0] is the innermost */
	size_t depth;
	bool truncated; /* there are more calls towards the root; the last is "[truncated]" */
	bool rootless;	/* likewise, but they could not be found */
	/* The request that it is in, as it began; with a status it has been answered. Or NULL. */
	const struct nd_event_span *request;
	uint64_t request_ns; /* since it began */
};

struct nd_process_stacks {
	pid_t pid;
	char title[256];   /* "server.js" */
	char command[512]; /* its command line */
	char runtime[96];  /* "Node.js v22.23.3 (V8 12.4.254)" */
	uint64_t time_unix_ns;
	uint64_t stopped_ns; /* how long it was stopped */
	struct nd_thread_stack *threads;
	size_t count;
};

/* All processes that were looked at. */
struct nd_stacks {
	const struct nd_profile *profile;
	struct nd_process_stacks *processes;
	size_t count;
};

/* Begin with no process. */
void nd_stacks_init(struct nd_stacks *stacks, const struct nd_profile *profile);
void nd_stacks_fini(struct nd_stacks *stacks);

/* Add a process without threads, borrowed until the next is added; NULL when out of memory. */
struct nd_process_stacks *nd_stacks_add_process(struct nd_stacks *stacks, pid_t pid);

/*
 * Add a thread to the last process, and find out its role. `thread` may leave out role, work and
 * state; its calls and its request are copied. `ran_js`: it is known to have run JavaScript.
 */
int nd_stacks_add_thread(struct nd_stacks *stacks, const struct nd_thread_stack *thread,
			 bool ran_js);

/* Words for a person: "main thread", and of several "libuv pool threads". */
const char *nd_thread_role_name(enum nd_thread_role role, bool several);

/*
 * Whether two threads of a process are so alike that a person wants to see them once: the same
 * role, doing the same, by the same calls.
 */
bool nd_thread_stack_is_like(const struct nd_thread_stack *a, const struct nd_thread_stack *b);

#endif /* NODIAG_ANALYZER_STACKS_STACKS_H */
