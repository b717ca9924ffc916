/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_PAGE_KEEPERS_H
#define NODIAG_ANALYZER_RENDER_HEAP_PAGE_KEEPERS_H

struct nd_heap_page;
struct nd_heap_summary;

/*
 * Append the tables of who keeps the heap: modules, functions, scopes, detached nodes, buffers,
 * collections. One that has no rows is left out.
 */
void nd_heap_page_add_keepers(struct nd_heap_page *page, const struct nd_heap_summary *summary);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_PAGE_KEEPERS_H */
