/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_PROFILE_CPUPROFILE_TREE_H
#define NODIAG_ANALYZER_PROFILE_CPUPROFILE_TREE_H

/*
 * The "nodes" of a .cpuprofile: V8's call tree, checked to be one.
 */

#include <jansson.h>
#include <uthash.h>

#include "analyzer/profile/profile.h"

struct nd_err;

#define ND_CPUPROFILE_NONE UINT32_MAX

struct nd_cpuprofile_node {
	UT_hash_handle hh;
	int64_t id;
	uint32_t parent; /* index, or ND_CPUPROFILE_NONE */
	uint32_t depth;	 /* calls in its stack */
	uint32_t frame;	 /* of the profile */
	bool is_root;	 /* "(root)", which is no call */
	uint64_t hits;
	const json_t *ticks; /* "positionTicks", or NULL */
	size_t tick;	     /* what nd_cpuprofile_next_line() deals out */
	uint64_t tick_used;
};

struct nd_cpuprofile_tree {
	struct nd_cpuprofile_node *nodes;
	size_t count;
	struct nd_cpuprofile_node *by_id;
};

/*
 * Read `nodes` into an empty tree, which borrows from the JSON, and their functions into `profile`.
 * Refuses ids that are given twice or not at all, second parents and cycles with -EBADMSG; -E2BIG
 * beyond ND_PROFILE_NODES_MAX nodes; -ENOMEM. Call nd_cpuprofile_tree_fini() in any case.
 */
int nd_cpuprofile_tree_read(struct nd_cpuprofile_tree *tree, const json_t *nodes,
			    struct nd_profile *profile, struct nd_err *err);
void nd_cpuprofile_tree_fini(struct nd_cpuprofile_tree *tree);

/* The node of an id, or NULL; `id` may be any JSON value and NULL. */
struct nd_cpuprofile_node *nd_cpuprofile_find(const struct nd_cpuprofile_tree *tree,
					      const json_t *id);

/* An entry of "positionTicks": its line, and how many samples had it; 0 for what is no entry. */
uint64_t nd_cpuprofile_tick(const struct nd_cpuprofile_node *node, size_t index,
			    uint32_t *ret_line);

/*
 * The executing line of a node's next sample, 0 when unknown. V8 says how often each line was hit
 * but not by which sample: they are dealt out in order.
 */
uint32_t nd_cpuprofile_next_line(struct nd_cpuprofile_node *node);

#endif /* NODIAG_ANALYZER_PROFILE_CPUPROFILE_TREE_H */
