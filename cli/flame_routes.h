/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_FLAME_ROUTES_H
#define NODIAG_CLI_FLAME_ROUTES_H

/*
 * CPU samples of a process by the route of the request that they were for: the agent in it takes
 * them, and follows its requests meanwhile.
 */

#include "cli/session.h"

struct nd_err;
struct nd_profile;

/* How it went, besides what the session says. */
struct flame_routes {
	uint64_t samples;
	uint64_t requests;    /* that began or ended meanwhile */
	uint64_t dropped;     /* events that found no room */
	uint64_t spans_lost;  /* requests that could not be followed */
	const char *untraced; /* why requests of some thread were not traced, or "" */
	const char *unread;   /* why samples of some thread tell of no request, or "" */
};

/* As session_run(), for one process. */
int flame_routes_run(const struct target *target, const struct session_options *options,
		     struct nd_profile *profile, struct session_result *ret_result,
		     struct flame_routes *ret_routes, struct nd_err *err);

#endif /* NODIAG_CLI_FLAME_ROUTES_H */
