/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_AGENT_GOT_H
#define NODIAG_AGENT_GOT_H

/*
 * Calls from one loaded file into others go through a table, its GOT; replacing an entry hooks the
 * call of that file only. It works in a program that has run for days, and can be undone.
 */

#include <stdbool.h>
#include <stddef.h>

/* Entries of one function in one file: a call and an address that is taken have one each. */
#define ND_GOT_ENTRIES_MAX 4

struct nd_got_hook {
	void **entry[ND_GOT_ENTRIES_MAX];
	size_t count;
	void *original; /* what the entries held */
	char *relro;	/* memory that the loader made read-only, and that is so again after */
	size_t relro_size;
};

/*
 * Find where the file that holds the function `inside` calls `name`. False when it does not, or
 * when its entries do not agree on what it is.
 */
bool nd_got_find(const void *inside, const char *name, struct nd_got_hook *ret_hook);

/* Let the calls go to `function`; false when memory cannot be made writable. */
bool nd_got_set(const struct nd_got_hook *hook, void *function);

/* Whether what is at `data` belongs to the file that holds the function `inside`. */
bool nd_got_is_in_file(const void *inside, const void *data);

#endif /* NODIAG_AGENT_GOT_H */
