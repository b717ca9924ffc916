/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/startup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/cell.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/render.h"
#include "analyzer/render/terminal.h"
#include "analyzer/render/units.h"
#include "common/buf.h"

/* Grows by one when a field changes its meaning or goes; see docs/format-json.md. */
#define VERSION 1

/* What takes less than this share of all is left out of the tree for people. */
#define SHOWN_SHARE 200

/* Columns of a number with its unit, and of a level of the tree; deeper levels share the last. */
#define TIME_COLUMNS  9
#define LEVEL_COLUMNS 2
#define LEVELS_MAX    20

static const char *strip_scheme(const char *file)
{
	return strncmp(file, "file://", strlen("file://")) ? file : file + strlen("file://");
}

/* How many bytes the paths of all modules share, up to the end of a folder's name. */
static size_t common_folder(const struct nd_startup_module *modules, size_t count)
{
	const char *first = count > 1 ? strip_scheme(modules[1].file) : "", *file;
	size_t len = strlen(first), same, i;

	for (i = 1; i < count; i++) {
		file = strip_scheme(modules[i].file);
		for (same = 0; same < len && file[same] == first[same];)
			same++;
		len = same;
	}
	while (len && first[len - 1] != '/')
		len--;
	return len;
}

static void add_row(struct nd_buf *out, const struct nd_startup_module *module, size_t folder,
		    bool colour)
{
	uint32_t level = module->depth < LEVELS_MAX ? module->depth : LEVELS_MAX;
	bool is_package = strstr(module->file, "/node_modules/") != NULL;

	nd_cell_add_time(out, module->total, TIME_COLUMNS);
	nd_cell_add_time(out, module->evaluated, TIME_COLUMNS);
	nd_cell_add_time(out, module->loaded, TIME_COLUMNS);
	nd_buf_addf(out, "  %*s", (int)(level * LEVEL_COLUMNS), "");
	nd_terminal_begin(out, colour,
			  !module->depth
				  ? ND_TERMINAL_DIM
				  : nd_terminal_colours[is_package ? ND_FRAME_NPM : ND_FRAME_JS]);
	nd_terminal_add(out,
			module->depth ? strip_scheme(module->file) + folder : "(Node.js itself)");
	nd_terminal_end(out, colour);
	nd_buf_add_char(out, '\n');
}

int nd_render_startup(const struct nd_profile *profile, bool colour, struct nd_buf *out)
{
	struct nd_startup_module *modules;
	size_t count, i, folder, hidden = 0;
	int ret = nd_startup_modules(profile, &modules, &count);

	if (ret)
		return ret;
	folder = common_folder(modules, count);
	nd_terminal_begin(out, colour, ND_TERMINAL_DIM);
	nd_buf_addf(out, "%*s%*s%*s  module\n", TIME_COLUMNS, "total", TIME_COLUMNS, "own",
		    TIME_COLUMNS, "loading");
	nd_terminal_end(out, colour);
	for (i = 0; i < count; i++)
		if (modules[i].total * SHOWN_SHARE >= modules[0].total)
			add_row(out, &modules[i], folder, colour);
		else
			hidden++;
	if (hidden)
		nd_buf_addf(out, "%*s  and %zu modules below 0.5 %%\n", 3 * TIME_COLUMNS, "",
			    hidden);
	if (folder) {
		nd_buf_addf(out, "%*s  all in ", 3 * TIME_COLUMNS, "");
		nd_buf_add(out, strip_scheme(modules[1].file), folder);
		nd_buf_add_char(out, '\n');
	}
	free(modules);
	return nd_buf_error(out);
}

int nd_render_startup_json(const struct nd_profile *profile, struct nd_buf *out)
{
	struct nd_startup_module *modules;
	size_t count, i;
	int ret = nd_startup_modules(profile, &modules, &count);

	if (ret)
		return ret;
	nd_buf_addf(out, "{\"format\":\"nodiag-startup\",\"version\":%d,\n\"modules\":[", VERSION);
	for (i = 0; i < count; i++) {
		nd_buf_add_str(out, i ? ",\n{\"file\":" : "\n{\"file\":");
		nd_json_add_string(out, i ? strip_scheme(modules[i].file) : NULL);
		nd_buf_addf(out,
			    ",\"parent\":%" PRIu32 ",\"total_ns\":%" PRIu64
			    ",\"evaluated_ns\":%" PRIu64 ",\"loading_ns\":%" PRIu64 "}",
			    modules[i].parent, modules[i].total, modules[i].evaluated,
			    modules[i].loaded);
	}
	nd_buf_add_str(out, "]}\n");
	free(modules);
	return nd_buf_error(out);
}
