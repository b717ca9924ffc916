/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_ROUTES_H
#define NODIAG_ANALYZER_HEAP_ROUTES_H

/*
 * The different ways by which an object is kept alive: the shortest one, the shortest that shares
 * no object with it, and so on. To free the object, each of them must be cut.
 *
 * All ways go through the object's dominators. So they may only differ between the last of these,
 * the gate, and the object. What holds the whole program, as global objects do, may be on several.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/heap/path.h"

struct nd_heap_route {
	struct nd_heap_step *step; /* from the gate, which has no edge, to the object */
	uint32_t count;
};

struct nd_heap_routes {
	uint32_t gate;
	struct nd_heap_route *route; /* the shortest first */
	uint32_t count;
	bool has_more; /* than the limit */
};

/*
 * Find at most `limit` of them, by the edges that count for dominators. There is none to the root,
 * and to what the root does not reach. What is on the stack while the snapshot is taken is gone
 * round where that is possible. 0 or -ENOMEM.
 */
int nd_heap_find_routes(const struct nd_heap_paths *paths, uint32_t node, uint32_t limit,
			struct nd_heap_routes *ret);
void nd_heap_routes_fini(struct nd_heap_routes *routes);

#endif /* NODIAG_ANALYZER_HEAP_ROUTES_H */
