/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CHANNEL_H
#define NODIAG_PROTO_CHANNEL_H

/*
 * How the agent and its readers talk: a memory file (memfd) that both map, and a Unix socket for
 * the few words that must be said. docs/protocol.md is the prose.
 *
 * The memory is a head, then slots of equal size, one for each thread with an event loop; slot 0 is
 * the agent's own thread. It outlives the process, so what a killed process wrote last can be read.
 *
 * Counters only grow, and each has one writer; a reader takes them one by one, and what it takes at
 * the same time need not belong to the same moment.
 */

#include <stddef.h>
#include <stdint.h>

#include "common/histogram.h"
#include "common/ring.h"
#include "proto/context.h"
#include "proto/event.h"

#define ND_CHANNEL_MAGIC   UINT64_C(0x3147414944f04e00) /* "\0N\360DIAG1" */
#define ND_CHANNEL_VERSION 3

/* Threads with an event loop that are told apart; those beyond are counted and left alone. */
#define ND_CHANNEL_SLOTS 128

/*
 * Bytes of a thread's ring: more than half a second of 30,000 requests a second, for a reader that
 * does not get a CPU. What is read in time takes ND_RING_REWIND of them in memory; what a burst
 * takes is given back some time later. All of it is the process's, of which each worker may have as
 * much.
 */
#define ND_CHANNEL_RING (8u << 20)

/* Bytes of the path that NODIAG_OUTPUT names, its NUL included. */
#define ND_OUTPUT_PATTERN_MAX 1024

/* Why the agent does nothing, or less than it could; numbered for good. */
enum nd_agent_reason {
	ND_AGENT_OK,
	ND_AGENT_UNKNOWN_V8,	/* a V8 that this nodiag was not tested with */
	ND_AGENT_UNKNOWN_LIBUV, /* its handles are not laid out as expected */
	ND_AGENT_NO_HOOK,	/* the calls of epoll were not found in the binary */
	ND_AGENT_NO_MEMORY,
	ND_AGENT_NO_SIGNAL, /* the program uses all real-time signals */
	ND_AGENT_DETACHED,  /* it was asked to stop */
	ND_AGENT_REASON_COUNT
};

/* Where in the program the agent is started; what it may do there differs. */
enum nd_start_place {
	ND_START_EARLY,	  /* before main() */
	ND_START_AT_POLL, /* on the main thread, when libuv is about to call epoll */
	ND_START_IN_JS,	  /* on the main thread, in the middle of JavaScript */
	ND_START_IN_CALL, /* on the main thread, in a native function that JavaScript called */
};

/* What this agent can do; what a reader asks for. */
enum nd_agent_feature {
	ND_FEATURE_LOOP = 1 << 0,      /* times of the event loop: always on */
	ND_FEATURE_GC = 1 << 1,	       /* pauses of the garbage collector: always on */
	ND_FEATURE_PHASES = 1 << 2,    /* phases of the loop: always on */
	ND_FEATURE_STALLS = 1 << 3,    /* stacks during stalls */
	ND_FEATURE_CPU = 1 << 4,       /* stacks by CPU time */
	ND_FEATURE_TRACE = 1 << 5,     /* spans of HTTP requests */
	ND_FEATURE_ASYNC = 1 << 8,     /* asynchronous resources */
	ND_FEATURE_SNAPSHOT = 1 << 10, /* heap snapshots, by a child */
	ND_FEATURE_REDACT = 1 << 11,   /* without what strings say, and of workers */
	ND_FEATURE_TRIGGERS = 1 << 12, /* when the heap is nearly full; and of signals */
	ND_FEATURE_ACTIVE = 1 << 13,   /* what keeps loops alive, with their handles */
	ND_FEATURE_INSIDE = 1 << 14,   /* without a child; how far one is; ND_MESSAGE_FREE */
	/* With ND_FEATURE_TRACE, spans of other things that requests wait for. */
	ND_FEATURE_SPANS_DNS = 1 << 16,
	ND_FEATURE_SPANS_NET = 1 << 17,
	ND_FEATURE_SPANS_TLS = 1 << 18,
	ND_FEATURE_SPANS_FS = 1 << 19,
	ND_FEATURE_SPANS_CHILD = 1 << 20,
	ND_FEATURE_SPANS_WORKER = 1 << 21,
};

