/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_PROFILE_FRAME_TEXT_H
#define NODIAG_ANALYZER_PROFILE_FRAME_TEXT_H

/*
 * Frames as folded stacks have them: one text for name, place and kind.
 *
 *	handler (/app/server.js:12:3)_[j]		nd_render_folded()
 *	LazyCompile:*handler /app/server.js:12:3	perf with node --perf-basic-prof
 *	handler /app/server.js:12			others
 *	Builtin:ArrayMap  do_syscall_64_[k]  uv_run	perf
 *	[unknown]  (garbage collector)
 *
 * The suffixes are those of FlameGraph's stackcollapse programs: _[j] compiled at run time, _[k]
 * kernel, _[i] inlined. What comes without any sign of JavaScript is native.
 */

#include "analyzer/profile/profile.h"

struct nd_frame_text {
	struct nd_frame frame; /* strings point into the text */
	enum nd_tier tier;     /* from V8's mark before the name */
	bool inlined;
};

/* Take a text apart, in place. */
void nd_frame_text_decode(char *text, struct nd_frame_text *ret_frame);

#endif /* NODIAG_ANALYZER_PROFILE_FRAME_TEXT_H */
