/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_CONTROL_H
#define NODIAG_AGENT_CONTROL_H

/*
 * The agent's own thread: readers connect to it, and it watches the loops for them. It blocks all
 * signals and touches nothing of the program's.
 */

#include <stdbool.h>

struct nd_ring;

/* Start the thread, if it does not run. */
bool nd_control_start(void);

/* Let the thread look now at what there is to do. Async-signal-safe. */
void nd_control_wake(void);

/*
 * Have the agent stop: nothing is watched from here on, and the thread ends when all others have
 * let go. Only for that thread, as are those below.
 */
void nd_control_stop(void);
bool nd_control_is_stopping(void);

/* The ring of the agent's own slot. */
void nd_control_get_ring(struct nd_ring *ret_ring);

#endif /* NODIAG_AGENT_CONTROL_H */
