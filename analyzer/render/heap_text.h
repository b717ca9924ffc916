/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_TEXT_H
#define NODIAG_ANALYZER_RENDER_HEAP_TEXT_H

/* What the answers about heaps have in common, for the renderers of this folder. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_buf;
struct nd_heap_classes;
struct nd_heap_paths;
struct nd_heap_step;

struct nd_heap_text {
	const struct nd_heap_paths *paths;
	bool colour;
	struct nd_buf *out;
};

/* Text in a colour of the terminal, by the parameters of its escape sequence. */
void nd_heap_text_styled(const struct nd_heap_text *t, const char *sgr, const char *text);

/* An amount of bytes, or of things, that ends at a column. */
void nd_heap_text_bytes(const struct nd_heap_text *t, uint64_t bytes, size_t width);
void nd_heap_text_count(const struct nd_heap_text *t, uint64_t count, size_t width);

/* "+1.50 MiB". */
void nd_heap_text_growth(const struct nd_heap_text *t, int64_t bytes, size_t width);

/* "62.3 %" of all. */
void nd_heap_text_share(const struct nd_heap_text *t, uint64_t part, uint64_t whole);

/* "lib/order.js:12"; the line counts from 0. */
void nd_heap_text_place(const struct nd_heap_text *t, uint32_t script, uint32_t line);

/* A class, with the place of its constructor where that is known: "Order (lib/order.js:12)". */
void nd_heap_text_class(const struct nd_heap_text *t, const struct nd_heap_classes *classes,
			uint32_t class);

/* An object: a function by its name and place, a string by how it begins, all else by its class. */
void nd_heap_text_what(const struct nd_heap_text *t, uint32_t node);

/* The same with its id. */
void nd_heap_text_object(const struct nd_heap_text *t, uint32_t node);

/* What an answer about an object begins with: what it is, its sizes, and the way to it. */
void nd_heap_text_head(const struct nd_heap_text *t, uint32_t node);

/* The name of an edge, and its type where the name does not say it: ".name", "table (internal)". */
void nd_heap_text_edge(const struct nd_heap_text *t, uint32_t edge);

/* A way, a line for each step. */
void nd_heap_text_steps(const struct nd_heap_text *t, const struct nd_heap_step *steps,
			uint32_t count);

/* The way to a node in words, "(no name on the way)" where there are none. */
void nd_heap_text_way(const struct nd_heap_text *t, uint32_t node);

/* Text from a snapshot, made harmless for the terminal; long ones lose their middle. */
void nd_heap_text_foreign(const struct nd_heap_text *t, const char *text, size_t width);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_TEXT_H */
