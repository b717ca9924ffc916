/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_PAGE_H
#define NODIAG_CLI_HEAP_PAGE_H

/* The answers of nodiag heap as a page for a browser, in a file. */

#include <stdbool.h>

struct nd_err;
struct nd_heap_comparison;
struct nd_heap_summary;
struct out;

/* Claim its place before the work begins: a path, "-" for stdout, NULL to name it after the time.
 */
int heap_page_open(struct out *page, const char *path, bool force, struct nd_err *err);

/* Write it there. 0, or a negative errno with `err` set. */
int heap_page_write_summary(struct out *page, const struct nd_heap_summary *summary,
			    const char *name, struct nd_err *err);
int heap_page_write_diff(struct out *page, const struct nd_heap_comparison *comparison,
			 struct nd_err *err);

#endif /* NODIAG_CLI_HEAP_PAGE_H */
