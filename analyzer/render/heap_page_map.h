/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_PAGE_MAP_H
#define NODIAG_ANALYZER_RENDER_HEAP_PAGE_MAP_H

/*
 * An outline as columns of integers, for page/blocks.js: the blocks in their order. Strings are
 * named by index.
 *
 *	parent         index of a block; of the root, the number of blocks
 *	self bytes     as struct nd_heap_block
 *	count small    likewise
 *	name           what it is, index into strings
 *	by             the reference from the block's object to it, index into strings; 0 for none
 *	kind           index into kinds
 *	id             V8's, of the object or of the largest one
 *	kinds strings  texts
 */

struct nd_heap_outline;
struct nd_heap_page;

/* Append it as an object. -ENOMEM or the buffer's error. */
int nd_heap_page_add_map(struct nd_heap_page *page, const struct nd_heap_outline *outline);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_PAGE_MAP_H */
