/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_ORDER_H
#define NODIAG_ANALYZER_RENDER_ORDER_H

/*
 * The order in which a flame graph is drawn.
 */

#include <stdint.h>

struct nd_profile;

struct nd_placed {
	uint32_t node;
	uint32_t depth; /* 0 for the root */
	uint64_t total; /* of the node */
};

/*
 * Every node of the profile depth first, the root included, the heaviest child first; among equals
 * the one that came first. The caller frees the array, which has one entry per node. 0 or -ENOMEM.
 */
int nd_order_nodes(const struct nd_profile *profile, struct nd_placed **ret_placed);

#endif /* NODIAG_ANALYZER_RENDER_ORDER_H */
