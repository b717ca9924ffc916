/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_ANALYSIS_H
#define NODIAG_ANALYZER_HEAP_ANALYSIS_H

/*
 * What can be known of a heap by its snapshot alone: for each node what dominates it, what it
 * retains, how far it is, and its class; for each class its totals. The numbers are those of Chrome
 * DevTools, whose rules are in the headers beside this one; docs/internals/heap.md says where they
 * differ on purpose.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/heap/classes.h"
#include "analyzer/heap/graph.h"
#include "analyzer/heap/interfaces.h"
#include "analyzer/heap/scopes.h"

struct nd_err;
struct nd_heap;
struct nd_intern;

struct nd_heap_class {
	uint32_t count;	   /* of objects that have a size of their own */
	int32_t distance;  /* the least of theirs */
	uint64_t self;	   /* bytes */
	uint64_t retained; /* by all of them together */
};

/* Lists have an element for each node, or for each class. */
struct nd_heap_analysis {
	uint32_t *dominator;
	uint64_t *retained;
	int32_t *distance; /* see nd_heap_find_distances() */
	uint32_t *before;  /* the node before it on a shortest way from the root, or ND_HEAP_NONE */
	uint32_t *class_of;
	uint32_t *child;   /* the first that it dominates immediately, or ND_HEAP_NONE; with */
	uint32_t *sibling; /* the next with the same dominator: see nd_heap_find_tree() */
	uint8_t *top;	   /* a bit for each, see nd_heap_is_top() */

	struct nd_heap_classes classes;
	struct nd_heap_class *class;	      /* see nd_heap_find_sums() */
	struct nd_heap_interfaces interfaces; /* see nd_heap_find_interfaces() */
	bool has_interfaces;
	struct nd_heap_scopes scopes; /* see nd_heap_find_scopes() */
	bool has_scopes;
};

/*
 * Analyse a heap whose self sizes are changed by the way (analyzer/heap/sizes.h). Names of
 * properties are added to `names`, which others may share. What a packed snapshot brings of an
 * earlier analysis is taken from it. 0, or with `err` set -ENOMEM, or -EBADMSG when that is
 * damaged.
 */
int nd_heap_analyse(struct nd_heap *heap, struct nd_intern *names, struct nd_heap_analysis *ret,
		    struct nd_err *err);
void nd_heap_analysis_fini(struct nd_heap_analysis *analysis);

/*
 * See that the interfaces are there, which an earlier analysis does not bring. 0, or -ENOMEM with
 * `err` set.
 */
int nd_heap_find_interfaces(const struct nd_heap *heap, struct nd_intern *names,
			    struct nd_heap_analysis *analysis, struct nd_err *err);

/*
 * See that the tree of dominators is there, `child` and `sibling`: what goes down it needs them,
 * which are suspects, outlines and sums of groups. 0, or -ENOMEM with `err` set.
 */
int nd_heap_find_tree(const struct nd_heap *heap, struct nd_heap_analysis *analysis,
		      struct nd_err *err);

/*
 * See that distances are there: what shows an object or looks for it by them needs them. 0, or
 * -ENOMEM with `err` set.
 */
int nd_heap_find_distances(const struct nd_heap *heap, struct nd_heap_analysis *analysis,
			   struct nd_err *err);

/* See that scopes and scripts are known. 0, or -ENOMEM with `err` set. */
int nd_heap_find_scopes(const struct nd_heap *heap, struct nd_heap_analysis *analysis,
			struct nd_err *err);

/* See that the sums of classes are there, the tree, and distances. 0, or -ENOMEM with `err` set. */
int nd_heap_find_sums(const struct nd_heap *heap, struct nd_heap_analysis *analysis,
		      struct nd_err *err);

/*
 * Whether a node holds the whole program, so that it says nothing to hang there: V8's roots, global
 * objects and their contexts.
 */
static inline bool nd_heap_is_top(const struct nd_heap_analysis *analysis, uint32_t node)
{
	return nd_heap_bit(analysis->top, node);
}

/*
 * The tree of dominators, what is below before what is above: begin with the first leaf below the
 * root, and go up until it is the root's turn.
 */
static inline uint32_t nd_heap_first_leaf(const struct nd_heap_analysis *analysis, uint32_t node)
{
	while (analysis->child[node] != ND_HEAP_NONE)
		node = analysis->child[node];
	return node;
}

static inline uint32_t nd_heap_next_up(const struct nd_heap_analysis *analysis, uint32_t node)
{
	if (analysis->sibling[node] == ND_HEAP_NONE)
		return analysis->dominator[node];
	return nd_heap_first_leaf(analysis, analysis->sibling[node]);
}

#endif /* NODIAG_ANALYZER_HEAP_ANALYSIS_H */
