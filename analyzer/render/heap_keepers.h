/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_KEEPERS_H
#define NODIAG_ANALYZER_RENDER_HEAP_KEEPERS_H

/*
 * The part of a summary that says who keeps the heap, and what of it is of no use: modules,
 * functions, scopes of calls that are over, detached nodes, buffers, collections.
 */

struct nd_buf;
struct nd_heap_summary;
struct nd_heap_text;

/* Append the tables, each a third as long as the limit: the answer has many. */
void nd_heap_text_keepers(const struct nd_heap_text *t, const struct nd_heap_summary *summary);

/* Append the fields, with a comma before each. */
void nd_heap_json_keepers(const struct nd_heap_summary *summary, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_KEEPERS_H */
