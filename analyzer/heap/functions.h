/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_FUNCTIONS_H
#define NODIAG_ANALYZER_HEAP_FUNCTIONS_H

/* What a program's functions keep: closures by where they are defined, and scopes of their calls.
 */

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

/*
 * Functions, those with one place of definition taken together. The caller frees the rows, as of
 * all of these. V8's own functions have no place and are left out. 0 or -ENOMEM.
 */
int nd_heap_find_closures(const struct nd_heap_paths *paths, struct nd_heap_table *ret);

/*
 * Scopes whose call is over: what holds their variables, "system / Context", is referred to by
 * nothing but functions and by scopes within it, not by the stack, nor by a generator or async
 * function that may go on. They are taken together by the place of the first function in them; of
 * each group, an example's function is nd_heap_find_scope_function(). 0 or -ENOMEM.
 */
int nd_heap_find_detached_scopes(const struct nd_heap_paths *paths, struct nd_heap_table *ret);

/* The first function in the source that is in a scope, or ND_HEAP_NONE. */
uint32_t nd_heap_find_scope_function(const struct nd_heap_paths *paths, uint32_t scope);

/* Nodes that the snapshot says are of no page any more (analyzer/heap/detached.h), by class. */
int nd_heap_find_detached_nodes(const struct nd_heap_paths *paths, struct nd_heap_table *ret);

#endif /* NODIAG_ANALYZER_HEAP_FUNCTIONS_H */
