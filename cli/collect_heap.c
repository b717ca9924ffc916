/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/collect_heap.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/channel.h"
#include "cli/collect_process.h"
#include "cli/command.h"
#include "cli/heap_room.h"
#include "cli/heap_snapshot.h"
#include "cli/heap_watch.h"
#include "cli/interrupt.h"
#include "common/clock.h"
#include "common/err.h"

/* A process that is started again and again must not fill the disk; the first ones tell as much. */
#define FILES_MAX 3

/* As of nodiag heap snapshot. */
#define TIMEOUT_NS (300 * ND_NSEC_PER_SEC)

#define LOOK_MS 200

static int watch(pid_t pid, const char *folder)
{
	const struct heap_snapshot_options options = {
		.output = folder, .format = HEAP_FORMAT_ND, .timeout_ns = TIMEOUT_NS};
	const struct heap_triggers triggers = {.near_limit = true, .keep = 1, .most = FILES_MAX};
	struct nd_err err = {0};

	return heap_watch(pid, &options, &triggers, &err) ? EXIT_FAILED : EXIT_DONE;
}

static bool may_start(struct channel *channel, const char *folder)
{
	int count = heap_room_count(folder);

	if (count < 0)
		collect_say(channel, "no heap snapshot can be written into '%s': %s", folder,
			    strerror(-count));
	else if (count >= FILES_MAX)
		collect_say(channel, "no heap snapshot will be taken: '%s' has %d of them", folder,
			    count);
	return count >= 0 && count < FILES_MAX;
}

pid_t collect_heap_start(struct channel *channel)
{
	const struct nd_channel_head *head = channel_get_head(channel);
	pid_t pid = (pid_t)head->pid, parent = getpid(), child;

	if (!head->heap_folder[0] || !may_start(channel, head->heap_folder))
		return 0;
	child = fork();
	if (child > 0)
		collect_say(channel, "a heap snapshot goes to '%s' when its heap is full",
			    head->heap_folder);
	if (child)
		return child > 0 ? child : 0;
	/* Should the one that records be killed, nobody would wait for us. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	_exit(getppid() == parent ? watch(pid, head->heap_folder) : EXIT_FAILED);
}

void collect_heap_end(pid_t child)
{
	if (!child)
		return;
	while (!waitpid(child, NULL, WNOHANG)) {
		if (interrupt_was_asked_for())
			kill(child, SIGTERM);
		usleep(LOOK_MS * 1000);
	}
}
