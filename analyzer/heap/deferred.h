/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_DEFERRED_H
#define NODIAG_ANALYZER_HEAP_DEFERRED_H

/*
 * Edges of a packed snapshot that stay packed until somebody looks at them. They take two fifths of
 * the time to open one, and a question about one object needs those of a few: with them, a part of
 * each of the three columns is unpacked.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/heap/packed.h"

struct nd_err;
struct nd_heap;
struct nd_heap_deferred;
struct nd_part;

/* For the parts that a snapshot with this head has. NULL when out of memory. */
struct nd_heap_deferred *nd_heap_deferred_new(const uint64_t head[ND_HEAP_HEAD_NUMBERS]);
void nd_heap_deferred_free(struct nd_heap_deferred *deferred);

/* Keep the next part. 0 or -ENOMEM. */
int nd_heap_deferred_add(struct nd_heap_deferred *deferred, const struct nd_part *part);

/* Whether that was the last one. */
bool nd_heap_deferred_is_whole(const struct nd_heap_deferred *deferred);

/*
 * Make it that of a heap, whose other columns are there: it owns it then, and has room for its
 * edges. 0, or -ENOMEM, when the caller still owns it.
 */
int nd_heap_deferred_hand_over(struct nd_heap_deferred *deferred, struct nd_heap *heap);

/*
 * Unpack the edges from `first` to before `end` that are not there yet. What cannot be unpacked
 * stays zero, and is an error from then on.
 */
void nd_heap_deferred_unpack(struct nd_heap_deferred *deferred, uint32_t first, uint32_t end);

/* Whether all that was asked for could be unpacked: 0, or -EBADMSG or -ENOMEM with `err` set. */
int nd_heap_deferred_check(const struct nd_heap *heap, struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_DEFERRED_H */