#define ND_FEATURE_SPANS_LOWEST ND_FEATURE_SPANS_DNS
#define ND_FEATURE_SPANS	(63 * ND_FEATURE_SPANS_LOWEST)

/* What an agent with such features knows of an event loop, of enum nd_loop_known. */
static inline uint32_t nd_agent_known(uint32_t features)
{
	return ND_LOOP_EVENTS | (features & ND_FEATURE_PHASES ? ND_LOOP_PHASES : 0) |
	       (features & ND_FEATURE_GC ? ND_LOOP_GC : 0);
}

/* What the environment asks to be sent to an OpenTelemetry collector. */
enum nd_channel_export {
	ND_EXPORTS_METRICS = 1 << 0,
	ND_EXPORTS_TRACES = 1 << 1,
	ND_EXPORTS_PROFILES = 1 << 2,
};

struct nd_channel_head {
	uint64_t magic;
	uint32_t version;
	uint32_t head_size; /* where the first slot is */
	uint32_t slot_size; /* distance from one to the next */
	uint32_t slots;
	uint32_t ring_offset; /* within a slot */
	uint32_t ring_size;
	uint32_t pid; /* in the process's own pid namespace */
	uint32_t slots_used;
	uint64_t start_ns; /* when the agent began */
	uint64_t start_unix_ns;
	uint32_t features;	   /* enum nd_agent_feature: what works */
	uint32_t reason;	   /* enum nd_agent_reason: why not all does */
	uint64_t threads_left_out; /* no slot was free */
	uint64_t samples_skipped;  /* stacks not taken: the thread was not on a stack we know */
	uint64_t threshold_ns;	   /* of a stall */
	char v8_version[32];
	/* What NODIAG_OUTPUT asks for: the pattern of a file's path, absolute; "" for nothing. */
	char output[ND_OUTPUT_PATTERN_MAX];
	uint32_t exports; /* enum nd_channel_export; 0 for nothing */
	uint32_t pad;
	/* Objects that V8 has looked at for the snapshot that is being taken, and of how many. */
	uint32_t snapshot_done;
	uint32_t snapshot_total; /* 0: it collects garbage first */
	/* What NODIAG_HEAP_SNAPSHOT asks for: an absolute path of a folder; "" for nothing. */
	char heap_folder[ND_OUTPUT_PATTERN_MAX];
};

enum nd_slot_state { ND_SLOT_FREE, ND_SLOT_LIVE, ND_SLOT_ENDED };

struct nd_loop_counters {
	uint64_t start_ns;	/* when the loop first polled; 0 before */
	uint64_t iterations;	/* finished ones */
	uint64_t busy_ns;	/* of finished iterations */
	uint64_t idle_ns;	/* waited in epoll */
	uint64_t busy_since_ns; /* the current iteration's start, 0 while it waits */
	uint64_t idle_since_ns; /* 0 while it does not wait */
	uint64_t max_ns;	/* longest iteration */
	uint64_t events;	/* that polling gave */
	uint64_t stalls;	/* iterations over the threshold */
	uint64_t stall_ns;	/* their time */
	uint64_t phase_ns[ND_PHASE_COUNT];
	uint32_t phase; /* enum nd_phase: the current one */
	uint32_t pad;
	uint64_t delay[ND_HISTOGRAM_BUCKETS]; /* iterations by their time */
};

struct nd_gc_counters {
	uint64_t count[5]; /* by bit of enum nd_gc_type */
	uint64_t time_ns[5];
	uint64_t used_bytes; /* after the last one */
	uint64_t total_bytes;
	uint64_t limit_bytes;
	uint64_t external_bytes;
};

