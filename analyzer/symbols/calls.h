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

static inline void nd_calls_add(struct nd_calls *calls, uint32_t frame, uint32_t line,
				enum nd_tier tier, bool inlined)
{
	if (calls->depth < ND_STACK_DEPTH_MAX)
		calls->call[calls->depth++] = (struct nd_call){
			.frame = frame, .line = line, .tier = tier, .inlined = inlined};
}

#endif /* NODIAG_ANALYZER_SYMBOLS_CALLS_H */
