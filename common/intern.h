/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_INTERN_H
#define NODIAG_COMMON_INTERN_H

/*
 * A set of strings, each stored once and named by a small id.
 *
 * Ids count up from 0, which is always the empty string. Strings live until the table is freed and
 * never move, so the pointers may be kept as long. Not thread-safe.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_intern;

struct nd_intern *nd_intern_new(void);
void nd_intern_free(struct nd_intern *intern);

/* The id of `str`, added when new. A NUL inside ends it. -ENOMEM when out of memory. */
int nd_intern_add(struct nd_intern *intern, const char *str, size_t len, uint32_t *ret_id);

/* The string of an id that nd_intern_add() returned. */
const char *nd_intern_get(const struct nd_intern *intern, uint32_t id);

/* How many strings there are, the empty one included. */
uint32_t nd_intern_count(const struct nd_intern *intern);

#endif /* NODIAG_COMMON_INTERN_H */
