/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/lag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/lag/async.h"
#include "analyzer/lag/culprits.h"
#include "analyzer/lag/stall.h"
#include "analyzer/lag/threads.h"
#include "analyzer/profile/profile.h"
#include "analyzer/trace/collections.h"
#include "analyzer/trace/requests.h"
#include "common/array.h"
#include "proto/limits.h"
#include "proto/span.h"

struct nd_lag {
	const struct nd_profile *frames;
	struct nd_lag_threads threads;
	struct nd_stall **ended; /* not decided about yet */
	size_t ended_count;
	size_t ended_before; /* of these, those that were there at the last nd_lag_settle() */
	struct nd_culprits culprits;
	struct nd_async *async;
	struct nd_requests *requests;
	struct nd_collections *collections;
	int (*listen)(void *arg, const struct nd_lag_stall *stall);
	void *listen_arg;
	int (*observe)(void *arg, struct nd_lag *lag, uint64_t time_ns);
	void *observe_arg;
};

struct nd_lag *nd_lag_new(const struct nd_profile *frames)
{
	struct nd_lag *lag = calloc(1, sizeof(*lag));

	if (!lag)
		return NULL;
	lag->async = nd_async_new();
	lag->requests = nd_requests_new();
	lag->collections = lag->requests ? nd_collections_new(lag->requests) : NULL;
	if (!lag->async || !lag->collections) {
		nd_lag_free(lag);
		return NULL;
	}
	lag->frames = frames;
	lag->threads.known = ND_LOOP_PHASES | ND_LOOP_GC | ND_LOOP_EVENTS;
	return lag;
}

void nd_lag_set_listener(struct nd_lag *lag,
			 int (*listen)(void *arg, const struct nd_lag_stall *stall), void *arg)
{
	lag->listen = listen;
	lag->listen_arg = arg;
}

void nd_lag_set_known(struct nd_lag *lag, uint32_t known)
{
	lag->threads.known = known;
}

void nd_lag_free(struct nd_lag *lag)
{
	size_t i;

	if (!lag)
		return;
	nd_lag_threads_fini(&lag->threads);
	for (i = 0; i < lag->ended_count; i++)
		nd_stall_free(lag->ended[i]);
	nd_culprits_fini(&lag->culprits);
	nd_async_free(lag->async);
	nd_collections_free(lag->collections);
	nd_requests_free(lag->requests);
	free(lag->ended);
	free(lag);
}

void nd_lag_set_observer(struct nd_lag *lag,
			 int (*observe)(void *arg, struct nd_lag *lag, uint64_t time_ns), void *arg)
{
	lag->observe = observe;
	lag->observe_arg = arg;
}

int nd_lag_observe(struct nd_lag *lag, uint64_t time_ns)
{
	return lag->observe ? lag->observe(lag->observe_arg, lag, time_ns) : 0;
}

/* What is known of a thread's current iteration; 0 with NULL where there is no place for it. */
static int open_stall(struct nd_lag *lag, uint32_t tid, struct nd_stall **ret_stall)
{
	struct nd_lag_thread *thread = NULL;
	int ret = nd_lag_threads_get(&lag->threads, tid, &thread);

	if (thread && !thread->open) {
		thread->open = calloc(1, sizeof(*thread->open));
		if (!thread->open)
			return -ENOMEM;
		thread->open->syscall = -1;
	}
	*ret_stall = thread ? thread->open : NULL;
	return ret;
}

int nd_lag_add_stack(struct nd_lag *lag, const struct nd_event *event, const uint8_t *span_id,
		     const struct nd_call *calls, size_t depth)
{
	struct nd_stall *stall = NULL;
	int ret = open_stall(lag, event->tid, &stall);

	if (ret || !stall)
		return ret;
	if (stall->stacks == ND_STALL_STACKS_MAX)
		return 0;
	ret = nd_stall_read_stack(lag->frames, event, calls, depth, &stall->stack[stall->stacks]);
	if (ret)
		return ret;
	if (span_id)
		memcpy(stall->stack[stall->stacks].span_id, span_id, ND_SPAN_ID_SIZE);
	stall->stacks++;
	return 0;
}

