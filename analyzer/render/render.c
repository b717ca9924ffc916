/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <stddef.h>
#include <string.h>

const struct nd_render_format nd_render_formats[] = {
	{"html", "html", false, false, "one page with flame graph, sandwich and search",
	 nd_render_html},
	{"svg", "svg", false, false, "a picture for documents", nd_render_svg},
	{"folded", "folded", false, false, "folded stacks, for flamegraph.pl and its kin",
	 nd_render_folded},
	{"pprof", "pb.gz", true, true, "for go tool pprof and continuous profilers",
	 nd_render_pprof},
	{"speedscope", "speedscope.json", false, true,
	 "for speedscope.app, each thread in time order", nd_render_speedscope},
	{"cpuprofile", "cpuprofile", false, true, "for Chrome DevTools and VS Code",
	 nd_render_cpuprofile},
	{"json", "json", false, true, "all that is known, for your own programs", nd_render_json},
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
