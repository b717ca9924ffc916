/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stack_requests.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "cli/channel.h"
#include "common/procfs.h"
#include "common/procstat.h"
#include "proto/context.h"
#include "proto/span.h"

/* A thread that the agent has a slot for. */
struct traced {
	pid_t tid; /* for us */
	uint32_t slot;
	bool has_request;
	struct nd_kept_span request;
};

struct stack_requests {
	struct channel *channel;
	struct traced *threads;
	size_t count;
};

static bool read_memory(pid_t tid, uint64_t address, void *ret, size_t size)
{
	struct iovec local = {.iov_base = ret, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

	return process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static bool read_word(const void *arg, uint64_t address, uint64_t *ret)
{
	return read_memory(*(const pid_t *)arg, address, ret, sizeof(*ret));
}

/* The slot of a thread whose requests can be told; agents know threads by their own namespace. */
static bool find_slot(const struct channel *channel, pid_t tid, uint32_t *ret_index)
{
	struct nd_channel_slot slot;
	struct nd_proc_status status;

	if (nd_procfs_read_status(tid, &status))
		return false;
	for (*ret_index = 0; *ret_index < channel_slots(channel); ++*ret_index)
		if (channel_copy_slot(channel, *ret_index, &slot) && slot.state == ND_SLOT_LIVE &&
		    slot.tid == (uint32_t)status.namespace_pid && slot.context == ND_CONTEXT_ON)
			return true;
	return false;
}

static int find_threads(struct stack_requests *requests, pid_t pid)
{
	size_t count, i;
	pid_t *tids;
	int ret = nd_procfs_read_threads(pid, &tids, &count);

	if (ret)
		return ret;
	requests->threads = calloc(count + 1, sizeof(*requests->threads));
	for (i = 0; i < count && requests->threads; i++) {
		struct traced *thread = &requests->threads[requests->count];

		thread->tid = tids[i];
		requests->count += find_slot(requests->channel, tids[i], &thread->slot);
	}
	free(tids);
	return 0;
}

struct stack_requests *stack_requests_new(pid_t pid)
{
	struct stack_requests *requests = calloc(1, sizeof(*requests));

	if (!requests)
		return NULL;
	if (!channel_open(pid, &requests->channel, NULL) && !find_threads(requests, pid) &&
	    requests->count)
		return requests;
	stack_requests_free(requests);
	return NULL;
}

void stack_requests_free(struct stack_requests *requests)
{
	if (!requests)
		return;
	if (requests->channel)
		channel_close(requests->channel);
	free(requests->threads);
	free(requests);
}

static struct traced *find_thread(const struct stack_requests *requests, pid_t tid)
{
	size_t i;

	for (i = 0; requests && i < requests->count; i++)
		if (requests->threads[i].tid == tid)
			return &requests->threads[i];
	return NULL;
}

void stack_requests_look(void *arg, pid_t tid)
{
	const struct stack_requests *requests = arg;
	struct traced *thread = find_thread(requests, tid);
	struct nd_channel_slot slot;
	uint64_t number;

	if (!thread || !channel_copy_slot(requests->channel, thread->slot, &slot) || !slot.kept)
		return;
	number = nd_context_find(&slot.place, read_word, &tid);
	thread->has_request =
		number &&
		read_memory(tid, slot.kept + number % ND_KEPT_SPANS * sizeof(thread->request),
			    &thread->request, sizeof(thread->request)) &&
		thread->request.number == number && thread->request.size <= ND_KEPT_SPAN_SIZE;
}

const struct nd_event_span *stack_requests_find(const struct stack_requests *requests, pid_t tid)
{
	const struct traced *thread = find_thread(requests, tid);

	/* It is read out of a process that may be hurt. */
	if (!thread || !thread->has_request ||
	    !nd_span_is_sound(&thread->request.span.event, thread->request.size))
		return NULL;
	return &thread->request.span;
}
