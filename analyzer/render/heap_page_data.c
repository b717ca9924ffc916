/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/heap_page_data.h"

#include <inttypes.h>

#include "analyzer/heap/classes.h"
#include "analyzer/render/json_text.h"

/* Of a class; an inferred one has the names of its properties. */
#define NAME_COLUMNS 130

void nd_heap_page_init(struct nd_heap_page *page, const struct nd_heap_paths *paths,
		       struct nd_buf *json)
{
	page->json = json;
	nd_buf_init(&page->words, json->max);
	page->text = (struct nd_heap_text){.paths = paths, .out = &page->words};
}

void nd_heap_page_fini(struct nd_heap_page *page)
{
	nd_buf_fini(&page->words);
}

/* Whether nothing is in the list or the object yet. */
static bool is_first(const struct nd_heap_page *page)
{
	const struct nd_buf *json = page->json;
	char last = json->len ? json->data[json->len - 1] : '[';

	return last == '[' || last == '{';
}

void nd_heap_page_comma(struct nd_heap_page *page)
{
	if (!is_first(page))
		nd_buf_add_char(page->json, ',');
}

void nd_heap_page_add_field(struct nd_heap_page *page, const char *key)
{
	nd_json_add_field(page->json, key, page->words.data);
	if (nd_buf_error(&page->words))
		page->json->error = nd_buf_error(&page->words);
	nd_buf_reset(&page->words);
}

void nd_heap_page_add_words(struct nd_heap_page *page)
{
	nd_heap_page_comma(page);
	nd_heap_page_add_field(page, "");
}

void nd_heap_page_add_number(struct nd_heap_page *page, uint64_t number)
{
	nd_heap_page_comma(page);
	nd_buf_add_number(page->json, number);
}

void nd_heap_page_add_growth(struct nd_heap_page *page, int64_t number)
{
	nd_heap_page_comma(page);
	nd_buf_addf(page->json, "%" PRId64, number);
}

void nd_heap_page_add_class(struct nd_heap_page *page, const struct nd_heap_classes *classes,
			    uint32_t class)
{
	const struct nd_heap_class_key *key = nd_heap_class_key(classes, class);

	nd_heap_text_foreign(&page->text, nd_heap_class_name(classes, class), NAME_COLUMNS);
	nd_heap_page_add_words(page);
	if (key->is_located)
		nd_heap_text_place(&page->text, key->script, key->line);
	nd_heap_page_add_words(page);
}

void nd_heap_page_begin_table(struct nd_heap_page *page, const struct nd_heap_page_table *table)
{
	struct nd_buf *json = page->json;
	uint32_t i;

	nd_heap_page_comma(page);
	nd_json_add_field(json, "{\"id\":", table->id);
	nd_json_add_field(json, ",\"title\":", table->title);
	nd_json_add_field(json, ",\"about\":", table->about);
	nd_buf_addf(json, ",\"whole\":%" PRIu64 ",\"columns\":[", table->whole);
	for (i = 0; i < table->columns; i++) {
		nd_heap_page_comma(page);
		nd_json_add_field(json, "{\"label\":", table->column[i].label);
		nd_json_add_field(json, ",\"kind\":", table->column[i].kind);
		nd_json_add_field(json, ",\"title\":", table->column[i].title);
		nd_buf_add_char(json, '}');
	}
	nd_buf_add_str(json, "],\"rows\":[");
}

/* A row is open until the next one. */
void nd_heap_page_begin_row(struct nd_heap_page *page)
{
	nd_buf_add_str(page->json, is_first(page) ? "[" : "],\n[");
}

void nd_heap_page_end_table(struct nd_heap_page *page)
{
	nd_buf_add_str(page->json, is_first(page) ? "]" : "]]");
	nd_heap_page_add_field(page, ",\"rest\":");
	nd_buf_add_char(page->json, '}');
}
