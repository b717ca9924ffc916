/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lag_async.h"

#include <errno.h>
#include <inttypes.h>

#include "analyzer/lag/async.h"
#include "cli/agent.h"
#include "cli/term.h"
#include "common/err.h"

static const char *const reasons[ND_ASYNC_REASON_COUNT] = {
	[ND_ASYNC_OK] = "",
	[ND_ASYNC_FAILED] = "its Node.js is not as the agent expects it",
	[ND_ASYNC_NO_MODULES] =
		"Node.js 18 gives the agent no modules in ES modules and in workers",
	[ND_ASYNC_HIDDEN] = "the permission model of Node.js 20 hides what is needed",
	[ND_ASYNC_NO_MEMORY] = "there was no memory",
};

int lag_async_refuse(pid_t pid, struct nd_err *err)
{
	nd_err_set(err, -ENOTSUP, "the agent in %d cannot follow asynchronous resources", pid);
	return nd_err_hint(err,
			   "if an older nodiag put it there, start the process anew with "
			   "LD_PRELOAD=%s",
			   agent_get_stub());
}

int lag_async_hint(pid_t pid, struct nd_err *err)
{
	return nd_err_hint(err,
			   "--async needs it: nodiag attach %d, or start it with LD_PRELOAD=%s",
			   pid, agent_get_stub());
}

void lag_async_print_missing(const struct nd_async *async, const char *why_none)
{
	const struct nd_async_thread *threads;
	struct nd_async_losses losses;
	size_t count, i;

	threads = nd_async_threads(async, &count);
	if (why_none && !count)
		term_note("asynchronous resources were not followed: %s", why_none);
	for (i = 0; i < count; i++)
		if (threads[i].reason != ND_ASYNC_OK)
			term_note("thread %" PRIu32 ": asynchronous resources are not followed: %s",
				  threads[i].tid,
				  threads[i].reason < ND_ASYNC_REASON_COUNT
					  ? reasons[threads[i].reason]
					  : "a newer nodiag knows why");
	nd_async_get_losses(async, &losses);
	if (losses.resources)
		term_note("resources that were only counted, since too many were alive: %" PRIu64,
			  losses.resources);
	if (losses.sites)
		term_note("looks at call sites of which there were too many: %" PRIu64,
			  losses.sites);
	if (losses.types)
		term_note("resources of types of which there were too many: %" PRIu64,
			  losses.types);
	if (losses.left_out)
		term_note("sums of asynchronous resources that found no room: %" PRIu64,
			  losses.left_out);
}
