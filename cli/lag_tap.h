/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_LAG_TAP_H
#define NODIAG_CLI_LAG_TAP_H

/*
 * Another one who gets what is read of a process's event loops, besides the one that reads: an
 * agent has one reader at a time.
 */

#include <stdbool.h>

#include "cli/lag_sink.h"

struct lag_tap {
	struct lag_sink sink;
	/*
	 * After each round of reading; `runtime` is as in lag_session.h, "" while it is not known.
	 * What fails is the tap's own business: the reader goes on. Returns whether loops are to be
	 * asked for handles and the heap's spaces.
	 */
	bool (*look)(void *arg, const char *runtime);
	void *arg;
};

/* Both of them, which must stay. */
struct lag_tee {
	struct lag_sink first;
	struct lag_sink second;
};

/* A sink that hands on to one, then to the other, and returns the first failure. */
struct lag_sink lag_sink_to_both(struct lag_tee *tee);

#endif /* NODIAG_CLI_LAG_TAP_H */
