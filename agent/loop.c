/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Phases are found by handles of our own in the loop, at places whose order libuv keeps (uv_run()
 * in src/unix/core.c, the same from 1.44 to 1.52 but for where timers run):
 *
 *	epoll returns		closes marker 0
 *	  callbacks of I/O				POLL
 *	our check handle	closes marker 1
 *	  check callbacks				CHECK
 *	marker 1 is closed
 *	  close callbacks				CLOSE
 *	marker 0 is closed
 *	  timers, pending				TIMERS
 *	our prepare handle
 *	  other prepare callbacks			OTHER
 *	epoll is called
 *
 * A check handle that is started later runs earlier, so ours comes before Node's. Closing handles
 * are a stack: those closed in check callbacks are counted to CHECK, those closed in callbacks of
 * I/O to CLOSE.
 *
 * The handles are marked as libuv's own (UV_HANDLE_INTERNAL): they neither keep a loop alive nor
 * from being closed, and uv_walk() does not show them.
 */

#include "agent/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/active.h"
#include "agent/async.h"
#include "agent/channel.h"
#include "agent/core.h"
#include "agent/got.h"
#include "agent/node_abi.h"
#include "agent/snapshot.h"
#include "agent/spaces.h"
#include "agent/thread.h"
#include "agent/trace.h"
#include "agent/usage.h"
#include "common/clock.h"

/* libuv's src/uv-common.h. */
#define HANDLE_ACTIVE	0x04u
#define HANDLE_REF	0x08u
#define HANDLE_INTERNAL 0x10u

/* Of a ring, more than what is read in time takes of it. */
#define RING_LARGE (4 * ND_RING_REWIND)

typedef int epoll_wait_function(int, struct epoll_event *, int, int);
typedef int epoll_pwait_function(int, struct epoll_event *, int, int, const sigset_t *);

static struct nd_got_hook wait_hook, pwait_hook;
static bool found_wait, found_pwait;

