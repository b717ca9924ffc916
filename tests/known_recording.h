/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_KNOWN_RECORDING_H
#define NODIAG_TESTS_KNOWN_RECORDING_H

/*
 * A recording of what tests/known_profile.h has, with all kinds of the agent's events: ten parts of
 * events, one for each ten samples and 150 ms.
 *
 *	main thread	observed for 1.5 s; 110 iterations of 9 ms and one of 300 ms, a stall:
 *"hot", called by "handler", computes; "tiny" is inlined into it two scavenges of 1 and 2 ms, a
 *mark-compact of 20 ms worker 4243	comes later; blocked in system call 0 for 200 ms, its only
 *stall lost		12 samples, 3 functions, 5 events, 1 thread
 */

#include <errno.h>
#include <string.h>

#include "common/buf.h"
#include "proto/limits.h"
#include "proto/recorder.h"
#include "tests/known_profile.h"

#define KNOWN_SPANS	  10
#define KNOWN_SPAN_NS	  UINT64_C(150000000)
#define KNOWN_THRESHOLD	  UINT64_C(50000000)
#define KNOWN_END_NS	  (KNOWN_START_NS + KNOWN_SPANS * KNOWN_SPAN_NS)
#define KNOWN_STALL_END	  (KNOWN_START_NS + UINT64_C(800000000))
#define KNOWN_STALL_NS	  UINT64_C(300000000)
#define KNOWN_BLOCKED_END (KNOWN_START_NS + UINT64_C(1000000000))
#define KNOWN_BLOCKED_NS  UINT64_C(200000000)

static inline int known_add_header(struct nd_recorder *recorder)
{
	const struct nd_recording_header header = {
		.nodiag_version = "0.1.0",
		.title = "server.mjs (pid 4242)",
		.command = "node server.mjs",
		.runtime = "Node.js v22.23.3, V8 12.4.254",
		.sampler = "eBPF",
		.start_ns = KNOWN_START_NS,
		.start_unix_ns = KNOWN_UNIX_NS,
		.period_ns = KNOWN_PERIOD,
		.threshold_ns = KNOWN_THRESHOLD,
		.pid = 4242,
		.has_agent = true,
		.agent_features = ND_FEATURE_LOOP | ND_FEATURE_GC | ND_FEATURE_PHASES,
		.loops = "the agent",
		.loops_known = ND_LOOP_PHASES | ND_LOOP_GC | ND_LOOP_EVENTS,
	};

	return nd_recorder_set_header(recorder, &header);
}

/* The counters of the main thread at the end of span `span`; before the first it is -1. */
static inline void known_main_slot(int span, struct nd_channel_slot *ret_slot)
{
	uint64_t iterations = 1000 + (uint64_t)(span + 1) * 11;

	*ret_slot = (struct nd_channel_slot){
		.state = ND_SLOT_LIVE, .tid = 4242, .kind = ND_THREAD_MAIN, .generation = 1};
	ret_slot->start_ns = KNOWN_START_NS - 2000000;
	ret_slot->loop.start_ns = KNOWN_START_NS - 1000000;
	ret_slot->loop.iterations = iterations;
	ret_slot->loop.busy_ns = iterations * 9000000;
	ret_slot->loop.idle_ns = 1000;
	ret_slot->loop.idle_since_ns = KNOWN_START_NS;
	ret_slot->loop.delay[nd_histogram_index(9000000)] = iterations;
	ret_slot->loop.phase_ns[ND_PHASE_POLL] = ret_slot->loop.busy_ns;
	ret_slot->gc.count[0] = 7 + (uint64_t)(span >= 2) + (span >= 3);
	ret_slot->gc.count[2] = 1 + (uint64_t)(span >= 4);
	ret_slot->gc.time_ns[0] = 7000000 + (span >= 2 ? 1000000 : 0) + (span >= 3 ? 2000000 : 0);
	ret_slot->gc.time_ns[2] = 9000000 + (span >= 4 ? 20000000 : 0);
	ret_slot->gc.used_bytes = 20u << 20;
	ret_slot->gc.total_bytes = 32u << 20;
	ret_slot->gc.limit_bytes = UINT64_C(4) << 30;
	ret_slot->gc.external_bytes = 1u << 20;
	if (span < 5)
		return;
	ret_slot->loop.stalls = 1;
	ret_slot->loop.stall_ns = ret_slot->loop.max_ns = KNOWN_STALL_NS;
	ret_slot->loop.delay[nd_histogram_index(KNOWN_STALL_NS)] = 1;
}

