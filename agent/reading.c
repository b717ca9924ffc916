/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reading.h"

#include <errno.h>

#include "agent/async.h"
#include "agent/control.h"
#include "agent/core.h"
#include "agent/sampler.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "common/ring.h"
#include "proto/limits.h"

/* How often the reader is told of asynchronous resources. */
#define ASYNC_INTERVAL_NS ND_NSEC_PER_SEC

/* The same once more after it asked: Node tells of what ends only when its loop comes round. */
#define ASYNC_AGAIN_NS (5 * ND_NSEC_PER_MSEC)

/* One bound for what readers ask for; more is what BPF is for. */
#define HZ_MAX 999

/* When the reader is told of asynchronous resources next. */
static uint64_t async_due_ns;

static void add_timer(struct nd_thread *thread, void *arg)
{
	nd_sampler_add_timer(thread);
}

static void stop_watching(struct nd_thread *thread, void *arg)
{
	nd_sampler_remove_timer(thread);
	nd_sampler_forget(thread);
}

/*
 * What needs a script is done by the threads themselves, which must come by to hear of it. Each
 * reader who wants asynchronous resources has them counted from his own beginning.
 */
static void want(uint32_t features)
{
	static uint32_t sessions;
	uint32_t changed = nd_agent.wanted ^ features;

	nd_agent.wanted = features;
	if (changed & ND_FEATURE_ASYNC)
		__atomic_store_n(&nd_agent.async_session,
				 features & ND_FEATURE_ASYNC ? ++sessions : 0, __ATOMIC_RELAXED);
	if (changed & (ND_FEATURE_TRACE | ND_FEATURE_SPANS | ND_FEATURE_ASYNC))
		nd_sampler_wake_all();
}

static void set_threshold(uint64_t threshold_ns)
{
	nd_agent.threshold_ns = threshold_ns;
	nd_agent.channel->threshold_ns = threshold_ns;
}

void nd_reading_end(void)
{
	want(0);
	set_threshold(ND_STALL_THRESHOLD_NS);
	nd_thread_visit(stop_watching, NULL);
}

int nd_reading_start(const struct nd_start *start)
{
	if (start->hz > HZ_MAX || start->threshold_ns < ND_NSEC_PER_MSEC)
		return -EINVAL;
	nd_reading_end();
	nd_agent.hz = start->hz;
	set_threshold(start->threshold_ns);
	want(start->features & nd_agent.features);
	nd_thread_visit(add_timer, NULL);
	return 0;
}

static void want_handles(struct nd_thread *thread, void *arg)
{
	__atomic_store_n(&thread->want_handles, true, __ATOMIC_RELAXED);
	nd_sampler_wake(thread);
}

static void write_async(struct nd_thread *thread, void *arg)
{
	nd_async_write(thread, arg);
}

/* In this thread's own ring: the others' are theirs, and they may be busy. */
static void tell_async(void)
{
	struct nd_ring ring;

	if (!(nd_agent.wanted & ND_FEATURE_ASYNC))
		return;
	async_due_ns = nd_clock_monotonic_ns() + ASYNC_INTERVAL_NS;
	nd_control_get_ring(&ring);
	nd_thread_visit(write_async, &ring);
}

void nd_reading_refresh(void)
{
	nd_thread_visit(want_handles, NULL);
	tell_async();
	async_due_ns = nd_clock_monotonic_ns() + ASYNC_AGAIN_NS;
}

static void watch_one(struct nd_thread *thread, void *arg)
{
	uint64_t now = nd_clock_monotonic_ns(), next = nd_sampler_watch(thread, now);
	uint64_t *least = arg;

	if (next < *least)
		*least = next;
}

/* Returns how long until the reader is told again, in nanoseconds. */
static uint64_t watch_async(void)
{
	uint64_t now = nd_clock_monotonic_ns();

	if (now >= async_due_ns)
		tell_async();
	return async_due_ns > now ? async_due_ns - now : 0;
}

uint64_t nd_reading_look(void)
{
	uint64_t least = UINT64_MAX, next;

	if (nd_agent.wanted & ND_FEATURE_STALLS) {
		least = nd_agent.threshold_ns;
		nd_thread_visit(watch_one, &least);
	}
	if (nd_agent.wanted & ND_FEATURE_ASYNC) {
		next = watch_async();
		least = next < least ? next : least;
	}
	return least;
}