/* Counters have one writer; readers in another process want whole words. */
static void add(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

static void set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

/* The phase that was ends now, and another begins. */
static void change_phase(struct nd_thread *thread, enum nd_phase from, enum nd_phase to,
			 uint64_t now)
{
	/* A child that fork() made has the handles, but not the channel. */
	if (!nd_agent.active)
		return;
	thread->phase_ns[from] += now - thread->mark_ns;
	thread->mark_ns = now;
	__atomic_store_n(&thread->slot->loop.phase, (uint32_t)to, __ATOMIC_RELAXED);
}

static void on_prepare(uv_prepare_t *handle)
{
	change_phase(handle->data, ND_PHASE_TIMERS, ND_PHASE_OTHER, nd_clock_monotonic_ns());
}

static void on_marker_closed(uv_handle_t *handle)
{
	struct nd_thread *thread = handle->data;
	bool is_last = handle == (uv_handle_t *)&thread->marker[0];

	thread->marker_closing[is_last ? 0 : 1] = false;
	change_phase(thread, is_last ? ND_PHASE_CLOSE : ND_PHASE_CHECK,
		     is_last ? ND_PHASE_TIMERS : ND_PHASE_CLOSE, nd_clock_monotonic_ns());
}

static void close_marker(struct nd_thread *thread, int index)
{
	uv_idle_t *marker = &thread->marker[index];

	if (thread->marker_closing[index])
		return;
	uv_idle_init(thread->loop, marker);
	marker->data = thread;
	marker->flags |= HANDLE_INTERNAL;
	thread->marker_closing[index] = true;
	uv_close((uv_handle_t *)marker, on_marker_closed);
}

static void on_check(uv_check_t *handle)
{
	struct nd_thread *thread = handle->data;

	thread->checked = true;
	change_phase(thread, ND_PHASE_POLL, ND_PHASE_CHECK, nd_clock_monotonic_ns());
	if (nd_agent.active)
		close_marker(thread, 1);
}

bool nd_loop_is_known(void)
{
	return uv_handle_size && uv_handle_size(UV_PREPARE) == sizeof(uv_prepare_t) &&
	       uv_handle_size(UV_CHECK) == sizeof(uv_check_t) &&
	       uv_handle_size(UV_IDLE) == sizeof(uv_idle_t);
}

/* An agent that came back in the meantime gets its handles only now. */
static void on_handle_closed(uv_handle_t *handle)
{
	struct nd_thread *thread = handle->data;

	if (--thread->closing == 0 && thread->hooked && nd_agent.active)
		nd_loop_add_handles(thread);
}

static void close_handle(struct nd_thread *thread, uv_handle_t *handle)
{
	handle->data = thread;
	thread->closing++;
	uv_close(handle, on_handle_closed);
}

void nd_loop_add_handles(struct nd_thread *thread)
{
	/* Between a loop's waits there may be no closing phase, when a signal ended the first. */
	if (!(nd_agent.features & ND_FEATURE_PHASES) || thread->has_phases || thread->closing)
		return;
	uv_prepare_init(thread->loop, &thread->prepare);
	/* Our header and this libuv must mean the same by the flags before they are changed. */
	if (!(thread->prepare.flags & HANDLE_REF) || thread->prepare.flags & HANDLE_INTERNAL) {
		nd_agent.features &= ~(uint32_t)ND_FEATURE_PHASES;
		nd_agent_give_reason(ND_AGENT_UNKNOWN_LIBUV);
		close_handle(thread, (uv_handle_t *)&thread->prepare);
		return;
	}
	thread->prepare.data = thread;
	thread->prepare.flags |= HANDLE_INTERNAL;
	uv_prepare_start(&thread->prepare, on_prepare);
	uv_unref((uv_handle_t *)&thread->prepare);
	uv_check_init(thread->loop, &thread->check);
	thread->check.data = thread;
	thread->check.flags |= HANDLE_INTERNAL;
	uv_check_start(&thread->check, on_check);
	uv_unref((uv_handle_t *)&thread->check);
	thread->has_phases = true;
	thread->checked = true;
}

void nd_loop_remove_handles(struct nd_thread *thread)
{
	/* The iteration that is under way is not counted, not even if the agent comes back. */
	set(&thread->slot->loop.busy_since_ns, 0);
	set(&thread->slot->loop.idle_since_ns, 0);
	if (!thread->has_phases)
		return;
	thread->has_phases = false;
	close_handle(thread, (uv_handle_t *)&thread->prepare);
	close_handle(thread, (uv_handle_t *)&thread->check);
}

static void write_stall(struct nd_thread *thread, uint64_t start, uint64_t now)
{
	struct nd_event_stall *event =
		nd_channel_begin(&thread->ring, ND_EVENT_STALL, thread->tid, now, sizeof(*event));
	int i;

	add(&thread->slot->loop.stalls, 1);
	add(&thread->slot->loop.stall_ns, now - start);
	if (!event)
		return;
	event->start_ns = start;
	event->gc_ns = thread->iteration_gc_ns;
	nd_usage_read(thread, event);
	for (i = 0; i < ND_PHASE_COUNT; i++)
		event->phase_ns[i] = thread->phase_ns[i];
	nd_ring_commit(&thread->ring, event, sizeof(*event));
}

/* An iteration is over: the loop is about to poll. */
static void end_iteration(struct nd_thread *thread, uint64_t now)
{
	struct nd_loop_counters *loop = &thread->slot->loop;
	uint64_t start = loop->busy_since_ns, took = now - start;
	int i;

	thread->phase_ns[ND_PHASE_OTHER] += now - thread->mark_ns;
	set(&loop->busy_since_ns, 0);
	add(&loop->iterations, 1);
	add(&loop->busy_ns, took);
	add(&loop->delay[nd_histogram_index(took)], 1);
	if (took > loop->max_ns)
		set(&loop->max_ns, took);
	if (took >= nd_agent.threshold_ns)
		write_stall(thread, start, now);
	thread->iteration_gc_ns = 0;
	for (i = 0; i < ND_PHASE_COUNT; i++) {
		add(&loop->phase_ns[i], thread->phase_ns[i]);
		thread->phase_ns[i] = 0;
	}
}

/* What came before the loop first polls, loading the program, is no iteration. */
static void begin_counting(struct nd_thread *thread, uint64_t now)
{
	memset(thread->phase_ns, 0, sizeof(thread->phase_ns));
	thread->iteration_gc_ns = 0;
	set(&thread->slot->loop.start_ns, now);
}

void nd_loop_begin_late(struct nd_thread *thread)
{
	uint64_t now = nd_clock_monotonic_ns();

	nd_thread_hook(thread);
	begin_counting(thread, now);
	thread->checked = true;
	thread->mark_ns = now;
	set(&thread->slot->loop.busy_since_ns, now);
}

void nd_loop_begin_idle(struct nd_thread *thread)
{
	uint64_t now = nd_clock_monotonic_ns();

	begin_counting(thread, now);
	set(&thread->slot->loop.idle_since_ns, now);
}

static void count_handle(uv_handle_t *handle, void *arg)
{
	struct nd_event_handles *event = arg;

	if ((unsigned int)handle->type >= ND_HANDLE_TYPES)
		return;
	event->total[handle->type]++;
	event->active[handle->type] += (uint32_t)uv_is_active(handle);
}

static void write_handles(struct nd_thread *thread)
{
	struct nd_event_handles *event =
		nd_channel_begin(&thread->ring, ND_EVENT_HANDLES, thread->tid,
				 nd_clock_monotonic_ns(), sizeof(*event));

	__atomic_store_n(&thread->want_handles, false, __ATOMIC_RELAXED);
	if (!event)
		return;
	memset(event->active, 0, sizeof(event->active));
	memset(event->total, 0, sizeof(event->total));
	event->requests = thread->loop->active_reqs.count;
	event->pad = 0;
	uv_walk(thread->loop, count_handle, event);
	nd_ring_commit(&thread->ring, event, sizeof(*event));
}

/*
 * Whether this is not the first poll of the iteration. A loop that measures its idle time, as all
 * of Node's do (UV_METRICS_IDLE_TIME), first polls without waiting, and then again if there was
 * nothing; it also polls again after a signal, and when more events came than it asked for. Between
 * those our check handle is not called.
 */
static bool polls_again(const struct nd_thread *thread, int timeout)
{
	if (thread->has_phases)
		return !thread->checked;
	return thread->poll_found_nothing && timeout != 0;
}

static void begin_waiting(struct nd_loop_counters *loop, uint64_t now)
{
	set(&loop->busy_since_ns, 0);
	set(&loop->idle_since_ns, now);
}

/* Not so often that memory given back and taken again would cost anything. */
static void trim_ring(struct nd_thread *thread, uint64_t now)
{
	if (thread->ring.touched < RING_LARGE || now - thread->trimmed_ns < ND_NSEC_PER_SEC)
		return;
	thread->trimmed_ns = now;
	nd_channel_trim(&thread->ring);
}

static void begin_poll(struct nd_thread *thread, int timeout)
{
	struct nd_loop_counters *loop = &thread->slot->loop;
	uint64_t now = nd_clock_monotonic_ns();

	nd_async_set_clock(thread, now);
	trim_ring(thread, now);
	if (loop->busy_since_ns && polls_again(thread, timeout)) {
		if (!timeout)
			return;
		add(&loop->busy_ns, now - loop->busy_since_ns);
		begin_waiting(loop, now);
		return;
	}
	if (loop->busy_since_ns)
		end_iteration(thread, now);
	else if (!loop->start_ns)
		begin_counting(thread, now);
	else if (loop->idle_since_ns)
		/* The first wait after nd_loop_begin_idle(), whose end was not seen. */
		add(&loop->idle_ns, now - loop->idle_since_ns);
	thread->checked = false;
	if (timeout) {
		begin_waiting(loop, now);
		return;
	}
	/* Nothing is waited for, so the iteration begins here. */
	set(&loop->idle_since_ns, 0);
	thread->mark_ns = now;
	set(&loop->busy_since_ns, now);
}

/* The thread, if it is about to poll for the events of its own loop. */
static struct nd_thread *enter(int epfd, int timeout)
{
	struct nd_thread *thread;

	if (!nd_agent.active) {
		thread = nd_thread_self();
		if (thread && thread->backend_fd == epfd)
			nd_thread_unhook(thread);
		return NULL;
	}
	thread = nd_thread_adopt();
	if (!thread || thread->backend_fd != epfd)
		return NULL;
	nd_thread_hook(thread);
	nd_trace_update(thread);
	nd_async_update(thread);
	nd_snapshot_update(thread);
	if (__atomic_load_n(&thread->want_handles, __ATOMIC_RELAXED)) {
		write_handles(thread);
		nd_spaces_write(thread);
		nd_active_write(thread);
	}
	begin_poll(thread, timeout);
	return thread;
}

static void leave(struct nd_thread *thread, int timeout, int events)
{
	struct nd_loop_counters *loop = &thread->slot->loop;
	uint64_t now, idle_since = loop->idle_since_ns;
	int saved = errno;

	if (idle_since) {
		now = nd_clock_monotonic_ns();
		nd_async_set_clock(thread, now);
		add(&loop->idle_ns, now - idle_since);
		set(&loop->idle_since_ns, 0);
		thread->mark_ns = now;
		set(&loop->busy_since_ns, now);
	}
	if (events > 0)
		add(&loop->events, (uint64_t)events);
	thread->poll_found_nothing = !timeout && events == 0;
	if (thread->has_phases) {
		__atomic_store_n(&loop->phase, (uint32_t)ND_PHASE_POLL, __ATOMIC_RELAXED);
		close_marker(thread, 0);
	}
	errno = saved;
}

static int on_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	struct nd_thread *thread = enter(epfd, timeout);
	int count = ((epoll_wait_function *)wait_hook.original)(epfd, events, max, timeout);

	if (thread)
		leave(thread, timeout, count);
	return count;
}

static int on_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout,
			  const sigset_t *mask)
{
	struct nd_thread *thread = enter(epfd, timeout);
	int count = ((epoll_pwait_function *)pwait_hook.original)(epfd, events, max, timeout, mask);

	if (thread)
		leave(thread, timeout, count);
	return count;
}

bool nd_loop_hook(void)
{
	const void *libuv = (const void *)uv_run;
	bool hooked = false;

	/* Entries that already lead to us are from a start before. */
	if (!found_wait && !found_pwait) {
		found_wait = nd_got_find(libuv, "epoll_wait", &wait_hook);
		found_pwait = nd_got_find(libuv, "epoll_pwait", &pwait_hook);
	}
	/* Which one libuv calls depends on its version. */
	if (found_wait)
		hooked = nd_got_set(&wait_hook, (void *)on_epoll_wait);
	if (found_pwait)
		hooked |= nd_got_set(&pwait_hook, (void *)on_epoll_pwait);
	return hooked;
}

void nd_loop_unhook(void)
{
	if (found_wait)
		nd_got_set(&wait_hook, wait_hook.original);
	if (found_pwait)
		nd_got_set(&pwait_hook, pwait_hook.original);
}
