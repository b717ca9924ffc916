/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_SCOPES_H
#define NODIAG_ANALYZER_HEAP_SCOPES_H

/*
 * What functions tell of the source: the names of scripts, for locations have V8's numbers of them
 * only, and of each scope, which holds variables and has no location, a function in it.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_heap;

struct nd_heap_scopes {
	uint32_t script_count;
	uint32_t *script;      /* V8's ids, ascending */
	uint32_t *script_name; /* of each a string */
	uint32_t scope_count;
	uint32_t *scope;    /* nodes, ascending */
	uint32_t *function; /* of each, the first in the source */
};

/* Names of V8's edges that lead from a function to its script and scope, as strings of the heap. */
struct nd_heap_edge_names {
	uint32_t shared;
	uint32_t script;
	uint32_t script_or_debug_info; /* the same up to Node.js 20 */
	uint32_t context;
};

struct nd_heap_edge_names nd_heap_find_edge_names(const struct nd_heap *heap);

/* The script of a function's shared part: a node of its name; ND_HEAP_NONE where there is none. */
uint32_t nd_heap_find_script(const struct nd_heap *heap, uint32_t shared,
			     const struct nd_heap_edge_names *names);

/* 0 or -ENOMEM; then there is nothing to free. */
int nd_heap_scopes_init(struct nd_heap_scopes *scopes, const struct nd_heap *heap);
void nd_heap_scopes_fini(struct nd_heap_scopes *scopes);

/* A string, and a node; ND_HEAP_NONE when it is not known. */
uint32_t nd_heap_scopes_find_script(const struct nd_heap_scopes *scopes, uint32_t script);
uint32_t nd_heap_scopes_find_function(const struct nd_heap_scopes *scopes, uint32_t scope);

#endif /* NODIAG_ANALYZER_HEAP_SCOPES_H */
