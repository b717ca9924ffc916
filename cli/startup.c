/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/startup.h"

#include "cli/agent.h"
#include "cli/channel.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/target.h"
#include "common/clock.h"
#include "common/err.h"

struct startup {
	struct channel *channel;
	uint64_t idle_since_ns; /* 0: the loop has not been idle for long */
};

/* The main thread's loop, as its agent counts it. */
static bool is_idle(struct startup *startup)
{
	struct nd_channel_slot slot;
	uint64_t now = nd_clock_monotonic_ns(), since;
	uint32_t i;

	for (i = 0; i < channel_slots(startup->channel); i++) {
		if (!channel_copy_slot(startup->channel, i, &slot) || slot.kind != ND_THREAD_MAIN)
			continue;
		since = slot.loop.idle_since_ns;
		if (since && since < now && now - since >= STARTUP_IDLE_MS * ND_NSEC_PER_MSEC)
			startup->idle_since_ns = since;
		return startup->idle_since_ns != 0;
	}
	return false;
}

static bool is_over(void *arg, pid_t pid)
{
	struct startup *startup = arg;

	/* The command may run other programs before it becomes Node. */
	if (!startup->channel && channel_open(pid, &startup->channel, NULL))
		return false;
	return is_idle(startup);
}

int startup_run(const struct target *target, uint64_t duration_ns, struct nd_profile *profile,
		struct session_result *ret_session, struct startup_result *ret_result,
		struct nd_err *err)
{
	struct startup startup = {0};
	struct session_options options = {
		.duration_ns = duration_ns,
		.hz = STARTUP_HZ,
		.kernel = true,
		.is_over = is_over,
		.arg = &startup,
	};
	int ret;

	if (agent_preload(err))
		return EXIT_COMMAND_NODIAG;
	ret = session_run(target, &options, profile, ret_session, err);
	channel_close(startup.channel);
	ret_result->loop_was_idle = startup.idle_since_ns != 0;
	ret_result->took_ns = ret_result->loop_was_idle
				      ? startup.idle_since_ns - ret_session->start_ns
				      : ret_session->duration_ns;
	return ret;
}
