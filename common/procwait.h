/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_PROCWAIT_H
#define NODIAG_COMMON_PROCWAIT_H

/*
 * What a thread waits in, and where stacks are. The kernel tells it only to those who may trace the
 * process. Errors as in common/procfs.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_wait {
	int number; /* of the system call; -1: in none, then all else is 0 */
	uint64_t first_argument;
	uint64_t sp;
};

/* Read the text of a syscall file. -EBADMSG when it is none. */
int nd_wait_decode(const char *text, struct nd_wait *ret_wait);
int nd_procfs_read_wait(pid_t pid, pid_t tid, struct nd_wait *ret_wait);

/* Whether it waits for events of an epoll descriptor, which is the first argument. */
bool nd_wait_is_epoll(const struct nd_wait *wait);

/* Where the main thread's stack begins; what is called lies below. -EACCES where it is hidden. */
int nd_procfs_read_stack_start(pid_t pid, uint64_t *ret_address);

#endif /* NODIAG_COMMON_PROCWAIT_H */
