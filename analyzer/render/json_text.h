/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_JSON_TEXT_H
#define NODIAG_ANALYZER_RENDER_JSON_TEXT_H

/*
 * The parts of JSON that are easy to get wrong or slow. Renderers write brackets and numbers
 * themselves, so that a profile is never in memory a second time as a tree of JSON values.
 */

#include <stdint.h>

struct nd_buf;

/* Append `str`, made valid UTF-8, as a JSON string; `null` for NULL. 0 or the buffer's error. */
int nd_json_add_string(struct nd_buf *out, const char *str);

/* Append a number; what nd_buf_addf() does, for the renderers that write millions of them. */
int nd_json_add_number(struct nd_buf *out, uint64_t number);

#endif /* NODIAG_ANALYZER_RENDER_JSON_TEXT_H */
