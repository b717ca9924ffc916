/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <string.h>

#include "analyzer/render/page_data.h"
#include "common/buf.h"

/* nd_embed() in CMakeLists.txt makes these from the files of page/. */
#define PAGE_PART(symbol)                                                                          \
	extern const unsigned char nd_page_##symbol[];                                             \
	extern const unsigned int nd_page_##symbol##_len;
PAGE_PART(flame_html)
PAGE_PART(base_css)
PAGE_PART(views_css)
PAGE_PART(format_js)
PAGE_PART(model_js)
PAGE_PART(canvas_js)
PAGE_PART(view_js)
PAGE_PART(details_js)
PAGE_PART(sandwich_js)
PAGE_PART(about_js)
PAGE_PART(app_js)

struct part {
	const char *name;
	const unsigned char *data;
	const unsigned int *len;
};

static const struct part parts[] = {
	{"base.css", nd_page_base_css, &nd_page_base_css_len},
	{"views.css", nd_page_views_css, &nd_page_views_css_len},
	{"format.js", nd_page_format_js, &nd_page_format_js_len},
	{"model.js", nd_page_model_js, &nd_page_model_js_len},
	{"canvas.js", nd_page_canvas_js, &nd_page_canvas_js_len},
	{"view.js", nd_page_view_js, &nd_page_view_js_len},
	{"details.js", nd_page_details_js, &nd_page_details_js_len},
	{"sandwich.js", nd_page_sandwich_js, &nd_page_sandwich_js_len},
	{"about.js", nd_page_about_js, &nd_page_about_js_len},
	{"app.js", nd_page_app_js, &nd_page_app_js_len},
};

static int add_part(const struct nd_profile *profile, const char *name, size_t len,
		    struct nd_buf *out)
{
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strlen(parts[i].name) == len && !memcmp(parts[i].name, name, len))
			return nd_buf_add(out, parts[i].data, *parts[i].len);
	return nd_page_add_data(profile, out);
}

/*
 * flame.html with the other files of the page in place of {{their name}} and the data in place of
 * {{profile}}. The embedded files end with a NUL that their length does not count.
 */
int nd_render_html(const struct nd_profile *profile, struct nd_buf *out)
{
	const char *at = (const char *)nd_page_flame_html;
	const char *mark, *end;
	int ret;

	while ((mark = strstr(at, "{{")) && (end = strstr(mark, "}}"))) {
		nd_buf_add(out, at, (size_t)(mark - at));
		ret = add_part(profile, mark + 2, (size_t)(end - mark - 2), out);
		if (ret)
			return ret;
		at = end + 2;
	}
	return nd_buf_add_str(out, at);
}