/* Whether a thread's requests are traced, or why not; numbered for good. */
enum nd_tracing {
	ND_TRACING_OFF,
	ND_TRACING_ON,
	ND_TRACING_NO_MODULES, /* its script finds no way to Node's own modules */
	ND_TRACING_OBSERVED,   /* they are, and the program's own tracer has the ids */
	ND_TRACING_FAILED,     /* its script threw */
	ND_TRACING_COUNT
};

/* Whether samples and pauses of a thread tell of the request that was handled. */
enum nd_context {
	ND_CONTEXT_OFF,
	ND_CONTEXT_ON,
	ND_CONTEXT_UNREADABLE, /* it is not where this Node.js is known to keep it */
	ND_CONTEXT_COUNT
};

/* A thread's slot; its ring's data are at `ring_offset`. */
struct nd_channel_slot {
	uint32_t state;	     /* enum nd_slot_state */
	uint32_t tid;	     /* in the process's own pid namespace */
	uint32_t kind;	     /* enum nd_thread_kind */
	uint32_t generation; /* counts the threads that had this slot */
	uint64_t start_ns;
	struct nd_ring_head ring;
	struct nd_loop_counters loop;
	struct nd_gc_counters gc;
	uint32_t tracing;    /* enum nd_tracing */
	uint32_t context;    /* enum nd_context */
	uint64_t spans_lost; /* requests that the script could make nothing of */
	struct nd_context_place place;
	uint64_t kept; /* where its array of struct nd_kept_span is; 0: there is none */
};

/* Messages on the socket (SOCK_SEQPACKET), one a packet. */
enum nd_message_type {
	ND_MESSAGE_HELLO = 1, /* agent: struct nd_hello, with the memory's descriptor */
	ND_MESSAGE_START,     /* reader: struct nd_start */
	ND_MESSAGE_HANDLES,   /* reader: all threads write how their handles and their heap are */
	ND_MESSAGE_DETACH,    /* reader: stop for good */
	ND_MESSAGE_ANSWER,    /* agent, to each of these: struct nd_answer */
	ND_MESSAGE_LOG,	      /* reader: struct nd_log_line, to be said where NODIAG_LOG says */
	ND_MESSAGE_CONTEXT,   /* reader: struct nd_process_context, to be published */
	/* Far from those, so that others may be added meanwhile. */
	ND_MESSAGE_SNAPSHOT = 32, /* reader: struct nd_snapshot_wish, with a descriptor */
	ND_MESSAGE_FORKED,	  /* agent: struct nd_forked, once the main thread was asked */
	ND_MESSAGE_CHILD_END,	  /* agent: struct nd_child_end, if there was a child */
	ND_MESSAGE_SIGNAL,	  /* reader: struct nd_signal, to be told of that signal */
	ND_MESSAGE_SIGNALLED,	  /* agent: struct nd_signal, when it has come */
	ND_MESSAGE_WRITTEN,	  /* agent: struct nd_written, in place of a child's end */
	ND_MESSAGE_FREE,	  /* reader: struct nd_free_memory; there is no answer */
};

struct nd_message {
	uint32_t type; /* enum nd_message_type */
	uint32_t size; /* of the whole message */
};

struct nd_hello {
	struct nd_message message;
	uint32_t version; /* ND_CHANNEL_VERSION */
	uint32_t pid;	  /* in the process's own pid namespace */
	uint32_t features;
	uint32_t reason;
	uint64_t memory_size;
};

/*
 * From now on, until the connection ends, write events for this reader, of whom there is one at a
 * time, and do what `features` say besides.
 */
struct nd_start {
	struct nd_message message;
	uint32_t features;
	uint32_t hz;	       /* of ND_FEATURE_CPU */
	uint64_t threshold_ns; /* of a stall */
};

