/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_MATCH_H
#define NODIAG_ANALYZER_HEAP_MATCH_H

/*
 * Which objects of a heap were there in an earlier snapshot, where ids do not tell: V8 gives them
 * out when it takes a snapshot, so each child that takes one gives out its own, and so does each
 * process.
 *
 * An object is the same as one before when the same way leads to it: from the roots, along
 * references with the same names, to objects of the same type and name. So what took another one's
 * place is the same, and of a list that was moved up, the last ones are new; what grew, and where,
 * is right.
 */

#include <stdint.h>

struct nd_heap;

/* Find them. For each node of `after` that of `before`, or ND_HEAP_NONE; the caller frees it. NULL
 * when out of memory.
 */
uint32_t *nd_heap_match(const struct nd_heap *before, const struct nd_heap *after);

#endif /* NODIAG_ANALYZER_HEAP_MATCH_H */
