/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/core.h"
#include "agent/gc.h"
#include "agent/log.h"
#include "agent/loop.h"
#include "agent/sampler.h"
#include "agent/snapshot.h"
#include "agent/spaces.h"
#include "agent/trace.h"
#include "agent/trace_span.h"
#include "common/clock.h"

/* How often a thread that cannot be adopted is looked at: an isolate without a loop stays so. */
#define TRIES_MAX 16

/*
 * In the static part of thread-local storage: the dynamic part is allocated on first use, which a
 * signal handler must not do.
 */
static __thread struct nd_thread *self __attribute__((tls_model("initial-exec")));
static __thread uint8_t tries __attribute__((tls_model("initial-exec")));

static struct nd_thread *threads[ND_CHANNEL_SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

struct nd_thread *nd_thread_self(void)
{
	return self;
}

static void write_life(struct nd_thread *thread, enum nd_event_kind kind)
{
	struct nd_event_thread *event = nd_channel_begin(&thread->ring, kind, thread->tid,
							 nd_clock_monotonic_ns(), sizeof(*event));

	if (!event)
		return;
	event->thread_kind = thread->slot->kind;
	event->pad = 0;
	nd_ring_commit(&thread->ring, event, sizeof(*event));
}

static void free_thread(struct nd_thread *thread)
{
	if (thread->schedstat_fd >= 0)
		close(thread->schedstat_fd);
	nd_async_free(thread);
	nd_trace_free(thread);
	free(thread);
}

/* The thread ends: its isolate and loop are gone already. */
static void on_thread_end(void *arg)
{
	struct nd_thread *thread = arg;

	self = NULL;
	pthread_mutex_lock(&lock);
	nd_sampler_remove_timer(thread);
	nd_async_write(thread, &thread->ring);
	write_life(thread, ND_EVENT_THREAD_END);
	threads[nd_channel_slot_index(thread->slot)] = NULL;
	nd_channel_release_slot(thread->slot);
	pthread_mutex_unlock(&lock);
	free_thread(thread);
}

static void make_key(void)
{
	pthread_key_create(&key, on_thread_end);
}

static void find_stack(struct nd_thread *thread)
{
	pthread_attr_t attr;
	void *start;
	size_t size;

	if (pthread_getattr_np(pthread_self(), &attr))
		return;
	if (!pthread_attr_getstack(&attr, &start, &size)) {
		thread->stack_start = (uintptr_t)start;
		thread->stack_end = (uintptr_t)start + size;
	}
	pthread_attr_destroy(&attr);
}

static void fill(struct nd_thread *thread)
{
	char path[64];

	thread->pthread = pthread_self();
	if (pthread_getcpuclockid(thread->pthread, &thread->cpu_clock))
		thread->cpu_clock = CLOCK_MONOTONIC;
	snprintf(path, sizeof(path), "/proc/self/task/%u/schedstat", thread->tid);
	thread->schedstat_fd = open(path, O_RDONLY | O_CLOEXEC);
	find_stack(thread);
}

static struct nd_thread *new_thread(struct nd_isolate *isolate, uv_loop_t *loop)
{
	struct nd_thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->tid = (uint32_t)syscall(SYS_gettid);
	thread->isolate = isolate;
	thread->loop = loop;
	thread->backend_fd = uv_backend_fd(loop);
	fill(thread);
	return thread;
}

/* Under the lock: a reader that comes now sees the thread with its timer, or gives it one. */
static bool enlist(struct nd_thread *thread)
{
	enum nd_thread_kind kind =
		thread->tid == (uint32_t)getpid() ? ND_THREAD_MAIN : ND_THREAD_WORKER;

	thread->slot = nd_channel_take_slot(kind, thread->tid);
	if (!thread->slot)
		return false;
	nd_channel_get_ring(thread->slot, &thread->ring);
	if (pthread_setspecific(key, thread)) {
		nd_channel_release_slot(thread->slot);
		return false;
	}
	threads[nd_channel_slot_index(thread->slot)] = thread;
	write_life(thread, ND_EVENT_THREAD_START);
	nd_sampler_add_timer(thread);
	return true;
}

struct nd_thread *nd_thread_adopt(void)
{
	struct nd_isolate *isolate;
	struct nd_thread *thread;
	uv_loop_t *loop;
	bool enlisted;

	if (self || tries == TRIES_MAX)
		return self;
	isolate = nd_isolate_try_get_current();
	if (!isolate || !nd_isolate_in_context(isolate))
		return NULL;
	tries++;
	loop = nd_node_get_event_loop(isolate);
	if (!loop || !nd_channel_open())
		return NULL;
	pthread_once(&key_once, make_key);
	thread = new_thread(isolate, loop);
	if (!thread)
		return NULL;
	pthread_mutex_lock(&lock);
	enlisted = enlist(thread);
	pthread_mutex_unlock(&lock);
	if (!enlisted) {
		/* One thread, counted once. */
		tries = TRIES_MAX;
		free_thread(thread);
		return NULL;
	}
	self = thread;
	return thread;
}

bool nd_thread_has_isolate(const struct nd_thread *thread)
{
	return nd_isolate_try_get_current() == thread->isolate &&
	       nd_isolate_in_context(thread->isolate);
}

void nd_thread_hook(struct nd_thread *thread)
{
	if (thread->hooked)
		return;
	thread->hooked = true;
	nd_loop_add_handles(thread);
	nd_spaces_learn(thread);
	nd_gc_add_callbacks(thread);
}

void nd_thread_unhook(struct nd_thread *thread)
{
	/* Where a script cannot be ended yet, the thread comes here again. */
	if (!thread->hooked || !nd_trace_stop(thread) || !nd_async_stop(thread))
		return;
	thread->hooked = false;
	nd_snapshot_unhook(thread);
	nd_gc_remove_callbacks(thread);
	nd_loop_remove_handles(thread);
}

void nd_thread_visit(void (*visit)(struct nd_thread *thread, void *arg), void *arg)
{
	size_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < ND_CHANNEL_SLOTS; i++)
		if (threads[i])
			visit(threads[i], arg);
	pthread_mutex_unlock(&lock);
}

void nd_thread_forget_all(void)
{
	self = NULL;
	tries = TRIES_MAX;
}
