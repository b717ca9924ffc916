/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_CELL_H
#define NODIAG_ANALYZER_RENDER_CELL_H

/*
 * Cells of tables on a terminal, of text that nd_terminal_add() made printable.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_buf;

/* Columns that a printable text takes. */
size_t nd_cell_columns(const char *str, size_t len);

void nd_cell_add_spaces(struct nd_buf *out, size_t count);

/* A text, or an amount as nd_units_weight() has it, that ends at a column if it is not too long. */
void nd_cell_add_right(struct nd_buf *out, const char *str, size_t width);
void nd_cell_add_amount(struct nd_buf *out, uint64_t amount, const char *unit, size_t width);
void nd_cell_add_time(struct nd_buf *out, uint64_t ns, size_t width);

/*
 * Append printable `text` in `width` columns at most, and return how many it took. What is too long
 * loses its middle, and of the rest two thirds are the end: a path's file and line.
 */
size_t nd_cell_add_cut(struct nd_buf *out, const struct nd_buf *text, size_t width);

/* The same for a text that says the most at its start: what is too long loses its end. */
size_t nd_cell_add_start(struct nd_buf *out, const struct nd_buf *text, size_t width);

#endif /* NODIAG_ANALYZER_RENDER_CELL_H */
