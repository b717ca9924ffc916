/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/reader.h"
#include "cli/channel.h"
#include "cli/heap_convert.h"
#include "cli/heap_snapshot.h"
#include "cli/heap_taking.h"
#include "cli/interrupt.h"
#include "cli/term.h"
#include "common/clock.h"

/* How often is looked at the clock and at Ctrl-C. */
#define LOOK_MS 200

/* How long the child's end may take to be told, once its stream has ended. */
#define END_MS 5000

#define UNPACKED "-f heapsnapshot writes it as it comes, whether there is memory for it or not"

uint32_t heap_taking_timeout_s(const struct taking *taking)
{
	return (uint32_t)((taking->options->timeout_ns + ND_NSEC_PER_SEC - 1) / ND_NSEC_PER_SEC);
}

int heap_taking_set_ended(struct taking *taking)
{
	return nd_err_set(taking->err, -ESRCH, "%d ended before its snapshot was complete",
			  taking->pid);
}

int heap_taking_set_late(struct taking *taking)
{
	nd_err_set(taking->err, -ETIMEDOUT, "the snapshot of %d was not complete in %" PRIu32 " s",
		   taking->pid, heap_taking_timeout_s(taking));
	return nd_err_hint(taking->err, "take it again, or give it more time with --timeout");
}

int heap_taking_set_interrupted(struct taking *taking)
{
	return nd_err_set(taking->err, -EINTR, "interrupted: no snapshot of %d was taken",
			  taking->pid);
}

static int check_patience(struct taking *taking)
{
	uint64_t took = nd_clock_monotonic_ns() - taking->start_ns;

	heap_taking_show_progress(taking);
	if (interrupt_was_asked_for())
		return heap_taking_set_interrupted(taking);
	/* The child's own alarm comes before. */
	if (took < taking->options->timeout_ns + 5 * ND_NSEC_PER_SEC)
		return 0;
	return nd_err_set(taking->err, -ETIMEDOUT, "the snapshot of %d took too long", taking->pid);
}

/* Nothing is wrong with it, but it is more than can be read here. */
static bool is_too_much(const struct taking *taking)
{
	return taking->damage.code == -ENOMEM || taking->damage.code == -E2BIG;
}

static int set_too_much(const struct taking *taking)
{
	nd_err_set(taking->err, taking->damage.code, "the snapshot of %d cannot be packed: %s",
		   taking->pid, taking->damage.what);
	return nd_err_hint(taking->err, "%s", UNPACKED);
}

/* What is damaged is known in the end: the child may say why. */
static int take_bytes(struct taking *taking, size_t len)
{
	taking->bytes += len;
	if (!taking->damage.code)
		nd_heap_reader_feed(taking->reader, taking->chunk, len, &taking->damage);
	/* What is packed is so in the end, from what the reader made of it. */
	if (taking->options->format == HEAP_FORMAT_ND)
		return is_too_much(taking) ? set_too_much(taking) : 0;
	return out_write(&taking->out, taking->chunk, len, taking->err);
}

static int copy_stream(struct taking *taking)
{
	struct pollfd ready = {.fd = taking->stream, .events = POLLIN};
	ssize_t n;
	int ret;

	for (;;) {
		ret = check_patience(taking);
		if (ret)
			return ret;
		if (poll(&ready, 1, LOOK_MS) <= 0)
			continue;
		n = read(taking->stream, taking->chunk, HEAP_READ_BYTES);
		if (n < 0 && errno != EINTR)
			return nd_err_set_errno(taking->err, -errno, "cannot read the snapshot");
		if (n == 0)
			return 0;
		ret = n > 0 ? take_bytes(taking, (size_t)n) : 0;
		if (ret)
			return ret;
	}
}

