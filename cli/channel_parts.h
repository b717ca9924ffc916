/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_CHANNEL_PARTS_H
#define NODIAG_CLI_CHANNEL_PARTS_H

/* What the files of cli/channel.h share with each other, and with nobody else. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/channel.h"
#include "proto/channel_view.h"

/* Messages that may come before an answer: FORKED and CHILD_END of a snapshot. */
#define CHANNEL_NEWS 2

struct channel {
	pid_t pid;
	int fd;
	int process_fd; /* a pidfd, -1 where the kernel has none */
	struct nd_hello hello;
	void *memory;
	size_t size;
	struct nd_channel_view view;
	uint64_t dropped_before;
	uint64_t *begin; /* of each ring: what it had before the agent was asked to start */
	uint8_t *record; /* half a ring: the longest event */
};

/* Connect to the socket of the agent in a process: 0, or a negative errno. */
int channel_connect(pid_t pid, int *ret_fd);

/* Get the agent's next message, of that size or larger. */
int channel_receive(struct channel *channel, int timeout_ms, void *buf, size_t size);

/* News of a snapshot that nobody waits for any more may come before. */
int channel_wait_answer(struct channel *channel);

#endif /* NODIAG_CLI_CHANNEL_PARTS_H */
