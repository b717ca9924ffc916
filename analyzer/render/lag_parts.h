/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_LAG_PARTS_H
#define NODIAG_ANALYZER_RENDER_LAG_PARTS_H

/*
 * Parts of the answer about event loops, as text and as JSON. What a buffer fails with is its own;
 * functions that return int give 0 or -ENOMEM.
 */

#include <stdbool.h>

struct nd_async;
struct nd_buf;
struct nd_lag;
struct nd_lag_loop;

/* The heap by space, and what is held outside of it; nothing where nobody looked. */
void nd_render_lag_memory(const struct nd_lag_loop *loop, bool colour, struct nd_buf *out);

/* The same as further members of "heap". */
void nd_render_lag_memory_json(const struct nd_lag_loop *loop, struct nd_buf *out);

/* How fast the heap is filled; nothing where no collections told. */
void nd_render_lag_allocated(const struct nd_lag_loop *loop, struct nd_buf *out);

/* The collector's pauses by route; nothing where no requests were followed, or none paused. */
int nd_render_lag_collections(struct nd_lag *lag, bool colour, struct nd_buf *out);

/* The same as the value of a member: a list, or null where no requests were followed. */
int nd_render_lag_collections_json(struct nd_lag *lag, struct nd_buf *out);

/* Asynchronous resources by type and call site; nothing where nobody followed them. */
int nd_render_async(struct nd_async *async, bool colour, struct nd_buf *out);

/* The same as the value of a member: an object, or null. */
int nd_render_async_json(struct nd_async *async, struct nd_buf *out);

#endif /* NODIAG_ANALYZER_RENDER_LAG_PARTS_H */
