/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_SCRIPT_H
#define NODIAG_ANALYZER_SYMBOLS_V8_SCRIPT_H

/*
 * Scripts: where functions come from, and how offsets in their source become lines and columns.
 *
 * A script is read once, when its first function is named, and kept: ids are never used twice in an
 * isolate. Its source text is only scanned for line ends, and for a source map where asked for.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/symbols/v8/object.h"

struct nd_buf;
struct nd_v8_script;
struct nd_v8_scripts;

/* How to read a file as the observed process would see it, for source maps. */
struct nd_v8_files {
	int (*read)(void *arg, const char *path, struct nd_buf *out);
	void *arg;
};

/* A place in a source file. */
struct nd_v8_place {
	const char *file; /* script URL or path, or the original's as its source map has it */
	bool mapped;	  /* `file` comes from a source map, and is relative to the script's URL */
	uint32_t line;	  /* from 1, 0 unknown */
	uint32_t column;  /* from 1, 0 unknown */
};

/* No scripts yet. `files` NULL: no source maps. NULL when out of memory. */
struct nd_v8_scripts *nd_v8_scripts_new(const struct nd_v8_heap *heap,
					const struct nd_v8_files *files);
void nd_v8_scripts_free(struct nd_v8_scripts *scripts);

/*
 * The script behind a tagged Script object of an isolate; NULL when it is none, when what it leads
 * to changes while it is read, or when memory is out. Lives as long as the table.
 */
struct nd_v8_script *nd_v8_scripts_get(struct nd_v8_scripts *scripts, uint32_t isolate,
				       uint64_t object);

/* The place of an offset in the script's text; -1 gives the file alone. */
struct nd_v8_place nd_v8_script_locate(const struct nd_v8_script *script, int32_t offset);

/*
 * A function of the script ends there. One that ends behind the text speaks against the text: what
 * was read is something else, and gives no lines.
 */
void nd_v8_script_check_end(struct nd_v8_script *script, int32_t end);

/* The script's name, "" when it has none (eval). Not mapped. */
const char *nd_v8_script_get_url(const struct nd_v8_script *script);

/* Name a script that has none after what evaluated it. */
void nd_v8_script_set_url(struct nd_v8_script *script, const char *url);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_SCRIPT_H */
