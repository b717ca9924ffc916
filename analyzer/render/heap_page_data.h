/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_PAGE_DATA_H
#define NODIAG_ANALYZER_RENDER_HEAP_PAGE_DATA_H

/*
 * The data of the page about heaps, as JSON that page/heap.js reads. Nothing else reads it: it may
 * change with every release.
 *
 *	kind        "summary" or "diff"
 *	files       {name, bytes} of each snapshot
 *	objects     of a summary, with bytes, native and kinds: [name, count, bytes] each
 *	new         of a diff, bytes; with grown, bytes, mixed: nothing can be
 *	            told; and ways: it was compared by ways
 *	suspects    {way, bytes, count, class, others, holder, id, example, steps, path}
 *	            a path is a list of [reference, object, retained bytes]
 *	suspectsOf  bytes that those of suspects are a part of
 *	tables      {id, title, about, whole, columns, rows, rest}
 *	map         columns of blocks, see heap_page_map.h
 *
 * A new answer that is a table needs no new JavaScript: its columns say how they are shown, sorted
 * and searched.
 */

#include <stdint.h>

#include "analyzer/render/heap_text.h"
#include "common/buf.h"

/* The page in the making. */
struct nd_heap_page {
	struct nd_buf *json;
	struct nd_buf words;	  /* in the making */
	struct nd_heap_text text; /* writes into `words` */
};

/* `paths` name objects and places. */
void nd_heap_page_init(struct nd_heap_page *page, const struct nd_heap_paths *paths,
		       struct nd_buf *json);
void nd_heap_page_fini(struct nd_heap_page *page);

/* A comma, unless this is the first of a list or of an object. */
void nd_heap_page_comma(struct nd_heap_page *page);

/* An element of a list: what is in `words`, which is empty then, or a number. */
void nd_heap_page_add_words(struct nd_heap_page *page);
void nd_heap_page_add_number(struct nd_heap_page *page, uint64_t number);
void nd_heap_page_add_growth(struct nd_heap_page *page, int64_t number);

/* `key` as it is, and what is in `words`, which is empty then. */
void nd_heap_page_add_field(struct nd_heap_page *page, const char *key);

/* The class and the place of its constructor, "" where that is not known: two elements. */
void nd_heap_page_add_class(struct nd_heap_page *page, const struct nd_heap_classes *classes,
			    uint32_t class);

struct nd_heap_page_column {
	const char *label;
	const char *kind;  /* count, bytes, share, growth, distance, text, code, object */
	const char *title; /* says what it means */
};

struct nd_heap_page_table {
	const char *id;
	const char *title;
	const char *about; /* a sentence, or NULL */
	uint64_t whole;	   /* what the bytes of a "share" are a part of */
	const struct nd_heap_page_column *column;
	uint32_t columns;
};

/*
 * A table, the first column's largest values first. Between, each row begins with
 * nd_heap_page_begin_row(), and has as many elements as there are columns. At the end, what is in
 * `words` says what was left out.
 */
void nd_heap_page_begin_table(struct nd_heap_page *page, const struct nd_heap_page_table *table);
void nd_heap_page_begin_row(struct nd_heap_page *page);
void nd_heap_page_end_table(struct nd_heap_page *page);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_PAGE_DATA_H */