/* What the process's log is to say: one line, without its end. */
struct nd_log_line {
	struct nd_message message;
	char text[]; /* to the end of the message, without a NUL */
};

/* OpenTelemetry's message ProcessContext: what the process is to others on its host. */
struct nd_process_context {
	struct nd_message message;
	char bytes[]; /* to the end of the message */
};

enum nd_snapshot_flag {
	ND_SNAPSHOT_REDACT = 1 << 0, /* of strings only lengths and hashes by `key` */
	/*
	 * Not now: once the main thread's heap has grown to its limit, which is raised a little, so
	 * that V8 goes on for a moment. The child lives on when the process ends.
	 */
	ND_SNAPSHOT_AT_LIMIT = 1 << 1,
	/* With ND_FEATURE_INSIDE. The thread writes it itself, and does nothing else meanwhile. */
	ND_SNAPSHOT_INSIDE = 1 << 2,
	/* Take none: only say, as if it were to be taken, what it would need. */
	ND_SNAPSHOT_WEIGH = 1 << 3,
};

/*
 * Take a heap snapshot of a thread, by a child that the process forks, and write it as V8's JSON to
 * the stream socket whose descriptor comes with this. What is behind `limit_bytes` is for an agent
 * with ND_FEATURE_REDACT, and may be left out.
 */
struct nd_snapshot_wish {
	struct nd_message message;
	uint32_t timeout_s;   /* then the child is killed, or the thread gives it up */
	uint32_t flags;	      /* enum nd_snapshot_flag */
	uint64_t free_bytes;  /* what the child may have at most; more makes the agent refuse */
	uint64_t limit_bytes; /* beyond this the child fails; 0: three times its need, or all that
				 is free */
	uint64_t key[2];
	uint32_t tid; /* whose heap, in the process's own pid namespace; 0: the main thread's */
	uint32_t pad;
};

/*
 * With ND_FEATURE_INSIDE: so much is free by now, for the child that is forked when the heap has
 * grown to its limit.
 */
struct nd_free_memory {
	struct nd_message message;
	uint64_t free_bytes;
};

/* The least of it, which older readers send. */
#define ND_SNAPSHOT_WISH_MIN offsetof(struct nd_snapshot_wish, key)

/* A signal that the program does not handle itself: -EBUSY where it does. */
struct nd_signal {
	struct nd_message message;
	int32_t number;
	uint32_t pad;
};

/* The process goes on; with ND_SNAPSHOT_INSIDE, the thread has begun. */
struct nd_forked {
	struct nd_message message;
	/* 0; or negative: -ENOMEM, it needs more than is free; else what the kernel refused. */
	int32_t result;
	uint32_t pid; /* the child, in the process's own pid namespace */
	uint64_t pause_ns;
	uint64_t used_bytes; /* of the heap */
	uint64_t need_bytes; /* what the child is expected to need */
	/* With ND_SNAPSHOT_AT_LIMIT: the heap's limit, and by how much it was raised. */
	uint64_t limit_bytes;
	uint64_t raised_bytes;
};

/*
 * What the child exits with where it had to wait for a thread that it has not, as when a collection
 * was under way in the background. Another one may have better luck.
 */
#define ND_CHILD_STUCK 3

/* The child is gone. */
struct nd_child_end {
	struct nd_message message;
	int32_t status; /* of waitpid(2) */
	uint32_t pad;
};

/* The thread that took a snapshot itself goes on. */
struct nd_written {
	struct nd_message message;
	/*
	 * 0; or negative: -ETIMEDOUT; -ENOMEM, it was about to take more than `free_bytes`; -EPIPE,
	 * nobody reads it; -EIO, V8 gave none.
	 */
	int32_t result;
	uint32_t pad;
	uint64_t pause_ns;
};

struct nd_answer {
	struct nd_message message;
	int32_t result; /* 0, or a negative errno: -EBUSY, there is another reader */
	uint32_t pad;
};

#endif /* NODIAG_PROTO_CHANNEL_H */
