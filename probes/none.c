/* SPDX-License-Identifier: Apache-2.0 */

/* A sampler that takes no samples: for what is observed by an agent alone. */

#include <poll.h>
#include <stddef.h>

#include "probes/sampler_impl.h"

static void none_close(void *impl)
{
}

static int none_add_thread(void *impl, pid_t tid, bool on_exec)
{
	return 0;
}

static int none_set_layout(void *impl, pid_t pid, const struct nd_walk_layout *layout)
{
	return 0;
}

static int none_poll(void *impl, int timeout_ms,
		     int (*handle)(void *arg, const struct nd_sample_header *record), void *arg)
{
	poll(NULL, 0, timeout_ms);
	return 0;
}

static void none_stop(void *impl)
{
}

static void none_get_stats(const void *impl, struct nd_sampler_stats *ret_stats)
{
}

static const struct nd_sampler_ops ops = {
	.kind = ND_SAMPLER_NONE,
	.close = none_close,
	.add_thread = none_add_thread,
	.set_layout = none_set_layout,
	.poll = none_poll,
	.stop = none_stop,
	.get_stats = none_get_stats,
};

int nd_sampler_open_none(struct nd_sampler **ret_sampler)
{
	static const struct nd_sampler_options options;

	return nd_sampler_new(&options, &ops, NULL, ret_sampler);
}
