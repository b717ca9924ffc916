/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_UTF8_H
#define NODIAG_ANALYZER_UTF8_H

/*
 * Names come from other processes and files and may be any bytes; the formats that carry them
 * (JSON, protobuf, HTML) take valid UTF-8 only.
 */

#include <stddef.h>

struct nd_buf;

/*
 * Length in bytes, 1 to 4, of the character that starts at `str`, or 0 where no valid one does
 * (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). `len` must not be 0.
 */
size_t nd_utf8_sequence(const char *str, size_t len);

/*
 * Append `str` with everything that is not UTF-8 replaced by U+FFFD: one for each longest start of
 * a character that was never finished, as browsers do. Returns how many replacements were needed.
 */
size_t nd_utf8_repair(const char *str, size_t len, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_UTF8_H */
