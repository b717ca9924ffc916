/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_FORMAT_H
#define NODIAG_CLI_HEAP_FORMAT_H

/* What 'nodiag heap' answers with, or writes a snapshot as. */
enum heap_format {
	HEAP_FORMAT_TEXT, /* or, of a snapshot, what is usual */
	HEAP_FORMAT_JSON,
	HEAP_FORMAT_HTML,
	HEAP_FORMAT_ND, /* packed */
	HEAP_FORMAT_HEAPSNAPSHOT
};

#endif /* NODIAG_CLI_HEAP_FORMAT_H */