static inline void known_worker_slot(struct nd_channel_slot *ret_slot)
{
	*ret_slot = (struct nd_channel_slot){
		.state = ND_SLOT_ENDED, .tid = 4243, .kind = ND_THREAD_WORKER, .generation = 3};
	ret_slot->start_ns = KNOWN_START_NS + 400000000;
	ret_slot->loop.start_ns = KNOWN_START_NS + 500000000;
	ret_slot->loop.iterations = ret_slot->loop.stalls = 1;
	ret_slot->loop.busy_ns = ret_slot->loop.stall_ns = KNOWN_BLOCKED_NS;
	ret_slot->loop.max_ns = KNOWN_BLOCKED_NS;
	ret_slot->loop.delay[nd_histogram_index(KNOWN_BLOCKED_NS)] = 1;
}

static inline int known_add_gc(struct nd_recorder *recorder, uint64_t end_ns, uint64_t took_ns,
			       uint32_t type)
{
	const struct nd_event_gc gc = {
		.event = {ND_EVENT_GC, 4242, end_ns},
		.start_ns = end_ns - took_ns,
		.type = type,
		.used_before_bytes = 30u << 20,
		.used_after_bytes = 20u << 20,
	};

	return nd_recorder_add_event(recorder, &gc.event, sizeof(gc));
}

/* The worker comes, or goes. */
static inline int known_add_worker(struct nd_recorder *recorder, uint32_t kind, uint64_t time_ns)
{
	const struct nd_event_thread thread = {.event = {kind, 4243, time_ns},
					       .thread_kind = ND_THREAD_WORKER};

	return nd_recorder_add_event(recorder, &thread.event, sizeof(thread));
}

/* Of the span that known_add_spans() adds, in which the stall was. */
static const uint8_t known_span_id[ND_SPAN_ID_SIZE] = {4, 5, 6};

/* The beginning of the stall, stacks in the middle, then its end. */
static inline int known_add_stall(struct nd_recorder *recorder)
{
	const struct nd_event_stall stall = {
		.event = {ND_EVENT_STALL, 4242, KNOWN_STALL_END},
		.start_ns = KNOWN_STALL_END - KNOWN_STALL_NS,
		.since_ns = KNOWN_STALL_END - KNOWN_STALL_NS,
		.cpu_ns = KNOWN_STALL_NS,
		.phase_ns[ND_PHASE_POLL] = KNOWN_STALL_NS,
	};
	const struct nd_event forget = {ND_EVENT_FORGET, 4242, KNOWN_STALL_END - KNOWN_STALL_NS};
	struct nd_event_sample sample = {.event = {ND_EVENT_SAMPLE, 4242, KNOWN_STALL_END - 1},
					 .syscall = -1};
	int i, ret = nd_recorder_add_event(recorder, &forget, sizeof(forget));

	for (i = 0; i < 3 && !ret; i++)
		ret = nd_recorder_add_named(recorder, &sample, known_span_id, known_stacks[0].calls,
					    known_stacks[0].depth);
	return ret ? ret : nd_recorder_add_event(recorder, &stall.event, sizeof(stall));
}

/* Memory of the worker: 3 MiB outside of its heap, 2 of them buffers, and a space of it. */
static inline int known_add_memory(struct nd_recorder *recorder)
{
	const struct nd_event_memory memory = {
		.event = {ND_EVENT_MEMORY, 4243, KNOWN_BLOCKED_END},
		.external_bytes = 3u << 20,
		.array_buffers_bytes = 2u << 20,
	};
	const struct nd_event_space space = {
		.event = {ND_EVENT_SPACE, 4243, KNOWN_BLOCKED_END},
		.name = "old_space",
		.size_bytes = 5u << 20,
		.used_bytes = 4u << 20,
		.available_bytes = 1u << 20,
		.physical_bytes = (5u << 20) - 4096,
	};
	int ret = nd_recorder_add_event(recorder, &memory.event, sizeof(memory));

	return ret ? ret : nd_recorder_add_event(recorder, &space.event, sizeof(space));
}

