/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_LAG_LAG_H
#define NODIAG_ANALYZER_LAG_LAG_H

/*
 * What kept event loops from polling: how busy each loop was, how late events could be, and who
 * made it so.
 *
 * Takes counters and events of proto/channel.h and proto/event.h, and stacks that are named
 * already. Frames are ids of the profile that named them, which must outlive the nd_lag. Not
 * thread-safe. Functions that return int give 0 or -ENOMEM.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/channel.h"
#include "proto/event.h"

struct nd_async;
struct nd_call;
struct nd_collections;
struct nd_lag;
struct nd_profile;
struct nd_requests;

/* What a thread did during a stall. */
enum nd_stall_kind {
	ND_STALL_UNKNOWN,     /* no stack, and nothing else that tells */
	ND_STALL_JS,	      /* ran JavaScript */
	ND_STALL_NATIVE,      /* ran native code that JavaScript called */
	ND_STALL_REGEXP,      /* matched a regular expression */
	ND_STALL_GC,	      /* collected garbage */
	ND_STALL_COMPILE,     /* parsed or compiled */
	ND_STALL_BLOCKED,     /* slept in a system call */
	ND_STALL_DESCHEDULED, /* could have run, but got no CPU */
	ND_STALL_KIND_COUNT
};

/* Which queue the culprit was run from; both are emptied after each callback of a phase. */
enum nd_queue {
	ND_QUEUE_NONE, /* the phase's own callback */
	ND_QUEUE_NEXT_TICK,
	ND_QUEUE_MICROTASK, /* promises, await, queueMicrotask() */
	ND_QUEUE_COUNT
};

/* "", "nextTick" or "microtask". */
const char *nd_queue_text(enum nd_queue queue);

/* "timer", "tcp", ... of libuv's uv_handle_type; "" for those without a name. */
const char *nd_handle_text(int type);

/* Lower-case words: "JavaScript", "blocking call", ... */
const char *nd_stall_kind_text(enum nd_stall_kind kind);

/* Words for programs, for good: "js", "syscall", ... */
const char *nd_stall_kind_key(enum nd_stall_kind kind);

/* Likewise "timers", "poll", ... */
const char *nd_phase_text(enum nd_phase phase);

/* By bit of enum nd_gc_type. */
#define ND_GC_TYPES 5

/*
 * Pauses of the collector by their time: how many were not longer than each of these seconds, and
 * longer than the one before. The last bucket has those that were longer than all.
 */
#define ND_GC_BUCKETS 15
#define ND_GC_BOUNDS                                                                               \
	{                                                                                          \
		.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10                   \
	}

struct nd_gc_pauses {
	uint64_t count[ND_GC_BUCKETS];
	uint64_t ns; /* of all of them */
};

/* "scavenge", "mark-compact", ... */
const char *nd_gc_type_text(int index);

/* Spaces of a heap that are told apart; V8 14 has 14. */
#define ND_LAG_SPACES_MAX 24

/* A space of the heap, when it was looked at last. */
struct nd_lag_space {
	char name[ND_SPACE_NAME]; /* "old_space" */
	uint64_t size_bytes;
	uint64_t used_bytes;
	uint64_t available_bytes;
	uint64_t physical_bytes;
};

/* Types of resources that are told apart; those beyond are "(others)". */
#define ND_LAG_RESOURCES_MAX 24

/* Resources that keep a loop alive, as process.getActiveResourcesInfo() has them. */
struct nd_lag_resource {
	char type[ND_ASYNC_TYPE_NAME]; /* "Timeout", "TCPSocketWrap" */
	uint64_t count;
};

/* A loop during the time it was observed. */
struct nd_lag_loop {
	uint32_t tid;
	enum nd_thread_kind kind;
	uint64_t start_ns; /* of the thread: with the id, which is used again, who it is */
	bool ended;	   /* the thread ended meanwhile */
	uint32_t known;	   /* enum nd_loop_known: all else below is 0, and nobody knows */
	uint64_t observed_ns;
	uint64_t iterations;
	uint64_t busy_ns; /* also of an iteration that was not over at the end */
	uint64_t idle_ns;
	uint64_t events;
	uint64_t max_ns; /* longest iteration */
	uint64_t phase_ns[ND_PHASE_COUNT];
	uint64_t delay[ND_HISTOGRAM_BUCKETS]; /* iterations by their time */
	uint64_t stalls;
	uint64_t stall_ns;
	uint64_t gc_count[ND_GC_TYPES];
	uint64_t gc_ns[ND_GC_TYPES];
	uint64_t gc_max_ns[ND_GC_TYPES];
	struct nd_gc_pauses gc_pauses[ND_GC_TYPES]; /* those that events told of */
	/* Between the first collection that was seen and the last young one. */
	uint64_t allocated_bytes;
	uint64_t allocated_ns;
	uint64_t heap_used_bytes; /* after the last collection; 0 where there was none */
	uint64_t heap_total_bytes;
	uint64_t heap_limit_bytes;
	uint64_t external_bytes;
	/* What the agent looks at less often; at the same moment, all of it. */
	bool has_memory;
	uint64_t held_bytes;	      /* outside of the heap, by JavaScript */
	uint64_t array_buffers_bytes; /* of these; UINT64_MAX: not known */
	struct nd_lag_space space[ND_LAG_SPACES_MAX];
	size_t spaces;
	/* What kept it alive, when it was looked at last. */
	struct nd_lag_resource resource[ND_LAG_RESOURCES_MAX];
	size_t resources;
	/* The loop's handles by uv_handle_type, when it was asked last. */
	bool has_handles;
	uint32_t handles_active[ND_HANDLE_TYPES];
	uint32_t handles_total[ND_HANDLE_TYPES];
	uint32_t requests;
};

