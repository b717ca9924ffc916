/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_PACK_H
#define NODIAG_ANALYZER_HEAP_PACK_H

/*
 * Writes a heap snapshot as a packed one, a ninth of its size, and what an analysis found with it,
 * so that nobody has to find that again. Does no I/O.
 */

#include <stdbool.h>
#include <stddef.h>

struct nd_err;
struct nd_heap;
struct nd_heap_analysis;

/* Takes the bytes of the file in order. 0, or a negative errno with `err` set. */
struct nd_heap_sink {
	int (*take)(void *arg, const void *data, size_t len, struct nd_err *err);
	void *arg;
};

/* Write a heap that was read and not analysed. 0, -ENOMEM with `err` set, or what the sink says. */
int nd_heap_pack(const struct nd_heap *heap, const struct nd_heap_sink *sink, struct nd_err *err);

/*
 * The same, analysing it on the way: its self sizes are changed. Where there is no memory for that,
 * the file is whole without, `*ret_is_analysed` is false, and it is found again by each who opens
 * it. Errors as above.
 */
int nd_heap_pack_analysed(struct nd_heap *heap, const struct nd_heap_sink *sink,
			  bool *ret_is_analysed, struct nd_err *err);

#endif /* NODIAG_ANALYZER_HEAP_PACK_H */