/* Its timers: three of four are alive, two of them by "leak". */
static inline int known_add_async(struct nd_recorder *recorder)
{
	const struct nd_event_async async = {
		.event = {ND_EVENT_ASYNC, 4243, KNOWN_BLOCKED_END},
		.since_ns = KNOWN_START_NS,
		.resources_lost = 1,
		.sites_lost = 2,
		.types_lost = 3,
	};
	const struct nd_event_async_type type = {
		.event = {ND_EVENT_ASYNC_TYPE, 4243, KNOWN_BLOCKED_END},
		.name = "Timeout",
		.created = 4,
		.alive = 3,
		.ended = 1,
		.looks = 4,
		.total_us = 1500,
		.max_us = 1500,
		.lifetime = {[20] = 1},
	};
	const struct nd_event_async_site site = {
		.event = {ND_EVENT_ASYNC_SITE, 4243, KNOWN_BLOCKED_END},
		.type = "Timeout",
		.function = "leak",
		.file = "/app/server.mjs",
		.line = 12,
		.column = 3,
		.created = 3,
		.alive = 2,
		.ended = 1,
		.total_us = 1500,
		.max_us = 1500,
	};
	int ret = nd_recorder_add_event(recorder, &async.event, sizeof(async));

	if (!ret)
		ret = nd_recorder_add_event(recorder, &type.event, sizeof(type));
	return ret ? ret : nd_recorder_add_event(recorder, &site.event, sizeof(site));
}

static inline int known_add_blocked(struct nd_recorder *recorder)
{
	const struct nd_event_stall stall = {
		.event = {ND_EVENT_STALL, 4243, KNOWN_BLOCKED_END},
		.start_ns = KNOWN_BLOCKED_END - KNOWN_BLOCKED_NS,
	};
	const struct nd_event_blocked blocked = {
		.event = {ND_EVENT_BLOCKED, 4243, KNOWN_BLOCKED_END - 100},
		.start_ns = stall.start_ns,
		.syscall = 0,
	};
	const struct nd_event_handles handles = {
		.event = {ND_EVENT_HANDLES, 4243, KNOWN_BLOCKED_END},
		.active = {[3] = 1},
		.total = {[3] = 2, [ND_HANDLE_TYPES - 1] = 9},
		.requests = 4,
	};
	int ret = nd_recorder_add_event(recorder, &blocked.event, sizeof(blocked));

	if (!ret)
		ret = nd_recorder_add_event(recorder, &stall.event, sizeof(stall));
	if (!ret)
		ret = nd_recorder_add_event(recorder, &handles.event, sizeof(handles));
	if (!ret)
		ret = known_add_memory(recorder);
	return ret ? ret : known_add_async(recorder);
}

/* A request, and what it asked for; `from_ns` is when the request begins. */
static inline int known_add_request(struct nd_recorder *recorder, uint64_t from_ns)
{
	static const char *const server[ND_SPAN_TEXTS] = {"GET",	  "/users/:id", "/users/7",
							  "shop.example", "::1",	""};
	static const char *const client[ND_SPAN_TEXTS] = {"POST",  "", "/items",
							  "stock", "", "ECONNRESET"};
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u = {.span = {.event = {ND_EVENT_SPAN_START, 4242, from_ns},
			.start_ns = from_ns,
			.turn_ns = from_ns - 5000,
			.trace_id = {1, 2, 3},
			.span_id = {4, 5, 6},
			.parent_id = {7},
			.port = 8080,
			.kind = ND_SPAN_SERVER,
			.http_version = 11}};
	int ret;

	nd_span_set_texts(&u.span, server);
	ret = nd_recorder_add_event(recorder, &u.span.event, nd_span_get_size(&u.span));
	u.span.event = (struct nd_event){ND_EVENT_SPAN, 4242, from_ns + 90000000};
	u.span.status = 200;
	if (!ret)
		ret = nd_recorder_add_event(recorder, &u.span.event, nd_span_get_size(&u.span));
	u.span.event.time_ns = from_ns + 50000000;
	u.span.start_ns = from_ns + 10000000;
	u.span.kind = ND_SPAN_CLIENT;
	u.span.flags = ND_SPAN_TLS | ND_SPAN_ABORTED;
	u.span.status = 0;
	memcpy(u.span.parent_id, u.span.span_id, sizeof(u.span.parent_id));
	u.span.span_id[7] = 9;
	nd_span_set_texts(&u.span, client);
	return ret ? ret
		   : nd_recorder_add_event(recorder, &u.span.event, nd_span_get_size(&u.span));
}

