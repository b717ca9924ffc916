/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/terminal.h"

#include <string.h>

#include "analyzer/utf8.h"
#include "common/buf.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* The application's own code stands out, what it did not write recedes. */
const char *const nd_terminal_colours[ND_FRAME_KIND_COUNT] = {
	[ND_FRAME_UNKNOWN] = "2", [ND_FRAME_JS] = "1;33",    [ND_FRAME_NPM] = "35",
	[ND_FRAME_NODE] = "32",	  [ND_FRAME_BUILTIN] = "36", [ND_FRAME_WASM] = "1;34",
	[ND_FRAME_NATIVE] = "34", [ND_FRAME_GC] = "31",	     [ND_FRAME_COMPILE] = "36",
	[ND_FRAME_REGEXP] = "33", [ND_FRAME_KERNEL] = "2",   [ND_FRAME_IDLE] = "2",
	[ND_FRAME_THREAD] = "1",  [ND_FRAME_ROUTE] = "1",
};

void nd_terminal_begin(struct nd_buf *out, bool colour, const char *sgr)
{
	if (colour)
		nd_buf_addf(out, "\033[%sm", sgr);
}

void nd_terminal_end(struct nd_buf *out, bool colour)
{
	if (colour)
		nd_buf_add_str(out, "\033[0m");
}

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

void nd_terminal_add(struct nd_buf *out, const char *str)
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
