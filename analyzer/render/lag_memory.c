/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/lag/lag.h"

#include <inttypes.h>
#include <string.h>

#include "analyzer/render/cell.h"
#include "analyzer/render/json_text.h"
#include "analyzer/render/lag_parts.h"
#include "analyzer/render/terminal.h"
#include "analyzer/render/units.h"
#include "common/buf.h"

/* "    trusted_large_object", in front of a space's sizes. */
#define NAME_COLUMNS 26

static void add_bytes(struct nd_buf *out, uint64_t bytes)
{
	char text[ND_UNITS_MAX];

	nd_units_weight(bytes, "bytes", text);
	nd_buf_addf(out, "%12s", text);
}

/* "old" of "old_space": all names end so. */
static void add_space(struct nd_buf *out, const struct nd_lag_space *space)
{
	struct nd_buf name;
	const char *end = strstr(space->name, "_space");
	char text[ND_SPACE_NAME] = "";
	size_t columns;

	memcpy(text, space->name, end ? (size_t)(end - space->name) : strlen(space->name));
	nd_buf_init(&name, 4 * ND_SPACE_NAME);
	nd_terminal_add(&name, text);
	nd_buf_add_str(out, "    ");
	columns = 4 + nd_cell_add_start(out, &name, NAME_COLUMNS - 4);
	nd_cell_add_spaces(out, columns < NAME_COLUMNS ? NAME_COLUMNS - columns : 0);
	nd_buf_fini(&name);
	add_bytes(out, space->used_bytes);
	add_bytes(out, space->size_bytes);
	nd_buf_add_char(out, '\n');
}

void nd_render_lag_memory(const struct nd_lag_loop *loop, bool colour, struct nd_buf *out)
{
	size_t i;

	if (!loop->has_memory)
		return;
	nd_terminal_begin(out, colour, ND_TERMINAL_DIM);
	nd_buf_addf(out, "\n%*s%12s%12s", -NAME_COLUMNS, "    memory, by space", "used", "size");
	nd_terminal_end(out, colour);
	nd_buf_add_char(out, '\n');
	for (i = 0; i < loop->spaces; i++)
		if (loop->space[i].size_bytes)
			add_space(out, &loop->space[i]);
	nd_buf_addf(out, "%*s", -NAME_COLUMNS, "    outside of the heap");
	add_bytes(out, loop->held_bytes);
	nd_buf_add_char(out, '\n');
	if (loop->array_buffers_bytes == UINT64_MAX)
		return;
	nd_buf_addf(out, "%*s", -NAME_COLUMNS, "      array buffers");
	add_bytes(out, loop->array_buffers_bytes);
	nd_buf_add_char(out, '\n');
}

void nd_render_lag_memory_json(const struct nd_lag_loop *loop, struct nd_buf *out)
{
	const struct nd_lag_space *space;
	size_t i;

	if (!loop->has_memory) {
		nd_buf_add_str(out, ",\"held_bytes\":null,\"array_buffers_bytes\":null,"
				    "\"spaces\":null");
		return;
	}
	nd_buf_addf(out, ",\"held_bytes\":%" PRIu64 ",\"array_buffers_bytes\":", loop->held_bytes);
	if (loop->array_buffers_bytes == UINT64_MAX)
		nd_buf_add_str(out, "null");
	else
		nd_buf_addf(out, "%" PRIu64, loop->array_buffers_bytes);
	nd_buf_add_str(out, ",\"spaces\":{");
	for (i = 0; i < loop->spaces; i++) {
		space = &loop->space[i];
		nd_buf_add_str(out, i ? "," : "");
		nd_json_add_string(out, space->name);
		nd_buf_addf(out,
			    ":{\"used_bytes\":%" PRIu64 ",\"size_bytes\":%" PRIu64
			    ",\"available_bytes\":%" PRIu64 ",\"physical_bytes\":%" PRIu64 "}",
			    space->used_bytes, space->size_bytes, space->available_bytes,
			    space->physical_bytes);
	}
	nd_buf_add_char(out, '}');
}

void nd_render_lag_allocated(const struct nd_lag_loop *loop, struct nd_buf *out)
{
	double seconds = (double)loop->allocated_ns / 1e9;

	if (!loop->allocated_ns)
		return;
	nd_buf_add_str(out, "  alloc    ");
	nd_cell_add_amount(out, (uint64_t)((double)loop->allocated_bytes / seconds), "bytes", 0);
	nd_buf_add_str(out, " a second: ");
	nd_cell_add_amount(out, loop->allocated_bytes, "bytes", 0);
	nd_buf_add_str(out, " in ");
	nd_cell_add_amount(out, loop->allocated_ns, "nanoseconds", 0);
	nd_buf_add_char(out, '\n');
}
