/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <stddef.h>
#include <string.h>

const struct nd_render_format nd_render_formats[] = {
	{"html", "html", false, false, "one page with flame graph, sandwich and search",
	 nd_render_html},
	{"svg", "svg", false, false, "a picture for documents", nd_render_svg},
	{NULL, NULL, false, false, NULL, NULL},
};

const struct nd_render_format *nd_render_find_format(const char *name)
{
	const struct nd_render_format *format;

	for (format = nd_render_formats; format->name; format++)
		if (!strcmp(format->name, name))
			return format;
	return NULL;
}
