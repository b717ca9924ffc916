/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_ABILITIES_H
#define NODIAG_CLI_ABILITIES_H

/*
 * What this machine and this user may do, each tried rather than guessed, and what would allow the
 * rest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

enum ability_state { ABILITY_OK, ABILITY_LIMITED, ABILITY_NO };

struct ability {
	const char *name;  /* a word for programs, for good */
	const char *title; /* for people */
	enum ability_state state;
	char why[320];	 /* what blocks it, or more about it; "" when there is no more to say */
	char allow[320]; /* what allows it, or "" */
};

#define ABILITIES_MAX 16

struct abilities {
	struct ability list[ABILITIES_MAX];
	size_t count;
	const char *sampler; /* "eBPF", "perf_event", or NULL where no way of sampling works */
	int exit_code;	     /* what 'nodiag flame' would exit with */
};

/* Add an ability; `why` and `allow` may be NULL. */
void abilities_add(struct abilities *abilities, const char *name, const char *title,
		   enum ability_state state, const char *why, const char *allow);

/* Try the ways of sampling. */
void abilities_add_samplers(struct abilities *abilities);

/* Try what is needed besides to look into processes of this machine. */
void abilities_add_machine(struct abilities *abilities);

/*
 * The same for one process, with a recording of a moment. 0, or -ESRCH, -ENOENT with `err` set when
 * it is none of Node.js.
 */
int abilities_add_process(struct abilities *abilities, pid_t pid, struct nd_err *err);

#endif /* NODIAG_CLI_ABILITIES_H */
