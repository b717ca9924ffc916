/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/async.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzer/render/lag_parts.h"
#include "analyzer/render/terminal.h"
#include "analyzer/render/units.h"
#include "common/buf.h"

/* Types in the table, and of the first of them the places. */
#define TYPES_SHOWN	  16
#define TYPES_WITH_PLACES 8
#define PLACES_SHOWN	  4

struct writer {
	bool colour;
	struct nd_buf *out;
};

/* A number, with the sign of an estimate or without. */
static void add_count(const struct writer *w, uint64_t count, bool is_estimated)
{
	char text[ND_UNITS_MAX + 1] = "~";

	nd_units_weight(count, NULL, text + 1);
	nd_buf_addf(w->out, "%11s", is_estimated ? text : text + 1);
}

/* Those that there are none of have no lifetime. */
static void add_lifetime(const struct writer *w, uint64_t us, uint64_t ended)
{
	char text[ND_UNITS_MAX] = "-";

	if (ended)
		nd_units_weight(us * 1000, "nanoseconds", text);
	nd_buf_addf(w->out, "%11s", text);
}

static void add_type(const struct writer *w, const struct nd_async_type *type)
{
	/* Promises that were not looked at are known neither to live nor to have ended. */
	bool is_estimated = type->is_estimated && type->alive + type->ended != type->created;

	add_count(w, type->alive, is_estimated);
	add_count(w, type->created, false);
	add_count(w, type->ended, is_estimated);
	add_lifetime(w, type->ended ? type->total_us / type->ended : 0, type->ended);
	add_lifetime(w, nd_async_percentile(type, 0.5), type->ended);
	add_lifetime(w, nd_async_percentile(type, 0.99), type->ended);
	add_lifetime(w, type->max_us, type->ended);
	nd_buf_add_str(w->out, "  ");
	nd_terminal_begin(w->out, w->colour, ND_TERMINAL_BOLD);
	nd_terminal_add(w->out, type->name);
	nd_terminal_end(w->out, w->colour);
	nd_buf_add_char(w->out, '\n');
}

static void add_place(const struct writer *w, const struct nd_async_site *site)
{
	const char *file = site->file;

	if (!*file) {
		nd_buf_add_str(w->out, "Node.js itself\n");
		return;
	}
	nd_terminal_add(w->out, *site->function ? site->function : "(anonymous)");
	if (!strncmp(file, "file://", strlen("file://")))
		file += strlen("file://");
	nd_buf_add_str(w->out, " (");
	nd_terminal_add(w->out, file);
	nd_buf_addf(w->out, ":%" PRIu32 ":%" PRIu32 ")\n", site->line, site->column);
}

static void add_site(const struct writer *w, const struct nd_async_site *site, bool is_estimated)
{
	add_count(w, site->alive, is_estimated);
	add_count(w, site->created, is_estimated);
	add_count(w, site->ended, is_estimated);
	add_lifetime(w, site->ended ? site->total_us / site->ended : 0, site->ended);
	nd_buf_addf(w->out, "%22s", "");
	add_lifetime(w, site->max_us, site->ended);
	nd_buf_add_str(w->out, "    ");
	add_place(w, site);
}

static void add_sites(const struct writer *w, const struct nd_async_type *type)
{
	size_t i;

	for (i = 0; i < type->sites_count && i < PLACES_SHOWN; i++)
		add_site(w, &type->sites[i], type->is_estimated);
	if (type->sites_count > PLACES_SHOWN)
		nd_buf_addf(w->out, "%77s    ... and %zu more places\n", "",
			    type->sites_count - PLACES_SHOWN);
}

int nd_render_async(struct nd_async *async, bool colour, struct nd_buf *out)
{
	struct writer w = {colour, out};
	const struct nd_async_type *types;
	size_t count, i;

	nd_async_threads(async, &count);
	if (!count)
		return 0;
	types = nd_async_types(async, &count);
	if (!types)
		return -ENOMEM;
	nd_buf_addf(out, "\nasynchronous resources%s\n",
		    count ? ", most alive first" : ": none was created");
	if (!count)
		return 0;
	nd_terminal_begin(out, colour, ND_TERMINAL_DIM);
	nd_buf_addf(out, "%11s%11s%11s%11s%11s%11s%11s  type, and where it was created", "alive",
		    "created", "ended", "lived", "p50", "p99", "longest");
	nd_terminal_end(out, colour);
	nd_buf_add_char(out, '\n');
	for (i = 0; i < count && i < TYPES_SHOWN; i++) {
		add_type(&w, &types[i]);
		if (i < TYPES_WITH_PLACES)
			add_sites(&w, &types[i]);
	}
	if (count > TYPES_SHOWN)
		nd_buf_addf(out, "%77s  ... and %zu more types\n", "", count - TYPES_SHOWN);
	return 0;
}
