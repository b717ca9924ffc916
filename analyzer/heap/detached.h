/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_DETACHED_H
#define NODIAG_ANALYZER_HEAP_DETACHED_H

#include <stdint.h>

struct nd_heap;

/*
 * Which native nodes are of no page any more, as a bit for each node that the caller frees; NULL
 * where the snapshot says nothing of pages. What a snapshot says of some nodes goes for all native
 * ones that hang at them, and attached wins. 0 or -ENOMEM.
 */
int nd_heap_find_detached(const struct nd_heap *heap, uint8_t **ret_bits);

#endif /* NODIAG_ANALYZER_HEAP_DETACHED_H */
