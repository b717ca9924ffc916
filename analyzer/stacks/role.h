/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_STACKS_ROLE_H
#define NODIAG_ANALYZER_STACKS_ROLE_H

#include "analyzer/stacks/stacks.h"

/*
 * What the thread of a process is there for: by the functions near the root of its stack, or where
 * a stack or symbols are missing by the name that newer versions of Node.js give to threads.
 */
enum nd_thread_role nd_thread_find_role(const struct nd_profile *profile, pid_t pid,
					const struct nd_thread_stack *thread, bool ran_js);

/* What V8 does for itself in that stack: ND_FRAME_GC, ND_FRAME_COMPILE, else ND_FRAME_UNKNOWN. */
enum nd_frame_kind nd_thread_find_work(const struct nd_profile *profile,
				       const struct nd_thread_stack *thread);

#endif /* NODIAG_ANALYZER_STACKS_ROLE_H */
