/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_PATH_H
#define NODIAG_ANALYZER_HEAP_PATH_H

/*
 * Why an object is alive, in words: a shortest way to it from the root, as the expression that
 * somebody who knows the source would write, behind a function in whose scope its first variable
 * is: "app/server.js:12 requestBus._events.request".
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/set.h"

struct nd_buf;
struct nd_heap;
struct nd_heap_analysis;
struct nd_heap_location;

/* Steps that are looked at; of a longer way, these are the last. */
#define ND_HEAP_STEPS_MAX 64

/* By an edge to a node. The first step of a way may have none, ND_HEAP_NONE. */
struct nd_heap_step {
	uint32_t edge;
	uint32_t node;
};

/* A heap with the names of its scripts. Borrows the others. */
struct nd_heap_paths {
	const struct nd_heap *heap;
	const struct nd_heap_analysis *analysis;
	struct nd_set scripts; /* V8's ids */
	uint32_t *script_name; /* of each a string */
	struct nd_set scopes;  /* contexts, which hold variables */
	uint32_t *function;    /* of each, its first in the source */
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

/* 0 or -ENOMEM. */
int nd_heap_paths_init(struct nd_heap_paths *paths, const struct nd_heap *heap,
		       const struct nd_heap_analysis *analysis);
void nd_heap_paths_fini(struct nd_heap_paths *paths);

/* The file or URL of a script, or NULL. */
const char *nd_heap_script_name(const struct nd_heap_paths *paths, uint32_t script);

/* Append "app/server.js:12" with the last two parts of the path; "script 17:12" without a name. */
void nd_heap_add_place(const struct nd_heap_paths *paths, uint32_t script, uint32_t line,
		       struct nd_buf *out);

/* The edge between two nodes that says most; ND_HEAP_NONE when there is none but weak ones. */
uint32_t nd_heap_find_edge(const struct nd_heap *heap, uint32_t from, uint32_t to);

/* The last steps of the shortest way to a node, from the root on. Returns how many. */
uint32_t nd_heap_find_way(const struct nd_heap_paths *paths, uint32_t node,
			  struct nd_heap_step steps[ND_HEAP_STEPS_MAX]);

/*
 * Append the way to a node in words. With `is_general`, all elements of a list are one, "[*]".
 * Errors are the buffer's.
 */
void nd_heap_add_words(const struct nd_heap_paths *paths, uint32_t node, bool is_general,
		       struct nd_buf *out);

/* The same of any way, whose first step has no edge. */
void nd_heap_add_step_words(const struct nd_heap_paths *paths, const struct nd_heap_step *steps,
			    uint32_t count, bool is_general, struct nd_buf *out);

/* Append what the name of an edge is in an expression: ".name", "[12]", "name" of a variable. */
void nd_heap_add_edge(const struct nd_heap *heap, uint32_t edge, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_HEAP_PATH_H */
