/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_PAGES_H
#define NODIAG_COMMON_PAGES_H

#include <stddef.h>

/*
 * Have the kernel give all pages of `size` bytes that are about to be written to at once, which
 * takes it two thirds of the time that faults of single pages take. For large lists, behind
 * malloc() and the like; small ones are left alone. Contents stay, and nothing can fail: what
 * cannot be given now faults later, as ever.
 */
void nd_pages_populate(void *at, size_t size);

/*
 * From now on, have malloc() keep large lists that are freed for those that come next, instead of
 * giving their pages back: for a command that ends soon, and makes one such list after the other.
 */
void nd_pages_keep(void);

#endif /* NODIAG_COMMON_PAGES_H */
