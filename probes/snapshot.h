/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROBES_SNAPSHOT_H
#define NODIAG_PROBES_SNAPSHOT_H

/*
 * One moment of a process: registers and stacks of all its threads, copied while they stand still.
 *
 * The threads are stopped together with ptrace(2), for as long as copying takes and for
 * ND_SNAPSHOT_STOP_NS at most. A thread that does not stop in time, since the machine is busy, is
 * looked at when it does, while the others run again; one that sleeps where no signal reaches it is
 * left alone. Nothing in the process is written, signals on their way to it arrive, and a process
 * that SIGSTOP stopped stays stopped. Should nodiag be killed meanwhile, the kernel lets the
 * threads go.
 *
 * What it cannot hide: a system call that a signal handler would interrupt for good, like
 * epoll_wait(2), returns EINTR, as it does under every debugger. Node.js calls it again.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/clock.h"
#include "proto/thread.h"

struct nd_err;
struct nd_sample_stack;

/*
 * How long a process is stopped at most, unless the machine takes the CPU from nodiag itself: where
 * CAP_SYS_NICE is missing and others want it.
 */
#define ND_SNAPSHOT_STOP_NS (5 * ND_NSEC_PER_MSEC)

struct nd_snapshot_thread {
	struct nd_thread info;
	struct nd_sample_stack *stack; /* NULL: there is none, info.missing says why */
};

struct nd_snapshot {
	struct nd_snapshot_thread *threads; /* the main thread first, then as they started */
	size_t count;
	uint64_t stopped_ns; /* how long any of them was stopped, at most */
};

/* Look at a thread that stands still, for some microseconds; called on a thread of nodiag's own. */
typedef void nd_snapshot_look(void *arg, pid_t tid);

/*
 * Take a snapshot of all threads of a process; `look`, unless NULL, is called with each whose stack
 * was copied, as far as time allows. -ESRCH when it is gone, -EPERM with a hint when it
 * may not be traced or another process traces it, -E2BIG beyond ND_SNAPSHOT_THREADS_MAX, -ENOMEM.
 * Call nd_snapshot_fini() after success.
 *
 * All signals to the calling thread wait until it is over.
 */
int nd_snapshot_take(pid_t pid, nd_snapshot_look *look, void *arg, struct nd_snapshot *ret_snapshot,
		     struct nd_err *err);
void nd_snapshot_fini(struct nd_snapshot *snapshot);

#endif /* NODIAG_PROBES_SNAPSHOT_H */
