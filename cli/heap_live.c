/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_live.h"

#include <errno.h>
#include <poll.h>

#include "analyzer/lag/lag.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/heap_live.h"
#include "cli/attach.h"
#include "cli/channel.h"
#include "cli/interrupt.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/limits.h"

/* Loops that poll answer at once; how long those may take that are busy. */
#define ANSWER_NS (2 * ND_NSEC_PER_SEC)
#define LOOK_MS	  5

struct look {
	pid_t pid;
	struct channel *channel;
	bool is_ours; /* the agent was loaded for this */
	struct nd_profile *frames;
	struct nd_lag *lag;
};

static int connect_agent(struct look *look, struct nd_err *err)
{
	int ret = attach_borrow_agent(look->pid, &look->channel, &look->is_ours, err);

	if (ret)
		return ret;
	if (channel_get_hello(look->channel)->features & ND_FEATURE_GC)
		return 0;
	nd_err_set(err, -ENOTSUP, "the heap of %d cannot be looked at: %s", look->pid,
		   channel_reason_text(channel_get_hello(look->channel)->reason));
	return nd_err_hint(err, "process.memoryUsage() in the program says some of it");
}

/* Learn which threads there are. */
static int find_threads(struct look *look)
{
	static const struct nd_channel_slot zero;
	uint64_t now = nd_clock_monotonic_ns();
	struct nd_channel_slot slot;
	uint32_t i;
	int ret = 0;

	for (i = 0; i < channel_slots(look->channel) && !ret; i++)
		if (channel_copy_slot(look->channel, i, &slot) && slot.kind != ND_THREAD_AGENT)
			ret = nd_lag_set_counters(look->lag, &zero, &slot, 0, now);
	return ret;
}

static int add_event(void *arg, const struct nd_event *event, size_t size)
{
	struct look *look = arg;

	if (event->kind != ND_EVENT_MEMORY && event->kind != ND_EVENT_SPACE)
		return 0;
	return nd_lag_add_event(look->lag, event, size);
}

static bool all_answered(struct look *look)
{
	size_t count, i;
	const struct nd_lag_loop *loop = nd_lag_loops(look->lag, &count);

	for (i = 0; loop && i < count; i++)
		if (!loop[i].has_memory && !loop[i].ended)
			return false;
	return count > 0;
}

static int ask_threads(struct look *look, struct nd_err *err)
{
	uint64_t end = nd_clock_monotonic_ns() + ANSWER_NS;
	int ret = channel_start(look->channel, 0, 0, ND_STALL_THRESHOLD_NS, err);

	if (ret)
		return ret;
	channel_skip(look->channel);
	ret = channel_want_handles(look->channel, err);
	if (ret)
		return ret;
	do {
		poll(NULL, 0, LOOK_MS);
		ret = find_threads(look);
		if (!ret)
			ret = channel_read(look->channel, add_event, look);
	} while (!ret && !all_answered(look) && nd_clock_monotonic_ns() < end &&
		 !channel_is_over(look->channel) && !interrupt_was_asked_for());
	if (!ret && channel_is_over(look->channel))
		return nd_err_set(err, -ESRCH, "%d ended meanwhile", look->pid);
	return ret ? nd_err_set_errno(err, ret, "cannot read what %d says", look->pid) : 0;
}

static int render(struct look *look, const struct heap_live_options *options, struct nd_buf *out,
		  struct nd_err *err)
{
	struct nd_heap_live live = {.pid = look->pid};
	char command[4096];
	int ret = nd_procfs_read_smaps(look->pid, &live.smaps);

	if (ret)
		return nd_err_set_errno(err, ret, "cannot read the mappings of %d", look->pid);
	nd_procfs_read_cmdline(look->pid, command, sizeof(command));
	live.command = command;
	live.loops = nd_lag_loops(look->lag, &live.count);
	if (!live.loops)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = options->json ? nd_render_heap_live_json(&live, out)
			    : nd_render_heap_live(&live, options->colour, out);
	return ret ? nd_err_set_errno(err, ret, "cannot print the answer") : 0;
}

int heap_live_look(pid_t pid, const struct heap_live_options *options, struct nd_buf *out,
		   struct nd_err *err)
{
	struct look look = {.pid = pid, .frames = nd_profile_new(false)};
	int ret = 0;

	if (look.frames)
		look.lag = nd_lag_new(look.frames);
	if (!look.lag)
		ret = nd_err_set(err, -ENOMEM, "out of memory");
	interrupt_catch();
	if (!ret)
		ret = connect_agent(&look, err);
	if (!ret)
		ret = ask_threads(&look, err);
	if (!ret)
		ret = render(&look, options, out, err);
	attach_return_agent(look.channel, look.is_ours);
	interrupt_release();
	nd_lag_free(look.lag);
	nd_profile_free(look.frames);
	return ret;
}
