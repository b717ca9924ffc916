/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_UNITS_H
#define NODIAG_CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Read a time with its unit, "500ms", "10s", "2m", "1h"; fractions are fine. False when it is none,
 * zero, or over a day.
 */
bool units_parse_time(const char *text, uint64_t *ret_ns);

/* Read a whole number between the bounds. */
bool units_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Read a size with its unit, "64K", "10M", "1.5G", in powers of 1024. False when it is none. */
bool units_parse_bytes(const char *text, uint64_t *ret_bytes);

#endif /* NODIAG_CLI_UNITS_H */
