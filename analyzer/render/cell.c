/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/cell.h"

#include <stdbool.h>
#include <string.h>

#include "analyzer/utf8.h"
#include "common/buf.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

/*
 * Characters that act on a terminal instead of showing: C0 and C1 controls, DEL, and those that
 * change the direction of writing and so could make a name look like another.
 */
static bool is_control(const char *str, size_t len)
{
	static const char *const directions[] = {"\xd8\x9c",	 "\xe2\x80\x8e", "\xe2\x80\x8f",
						 "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac",
						 "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6",
						 "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9"};
	const unsigned char *c = (const unsigned char *)str;
	size_t i;

	if (len == 1)
		return c[0] < ' ' || c[0] == 0x7f;
	if (len == 2 && c[0] == 0xc2 && c[1] < 0xa0)
		return true;
	for (i = 0; i < sizeof(directions) / sizeof(directions[0]); i++)
		if (strlen(directions[i]) == len && !memcmp(directions[i], str, len))
			return true;
	return false;
}

void nd_cell_add_printable(struct nd_buf *out, const char *str)
{
	size_t len = strlen(str), used;

	for (; len; str += used, len -= used) {
		used = nd_utf8_sequence(str, len);
		if (used && !is_control(str, used)) {
			nd_buf_add(out, str, used);
			continue;
		}
		nd_buf_add_str(out, REPLACEMENT);
		used = used ? used : 1;
	}
}

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
