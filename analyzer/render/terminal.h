/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_TERMINAL_H
#define NODIAG_ANALYZER_RENDER_TERMINAL_H

/* What the answers that are printed on a terminal have in common. */

#include "analyzer/profile/profile.h"

struct nd_buf;

/* Parameters of the escape sequence SGR (ESC [ ... m) for a name, by the kind of its frame. */
extern const char *const nd_terminal_colours[ND_FRAME_KIND_COUNT];

/*
 * Append text from outside. What would act on the terminal, or is not UTF-8, becomes U+FFFD; each
 * character takes one column, give or take.
 */
void nd_terminal_add(struct nd_buf *out, const char *str);

#endif /* NODIAG_ANALYZER_RENDER_TERMINAL_H */
