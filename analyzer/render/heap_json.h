/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_JSON_H
#define NODIAG_ANALYZER_RENDER_HEAP_JSON_H

/* What the JSON answers about heaps have in common, for the renderers of this folder. */

#include <stdbool.h>
#include <stdint.h>

struct nd_buf;
struct nd_heap;
struct nd_heap_classes;
struct nd_heap_paths;
struct nd_heap_step;
struct nd_heap_suspects;

/* Append the fields "class", "file", "line" and "column" of a class, without brackets. */
void nd_heap_json_class(const struct nd_heap_paths *paths, const struct nd_heap_classes *classes,
			uint32_t class, struct nd_buf *out);

/* Append an object; with the way to it in words if asked for. */
void nd_heap_json_object(const struct nd_heap_paths *paths, uint32_t node, bool has_way,
			 struct nd_buf *out);

/* Append suspects, without brackets, with what each got in so many steps. */
void nd_heap_json_suspects(const struct nd_heap_paths *paths,
			   const struct nd_heap_suspects *suspects, uint32_t steps,
			   struct nd_buf *out);

/* Append the fields "edge" and "edge_name", without brackets; null for ND_HEAP_NONE. */
void nd_heap_json_edge(const struct nd_heap *heap, uint32_t edge, struct nd_buf *out);

/* Append a way, step by step, as a list. */
void nd_heap_json_steps(const struct nd_heap_paths *paths, const struct nd_heap_step *steps,
			uint32_t count, struct nd_buf *out);

/* Append the shortest way to a node, step by step, as a list. */
void nd_heap_json_way(const struct nd_heap_paths *paths, uint32_t node, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_JSON_H */
