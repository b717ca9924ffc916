/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_CHILD_H
#define NODIAG_AGENT_CHILD_H

/*
 * What a child of the program's that is the agent's does first: from then on it has nothing to do
 * with the program. Async-signal-safe: in the child, locks of other threads are held for ever.
 */

/* No handler of the program's runs here, and no signal is blocked. */
void nd_child_forget_handlers(void);

/*
 * Close all descriptors but `keep`, -1 for none, and let standard input and output be /dev/null.
 * Returns the number that `keep` has now, or -1.
 */
int nd_child_close_descriptors(int keep);

/* What the program does comes first. */
void nd_child_be_nice(void);

#endif /* NODIAG_AGENT_CHILD_H */
