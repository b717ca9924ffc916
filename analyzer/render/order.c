/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/render/order.h"

#include <errno.h>
#include <stdlib.h>

#include "analyzer/profile/profile.h"

/* Lightest first: what is pushed last is taken first. */
static int compare_placed(const void *a, const void *b)
{
	const struct nd_placed *x = a, *y = b;

	if (x->total != y->total)
		return x->total < y->total ? -1 : 1;
	return x->node < y->node ? 1 : x->node > y->node ? -1 : 0;
}

/* Push the children of a node; returns how many. */
static uint32_t push_children(const struct nd_node *nodes, const struct nd_placed *parent,
			      struct nd_placed *stack)
{
	uint32_t count = 0;
	uint32_t id;

	for (id = nodes[parent->node].first_child; id; id = nodes[id].next_sibling)
		stack[count++] = (struct nd_placed){id, parent->depth + 1, nodes[id].total};
	qsort(stack, count, sizeof(*stack), compare_placed);
	return count;
}

int nd_order_nodes(const struct nd_profile *profile, struct nd_placed **ret_placed)
{
	uint32_t count, done, waiting = 1;
	const struct nd_node *nodes = nd_profile_nodes(profile, &count);
	struct nd_placed *placed = calloc(count, sizeof(*placed));
	/* A node waits at most once, so that the stack never holds more than all of them. */
	struct nd_placed *stack = calloc(count, sizeof(*stack));

	if (!placed || !stack) {
		free(placed);
		free(stack);
		return -ENOMEM;
	}
	stack[0] = (struct nd_placed){0, 0, nodes[0].total};
	for (done = 0; waiting; done++) {
		placed[done] = stack[--waiting];
		waiting += push_children(nodes, &placed[done], stack + waiting);
	}
	free(stack);
	*ret_placed = placed;
	return 0;
}
