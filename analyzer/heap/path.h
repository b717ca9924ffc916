/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_PATH_H
#define NODIAG_ANALYZER_HEAP_PATH_H

/*
 * Why an object is alive, in words: a shortest way to it from the root, as the expression that
 * somebody who knows the source would write, behind a function in whose scope its first variable
 * is: "app/server.js:12 requestBus._events.request". The heap's edges may be deferred.
 */

#include <stdbool.h>
#include <stdint.h>

struct nd_buf;
struct nd_heap;
struct nd_heap_analysis;

/* Steps that are looked at; of a longer way, these are the last. */
#define ND_HEAP_STEPS_MAX 64

/* By an edge to a node. The first step of a way may have none, ND_HEAP_NONE. */
struct nd_heap_step {
	uint32_t edge;
	uint32_t node;
};

/* A heap whose scopes and scripts are known. Borrows the others. */
struct nd_heap_paths {
	const struct nd_heap *heap;
	const struct nd_heap_analysis *analysis;
	uint32_t *way_edge; /* see nd_heap_paths_list_edges(); NULL: not there */
};

/* See that the scopes are there. 0 or -ENOMEM. */
int nd_heap_paths_init(struct nd_heap_paths *paths, const struct nd_heap *heap,
		       struct nd_heap_analysis *analysis);
void nd_heap_paths_fini(struct nd_heap_paths *paths);

/*
 * List for each node the edge by which its way comes to it, before very many ways are asked for:
 * to find it by itself takes long where a node has a million edges. 0 or -ENOMEM.
 */
int nd_heap_paths_list_edges(struct nd_heap_paths *paths);

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
