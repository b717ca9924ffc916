/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/stacks/role.h"

#include <string.h>

/* A word by which a thread is known. */
struct sign {
	const char *prefix;
	enum nd_thread_role role;
};

/* The first functions of threads. */
static const struct sign functions[] = {
	{"node::worker::Worker::StartThread", ND_ROLE_WORKER},
	{"node::SpinEventLoop", ND_ROLE_WORKER}, /* exported, so that stripped builds have it */
	{"node::(anonymous namespace)::PlatformWorkerThread", ND_ROLE_V8},
	{"node::PlatformWorkerThread", ND_ROLE_V8},
	{"node::WorkerThreadsTaskRunner::DelayedTaskScheduler", ND_ROLE_V8_DELAYED},
	{"node::inspector::(anonymous namespace)::StartIoThreadMain", ND_ROLE_DEBUG_SIGNAL},
	{"node::inspector::InspectorIo::ThreadMain", ND_ROLE_INSPECTOR},
};

/* What the kernel calls them, cut to 15 characters. Up to Node.js 20 all have one name. */
static const struct sign comms[] = {
	{"libuv-worker", ND_ROLE_POOL},
	{"V8Worker", ND_ROLE_V8},
	{"node-V8Worker", ND_ROLE_V8},
	{"DelayedTaskSche", ND_ROLE_V8_DELAYED},
	{"SignalInspector", ND_ROLE_DEBUG_SIGNAL},
	{"iou-", ND_ROLE_IO_URING},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum nd_thread_role find_sign(const struct sign *signs, size_t count, const char *text)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strncmp(text, signs[i].prefix, strlen(signs[i].prefix)))
			return signs[i].role;
	return ND_ROLE_OTHER;
}

/* libuv's threads begin in its function worker(); a stripped libuv only shows that it was there. */
static bool is_pool_root(const struct nd_frame *frame)
{
	const char *base = strrchr(frame->file, '/');

	return !strcmp(frame->name, "worker") || (base && !strncmp(base, "/libuv.", 7));
}

static enum nd_thread_role role_of_stack(const struct nd_frame *frames,
					 const struct nd_thread_stack *thread)
{
	enum nd_thread_role role = ND_ROLE_OTHER;
	const struct nd_frame *frame;
	size_t i;

	for (i = thread->depth; i-- > 0 && role == ND_ROLE_OTHER;) {
		frame = &frames[thread->calls[i].frame];
		if (frame->kind != ND_FRAME_NATIVE)
			continue;
		role = find_sign(functions, COUNT(functions), frame->name);
		if (role == ND_ROLE_OTHER && i == thread->depth - 1 && is_pool_root(frame))
			role = ND_ROLE_POOL;
	}
	return role;
}

enum nd_thread_role nd_thread_find_role(const struct nd_profile *profile, pid_t pid,
					const struct nd_thread_stack *thread, bool ran_js)
{
	uint32_t count;
	enum nd_thread_role role;

	if (thread->info.tid == pid)
		return ND_ROLE_MAIN;
	role = role_of_stack(nd_profile_frames(profile, &count), thread);
	if (role == ND_ROLE_OTHER && ran_js)
		role = ND_ROLE_WORKER;
	if (role == ND_ROLE_OTHER)
		role = find_sign(comms, COUNT(comms), thread->info.comm);
	return role;
}

enum nd_frame_kind nd_thread_find_work(const struct nd_profile *profile,
				       const struct nd_thread_stack *thread)
{
	uint32_t count;
	const struct nd_frame *frames = nd_profile_frames(profile, &count);
	enum nd_frame_kind kind;
	size_t i;

	for (i = 0; i < thread->depth; i++) {
		kind = frames[thread->calls[i].frame].kind;
		if (kind == ND_FRAME_GC || kind == ND_FRAME_COMPILE)
			return kind;
	}
	return ND_FRAME_UNKNOWN;
}
