/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SIGNAL_H
#define NODIAG_AGENT_SIGNAL_H

/*
 * A signal that somebody sends to the program, meaning us. Only one that would end the program is
 * taken, and it is given back when nobody wants to hear of it. All of this is for the agent's
 * thread.
 */

#include <stdbool.h>

/* Take it. -EBUSY where the program handles it, or another one was taken; -EINVAL. */
int nd_signal_take(int number);

/* Give it back, unless the program has taken it meanwhile. */
void nd_signal_give_back(void);

/* Whether it has come since the last call. */
bool nd_signal_has_come(void);

#endif /* NODIAG_AGENT_SIGNAL_H */
