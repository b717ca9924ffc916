/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_SITE_H
#define NODIAG_AGENT_SITE_H

/*
 * Call sites: where in the program the JavaScript that runs came from. Numbers for those that were
 * met, in tables of fixed size.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/event.h"

struct napi_env__;
struct nd_isolate;

#define ND_SITES 1024

/* Scripts whose owner is remembered; one in so many shares its place. */
#define ND_SITE_SCRIPTS 256

struct nd_site {
	uint32_t type;	/* of resources: a place that creates two types is two sites */
	int32_t script; /* V8's id; 0: no JavaScript of the program or of a package */
	uint32_t line;	/* from 1 */
	uint32_t column;
	char function[ND_ASYNC_FUNCTION];
	char file[ND_ASYNC_FILE];
};

struct nd_site_script {
	int32_t id;
	uint32_t owner;
};

/* All zeros is empty. */
struct nd_sites {
	struct nd_site site[ND_SITES]; /* the first is none */
	uint32_t count;		       /* those before are complete */
	uint64_t lost;		       /* looks that found no room */
	uint16_t index[2 * ND_SITES];  /* by hash: a number, 0 is free */
	struct nd_site_script script[ND_SITE_SCRIPTS];
};

/* Whether this V8 has what is called here. */
bool nd_site_is_known(void);

/*
 * The number of the call site that creates a resource of `type` now, 0 where there is no room: the
 * innermost function of the program's own, else of a package, else of Node.js itself. In a function
 * that JavaScript called.
 */
uint32_t nd_sites_find(struct nd_sites *sites, struct nd_isolate *isolate, struct napi_env__ *env,
		       uint32_t type);

#endif /* NODIAG_AGENT_SITE_H */
