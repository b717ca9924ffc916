/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_WRITE_H
#define NODIAG_ANALYZER_HEAP_WRITE_H

#include "analyzer/heap/pack.h"

/*
 * Write a heap that was read and not analysed as the .heapsnapshot that Node.js 24 would write of
 * it, for other tools. What allocation tracking noted is not in it, for nodiag does not read that.
 * 0, -ENOMEM with `err` set, or what the sink says.
 */
int nd_heap_write(const struct nd_heap *heap, const struct nd_heap_sink *sink, struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_WRITE_H */