static int set_killed(struct taking *taking, int signal)
{
	if (signal == SIGALRM)
		return heap_taking_set_late(taking);
	nd_err_set(taking->err, -EIO,
		   "the child of %d that took the snapshot ended by signal %d (%s)", taking->pid,
		   signal, strsignal(signal));
	if (signal == SIGKILL)
		return nd_err_hint(taking->err,
				   "the kernel had no memory for it, or the agent was detached");
	return nd_err_hint(taking->err, "it may have needed more memory: see --child-memory");
}

static int set_stuck(struct taking *taking)
{
	nd_err_set(taking->err, -EAGAIN,
		   "the child of %d would have to wait for a thread that it has not", taking->pid);
	return nd_err_hint(taking->err, "take it again when the process has less to do, or, while "
					"it stands still, with --in-process");
}

/* 0 when what was read is a whole snapshot. */
static int finish_reading(struct taking *taking, struct nd_heap **ret_heap)
{
	if (taking->damage.code)
		return taking->damage.code;
	return nd_heap_reader_finish(taking->reader, ret_heap, &taking->damage);
}

static int keep(struct taking *taking, struct nd_heap *heap)
{
	int ret = 0;

	if (taking->options->format == HEAP_FORMAT_ND) {
		term_progress("packing");
		ret = heap_write(heap, HEAP_FORMAT_ND, &taking->out, taking->err);
	}
	nd_heap_free(heap);
	return ret == -ENOMEM ? nd_err_hint(taking->err, "%s", UNPACKED) : ret;
}

/* What cannot be read here may be read elsewhere, where it was written as it came. */
static int keep_unread(const struct taking *taking, bool is_whole)
{
	if (taking->options->format == HEAP_FORMAT_ND)
		return set_too_much(taking);
	term_note("%d: its snapshot is written, and %s: %s", taking->pid,
		  is_whole ? "was not checked" : "may be cut off", taking->damage.what);
	return 0;
}

int heap_taking_conclude(struct taking *taking, bool is_whole)
{
	struct nd_heap *heap;

	if (!finish_reading(taking, &heap)) {
		if (is_whole)
			return keep(taking, heap);
		nd_heap_free(heap);
	} else if (is_whole && is_too_much(taking)) {
		return keep_unread(taking, true);
	}
	if (!taking->damage.code || is_too_much(taking))
		return nd_err_set(taking->err, -EIO, "the child of %d failed", taking->pid);
	return nd_err_set(taking->err, taking->damage.code, "V8's snapshot of %d is damaged: %s",
			  taking->pid, taking->damage.what);
}

/* Where a full heap is waited for, a child may outlive the process: nobody tells of its end. */
static int finish_alone(struct taking *taking)
{
	struct nd_heap *heap;
	int ret = finish_reading(taking, &heap);

	if (ret && !is_too_much(taking))
		return heap_taking_set_ended(taking);
	term_note("%d has ended meanwhile", taking->pid);
	return ret ? keep_unread(taking, false) : keep(taking, heap);
}

/* The child's end says why its snapshot is not complete, better than its last byte does. */
static int finish(struct taking *taking)
{
	int status, ret = channel_wait_child(taking->channel, END_MS, &status);

	if (ret == -EPIPE)
		return finish_alone(taking);
	if (ret)
		return nd_err_set_errno(taking->err, ret, "the agent in %d does not answer",
					taking->pid);
	if (WIFSIGNALED(status))
		return set_killed(taking, WTERMSIG(status));
	if (WEXITSTATUS(status) == ND_CHILD_STUCK)
		return set_stuck(taking);
	return heap_taking_conclude(taking, !status);
}

int heap_taking_copy(struct taking *taking)
{
	int ret;

	taking->start_ns = taking->shown_ns = nd_clock_monotonic_ns();
	taking->looking_ns = taking->writing_ns = 0;
	ret = copy_stream(taking);
	if (!ret)
		ret = taking->options->in_process ? heap_taking_finish_inside(taking)
						  : finish(taking);
	term_progress("%s", "");
	return ret;
}
