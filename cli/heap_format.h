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

#endif /* NODIAG_CLI_HEAP_FORMAT_H */
