/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_EVENT_H
#define NODIAG_PROTO_EVENT_H

/*
 * What the agent tells of a process: each event is one record in the ring of the thread that it is
 * about (common/ring.h), in the layout below.
 *
 * All integers are in the machine's own order; both sides run on it. Times are monotonic
 * nanoseconds, sizes are bytes. Kinds are never used again for something else. A reader skips kinds
 * that it does not know; a newer agent may append fields, so a record may be longer than the struct
 * here, and never is shorter.
 */

#include <stddef.h>
#include <stdint.h>

enum nd_event_kind {
	ND_EVENT_THREAD_START = 1, /* struct nd_event_thread */
	ND_EVENT_THREAD_END,	   /* struct nd_event_thread */
	ND_EVENT_STALL,		   /* struct nd_event_stall */
	ND_EVENT_GC,		   /* struct nd_event_gc */
	ND_EVENT_SAMPLE,	   /* struct nd_event_sample */
	ND_EVENT_BLOCKED,	   /* struct nd_event_blocked */
	ND_EVENT_HANDLES,	   /* struct nd_event_handles */
	ND_EVENT_SPAN_START,	   /* struct nd_event_span (proto/span.h) */
	ND_EVENT_SPAN,		   /* struct nd_event_span */
	ND_EVENT_MEMORY = 16,	   /* struct nd_event_memory */
	ND_EVENT_SPACE,		   /* struct nd_event_space */
	ND_EVENT_ASYNC,		   /* struct nd_event_async */
	ND_EVENT_ASYNC_TYPE,	   /* struct nd_event_async_type */
	ND_EVENT_ASYNC_SITE,	   /* struct nd_event_async_site */
	ND_EVENT_RESOURCE,	   /* struct nd_event_resource */
	ND_EVENT_FORGET = 64,	   /* struct nd_event; not of the agent, see below */
};

struct nd_event {
	uint32_t kind; /* enum nd_event_kind */
	uint32_t tid;  /* of the thread that it is about, in the process's own pid namespace */
	uint64_t time_ns;
};

enum nd_thread_kind {
	ND_THREAD_MAIN,
	ND_THREAD_WORKER,
	ND_THREAD_AGENT, /* the agent's own, which writes of others too */
};

/* A thread with an event loop was found, or ended. Its slot may have been another thread's. */
struct nd_event_thread {
	struct nd_event event;
	uint32_t thread_kind; /* enum nd_thread_kind */
	uint32_t pad;
};

/* What an iteration of the event loop consists of, in libuv's words (its design overview). */
enum nd_phase {
	ND_PHASE_TIMERS, /* timers, and pending callbacks, which are rare */
	ND_PHASE_POLL,	 /* callbacks of I/O */
	ND_PHASE_CHECK,	 /* setImmediate() */
	ND_PHASE_CLOSE,	 /* "close" callbacks */
	ND_PHASE_OTHER,	 /* prepare callbacks of addons, and all where phases are not known */
	ND_PHASE_COUNT
};

/* An iteration kept the loop from polling for longer than the threshold; written at its end. */
struct nd_event_stall {
	struct nd_event event; /* `time_ns` is its end */
	uint64_t start_ns;
	uint64_t cpu_ns;       /* CPU time that the thread got since `since_ns` */
	uint64_t run_delay_ns; /* time it could have run but had no CPU, likewise */
	uint64_t since_ns;     /* near the start, mostly shortly before; 0: neither is known */
	uint64_t gc_ns;	       /* pauses of the garbage collector in it */
	uint64_t phase_ns[ND_PHASE_COUNT];
};

/* V8's GCType (v8-callbacks.h), the same from V8 10 to 14. */
enum nd_gc_type {
	ND_GC_SCAVENGE = 1,
	ND_GC_MINOR_MARK_SWEEP = 2,
	ND_GC_MARK_COMPACT = 4,
	ND_GC_INCREMENTAL = 8,
	ND_GC_WEAK_CALLBACKS = 16,
};

/* Bytes of a span's id (proto/span.h). */
#define ND_SPAN_ID_SIZE 8

/* A pause by the garbage collector; `time_ns` is its end. */
struct nd_event_gc {
	struct nd_event event;
	uint64_t start_ns;
	uint32_t type;	/* enum nd_gc_type */
	uint32_t flags; /* V8's GCCallbackFlags */
	uint64_t used_before_bytes;
	uint64_t used_after_bytes;
	uint64_t total_bytes; /* of the heap, after */
	uint64_t limit_bytes;
	uint64_t external_bytes; /* kept alive by JavaScript outside of the heap, after */
	uint64_t malloced_bytes; /* by V8 itself */
	/* The span that the thread was in, all zeros if none is known. Older agents do not say. */
	uint8_t span_id[ND_SPAN_ID_SIZE];
};

#define ND_EVENT_GC_SIZE_MIN offsetof(struct nd_event_gc, span_id)

enum nd_sample_reason {
	ND_REASON_CPU = 1, /* so much CPU time has passed */
	ND_REASON_STALL,   /* the loop is late */
};

/*
 * Registers and stack of the thread. Where it is known in which span the thread was, the span's id
 * (proto/span.h) comes behind the stack.
 */
struct nd_event_sample {
	struct nd_event event;
	uint32_t reason; /* enum nd_sample_reason */
	int32_t syscall; /* number of the system call that it was in; -1: in none, -2: not known */
	uint32_t size;	 /* bytes of `stack` */
	uint32_t has_span; /* the id is there */
	uint64_t pc;	   /* these as in struct nd_sample_stack */
	uint64_t sp;
	uint64_t fp;
	uint64_t bytecode_offset;
	uint64_t start; /* the address that `stack` is a copy of */
	uint8_t stack[];
};

