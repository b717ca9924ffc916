/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_SIZES_H
#define NODIAG_ANALYZER_HEAP_SIZES_H

struct nd_heap;

/*
 * Charge what V8 needs for an object to the object, as DevTools does: arrays and hidden nodes, and
 * the bytes of external strings, of which exactly one object is the owner, give it their self size
 * and keep 0. A snapshot without a user's root is left as it is. 0 or -ENOMEM.
 */
int nd_heap_charge_owners(struct nd_heap *heap);

#endif /* NODIAG_ANALYZER_HEAP_SIZES_H */
