/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_LIVE_H
#define NODIAG_CLI_HEAP_LIVE_H

#include <stdbool.h>
#include <sys/types.h>

struct nd_buf;
struct nd_err;

struct heap_live_options {
	bool json;
	bool colour;
};

/*
 * Append what a running process has in memory: the heaps of its threads by space, as the agent in
 * it says, which is loaded for it where there is none, and all of it by kind. 0, or a negative
 * errno: -ESRCH when there is no such process, -EPERM, -EBUSY while another nodiag reads from it.
 */
int heap_live_look(pid_t pid, const struct heap_live_options *options, struct nd_buf *out,
		   struct nd_err *err);

#endif /* NODIAG_CLI_HEAP_LIVE_H */
