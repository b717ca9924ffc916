/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/render.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/render/cell.h"
#include "analyzer/render/terminal.h"
#include "analyzer/render/units.h"
#include "common/buf.h"
#include "proto/limits.h"

/* "100.0%  " twice: the shares and what is between the columns of numbers. */
#define SHARES_WIDTH 16

/* What is cut shorter than this tells nothing; where there is no room for both, places go. */
#define NAME_WIDTH_MIN	24
#define PLACE_WIDTH_MIN 20

struct row {
	const struct nd_function *function;
	enum nd_frame_kind kind;
	char weight[ND_UNITS_MAX];
	struct nd_buf name;
	struct nd_buf place;
};

struct table {
	struct row *rows;
	size_t count;
	uint64_t total;
	/* columns on the screen; place_width 0 leaves the places out */
	size_t weight_width;
	size_t name_width;
	size_t place_width;
	bool colour;
};

static int init_row(struct row *row, const struct nd_profile *profile,
		    const struct nd_function *function)
{
	uint32_t unused;
	const struct nd_frame *frame = &nd_profile_frames(profile, &unused)[function->frame];
	const char *file = frame->file;

	row->function = function;
	row->kind = frame->kind;
	nd_units_weight(function->self, nd_profile_get_info(profile)->unit, row->weight);
	nd_terminal_add(&row->name, frame->name);
	if (!strncmp(file, "file://", strlen("file://")))
		file += strlen("file://");
	nd_terminal_add(&row->place, file);
	if (file[0] && frame->line)
		nd_buf_addf(&row->place, ":%" PRIu32, frame->line);
	else if (!file[0])
		nd_buf_addf(&row->place, "[%s]", nd_frame_kind_name(frame->kind));
	return nd_buf_error(&row->name) ? nd_buf_error(&row->name) : nd_buf_error(&row->place);
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static void measure(struct table *table)
{
	const struct row *row;
	size_t i;

	table->weight_width = strlen("self");
	table->name_width = strlen("function");
	table->place_width = strlen("file");
	for (i = 0; i < table->count; i++) {
		row = &table->rows[i];
		table->weight_width = larger(table->weight_width,
					     nd_cell_columns(row->weight, strlen(row->weight)));
		table->name_width =
			larger(table->name_width, nd_cell_columns(row->name.data, row->name.len));
		table->place_width = larger(table->place_width,
					    nd_cell_columns(row->place.data, row->place.len));
	}
}

/* Give each column what its longest text needs, or share what `width` leaves. */
static void fit(struct table *table, size_t width)
{
	size_t fixed = SHARES_WIDTH + table->weight_width + 2;
	size_t rest = width > fixed + NAME_WIDTH_MIN ? width - fixed : NAME_WIDTH_MIN;

	if (fixed + table->name_width + 2 + table->place_width <= width)
		return;
	if (table->name_width + 2 + PLACE_WIDTH_MIN <= rest) {
		table->place_width = rest - 2 - table->name_width;
	} else if (NAME_WIDTH_MIN + 2 + PLACE_WIDTH_MIN <= rest) {
		/* Half for each, and what places do not need is the names'. */
		if (table->place_width > (rest - 2) / 2)
			table->place_width = (rest - 2) / 2;
		table->name_width = rest - 2 - table->place_width;
	} else {
		table->place_width = 0;
		table->name_width = table->name_width < rest ? table->name_width : rest;
	}
}

static void add_header(const struct table *table, struct nd_buf *out)
{
	nd_terminal_begin(out, table->colour, ND_TERMINAL_BOLD);
	nd_buf_addf(out, "%6s  ", "self");
	nd_cell_add_spaces(out, table->weight_width);
	nd_buf_addf(out, "  %6s  function", "total");
	if (table->place_width) {
		nd_cell_add_spaces(out, table->name_width - strlen("function"));
		nd_buf_add_str(out, "  file");
	}
	nd_terminal_end(out, table->colour);
	nd_buf_add_char(out, '\n');
}

static void add_row(const struct table *table, const struct row *row, struct nd_buf *out)
{
	double total = table->total ? (double)table->total : 1;
	size_t used;

	nd_buf_addf(out, "%5.1f%%  ", 100 * (double)row->function->self / total);
	nd_cell_add_right(out, row->weight, table->weight_width);
	nd_buf_addf(out, "  %5.1f%%  ", 100 * (double)row->function->total / total);
	nd_terminal_begin(out, table->colour, nd_terminal_colours[row->kind]);
	used = nd_cell_add_cut(out, &row->name, table->name_width);
	nd_terminal_end(out, table->colour);
	if (table->place_width) {
		nd_cell_add_spaces(out, table->name_width - used + 2);
		nd_cell_add_cut(out, &row->place, table->place_width);
	}
	nd_buf_add_char(out, '\n');
}

static int add_table(struct table *table, const struct nd_profile *profile,
		     const struct nd_function *functions, unsigned int width, struct nd_buf *out)
{
	size_t i;
	int ret;

	for (i = 0; i < table->count; i++) {
		ret = init_row(&table->rows[i], profile, &functions[i]);
		if (ret)
			return ret;
	}
	measure(table);
	if (width)
		fit(table, width);
	add_header(table, out);
	for (i = 0; i < table->count; i++)
		add_row(table, &table->rows[i], out);
	return nd_buf_error(out);
}

/* Functions with a weight of their own, which come first. */
static size_t count_rows(const struct nd_function *functions, size_t count, size_t rows)
{
	size_t i = 0;

	while (i < count && i < rows && functions[i].self)
		i++;
	return i;
}

int nd_render_table(const struct nd_profile *profile, unsigned int rows, unsigned int width,
		    bool colour, struct nd_buf *out)
{
	uint32_t unused;
	struct table table = {.total = nd_profile_nodes(profile, &unused)[0].total,
			      .colour = colour};
	struct nd_function *functions;
	size_t count, i;
	int ret = nd_profile_functions(profile, &functions, &count);

	if (ret)
		return ret;
	table.count = count_rows(functions, count, rows);
	table.rows = calloc(table.count + 1, sizeof(*table.rows));
	ret = -ENOMEM;
	if (table.rows) {
		for (i = 0; i < table.count; i++) {
			nd_buf_init(&table.rows[i].name, ND_OUTPUT_MAX);
			nd_buf_init(&table.rows[i].place, ND_OUTPUT_MAX);
		}
		ret = add_table(&table, profile, functions, width, out);
		for (i = 0; i < table.count; i++) {
			nd_buf_fini(&table.rows[i].name);
			nd_buf_fini(&table.rows[i].place);
		}
	}
	free(table.rows);
	free(functions);
	return ret;
}
