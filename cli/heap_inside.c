/* SPDX-License-Identifier: Apache-2.0 */

/* A heap snapshot in the process itself, which stands still for it. */

#include <errno.h>
#include <inttypes.h>

#include "cli/channel.h"
#include "cli/heap_snapshot.h"
#include "cli/heap_taking.h"
#include "cli/term.h"
#include "common/clock.h"

/* How long its end may take to be told, once its stream has ended. */
#define END_MS 5000

/* How long V8 takes for a MiB of heap, on a machine with nothing else to do and on a busy one. */
#define LEAST_MS_PER_MIB 40
#define MOST_MS_PER_MIB	 150

/* The same where heap_taking_is_slow(), times the MiB of heap once more. */
#define SLOW_LEAST_MS 5
#define SLOW_MOST_MS  15

static uint64_t round_to_s(uint64_t ms)
{
	return (ms + 999) / 1000;
}

/* Of a worker, that thread alone stands still. */
static int get_stander(const struct taking *taking)
{
	return taking->options->worker ? (int)taking->options->worker : taking->pid;
}

/* Whoever reads this has asked for it, but may not know how large the heap is. */
static void state_cost(const struct taking *taking, const struct nd_forked *weight,
		       uint64_t free_bytes)
{
	uint64_t mib = (weight->used_bytes >> 20) + 1;
	uint64_t least_ms = mib * LEAST_MS_PER_MIB, most_ms = mib * MOST_MS_PER_MIB;

	if (heap_taking_is_slow(taking)) {
		least_ms = mib * mib * SLOW_LEAST_MS;
		most_ms = mib * mib * SLOW_MOST_MS;
	}
	term_note("%d: will stand still for about %" PRIu64 " to %" PRIu64
		  " s, and take up to %" PRIu64 " MiB more memory: it has %" PRIu64 " MiB of heap",
		  get_stander(taking), round_to_s(least_ms), round_to_s(most_ms) + 1,
		  weight->need_bytes >> 20, mib);
	if (weight->need_bytes > free_bytes)
		term_note("%d: only %" PRIu64
			  " MiB are free; it gives the snapshot up before they are taken",
			  taking->pid, free_bytes >> 20);
}

/* How large the heap is, and how much is free. */
static int weigh(struct taking *taking)
{
	struct nd_snapshot_wish wish;
	struct nd_forked weight;
	int ret = heap_taking_begin(taking, ND_SNAPSHOT_WEIGH, &wish, &weight);

	heap_taking_close_stream(taking);
	if (ret)
		return ret;
	if (weight.result)
		return nd_err_set_errno(taking->err, weight.result, "%d takes no snapshot",
					taking->pid);
	state_cost(taking, &weight, wish.free_bytes);
	return 0;
}

int heap_taking_inside(struct taking *taking)
{
	struct nd_snapshot_wish wish;
	struct nd_forked begun = {0};
	int ret = weigh(taking);

	if (!ret)
		ret = heap_taking_begin(taking, ND_SNAPSHOT_INSIDE, &wish, &begun);
	if (!ret && begun.result)
		ret = nd_err_set_errno(taking->err, begun.result, "%d takes no snapshot",
				       taking->pid);
	if (!ret) {
		taking->used_bytes = begun.used_bytes;
		ret = heap_taking_copy(taking);
	}
	heap_taking_close_stream(taking);
	return ret;
}

static int set_given_up(struct taking *taking, int result)
{
	if (result == -ETIMEDOUT)
		return heap_taking_set_late(taking);
	if (result == -ENOMEM) {
		nd_err_set(taking->err, result,
			   "%d has too little memory for a snapshot of %" PRIu64
			   " MiB of heap, and gave it up",
			   taking->pid, taking->used_bytes >> 20);
		return nd_err_hint(taking->err,
				   "raise the memory limit of its cgroup, or free memory");
	}
	return nd_err_set_errno(taking->err, result, "%d could not write its snapshot",
				taking->pid);
}

int heap_taking_finish_inside(struct taking *taking)
{
	struct nd_written written;
	int ret = channel_wait_written(taking->channel, END_MS, &written);

	if (ret == -EPIPE)
		return heap_taking_set_ended(taking);
	if (ret)
		return nd_err_set_errno(taking->err, ret, "the agent in %d does not answer",
					taking->pid);
	term_note("%d: stood still for %.1f s", get_stander(taking),
		  (double)written.pause_ns / ND_NSEC_PER_SEC);
	return written.result ? set_given_up(taking, written.result)
			      : heap_taking_conclude(taking, true);
}
