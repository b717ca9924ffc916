/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_KNOWN_PROFILE_H
#define NODIAG_TESTS_KNOWN_PROFILE_H

/*
 * A profile that has a bit of everything, for tests of formats: 100 samples of 10 ms.
 *
 *	self    total
 *	300 ms  300 ms  tiny         /app/hot.js:20:7, always inlined into hot
 *	290 ms  640 ms  hot          /app/hot.js:5:1
 *	100 ms  100 ms  parse        /app/node_modules/qs/index.js:3:2
 *	100 ms  100 ms  fib          /app/hot.js:30:1, recursive
 *	 80 ms   80 ms  do_syscall_64 (kernel)
 *	 50 ms   50 ms  v8::internal::Heap::Scavenge (gc)
 *	 50 ms   50 ms  ArrayPrototypeSort (builtin)
 *	 20 ms   20 ms  a name of bytes that mean something to every format
 *	 10 ms   10 ms  (no stack)
 *	  0 ms  700 ms  handler      file:///app/server.mjs:10:3
 *	  0 ms  820 ms  (anonymous)  file:///app/server.mjs:1:1
 *	  0 ms  820 ms  processTicksAndRejections  node:internal/process/task_queues:67:35
 *	  0 ms   90 ms  worker       /app/worker.js:2:1, on thread 4243; all else is on 4242
 *	  0 ms   80 ms  uv__io_poll  (native, /usr/bin/node)
 *
 * Thread 4242 is idle for 500 ms after its first 50 samples.
 */

#include <assert.h>
#include <stdlib.h>

#include "analyzer/profile/profile.h"

#define KNOWN_PERIOD	UINT64_C(10000000)
#define KNOWN_SAMPLES	UINT64_C(100)
#define KNOWN_TOTAL	(KNOWN_SAMPLES * KNOWN_PERIOD)
#define KNOWN_IDLE	UINT64_C(500000000)
#define KNOWN_START_NS	UINT64_C(1000000000000)
#define KNOWN_UNIX_NS	UINT64_C(1763600000123456789)
#define KNOWN_EVIL_NAME "e;v\ri\nl \x1b[31m\xff</script>&\"\\\xc3\xa9 12"
#define KNOWN_EVIL_FILE "/app/\xe2\x82\xac;x \t.js"

enum known_frame {
	KNOWN_TINY,
	KNOWN_HOT,
	KNOWN_PARSE,
	KNOWN_FIB,
	KNOWN_SYSCALL,
	KNOWN_SCAVENGE,
	KNOWN_SORT,
	KNOWN_EVIL,
	KNOWN_HANDLER,
	KNOWN_MAIN,
	KNOWN_TICKS,
	KNOWN_WORKER,
	KNOWN_POLL,
	KNOWN_FRAME_COUNT
};

static const struct nd_frame known_frames[KNOWN_FRAME_COUNT] = {
	[KNOWN_TINY] = {"tiny", "/app/hot.js", 20, 7, ND_FRAME_JS},
	[KNOWN_HOT] = {"hot", "/app/hot.js", 5, 1, ND_FRAME_JS},
	[KNOWN_PARSE] = {"parse", "/app/node_modules/qs/index.js", 3, 2, ND_FRAME_NPM},
	[KNOWN_FIB] = {"fib", "/app/hot.js", 30, 1, ND_FRAME_JS},
	[KNOWN_SYSCALL] = {"do_syscall_64", "", 0, 0, ND_FRAME_KERNEL},
	[KNOWN_SCAVENGE] = {"v8::internal::Heap::Scavenge", "/usr/bin/node", 0, 0, ND_FRAME_GC},
	[KNOWN_SORT] = {"ArrayPrototypeSort", "", 0, 0, ND_FRAME_BUILTIN},
	[KNOWN_EVIL] = {KNOWN_EVIL_NAME, KNOWN_EVIL_FILE, 2, 1, ND_FRAME_JS},
	[KNOWN_HANDLER] = {"handler", "file:///app/server.mjs", 10, 3, ND_FRAME_JS},
	[KNOWN_MAIN] = {"(anonymous)", "file:///app/server.mjs", 1, 1, ND_FRAME_JS},
	[KNOWN_TICKS] = {"processTicksAndRejections", "node:internal/process/task_queues", 67, 35,
			 ND_FRAME_NODE},
	[KNOWN_WORKER] = {"worker", "/app/worker.js", 2, 1, ND_FRAME_JS},
	[KNOWN_POLL] = {"uv__io_poll", "/usr/bin/node", 0, 0, ND_FRAME_NATIVE},
};

#define KNOWN_CALL(frame, line, tier)                                                              \
	{                                                                                          \
		KNOWN_##frame, line, 0, ND_TIER_##tier, false                                      \
	}
#define KNOWN_INLINED(frame, line, tier)                                                           \
	{                                                                                          \
		KNOWN_##frame, line, 0, ND_TIER_##tier, true                                       \
	}
