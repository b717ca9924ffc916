/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_CALLS_H
#define NODIAG_ANALYZER_SYMBOLS_CALLS_H

#include "analyzer/profile/profile.h"
#include "proto/limits.h"

/* A stack under construction, innermost call first. Calls beyond the limit are not taken. */
struct nd_calls {
	size_t depth;
	struct nd_call call[ND_STACK_DEPTH_MAX];
};

static inline void nd_calls_add(struct nd_calls *calls, struct nd_call call)
{
	if (calls->depth < ND_STACK_DEPTH_MAX)
		calls->call[calls->depth++] = call;
}

/* A call of which no more than the frame is known, or makes sense. */
static inline void nd_calls_add_frame(struct nd_calls *calls, uint32_t frame)
{
	nd_calls_add(calls, (struct nd_call){.frame = frame});
}

#endif /* NODIAG_ANALYZER_SYMBOLS_CALLS_H */