/*
 * In the middle of a stall the thread sleeps in a system call that a signal would cut short, so it
 * was left alone. Written by the agent's thread.
 */
struct nd_event_blocked {
	struct nd_event event;
	uint64_t start_ns; /* of the stall */
	uint64_t pc;
	uint64_t sp;
	int32_t syscall;
	uint32_t pad;
};

/* libuv's UV_HANDLE_TYPE_MAP goes up to 18. */
#define ND_HANDLE_TYPES 24

/* What keeps a loop alive or could: handles by uv_handle_type, asked for by a reader. */
struct nd_event_handles {
	struct nd_event event;
	uint32_t active[ND_HANDLE_TYPES];
	uint32_t total[ND_HANDLE_TYPES];
	uint32_t requests;
	uint32_t pad;
};

/* What JavaScript keeps alive outside of V8's heap. */
struct nd_event_memory {
	struct nd_event event;
	uint64_t external_bytes;      /* all of it, as process.memoryUsage().external */
	uint64_t array_buffers_bytes; /* of these, buffers and array buffers; UINT64_MAX: unknown */
};

/* "shared_trusted_large_object_space" has 33 characters. */
#define ND_SPACE_NAME 40

/* A space of the heap, as v8.getHeapSpaceStatistics() has it. All spaces have the same time. */
struct nd_event_space {
	struct nd_event event;
	char name[ND_SPACE_NAME]; /* ends with a NUL */
	uint64_t size_bytes;
	uint64_t used_bytes;
	uint64_t available_bytes;
	uint64_t physical_bytes;
};

/* Why a thread's asynchronous resources are not followed; numbered for good. */
enum nd_async_reason {
	ND_ASYNC_OK,
	ND_ASYNC_FAILED,     /* its V8 or Node.js is not as expected */
	ND_ASYNC_NO_MODULES, /* a Node.js 18 that gives us no modules: in ES modules and workers */
	ND_ASYNC_HIDDEN,     /* a Node.js 20 whose permission model hides what is needed */
	ND_ASYNC_NO_MEMORY,
	ND_ASYNC_REASON_COUNT
};

/*
 * How the asynchronous resources of a thread are followed. This and the next two are sums since
 * `since_ns`, written again when they have changed.
 */
struct nd_event_async {
	struct nd_event event;
	uint32_t reason; /* enum nd_async_reason */
	uint32_t pad;
	uint64_t since_ns;
	uint64_t resources_lost; /* counted when created, and not followed: too many were alive */
	uint64_t sites_lost;	 /* looked for, but there are too many call sites */
	uint64_t types_lost;	 /* resources of types beyond those that are told apart */
};

#define ND_ASYNC_TYPE_NAME 32
#define ND_ASYNC_FUNCTION  80
#define ND_ASYNC_FILE	   176

/*
 * Lifetimes in microseconds, two buckets for each power of two: bucket 0 is less than 1, then comes
 * [1, 2), and from there on [2^n, 1.5 * 2^n) and [1.5 * 2^n, 2^(n+1)), up to 71 minutes.
 */
#define ND_LIFETIME_BUCKETS 64

/* Resources of a type: "Timeout", "TCPWRAP", "PROMISE", as Node.js calls them. */
struct nd_event_async_type {
	struct nd_event event;
	char name[ND_ASYNC_TYPE_NAME];
	uint64_t created;
	uint64_t alive;
	uint64_t ended;	   /* destroyed; of promises: settled */
	uint64_t looks;	   /* for how many of `created` the call site was looked for */
	uint64_t total_us; /* lifetimes of those that ended */
	uint64_t max_us;
	uint32_t lifetime[ND_LIFETIME_BUCKETS]; /* of those that ended */
};

/* Resources of a type that were created in one place, as far as was looked. */
struct nd_event_async_site {
	struct nd_event event;
	char type[ND_ASYNC_TYPE_NAME];
	char function[ND_ASYNC_FUNCTION]; /* "" where it has no name */
	char file[ND_ASYNC_FILE];	  /* its end, where it is too long; "": no JavaScript */
	uint32_t line;			  /* from 1 */
	uint32_t column;
	uint64_t created; /* these are estimates where not for each was looked */
	uint64_t alive;
	uint64_t ended;
	uint64_t total_us;
	uint64_t max_us;
};

/*
 * Resources of a type that keep the loop alive, as process.getActiveResourcesInfo() counts them.
 * Those of one look have the same time; the first has no type, and tells of all of them.
 */
struct nd_event_resource {
	struct nd_event event;
	char type[ND_ASYNC_TYPE_NAME]; /* ends with a NUL */
	uint64_t count;
};

/*
 * ND_EVENT_FORGET: the thread's current iteration began at `time_ns`, and stacks that were taken
 * before are of an earlier one, which was no stall. Who looks from outside takes them before that
 * is known; the agent does not need it.
 */

/* What only some sources of these events measure; of an event loop, the rest always is. */
enum nd_loop_known {
	ND_LOOP_PHASES = 1 << 0,
	ND_LOOP_GC = 1 << 1, /* pauses of the collector, and the heap */
	ND_LOOP_EVENTS = 1 << 2,
};

#endif /* NODIAG_PROTO_EVENT_H */
