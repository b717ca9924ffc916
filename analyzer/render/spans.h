/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_SPANS_H
#define NODIAG_ANALYZER_RENDER_SPANS_H

/*
 * A profile as stretches of weight on a line, for formats that want samples one after the other.
 */

#include <stddef.h>
#include <stdint.h>

struct nd_profile;

struct nd_span {
	uint64_t start;	 /* in the profile's unit, from the profile's start */
	uint64_t weight; /* also the length: no two spans of a thread overlap */
	uint64_t count;	 /* samples it stands for */
	uint32_t node;	 /* its innermost call; 0 for samples without a stack */
	uint32_t line;	 /* executing line of that call, 0 when unknown */
	uint32_t pid;	 /* 0 in spans of the tree */
	uint32_t tid;
};

/*
 * The timeline, by process, thread and time. A sample begins where the one before it on its thread
 * ends, unless more time than its own weight lies between them: then it ends at its own time, and
 * there is a gap. Weights that are not nanoseconds have no gaps.
 *
 * Gives no spans, and NULL, when the profile keeps no timeline or one that is not complete. The
 * caller frees the array. 0 or -ENOMEM.
 */
int nd_spans_of_timeline(const struct nd_profile *profile, struct nd_span **ret_spans,
			 size_t *ret_count);

/*
 * What each node has of its own, by executing line, end to end in the order of nd_order_nodes().
 * The caller frees the array. 0 or -ENOMEM.
 */
int nd_spans_of_tree(const struct nd_profile *profile, struct nd_span **ret_spans,
		     size_t *ret_count);

#endif /* NODIAG_ANALYZER_RENDER_SPANS_H */
