/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_FORMAT_H
#define NODIAG_CLI_HEAP_FORMAT_H

/* What 'nodiag heap' answers with, or writes a snapshot as. */
enum heap_format {
	HEAP_FORMAT_USUAL, /* none was asked for */
	HEAP_FORMAT_TEXT,
	HEAP_FORMAT_JSON,
	HEAP_FORMAT_HTML,
	HEAP_FORMAT_ND, /* packed */
	HEAP_FORMAT_HEAPSNAPSHOT
};

/* What -f calls a format, and what the names of its files end in; not of HEAP_FORMAT_USUAL. */
const char *heap_format_get_name(enum heap_format format);

/* The format that -f calls so; HEAP_FORMAT_USUAL where there is none. */
enum heap_format heap_format_find(const char *name);

/* What a snapshot of that name is, by its ending; HEAP_FORMAT_USUAL where that says nothing. */
enum heap_format heap_format_of_path(const char *path);

/*
 * What a snapshot is written as: what was asked for, else what its path says, which may be NULL,
 * else packed. ND or HEAPSNAPSHOT, where nothing else was asked for.
 */
enum heap_format heap_format_choose(enum heap_format asked, const char *path);

#endif /* NODIAG_CLI_HEAP_FORMAT_H */
