/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_PROFILE_PROFILE_H
#define NODIAG_ANALYZER_PROFILE_PROFILE_H

/*
 * A profile: call stacks merged into a tree, each node with its own and its total weight.
 *
 * Weights are in the profile's unit (nanoseconds for CPU time, bytes for allocation, or plain
 * counts). Strings and frames are stored once and named by ids; they live as long as the profile.
 * Not thread-safe. Functions that return int give 0 or -ENOMEM unless they say more; a failed add
 * leaves the profile as it was.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/call.h"

struct nd_profile;

/* Lower-case word for a kind: "js", "npm", "node", "builtin", ... */
const char *nd_frame_kind_name(enum nd_frame_kind kind);

/* V8's word for a tier: "Ignition", ...; "" for ND_TIER_NONE. */
const char *nd_tier_name(enum nd_tier tier);

/* A sentence fragment for a person: "samples dropped because the ring was full". */
const char *nd_loss_text(enum nd_loss loss);

/* Words about the whole profile. Strings may be NULL where unknown; nd_profile_set_info() copies.
 */
struct nd_profile_info {
	const char *title;	 /* for the page: "server.js (pid 4242)" */
	const char *command;	 /* the observed command line */
	const char *runtime;	 /* "Node.js v22.23.3, V8 12.4.254" */
	const char *sampler;	 /* "eBPF", "perf_event", "imported from x.cpuprofile" */
	const char *sample_type; /* what is weighed, in pprof's words: "cpu", "samples",
				    "alloc_space" */
	const char *unit;	 /* "nanoseconds", "bytes" or "count" */
	uint64_t period;	 /* weight between two samples, 0 when unknown */
	uint64_t start_unix_ns;	 /* wall clock at the start; 0 when unknown */
	uint64_t start_ns;	 /* monotonic clock at the start, the zero of sample times */
	uint64_t duration_ns;	 /* 0 when unknown */
	uint32_t pid;		 /* 0 when there is none or more than one */
};

/* A node of the tree. Node 0 is the root, "all"; its `frame` means nothing. */
struct nd_node {
	uint32_t frame;
	uint32_t parent;
	uint32_t first_child;  /* 0 when there is none */
	uint32_t next_sibling; /* 0 after the last */
	uint64_t self;
	uint64_t total;
	uint64_t count;		      /* samples whose innermost call is this node */
	uint64_t tier[ND_TIER_COUNT]; /* `total` split by tier */
	uint64_t inlined;	      /* the part of `total` in which it ran inlined */
	uint32_t first_line;	      /* index + 1 into nd_profile_lines(); 0 when there is none */
};

/* `self` of a node split by executing line. */
struct nd_line {
	uint32_t line;
	uint32_t next; /* index + 1, 0 after the last */
	uint64_t self;
	uint64_t count;
};

/* A sample in time order, kept when the timeline was asked for. */
struct nd_sample {
	uint64_t time_ns; /* monotonic */
	uint64_t weight;
	uint32_t node; /* its innermost node */
	uint32_t line; /* executing line of the innermost call, 0 when unknown */
	uint32_t pid;
	uint32_t tid;
	uint8_t span_id[8]; /* all zeros: not known */
};

/* A profile with no stacks yet, or NULL when out of memory. Keeps a timeline if asked to. */
struct nd_profile *nd_profile_new(bool timeline);
void nd_profile_free(struct nd_profile *profile);

/* The id of a frame, added when new. Copies the strings; NULL strings count as "". */
int nd_profile_add_frame(struct nd_profile *profile, const struct nd_frame *frame,
			 uint32_t *ret_frame);

/* The frame at the root of a thread's stacks, for --threads; `comm` is the kernel's name of it. */
int nd_profile_add_thread(struct nd_profile *profile, uint32_t pid, uint32_t tid, const char *comm,
			  uint32_t *ret_frame);

/*
 * Add one sample. Depth 0 is charged to the root. Stacks deeper than ND_STACK_DEPTH_MAX keep their
 * innermost calls. -E2BIG once the tree has ND_PROFILE_NODES_MAX nodes and would need more.
 */
int nd_profile_add_stack(struct nd_profile *profile, const struct nd_stack *stack);

/* Count a loss. */
void nd_profile_add_loss(struct nd_profile *profile, enum nd_loss loss, uint64_t count);
uint64_t nd_profile_get_loss(const struct nd_profile *profile, enum nd_loss loss);

int nd_profile_set_info(struct nd_profile *profile, const struct nd_profile_info *info);
const struct nd_profile_info *nd_profile_get_info(const struct nd_profile *profile);

/*
 * The tables, borrowed until the next add. Frame and node ids index them; children come after
 * their parents in nd_profile_nodes().
 */
const struct nd_frame *nd_profile_frames(const struct nd_profile *profile, uint32_t *ret_count);
const struct nd_node *nd_profile_nodes(const struct nd_profile *profile, uint32_t *ret_count);
const struct nd_line *nd_profile_lines(const struct nd_profile *profile, uint32_t *ret_count);
const struct nd_sample *nd_profile_samples(const struct nd_profile *profile, size_t *ret_count);

/* Totals per function, for tables. */
struct nd_function {
	uint32_t frame;
	uint64_t self;
	uint64_t total;		      /* recursive calls counted once */
	uint64_t tier[ND_TIER_COUNT]; /* `total` split by tier, by the outermost call */
};

/*
 * One entry per frame that occurs, largest self first, then total. The caller frees the array.
 */
int nd_profile_functions(const struct nd_profile *profile, struct nd_function **ret_functions,
			 size_t *ret_count);

#endif /* NODIAG_ANALYZER_PROFILE_PROFILE_H */
