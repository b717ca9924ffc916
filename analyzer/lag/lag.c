/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/lag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/lag/async.h"
#include "analyzer/lag/culprits.h"
#include "analyzer/lag/stall.h"
#include "analyzer/profile/profile.h"
#include "analyzer/trace/requests.h"
#include "common/array.h"
#include "proto/limits.h"

/* A thread that was observed. */
struct thread {
	struct nd_lag_loop loop;
	uint64_t busy_since_ns;
	uint32_t phase;
	bool is_final;	       /* its counters have been read for the last time */
	struct nd_stall *open; /* what is known of the iteration that lasts, or NULL */
};

struct nd_lag {
	const struct nd_profile *frames;
	uint32_t known; /* enum nd_loop_known */
	struct thread *threads;
	size_t threads_count;
	uint64_t threads_left_out;
	struct nd_stall **ended; /* not decided about yet */
	size_t ended_count;
	size_t ended_before; /* of these, those that were there at the last nd_lag_settle() */
	struct nd_culprits culprits;
	struct nd_async *async;
	struct nd_requests *requests;
	struct nd_lag_loop *loops; /* what nd_lag_loops() hands out */
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
	if (!lag->async || !lag->requests) {
		nd_lag_free(lag);
		return NULL;
	}
	lag->frames = frames;
	lag->known = ND_LOOP_PHASES | ND_LOOP_GC | ND_LOOP_EVENTS;
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
	lag->known = known;
}

static void free_stall(struct nd_stall *stall)
{
	size_t i;

	for (i = 0; stall && i < stall->stacks; i++)
		free(stall->stack[i].calls);
	free(stall);
}