/* The stacks that the thread's current iteration has from before it began. */
static void forget_before(struct nd_lag *lag, uint32_t tid, uint64_t time_ns)
{
	struct nd_lag_thread *thread = nd_lag_threads_find(&lag->threads, tid);
	struct nd_stall *stall = thread ? thread->open : NULL;
	size_t i, kept = 0;

	for (i = 0; stall && i < stall->stacks; i++)
		if (stall->stack[i].time_ns >= time_ns)
			stall->stack[kept++] = stall->stack[i];
		else
			free(stall->stack[i].calls);
	if (stall)
		stall->stacks = kept;
}

static int keep_stall(struct nd_lag *lag, struct nd_stall *stall)
{
	struct nd_stall **grown =
		nd_array_grow(lag->ended, lag->ended_count, sizeof(struct nd_stall *));

	if (!grown)
		return -ENOMEM;
	lag->ended = grown;
	lag->ended[lag->ended_count++] = stall;
	return 0;
}

static int end_stall(struct nd_lag *lag, const struct nd_event_stall *event)
{
	struct nd_stall *stall = NULL;
	int ret = open_stall(lag, event->event.tid, &stall);

	if (ret || !stall)
		return ret;
	stall->event = *event;
	ret = keep_stall(lag, stall);
	if (!ret)
		nd_lag_threads_find(&lag->threads, event->event.tid)->open = NULL;
	return ret;
}

/* The stall that an event of the agent's thread is about; it may be over already. */
static int add_blocked(struct nd_lag *lag, const struct nd_event_blocked *event)
{
	struct nd_stall *stall = NULL;
	size_t i;
	int ret = 0;

	for (i = lag->ended_count; i-- > 0 && !stall;)
		if (lag->ended[i]->event.event.tid == event->event.tid &&
		    lag->ended[i]->event.start_ns == event->start_ns)
			stall = lag->ended[i];
	if (!stall)
		ret = open_stall(lag, event->event.tid, &stall);
	if (ret || !stall)
		return ret;
	stall->blocked++;
	stall->syscall = event->syscall;
	return 0;
}

static int add_gc(struct nd_lag *lag, const struct nd_event *event, size_t size)
{
	struct nd_event_gc gc = {0};

	if (size < ND_EVENT_GC_SIZE_MIN)
		return 0;
	/* An older agent's is shorter. */
	memcpy(&gc, event, size < sizeof(gc) ? size : sizeof(gc));
	return nd_collections_add(lag->collections, &gc, nd_lag_threads_add_gc(&lag->threads, &gc));
}

static int add_span(struct nd_lag *lag, const struct nd_event *event, size_t size)
{
	const struct nd_event_span *span = (const void *)event;
	int ret = nd_requests_add_event(lag->requests, event, size);

	if (ret || event->kind != ND_EVENT_SPAN || !nd_span_is_sound(event, size))
		return ret;
	return nd_collections_end_span(lag->collections, span->span_id);
}

int nd_lag_add_event(struct nd_lag *lag, const struct nd_event *event, size_t size)
{
	switch (event->kind) {
	case ND_EVENT_STALL:
		return size < sizeof(struct nd_event_stall) ? 0
							    : end_stall(lag, (const void *)event);
	case ND_EVENT_BLOCKED:
		return size < sizeof(struct nd_event_blocked)
			       ? 0
			       : add_blocked(lag, (const void *)event);
	case ND_EVENT_GC:
		return add_gc(lag, event, size);
	case ND_EVENT_HANDLES:
	case ND_EVENT_MEMORY:
	case ND_EVENT_SPACE:
	case ND_EVENT_RESOURCE:
		nd_lag_threads_add_event(&lag->threads, event, size);
		return 0;
	case ND_EVENT_THREAD_END:
		nd_lag_threads_add_event(&lag->threads, event, size);
		nd_async_end_thread(lag->async, event->tid);
		return 0;
	case ND_EVENT_FORGET:
		forget_before(lag, event->tid, event->time_ns);
		return 0;
	case ND_EVENT_SPAN_START:
	case ND_EVENT_SPAN:
		return add_span(lag, event, size);
	default:
		return nd_async_add_event(lag->async, event, size);
	}
}

static int tell(const struct nd_lag *lag, const struct nd_stall *stall,
		const struct nd_culprit *culprit)
{
	const struct nd_lag_stall told = {
		.start_ns = stall->event.start_ns,
		.end_ns = stall->event.event.time_ns,
		.culprit = *culprit,
	};

	return lag->listen ? lag->listen(lag->listen_arg, &told) : 0;
}

