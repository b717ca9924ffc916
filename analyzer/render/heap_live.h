/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_HEAP_LIVE_H
#define NODIAG_ANALYZER_RENDER_HEAP_LIVE_H

/*
 * What a running process has in memory. These append to a buffer, as those of
 * analyzer/render/heap.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/smaps.h"

struct nd_buf;
struct nd_lag_loop;

struct nd_heap_live {
	pid_t pid;
	const char *command; /* its command line */
	struct nd_smaps smaps;
	const struct nd_lag_loop *loops; /* its threads with a heap, main thread first */
	size_t count;
};

int nd_render_heap_live(const struct nd_heap_live *live, bool colour, struct nd_buf *out);
int nd_render_heap_live_json(const struct nd_heap_live *live, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_HEAP_LIVE_H */
