/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_PROFILE_STARTUP_H
#define NODIAG_ANALYZER_PROFILE_STARTUP_H

/*
 * What loading each module of a program cost, from a profile of its start: who required or
 * imported whom, and how long that took.
 *
 * While a module is evaluated its own top-level function is on the stack, above that of the module
 * that asked for it, in CommonJS as in ES modules. So stacks tell both the tree and the times, and
 * nothing in Node's loaders is touched.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_profile;

/* A module in the place where it was loaded. Entry 0 is the program: what no module did. */
struct nd_startup_module {
	const char *file;   /* borrowed from the profile; "" for entry 0 */
	uint32_t parent;    /* who asked for it */
	uint32_t depth;	    /* 0 for entry 0 */
	uint64_t total;	    /* with all that it asked for, in the profile's unit */
	uint64_t evaluated; /* running its own code, and what that called */
	uint64_t loaded;    /* finding, reading and compiling what it asked for */
};

/*
 * The modules in the order of a tree: each is followed by those it asked for, the most expensive
 * first. Modules that were asked for a second time cost nothing and do not show. The caller frees
 * the array. -ENOMEM, -E2BIG beyond ND_MODULES_MAX.
 */
int nd_startup_modules(const struct nd_profile *profile, struct nd_startup_module **ret_modules,
		       size_t *ret_count);

#endif /* NODIAG_ANALYZER_PROFILE_STARTUP_H */
