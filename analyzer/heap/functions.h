/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_FUNCTIONS_H
#define NODIAG_ANALYZER_HEAP_FUNCTIONS_H

/* What a program's functions keep: closures, by their definition, and the scopes of their calls. */

#include <stdint.h>

#include "analyzer/heap/groups.h"

struct nd_heap_paths;

/* Groups of objects, what retains most first, and what all of them have together. */
struct nd_heap_table {
	struct nd_heap_group *row;
	uint32_t count;
	uint32_t objects;
	uint64_t self;
};

/* What nd_heap_find_keepers() finds; the caller frees the rows of each. */
struct nd_heap_keepers {
	/* Functions, by the place of their definition. V8's own have none, and are left out. */
	struct nd_heap_table closures;

	/*
	 * Scopes whose call is over: what holds their variables, "system / Context", is referred to
	 * by nothing but functions and by scopes within it, not by the stack, nor by a generator or
	 * async function that may go on. By the place of the first function in them, which of an
	 * example is nd_heap_find_scope_function().
	 */
	struct nd_heap_table scopes;

	/* Nodes that are of no page any more (analyzer/heap/detached.h), by class. */
	struct nd_heap_table detached;
};

/* 0 or -ENOMEM. */
int nd_heap_find_keepers(const struct nd_heap_paths *paths, struct nd_heap_keepers *ret);
void nd_heap_keepers_fini(struct nd_heap_keepers *keepers);

/* The first function in the source that is in a scope, or ND_HEAP_NONE. */
uint32_t nd_heap_find_scope_function(const struct nd_heap_paths *paths, uint32_t scope);

#endif /* NODIAG_ANALYZER_HEAP_FUNCTIONS_H */
