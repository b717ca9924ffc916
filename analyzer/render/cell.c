/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/cell.h"

#include <stdbool.h>
#include <string.h>

#include "analyzer/render/units.h"
#include "common/buf.h"

#define ELLIPSIS "\xe2\x80\xa6"

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t nd_cell_columns(const char *str, size_t len)
{
	size_t count = 0, i;

	for (i = 0; i < len; i++)
		count += !is_continuation(str[i]);
	return count;
}

/* Where the character in column `column` starts. */
static size_t offset_of(const struct nd_buf *text, size_t column)
{
	size_t i;

	for (i = 0; i < text->len; i++)
		if (!is_continuation(text->data[i]) && column-- == 0)
			break;
	return i;
}

void nd_cell_add_spaces(struct nd_buf *out, size_t count)
{
	nd_buf_addf(out, "%*s", (int)count, "");
}

void nd_cell_add_right(struct nd_buf *out, const char *str, size_t width)
{
	size_t columns = nd_cell_columns(str, strlen(str));

	nd_cell_add_spaces(out, columns < width ? width - columns : 0);
	nd_buf_add_str(out, str);
}

void nd_cell_add_amount(struct nd_buf *out, uint64_t amount, const char *unit, size_t width)
{
	char text[ND_UNITS_MAX];

	nd_cell_add_right(out, nd_units_weight(amount, unit, text), width);
}

void nd_cell_add_time(struct nd_buf *out, uint64_t ns, size_t width)
{
	nd_cell_add_amount(out, ns, "nanoseconds", width);
}

size_t nd_cell_add_cut(struct nd_buf *out, const struct nd_buf *text, size_t width)
{
	size_t count = nd_cell_columns(text->data, text->len);
	size_t head = (width - 1) / 3, tail = width - 1 - head;
	size_t at;

	if (count <= width) {
		nd_buf_add(out, text->data, text->len);
		return count;
	}
	nd_buf_add(out, text->data, offset_of(text, head));
	nd_buf_add_str(out, ELLIPSIS);
	at = offset_of(text, count - tail);
	nd_buf_add(out, text->data + at, text->len - at);
	return width;
}

size_t nd_cell_add_start(struct nd_buf *out, const struct nd_buf *text, size_t width)
{
	size_t count = nd_cell_columns(text->data, text->len);

	if (count <= width) {
		nd_buf_add(out, text->data, text->len);
		return count;
	}
	nd_buf_add(out, text->data, offset_of(text, width - 1));
	nd_buf_add_str(out, ELLIPSIS);
	return width;
}
