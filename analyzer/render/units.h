/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_UNITS_H
#define NODIAG_ANALYZER_RENDER_UNITS_H

/*
 * Amounts as people read them.
 */

#include <stdint.h>

/* Room for any amount with its unit. */
#define ND_UNITS_MAX 32

/*
 * Write a weight in a profile's unit into `buf` and return it: "12.3 ms" and "2 min 05 s" for
 * "nanoseconds", "1.50 MiB" for "bytes", "12,345" for everything else and for NULL.
 */
const char *nd_units_weight(uint64_t weight, const char *unit, char buf[ND_UNITS_MAX]);

#endif /* NODIAG_ANALYZER_RENDER_UNITS_H */
