/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/utf8.h"

#include <stdbool.h>

#include "common/buf.h"

/* How a character may go on after its first byte; `low` and `high` bound the second one. */
struct shape {
	size_t len; /* 0: no character starts with this byte */
	unsigned char low;
	unsigned char high;
};

static struct shape shape_of(unsigned char lead)
{
	if (lead < 0x80)
		return (struct shape){1, 0x80, 0xbf};
	if (lead < 0xc2 || lead > 0xf4)
		return (struct shape){0, 0x80, 0xbf};
	if (lead < 0xe0)
		return (struct shape){2, 0x80, 0xbf};
	if (lead < 0xf0)
		return (struct shape){3, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf};
	return (struct shape){4, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf};
}

/*
 * Bytes at `str` that belong together: a whole character, or as much as could have become one and
 * at least one byte.
 */
static size_t scan(const unsigned char *str, size_t len, bool *ret_valid)
{
	struct shape shape = shape_of(str[0]);
	size_t i;

	for (i = 1; i < shape.len && i < len; i++) {
		if (str[i] < shape.low || str[i] > shape.high)
			break;
		shape.low = 0x80;
		shape.high = 0xbf;
	}
	*ret_valid = i == shape.len;
	return i;
}

size_t nd_utf8_sequence(const char *str, size_t len)
{
	bool valid;
	size_t used = scan((const unsigned char *)str, len, &valid);

	return valid ? used : 0;
}

size_t nd_utf8_repair(const char *str, size_t len, struct nd_buf *out)
{
	size_t pos, good = 0, replaced = 0, used;
	bool valid;

	for (pos = 0; pos < len; pos += used) {
		used = scan((const unsigned char *)str + pos, len - pos, &valid);
		if (valid)
			continue;
		nd_buf_add(out, str + good, pos - good);
		nd_buf_add_str(out, "\xef\xbf\xbd");
		good = pos + used;
		replaced++;
	}
	nd_buf_add(out, str + good, len - good);
	return replaced;
}
