/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_CONVERT_H
#define NODIAG_CLI_HEAP_CONVERT_H

#include "cli/heap_format.h"

struct nd_err;
struct nd_heap;
struct out;

/*
 * Write a heap that was read and not analysed, all but out_commit(). As a packed snapshot it is
 * analysed on the way, so that nobody has to again; where there is no memory for that, a note says
 * so. A negative errno with `err` set.
 */
int heap_write(struct nd_heap *heap, enum heap_format format, struct out *out, struct nd_err *err);

#endif /* NODIAG_CLI_HEAP_CONVERT_H */
