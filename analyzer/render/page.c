/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/page.h"

#include <stddef.h>
#include <string.h>

#include "common/buf.h"

/* nd_embed() in CMakeLists.txt makes these from the files of page/. */
#define PAGE_PART(symbol)                                                                          \
	extern const unsigned char nd_page_##symbol[];                                             \
	extern const unsigned int nd_page_##symbol##_len;
PAGE_PART(flame_html)
PAGE_PART(heap_html)
PAGE_PART(base_css)
PAGE_PART(views_css)
PAGE_PART(heap_css)
PAGE_PART(format_js)
PAGE_PART(dom_js)
PAGE_PART(model_js)
PAGE_PART(canvas_js)
PAGE_PART(view_js)
PAGE_PART(details_js)
PAGE_PART(sandwich_js)
PAGE_PART(about_js)
PAGE_PART(app_js)
PAGE_PART(blocks_js)
PAGE_PART(treemap_js)
PAGE_PART(tables_js)
PAGE_PART(suspects_js)
PAGE_PART(heap_js)

struct part {
	const char *name;
	const unsigned char *data;
	const unsigned int *len;
};

static const struct part parts[] = {
	{"base.css", nd_page_base_css, &nd_page_base_css_len},
	{"views.css", nd_page_views_css, &nd_page_views_css_len},
	{"heap.css", nd_page_heap_css, &nd_page_heap_css_len},
	{"format.js", nd_page_format_js, &nd_page_format_js_len},
	{"dom.js", nd_page_dom_js, &nd_page_dom_js_len},
	{"model.js", nd_page_model_js, &nd_page_model_js_len},
	{"canvas.js", nd_page_canvas_js, &nd_page_canvas_js_len},
	{"view.js", nd_page_view_js, &nd_page_view_js_len},
	{"details.js", nd_page_details_js, &nd_page_details_js_len},
	{"sandwich.js", nd_page_sandwich_js, &nd_page_sandwich_js_len},
	{"about.js", nd_page_about_js, &nd_page_about_js_len},
	{"app.js", nd_page_app_js, &nd_page_app_js_len},
	{"blocks.js", nd_page_blocks_js, &nd_page_blocks_js_len},
	{"treemap.js", nd_page_treemap_js, &nd_page_treemap_js_len},
	{"tables.js", nd_page_tables_js, &nd_page_tables_js_len},
	{"suspects.js", nd_page_suspects_js, &nd_page_suspects_js_len},
	{"heap.js", nd_page_heap_js, &nd_page_heap_js_len},
};

static const struct part *find_part(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strlen(parts[i].name) == len && !memcmp(parts[i].name, name, len))
			return &parts[i];
	return NULL;
}

/* The embedded files end with a NUL that their length does not count. */
int nd_page_add(enum nd_page page, int (*add_data)(const void *arg, struct nd_buf *out),
		const void *arg, struct nd_buf *out)
{
	const char *at =
		(const char *)(page == ND_PAGE_FLAME ? nd_page_flame_html : nd_page_heap_html);
	const struct part *part;
	const char *mark, *end;
	int ret;

	while ((mark = strstr(at, "{{")) && (end = strstr(mark, "}}"))) {
		nd_buf_add(out, at, (size_t)(mark - at));
		part = find_part(mark + 2, (size_t)(end - mark - 2));
		ret = part ? nd_buf_add(out, part->data, *part->len) : add_data(arg, out);
		if (ret)
			return ret;
		at = end + 2;
	}
	return nd_buf_add_str(out, at);
}

int nd_page_add_json(struct nd_buf *out, const struct nd_buf *json)
{
	const char *at = json->data;
	const char *next;

	while ((next = memchr(at, '<', (size_t)(json->data + json->len - at)))) {
		nd_buf_add(out, at, (size_t)(next - at));
		nd_buf_add_str(out, "\\u003c");
		at = next + 1;
	}
	return nd_buf_add_str(out, at);
}
