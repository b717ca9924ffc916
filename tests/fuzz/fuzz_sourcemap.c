/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/sourcemap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_map(const char *text, size_t len)
{
	struct nd_source_position position;
	struct nd_sourcemap *map;
	struct nd_buf path;
	uint32_t line, column;

	if (nd_sourcemap_decode(text, len, &map, NULL))
		return;
	for (line = 0; line < 8; line++) {
		for (column = 0; column < 64; column += 3) {
			if (!nd_sourcemap_find(map, line, column, &position))
				continue;
			nd_buf_init(&path, 1u << 16);
			nd_sourcemap_resolve("/app/a.js.map", position.source, &path);
			nd_buf_fini(&path);
		}
	}
	nd_sourcemap_free(map);
}

/* The text as a base and a URL of a line each. */
static void use_lines(const char *text, size_t len)
{
	char *base = strndup(text, len), *url = base ? strchr(base, '\n') : NULL;
	struct nd_buf path;

	if (url) {
		*url++ = '\0';
		nd_buf_init(&path, 1u << 16);
		nd_sourcemap_resolve(base, url, &path);
		nd_buf_fini(&path);
	}
	free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *url;
	struct nd_buf out;
	size_t len;

	use_map(text, size);
	use_lines(text, size);
	nd_buf_init(&out, 1u << 16);
	if (nd_sourcemap_find_url(text, size, &url, &len) &&
	    !nd_sourcemap_decode_data_url(url, len, &out))
		use_map(out.data, out.len);
	nd_buf_fini(&out);
	return 0;
}
