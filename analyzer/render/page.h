/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_PAGE_H
#define NODIAG_ANALYZER_RENDER_PAGE_H

/*
 * Pages that need nothing but themselves, out of the files of page/, which are in nodiag.
 */

struct nd_buf;

enum nd_page { ND_PAGE_FLAME, ND_PAGE_HEAP };

/*
 * Append a page, with its scripts and styles in place of {{their name}}. For {{data}}, `add_data`
 * appends JSON in which no "<" occurs, as after nd_page_add_json(). 0, or the error of the buffer
 * or of `add_data`.
 */
int nd_page_add(enum nd_page page, int (*add_data)(const void *arg, struct nd_buf *out),
		const void *arg, struct nd_buf *out);

/* Append JSON with "\u003c" for "<", which occurs in strings only: so none ends the <script>. */
int nd_page_add_json(struct nd_buf *out, const struct nd_buf *json);

#endif /* NODIAG_ANALYZER_RENDER_PAGE_H */