/* What the agent tells in a span. */
static inline int known_add_events(struct nd_recorder *recorder, int span)
{
	uint64_t now_ns = KNOWN_START_NS + (uint64_t)span * KNOWN_SPAN_NS;
	struct nd_channel_slot slot;
	int ret = 0;

	if (span == 2)
		ret = known_add_gc(recorder, now_ns, 1000000, ND_GC_SCAVENGE);
	else if (span == 3)
		ret = known_add_gc(recorder, now_ns, 2000000, ND_GC_SCAVENGE);
	else if (span == 4)
		ret = known_add_gc(recorder, now_ns, 20000000, ND_GC_MARK_COMPACT);
	else if (span == 5)
		ret = known_add_stall(recorder);
	else if (span == 6)
		ret = known_add_blocked(recorder);
	else if (span == 7)
		ret = known_add_request(recorder, now_ns);
	if (!ret && span == 2)
		ret = known_add_worker(recorder, ND_EVENT_THREAD_START, now_ns + 100000000);
	if (!ret && span == 6)
		ret = known_add_worker(recorder, ND_EVENT_THREAD_END, now_ns + 149000000);
	known_main_slot(span, &slot);
	if (!ret)
		ret = nd_recorder_add_counters(recorder, 1, &slot, false);
	known_worker_slot(&slot);
	if (!ret && span >= 6)
		ret = nd_recorder_add_counters(recorder, 2, &slot, false);
	return ret;
}

static inline int known_flush(struct nd_recorder *recorder, int spans)
{
	uint64_t passed_ns = (uint64_t)spans * KNOWN_SPAN_NS;

	return nd_recorder_flush(recorder, KNOWN_START_NS + passed_ns, KNOWN_UNIX_NS + passed_ns,
				 known_frames, KNOWN_FRAME_COUNT);
}

static inline int known_add_threads(struct nd_recorder *recorder)
{
	struct nd_channel_slot slot;
	int ret = nd_recorder_add_thread(recorder, 4242, 4242, "node");

	if (!ret)
		ret = nd_recorder_add_thread(recorder, 4242, 4243, "worker");
	known_main_slot(-1, &slot);
	return ret ? ret : nd_recorder_add_counters(recorder, 1, &slot, true);
}

/* The samples of tests/known_profile.h, ten to a span. */
static inline int known_add_samples(struct nd_recorder *recorder)
{
	struct nd_stack stack = {.weight = KNOWN_PERIOD, .count = 1, .pid = 4242};
	uint32_t sample, done = 0;
	size_t i;
	int ret = 0;

	for (i = 0; i < sizeof(known_stacks) / sizeof(known_stacks[0]); i++) {
		stack.calls = known_stacks[i].calls;
		stack.depth = known_stacks[i].depth;
		stack.tid = known_stacks[i].tid;
		for (sample = 0; sample < known_stacks[i].samples && !ret; sample++) {
			stack.time_ns = KNOWN_START_NS + ++done * (KNOWN_SPAN_NS / 10);
			ret = nd_recorder_add_sample(recorder, &stack);
			if (!ret && done % 10 == 0)
				ret = known_add_events(recorder, (int)done / 10 - 1);
			if (!ret && done % 10 == 0)
				ret = known_flush(recorder, (int)done / 10);
		}
	}
	return ret;
}

/* Take what the recorder has to the end of `out`, as a program does with its file. */
static inline int known_take(struct nd_recorder *recorder, struct nd_buf *out)
{
	const struct nd_buf *output = nd_recorder_get_output(recorder);
	int ret = nd_buf_add(out, output->data, output->len);

	nd_recorder_take_output(recorder);
	return ret;
}

static inline int known_record_with(struct nd_recorder *recorder, struct nd_buf *out)
{
	int ret = known_add_header(recorder);

	nd_recorder_set_loss(recorder, ND_LOSS_RING_FULL, 12);
	nd_recorder_set_loss(recorder, ND_LOSS_JS_STALE, 3);
	nd_recorder_set_agent_losses(recorder, 5, 1);
	if (!ret)
		ret = known_add_threads(recorder);
	if (!ret)
		ret = known_flush(recorder, 0);
	if (!ret)
		ret = known_take(recorder, out);
	if (!ret)
		ret = known_add_samples(recorder);
	if (!ret)
		ret = nd_recorder_finish(recorder, ND_END_INTERRUPT, KNOWN_END_NS);
	return ret ? ret : known_take(recorder, out);
}

/* Add the recording to `out`. 0 or -ENOMEM. */
static inline int known_record(struct nd_buf *out)
{
	struct nd_recorder *recorder = nd_recorder_new();
	int ret = recorder ? known_record_with(recorder, out) : -ENOMEM;

	nd_recorder_free(recorder);
	return ret;
}

#endif /* NODIAG_TESTS_KNOWN_RECORDING_H */
