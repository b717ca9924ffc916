/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_STARTUP_H
#define NODIAG_CLI_STARTUP_H

/*
 * The start of a program: sampled finely from its first instruction until its event loop has
 * nothing to do, or until it ends.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_err;
struct nd_profile;
struct session_result;
struct target;

struct startup_result {
	bool loop_was_idle; /* else it ended, or was told to end, before */
	uint64_t took_ns;   /* until the loop was idle for STARTUP_IDLE_MS, or until the end */
};

/* A loop that waits for so long has done what it wanted to do at the start. */
#define STARTUP_IDLE_MS 100

/* Samples a second of CPU time. */
#define STARTUP_HZ 999

/*
 * Run the command of `target` and record its start into `profile`; `duration_ns` bounds it (0: not
 * at all). Returns an exit code, with `err` set where it is not EXIT_DONE. The command goes on to
 * its own end.
 */
int startup_run(const struct target *target, uint64_t duration_ns, struct nd_profile *profile,
		struct session_result *ret_session, struct startup_result *ret_result,
		struct nd_err *err);

#endif /* NODIAG_CLI_STARTUP_H */
