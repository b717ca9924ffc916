/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_SOURCEMAP_H
#define NODIAG_ANALYZER_SYMBOLS_SOURCEMAP_H

/*
 * Source maps, revision 3 (ECMA-426): from a generated line and column to the original source,
 * line, column and name. Sectioned maps too. No I/O: the caller finds and reads the file.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_buf;
struct nd_err;
struct nd_sourcemap;

struct nd_source_position {
	const char *source; /* with sourceRoot applied; borrowed from the map */
	const char *name;   /* original name at that place, or NULL */
	uint32_t line;	    /* from 1 */
	uint32_t column;    /* from 1 */
};

/*
 * Decode a map. -EBADMSG when it is none, -EFBIG beyond ND_SOURCE_MAP_MAX or
 * ND_SOURCE_MAP_SEGMENTS_MAX, -ENOMEM.
 *
 * A segment whose source does not exist, or whose position is negative, counts as one without a
 * source: nd_sourcemap_find() says false there. One at a negative column is left out.
 */
int nd_sourcemap_decode(const char *json, size_t len, struct nd_sourcemap **ret_map,
			struct nd_err *err);
void nd_sourcemap_free(struct nd_sourcemap *map);

/*
 * The original of a generated place (line and column from 1): the segment at or before the column
 * on that line. False when the map has none there.
 */
bool nd_sourcemap_find(const struct nd_sourcemap *map, uint32_t line, uint32_t column,
		       struct nd_source_position *ret_position);

/*
 * The URL of the last "//# sourceMappingURL=" comment (or "//@") of a generated source; false when
 * there is none. `*ret_url` points into `source`.
 */
bool nd_sourcemap_find_url(const char *source, size_t len, const char **ret_url, size_t *ret_len);

/*
 * Decode a "data:application/json;base64,..." URL (or a percent-encoded one) and append it to
 * `out`. -EINVAL when the URL is not a data one, -EBADMSG when it is broken, or the buffer's error.
 */
int nd_sourcemap_decode_data_url(const char *url, size_t len, struct nd_buf *out);

/*
 * The path of a map or of an original, given as `url`, relative to the file it was found in:
 * `base_path`, which is a path or a "file://" URL. Appends to `out`, and returns its error.
 *
 * "file://" and percent escapes are resolved, queries dropped, "." and ".." taken out, and
 * "webpack://pkg/./src/x.ts" becomes "src/x.ts", which is below the project's folder, not the
 * map's. URLs of other schemes, or relative to one, stay URLs.
 */
int nd_sourcemap_resolve(const char *base_path, const char *url, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_SYMBOLS_SOURCEMAP_H */
