/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_THREAD_H
#define NODIAG_PROTO_THREAD_H

/*
 * What a thread was doing at the moment of a snapshot, besides its stack.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum nd_thread_state {
	ND_THREAD_UNKNOWN,
	ND_THREAD_RUNNING,	   /* in user mode, or about to be */
	ND_THREAD_SYSCALL,	   /* in a system call, and not waiting in it */
	ND_THREAD_WAITING,	   /* asleep in a system call */
	ND_THREAD_UNINTERRUPTIBLE, /* asleep in the kernel, where no signal reaches it */
	ND_THREAD_STATE_COUNT
};

/* Why a thread is shown without a stack. */
enum nd_thread_missing {
	ND_THREAD_COMPLETE,   /* it has one */
	ND_THREAD_LATE,	      /* it did not stop, or there was no time left to copy its stack */
	ND_THREAD_TRACED,     /* another process traces it */
	ND_THREAD_KERNEL,     /* the kernel's own, as those of io_uring */
	ND_THREAD_UNREADABLE, /* its registers or its stack could not be read */
	ND_THREAD_MISSING_COUNT
};

struct nd_thread {
	pid_t tid;
	char comm[16]; /* the name that the kernel has, "" when unknown */
	enum nd_thread_state state;
	enum nd_thread_missing missing;
	bool job_stopped;  /* by SIGSTOP or the like, before anybody looked */
	uint64_t later_ns; /* how long after the others it was looked at; 0: together with them */
	char syscall[24];  /* the system call it is in, "" when in none; "335" without a name */
};

#endif /* NODIAG_PROTO_THREAD_H */