void nd_lag_free(struct nd_lag *lag)
{
	size_t i;

	if (!lag)
		return;
	for (i = 0; i < lag->threads_count; i++)
		free_stall(lag->threads[i].open);
	for (i = 0; i < lag->ended_count; i++)
		free_stall(lag->ended[i]);
	nd_culprits_fini(&lag->culprits);
	nd_async_free(lag->async);
	nd_requests_free(lag->requests);
	free(lag->threads);
	free(lag->ended);
	free(lag->loops);
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

/* The thread of that id that lives, or one that did. */
static struct thread *find_thread(struct nd_lag *lag, uint32_t tid)
{
	struct thread *found = NULL, *thread;
	size_t i;

	for (i = 0; i < lag->threads_count; i++) {
		thread = &lag->threads[i];
		if (thread->loop.tid == tid && (!found || found->loop.ended))
			found = thread;
	}
	return found;
}

/* The thread of a slot; one that only events spoke of so far has no start yet. */
static struct thread *find_slot_thread(struct nd_lag *lag, const struct nd_channel_slot *slot)
{
	struct thread *thread;
	size_t i;

	for (i = 0; i < lag->threads_count; i++) {
		thread = &lag->threads[i];
		if (thread->loop.tid == slot->tid &&
		    (thread->loop.start_ns == slot->start_ns || !thread->loop.start_ns))
			return thread;
	}
	return NULL;
}

/* Room in the place of one that has ended; NULL when all live. */
static struct thread *drop_ended(struct nd_lag *lag)
{
	size_t i;

	lag->threads_left_out++;
	for (i = 0; i < lag->threads_count; i++)
		if (lag->threads[i].loop.ended) {
			free_stall(lag->threads[i].open);
			return &lag->threads[i];
		}
	return NULL;
}

/* 0 with NULL where there is no place for it. */
static int add_thread(struct nd_lag *lag, uint32_t tid, struct thread **ret_thread)
{
	struct thread *grown, *thread;

	if (lag->threads_count == ND_LAG_THREADS_MAX) {
		thread = drop_ended(lag);
	} else {
		grown = nd_array_grow(lag->threads, lag->threads_count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		lag->threads = grown;
		thread = &lag->threads[lag->threads_count++];
	}
	if (thread)
		*thread = (struct thread){.loop.tid = tid};
	*ret_thread = thread;
	return 0;
}

static void subtract(uint64_t *ret, const uint64_t *first, const uint64_t *now, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		ret[i] = now[i] >= first[i] ? now[i] - first[i] : 0;
}

static void read_loop(struct thread *thread, const struct nd_loop_counters *first,
		      const struct nd_loop_counters *now, uint64_t now_ns)
{
	struct nd_lag_loop *loop = &thread->loop;

	loop->iterations = now->iterations - first->iterations;
	loop->busy_ns = now->busy_ns - first->busy_ns;
	loop->idle_ns = now->idle_ns - first->idle_ns;
	loop->events = now->events - first->events;
	loop->stalls = now->stalls - first->stalls;
	loop->stall_ns = now->stall_ns - first->stall_ns;
	subtract(loop->phase_ns, first->phase_ns, now->phase_ns, ND_PHASE_COUNT);
	subtract(loop->delay, first->delay, now->delay, ND_HISTOGRAM_BUCKETS);
	thread->busy_since_ns = now->busy_since_ns;
	thread->phase = now->phase;
	if (now->busy_since_ns && now->busy_since_ns < now_ns)
		loop->busy_ns += now_ns - now->busy_since_ns;
	if (now->idle_since_ns && now->idle_since_ns < now_ns)
		loop->idle_ns += now_ns - now->idle_since_ns;
	/* What began before the observation belongs to it only from there on. */
	if (first->busy_since_ns && loop->busy_ns > loop->observed_ns)
		loop->busy_ns = loop->observed_ns;
	if (loop->idle_ns > loop->observed_ns)
		loop->idle_ns = loop->observed_ns;
}

/* The longest of the observed iterations: exact where it is the longest ever, else its bucket's. */
static uint64_t find_max(const struct nd_lag_loop *loop, const struct nd_loop_counters *first,
			 const struct nd_loop_counters *now)
{
	uint32_t i;

	if (now->max_ns > first->max_ns)
		return now->max_ns;
	for (i = ND_HISTOGRAM_BUCKETS; i-- > 0;)
		if (loop->delay[i])
			return i + 1 < ND_HISTOGRAM_BUCKETS ? nd_histogram_start(i + 1)
							    : nd_histogram_start(i);
	return 0;
}

int nd_lag_set_counters(struct nd_lag *lag, const struct nd_channel_slot *first,
			const struct nd_channel_slot *now, uint64_t start_ns, uint64_t now_ns)
{
	struct thread *thread = find_slot_thread(lag, now);
	struct nd_lag_loop *loop;
	uint64_t from;
	int ret;

	/* One that had ended before is not of this observation. */
	if (first->state == ND_SLOT_ENDED && first->start_ns == now->start_ns)
		return 0;
	if (!thread) {
		ret = add_thread(lag, now->tid, &thread);
		if (ret || !thread)
			return ret;
	}
	thread->loop.start_ns = now->start_ns;
	loop = &thread->loop;
	loop->kind = now->kind;
	loop->known = lag->known;
	if (thread->is_final)
		return 0;
	thread->is_final = now->state != ND_SLOT_LIVE;
	loop->ended |= thread->is_final;
	from = now->loop.start_ns > start_ns ? now->loop.start_ns : start_ns;
	loop->observed_ns = now->loop.start_ns && now_ns > from ? now_ns - from : 0;
	read_loop(thread, &first->loop, &now->loop, now_ns);
	loop->max_ns = find_max(loop, &first->loop, &now->loop);
	subtract(loop->gc_count, first->gc.count, now->gc.count, ND_GC_TYPES);
	subtract(loop->gc_ns, first->gc.time_ns, now->gc.time_ns, ND_GC_TYPES);
	loop->heap_used_bytes = now->gc.used_bytes;
	loop->heap_total_bytes = now->gc.total_bytes;
	loop->heap_limit_bytes = now->gc.limit_bytes;
	loop->external_bytes = now->gc.external_bytes;
	return 0;
}

/* What is known of a thread's current iteration; 0 with NULL where there is no place for it. */
static int open_stall(struct nd_lag *lag, uint32_t tid, struct nd_stall **ret_stall)
{
	struct thread *thread = find_thread(lag, tid);
	int ret = 0;

	if (!thread)
		ret = add_thread(lag, tid, &thread);
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
	struct thread *thread = find_thread(lag, tid);
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
		find_thread(lag, event->event.tid)->open = NULL;
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

static void add_pause(struct nd_gc_pauses *pauses, uint64_t took_ns)
{
	static const double bounds[ND_GC_BUCKETS - 1] = ND_GC_BOUNDS;
	size_t i;

	for (i = 0; i < ND_GC_BUCKETS - 1; i++)
		if ((double)took_ns / 1e9 <= bounds[i])
			break;
	pauses->count[i]++;
	pauses->ns += took_ns;
}

static void add_gc(struct nd_lag *lag, const struct nd_event_gc *event)
{
	struct thread *thread = find_thread(lag, event->event.tid);
	int index = event->type ? __builtin_ctz(event->type) : 0;
	uint64_t took = event->event.time_ns - event->start_ns;

	if (!thread || index >= ND_GC_TYPES)
		return;
	if (took > thread->loop.gc_max_ns[index])
		thread->loop.gc_max_ns[index] = took;
	add_pause(&thread->loop.gc_pauses[index], took);
}

static void add_handles(struct nd_lag *lag, const struct nd_event_handles *event)
{
	struct thread *thread = find_thread(lag, event->event.tid);

	if (!thread)
		return;
	thread->loop.has_handles = true;
	thread->loop.requests = event->requests;
	memcpy(thread->loop.handles_active, event->active, sizeof(event->active));
	memcpy(thread->loop.handles_total, event->total, sizeof(event->total));
}

static void add_memory(struct nd_lag *lag, const struct nd_event_memory *event)
{
	struct thread *thread = find_thread(lag, event->event.tid);

	if (!thread)
		return;
	thread->loop.has_memory = true;
	thread->loop.held_bytes = event->external_bytes;
	thread->loop.array_buffers_bytes = event->array_buffers_bytes;
}

/* Its place: that of the same name, or a new one; NULL when there is none. */
static struct nd_lag_space *find_space(struct nd_lag_loop *loop, const char *name)
{
	size_t i;

	for (i = 0; i < loop->spaces; i++)
		if (!strncmp(loop->space[i].name, name, ND_SPACE_NAME - 1))
			return &loop->space[i];
	return loop->spaces < ND_LAG_SPACES_MAX ? &loop->space[loop->spaces++] : NULL;
}

static void add_space(struct nd_lag *lag, const struct nd_event_space *event)
{
	struct thread *thread = find_thread(lag, event->event.tid);
	struct nd_lag_space *space = thread ? find_space(&thread->loop, event->name) : NULL;

	if (!space)
		return;
	memcpy(space->name, event->name, ND_SPACE_NAME - 1);
	space->size_bytes = event->size_bytes;
	space->used_bytes = event->used_bytes;
	space->available_bytes = event->available_bytes;
	space->physical_bytes = event->physical_bytes;
}

/* Its slot may be another thread's before the counters are looked at again. */
static void end_thread(struct nd_lag *lag, uint32_t tid)
{
	struct thread *thread = find_thread(lag, tid);

	if (thread)
		thread->loop.ended = true;
	nd_async_end_thread(lag->async, tid);
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
		if (size >= ND_EVENT_GC_SIZE_MIN)
			add_gc(lag, (const void *)event);
		return 0;
	case ND_EVENT_HANDLES:
		if (size >= sizeof(struct nd_event_handles))
			add_handles(lag, (const void *)event);
		return 0;
	case ND_EVENT_MEMORY:
		if (size >= sizeof(struct nd_event_memory))
			add_memory(lag, (const void *)event);
		return 0;
	case ND_EVENT_SPACE:
		if (size >= sizeof(struct nd_event_space))
			add_space(lag, (const void *)event);
		return 0;
	case ND_EVENT_THREAD_END:
		end_thread(lag, event->tid);
		return 0;
	case ND_EVENT_FORGET:
		forget_before(lag, event->tid, event->time_ns);
		return 0;
	case ND_EVENT_SPAN_START:
	case ND_EVENT_SPAN:
		return nd_requests_add_event(lag->requests, event, size);
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
	culprit.has_phase = (lag->known & ND_LOOP_PHASES) != 0;
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
		free_stall(lag->ended[i]);
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
static int end_open(struct nd_lag *lag, struct thread *thread, uint64_t now_ns)
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

	for (i = 0; i < lag->threads_count && !ret; i++)
		if (!lag->threads[i].loop.ended)
			ret = end_open(lag, &lag->threads[i], now_ns);
	if (!ret)
		ret = charge_first(lag, lag->ended_count);
	lag->ended_before = 0;
	return ret;
}

const struct nd_requests *nd_lag_requests(const struct nd_lag *lag)
{
	return lag->requests;
}

struct nd_async *nd_lag_async(struct nd_lag *lag)
{
	return lag->async;
}

void nd_lag_left_out(const struct nd_lag *lag, uint64_t *ret_threads, uint64_t *ret_stalls)
{
	*ret_threads = lag->threads_left_out;
	*ret_stalls = lag->culprits.left_out;
}

static int compare_loops(const void *a, const void *b)
{
	const struct nd_lag_loop *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

const struct nd_lag_loop *nd_lag_loops(struct nd_lag *lag, size_t *ret_count)
{
	struct nd_lag_loop *loops =
		calloc(lag->threads_count ? lag->threads_count : 1, sizeof(*loops));
	size_t i;

	*ret_count = 0;
	if (!loops)
		return NULL;
	for (i = 0; i < lag->threads_count; i++)
		if (lag->threads[i].loop.observed_ns)
			loops[(*ret_count)++] = lag->threads[i].loop;
	qsort(loops, *ret_count, sizeof(*loops), compare_loops);
	free(lag->loops);
	lag->loops = loops;
	return loops;
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