#define KNOWN_SERVER  KNOWN_CALL(MAIN, 0, IGNITION), KNOWN_CALL(TICKS, 0, SPARKPLUG)
#define KNOWN_REQUEST KNOWN_CALL(HANDLER, 0, MAGLEV), KNOWN_SERVER
#define KNOWN_STACK(tid, samples, ...)                                                             \
	{                                                                                          \
		tid, samples, sizeof((struct nd_call[]){__VA_ARGS__}) / sizeof(struct nd_call),    \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct known_stack {
	uint32_t tid;
	uint32_t samples;
	size_t depth;
	struct nd_call calls[6];
} known_stacks[] = {
	KNOWN_STACK(4242, 30, KNOWN_INLINED(TINY, 21, TURBOFAN), KNOWN_CALL(HOT, 0, TURBOFAN),
		    KNOWN_REQUEST),
	KNOWN_STACK(4242, 15, KNOWN_CALL(HOT, 6, TURBOFAN), KNOWN_REQUEST),
	KNOWN_STACK(4242, 5, KNOWN_CALL(HOT, 8, MAGLEV), KNOWN_REQUEST),
	KNOWN_STACK(4242, 10, KNOWN_CALL(PARSE, 4, SPARKPLUG), KNOWN_REQUEST),
	KNOWN_STACK(4242, 5, KNOWN_CALL(SCAVENGE, 0, NONE), KNOWN_CALL(HOT, 0, TURBOFAN),
		    KNOWN_REQUEST),
	KNOWN_STACK(4242, 5, KNOWN_CALL(SORT, 0, NONE), KNOWN_REQUEST),
	KNOWN_STACK(4242, 8, KNOWN_CALL(SYSCALL, 0, NONE), KNOWN_CALL(POLL, 0, NONE)),
	KNOWN_STACK(4242, 2, KNOWN_CALL(EVIL, 2, IGNITION), KNOWN_SERVER),
	{4242, 1, 0, {{0}}},
	KNOWN_STACK(4242, 10, KNOWN_CALL(FIB, 31, TURBOFAN), KNOWN_CALL(FIB, 0, TURBOFAN),
		    KNOWN_CALL(FIB, 0, TURBOFAN), KNOWN_SERVER),
	KNOWN_STACK(4243, 9, KNOWN_CALL(HOT, 6, TURBOFAN), KNOWN_CALL(WORKER, 0, IGNITION)),
};

/* Add one sample of a stack, whose frames have the ids of enum known_frame. */
static inline int known_add_sample(struct nd_profile *profile, const struct known_stack *known,
				   uint64_t time_ns)
{
	struct nd_stack stack = {
		.calls = known->calls,
		.depth = known->depth,
		.weight = KNOWN_PERIOD,
		.count = 1,
		.time_ns = time_ns,
		.pid = 4242,
		.tid = known->tid,
	};

	return nd_profile_add_stack(profile, &stack);
}

/* The profile, or NULL when out of memory. `main_only` leaves thread 4243 out: 91 samples. */
static inline struct nd_profile *known_profile(bool timeline, bool main_only)
{
	static const struct nd_profile_info info = {
		.title = "server.mjs (pid 4242)",
		.command = "node server.mjs",
		.runtime = "Node.js v22.23.3, V8 12.4.254",
		.sampler = "eBPF",
		.sample_type = "cpu",
		.unit = "nanoseconds",
		.period = KNOWN_PERIOD,
		.start_unix_ns = KNOWN_UNIX_NS,
		.start_ns = KNOWN_START_NS,
		.duration_ns = KNOWN_TOTAL + KNOWN_IDLE,
		.pid = 4242,
	};
	struct nd_profile *profile = nd_profile_new(timeline);
	uint64_t now_ns = KNOWN_START_NS, worker_ns = KNOWN_START_NS, *clock;
	uint32_t id, sample, done = 0;
	size_t i;

	if (!profile || nd_profile_set_info(profile, &info))
		goto fail;
	for (i = 0; i < KNOWN_FRAME_COUNT; i++)
		if (nd_profile_add_frame(profile, &known_frames[i], &id))
			goto fail;
	for (i = 0; i < sizeof(known_stacks) / sizeof(known_stacks[0]); i++) {
		clock = known_stacks[i].tid == 4242 ? &now_ns : &worker_ns;
		if (main_only && clock == &worker_ns)
			continue;
		for (sample = 0; sample < known_stacks[i].samples; sample++) {
			*clock += KNOWN_PERIOD;
			if (done++ == 50)
				*clock += KNOWN_IDLE;
			if (known_add_sample(profile, &known_stacks[i], *clock))
				goto fail;
		}
	}
	nd_profile_add_loss(profile, ND_LOSS_RING_FULL, 12);
	nd_profile_add_loss(profile, ND_LOSS_JS_STALE, 3);
	return profile;
fail:
	nd_profile_free(profile);
	return NULL;
}

#endif /* NODIAG_TESTS_KNOWN_PROFILE_H */