/* Stalls that the same function made in the same way. */
struct nd_culprit {
	bool has_frame; /* else nobody knows who it was */
	uint32_t frame; /* the innermost function of the application, or of what there is */
	uint32_t line;	/* where it was, 0 unknown */
	uint32_t column;
	bool has_callee;
	uint32_t callee; /* what it had called, in most stacks */
	bool has_entry;	 /* the culprit was called by other functions of the application */
	uint32_t entry;	 /* the outermost of them: what Node called */
	enum nd_stall_kind kind;
	bool has_phase;	     /* else nobody knows in which it was */
	enum nd_phase phase; /* in which most of the time passed */
	enum nd_queue queue;
	uint32_t tid;	 /* of the first */
	int32_t syscall; /* that it slept in, where no stack could be taken; -1: none */
	uint64_t count;
	uint64_t longest_ns;
	uint64_t total_ns;
	uint64_t going_on; /* of `count`: not over when it was looked at last */
	/* The span that most of the longest was in, all zeros: not known. See nd_lag_requests(). */
	uint8_t span_id[ND_SPAN_ID_SIZE];
	/* The stack of its longest stall, innermost first; NULL when there was none. */
	struct nd_call *calls;
	size_t depth;
};

/* One stall, and who made it. */
struct nd_lag_stall {
	uint64_t start_ns;
	uint64_t end_ns;
	struct nd_culprit culprit; /* of this one alone, without its stack */
};

struct nd_lag *nd_lag_new(const struct nd_profile *frames);
void nd_lag_free(struct nd_lag *lag);

/* Have `listen` told of each stall that is decided about. What it returns but 0 is handed on. */
void nd_lag_set_listener(struct nd_lag *lag,
			 int (*listen)(void *arg, const struct nd_lag_stall *stall), void *arg);

/*
 * Have nd_lag_read_recording() call `observe` whenever it has read all that happened until
 * `time_ns`, which the counters of the loops are of, too. What it returns but 0 ends the reading.
 */
void nd_lag_set_observer(struct nd_lag *lag,
			 int (*observe)(void *arg, struct nd_lag *lag, uint64_t time_ns),
			 void *arg);
int nd_lag_observe(struct nd_lag *lag, uint64_t time_ns);

/* What the source of events measures, of enum nd_loop_known; all of it unless this is called. */
void nd_lag_set_known(struct nd_lag *lag, uint32_t known);

/*
 * The counters of a thread as they are now; `first` is how they were when the observation began,
 * all zeros for a thread that came later. To be called again and again.
 */
int nd_lag_set_counters(struct nd_lag *lag, const struct nd_channel_slot *first,
			const struct nd_channel_slot *now, uint64_t start_ns, uint64_t now_ns);

/* An event of any kind but ND_EVENT_SAMPLE; what is of no use here is ignored. */
int nd_lag_add_event(struct nd_lag *lag, const struct nd_event *event, size_t size);

/*
 * A stack that was taken during a stall; `span_id` is that of the span that the thread was in, NULL
 * or all zeros where it is not known.
 */
int nd_lag_add_stack(struct nd_lag *lag, const struct nd_event *event, const uint8_t *span_id,
		     const struct nd_call *calls, size_t depth);

/*
 * Decide about the stalls that had ended at the call before: all that was written of them was read
 * by now. To be called after each round of reading.
 */
int nd_lag_settle(struct nd_lag *lag);

/* The observation ends: also those that have just ended, and those that go on. */
int nd_lag_finish(struct nd_lag *lag, uint64_t now_ns);

/* The loops, main thread first; NULL when out of memory. */
const struct nd_lag_loop *nd_lag_loops(struct nd_lag *lag, size_t *ret_count);

/* Who made them late: most time first, after nd_lag_finish() or nd_lag_settle(). */
const struct nd_culprit *nd_lag_culprits(struct nd_lag *lag, size_t *ret_count);

/* The asynchronous resources of all threads. */
struct nd_async *nd_lag_async(struct nd_lag *lag);

/* Pauses of the collector by the requests that they were in. */
struct nd_collections *nd_lag_collections(struct nd_lag *lag);

/* The requests that were handled meanwhile, as far as they were traced. */
const struct nd_requests *nd_lag_requests(const struct nd_lag *lag);

/*
 * What found no place: threads of more than ND_LAG_THREADS_MAX, those that ended first, and stalls
 * by more than ND_LAG_CULPRITS_MAX functions.
 */
void nd_lag_left_out(const struct nd_lag *lag, uint64_t *ret_threads, uint64_t *ret_stalls);

/*
 * The time below which `share` (0 to 1) of the iterations stayed; 0 where there were none. The
 * answer is the middle of a bucket, at most 3.2 % from the truth.
 */
uint64_t nd_lag_percentile(const struct nd_lag_loop *loop, double share);

#endif /* NODIAG_ANALYZER_LAG_LAG_H */