/* Charge a stall to whoever made it. */
static int charge(struct nd_lag *lag, const struct nd_stall *stall)
{
	const struct nd_stall_stack *stack = nd_stall_find_stack(stall);
	struct nd_culprit culprit;
	int ret;

	nd_culprit_describe(stall, stack, &culprit);
	culprit.has_phase = (lag->threads.known & ND_LOOP_PHASES) != 0;
	nd_requests_want(lag->requests, culprit.span_id);
	ret = tell(lag, stall, &culprit);
	if (!ret)
		ret = nd_culprits_charge(&lag->culprits, &culprit, stall, stack);
	return ret;
}

static int charge_first(struct nd_lag *lag, size_t count)
{
	size_t i;
	int ret = 0;

	if (!count)
		return 0;
	for (i = 0; i < count && !ret; i++)
		ret = charge(lag, lag->ended[i]);
	for (count = i, i = 0; i < count; i++)
		nd_stall_free(lag->ended[i]);
	lag->ended_count -= count;
	if (count)
		memmove(lag->ended, lag->ended + count,
			lag->ended_count * sizeof(struct nd_stall *));
	return ret;
}

int nd_lag_settle(struct nd_lag *lag)
{
	int ret = charge_first(lag, lag->ended_before);

	lag->ended_before = lag->ended_count;
	return ret;
}

/* An iteration that is over the threshold and not over at the end. */
static int end_open(struct nd_lag *lag, struct nd_lag_thread *thread, uint64_t now_ns)
{
	struct nd_stall *stall = thread->open;
	int ret;

	if (!stall || !thread->busy_since_ns || (!stall->stacks && !stall->blocked))
		return 0;
	stall->event.event.tid = thread->loop.tid;
	stall->event.event.time_ns = now_ns;
	stall->event.start_ns = thread->busy_since_ns;
	if (thread->phase < ND_PHASE_COUNT)
		stall->event.phase_ns[thread->phase] = now_ns - thread->busy_since_ns;
	stall->going_on = true;
	ret = keep_stall(lag, stall);
	if (ret)
		return ret;
	thread->open = NULL;
	thread->loop.stalls++;
	thread->loop.stall_ns += now_ns - thread->busy_since_ns;
	if (now_ns - thread->busy_since_ns > thread->loop.max_ns)
		thread->loop.max_ns = now_ns - thread->busy_since_ns;
	return 0;
}

int nd_lag_finish(struct nd_lag *lag, uint64_t now_ns)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < lag->threads.count && !ret; i++)
		if (!lag->threads.list[i].loop.ended)
			ret = end_open(lag, &lag->threads.list[i], now_ns);
	if (!ret)
		ret = charge_first(lag, lag->ended_count);
	lag->ended_before = 0;
	return ret;
}

const struct nd_requests *nd_lag_requests(const struct nd_lag *lag)
{
	return lag->requests;
}

struct nd_collections *nd_lag_collections(struct nd_lag *lag)
{
	return lag->collections;
}

struct nd_async *nd_lag_async(struct nd_lag *lag)
{
	return lag->async;
}

void nd_lag_left_out(const struct nd_lag *lag, uint64_t *ret_threads, uint64_t *ret_stalls)
{
	*ret_threads = lag->threads.left_out;
	*ret_stalls = lag->culprits.left_out;
}

int nd_lag_set_counters(struct nd_lag *lag, const struct nd_channel_slot *first,
			const struct nd_channel_slot *now, uint64_t start_ns, uint64_t now_ns)
{
	return nd_lag_threads_set_counters(&lag->threads, first, now, start_ns, now_ns);
}

const struct nd_lag_loop *nd_lag_loops(struct nd_lag *lag, size_t *ret_count)
{
	return nd_lag_threads_list(&lag->threads, ret_count);
}

const struct nd_culprit *nd_lag_culprits(struct nd_lag *lag, size_t *ret_count)
{
	*ret_count = lag->culprits.count;
	return nd_culprits_sort(&lag->culprits);
}

uint64_t nd_lag_percentile(const struct nd_lag_loop *loop, double share)
{
	return nd_histogram_percentile(loop->delay, loop->max_ns, share);
}
