/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_NODES_TABLE_H
#define NODIAG_CLI_NODES_TABLE_H

/* The Node.js processes as a table for a person. */

#include <stdbool.h>

struct nd_buf;
struct nodes;

/*
 * Append one line for each process, after a heading. Command lines are cut so that a line fits into
 * `width` columns, 0 for any. Columns in which there is nothing are left out.
 */
void nodes_table_add(const struct nodes *nodes, unsigned int width, bool colour,
		     struct nd_buf *out);

/* Say on stderr what cannot be seen of which process, and what would let it be seen. */
void nodes_table_note(const struct nodes *nodes);

#endif /* NODIAG_CLI_NODES_TABLE_H */
