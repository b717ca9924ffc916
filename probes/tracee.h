/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROBES_TRACEE_H
#define NODIAG_PROBES_TRACEE_H

/*
 * One thread under ptrace(2), from being asked to stop until it runs again.
 *
 * All calls come from one thread of nodiag, the tracer. When that thread ends, the kernel lets go
 * whatever it still traces, all at once, stopped or not; but a signal that a thread was about to
 * get is then lost, so those are released before.
 */

#include <stdbool.h>
#include <stdint.h>

#include "probes/snapshot.h"

struct nd_err;
struct nd_ranges;

enum nd_tracee_phase {
	ND_TRACEE_LISTED,
	ND_TRACEE_REFUSED,     /* not permitted */
	ND_TRACEE_INTERRUPTED, /* was asked to stop */
	ND_TRACEE_STOPPED,
	ND_TRACEE_GONE, /* has ended */
};

struct nd_tracee {
	enum nd_tracee_phase phase;
	bool sleeps; /* did so when it was listed */
	int signal;  /* it was about to get */
	struct nd_snapshot_thread thread;
};

/* Become the tracer, and ask it to stop. */
void nd_tracee_stop(struct nd_tracee *tracee);

/* Take note of what waitpid(2) said about it: it has stopped, or ended. */
void nd_tracee_note(struct nd_tracee *tracee, int status);

/*
 * Copy registers and stack of a stopped thread. `memory` is the process's writable memory, as it
 * was a moment ago; the copy claims to be of `time_ns`.
 */
void nd_tracee_copy(struct nd_tracee *tracee, pid_t pid, const struct nd_ranges *memory,
		    uint64_t time_ns);

/* Let a stopped thread go. */
void nd_tracee_release(const struct nd_tracee *tracee);

/* Tracing the process is not permitted: set `err`, which says why, and return -EPERM. */
int nd_tracee_explain_refusal(pid_t pid, struct nd_err *err);

#endif /* NODIAG_PROBES_TRACEE_H */
