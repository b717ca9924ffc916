/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_LAG_STALL_H
#define NODIAG_ANALYZER_LAG_STALL_H

/*
 * One stall: what is known of it, and what follows from that.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/lag/lag.h"

/* Stacks kept of one stall; the agent takes a hundred in the first second. */
#define ND_STALL_STACKS_MAX 128

/* Calls kept of one stack: the innermost. */
#define ND_STALL_DEPTH_MAX 256

/* What one stack says. */
struct nd_stall_stack {
	uint64_t time_ns;
	bool in_syscall;
	enum nd_stall_kind kind; /* by its innermost call */
	bool has_frame;
	uint32_t frame; /* the innermost function of the application */
	uint32_t line;
	uint32_t column;
	bool has_callee;
	uint32_t callee;
	bool has_entry;
	uint32_t entry; /* the outermost function of the application */
	enum nd_queue queue;
	uint8_t span_id[ND_SPAN_ID_SIZE]; /* all zeros: not known */
	struct nd_call *calls;
	size_t depth;
};

struct nd_stall {
	struct nd_event_stall event;
	bool going_on;
	uint32_t blocked; /* looks that found it asleep where no stack could be taken */
	int32_t syscall;  /* there, or -1 */
	struct nd_stall_stack stack[ND_STALL_STACKS_MAX];
	size_t stacks;
};

/* Free a stall that is on the heap, and the stacks it has; NULL is fine. */
void nd_stall_free(struct nd_stall *stall);

/* Fill in `ret_stack` from named calls; copies them. -ENOMEM. */
int nd_stall_read_stack(const struct nd_profile *frames, const struct nd_event *event,
			const struct nd_call *calls, size_t depth,
			struct nd_stall_stack *ret_stack);

/* What the thread did in the stall. */
enum nd_stall_kind nd_stall_find_kind(const struct nd_stall *stall);

/* In which phase most of its time passed. */
enum nd_phase nd_stall_find_phase(const struct nd_stall *stall);

/* The id of the span that the thread was in most of the time; all zeros where it was in none. */
void nd_stall_find_span(const struct nd_stall *stall, uint8_t ret_id[ND_SPAN_ID_SIZE]);

/* The stack that stands for the stall: who is in most of them; NULL when there is none. */
const struct nd_stall_stack *nd_stall_find_stack(const struct nd_stall *stall);

#endif /* NODIAG_ANALYZER_LAG_STALL_H */
