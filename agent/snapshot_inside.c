/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/snapshot_inside.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sys/socket.h>

#include "agent/node_abi.h"
#include "agent/snapshot_write.h"
#include "agent/statm.h"
#include "common/clock.h"

/* How often is looked at the time when nobody reads. */
#define SEND_MS 200

/* What V8 takes once it has looked at all objects, and says nothing of: a quarter of the rest. */
#define UNSEEN_SHARE 4

struct work {
	struct nd_snapshot_writer writer;
	const struct nd_snapshot_inside *inside;
	uint64_t due_ns;
	uint64_t first_bytes; /* when V8 began to look at the objects; 0: it has not */
	int result;
};

static bool is_out_of_memory(struct work *work)
{
	uint64_t now = nd_statm_read(ND_STATM_RESIDENT), taken;

	if (!work->first_bytes)
		work->first_bytes = now;
	taken = now > work->first_bytes ? now - work->first_bytes : 0;
	return taken + taken / UNSEEN_SHARE > work->inside->free_bytes;
}

static bool is_over(struct work *work)
{
	if (__atomic_load_n(work->inside->is_unwanted, __ATOMIC_RELAXED))
		work->result = -EPIPE;
	else if (nd_clock_monotonic_ns() > work->due_ns)
		work->result = -ETIMEDOUT;
	return work->result != 0;
}

static bool may_go_on(struct nd_snapshot_writer *writer)
{
	struct work *work = (struct work *)writer;

	if (is_over(work))
		return false;
	if (is_out_of_memory(work))
		work->result = -ENOMEM;
	return !work->result;
}

/* Who reads may be stopped, or be slow; the thread waits for that no longer than for the rest. */
static bool send_patiently(struct nd_snapshot_writer *writer, const char *data, size_t size)
{
	struct pollfd ready = {.fd = writer->fd, .events = POLLOUT};
	struct work *work = (struct work *)writer;
	ssize_t n;

	while (size > 0 && !is_over(work)) {
		n = send(writer->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			work->result = -EPIPE;
		} else {
			poll(&ready, 1, SEND_MS);
		}
	}
	return !work->result;
}

int nd_snapshot_inside_run(const struct nd_snapshot_inside *inside)
{
	struct work work = {
		.writer = {.send = send_patiently,
			   .may_go_on = may_go_on,
			   .fd = inside->fd,
			   .key = inside->key},
		.inside = inside,
		.due_ns = nd_clock_monotonic_ns() + inside->timeout_s * ND_NSEC_PER_SEC,
	};
	const struct nd_heap_snapshot *heap = nd_snapshot_take(inside->isolate, &work.writer);

	if (!heap)
		return work.result ? work.result : -EIO;
	if (!nd_snapshot_serialize(heap, &work.writer) && !work.result)
		work.result = -EIO;
	nd_heap_snapshot_delete(heap);
	/* Hundreds of megabytes in small pieces, which malloc would keep. */
	malloc_trim(0);
	return work.result;
}
