/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_RENDER_TERMINAL_H
#define NODIAG_ANALYZER_RENDER_TERMINAL_H

/* What the answers that are printed on a terminal have in common. */

#include <stdbool.h>

#include "analyzer/profile/profile.h"

struct nd_buf;

/* Parameters of the escape sequence SGR (ESC [ ... m). */
#define ND_TERMINAL_BOLD "1"
#define ND_TERMINAL_DIM	 "2"
#define ND_TERMINAL_RED	 "31"

/* Such parameters for a name, by the kind of its frame. */
extern const char *const nd_terminal_colours[ND_FRAME_KIND_COUNT];

/* Begin a style, and end it: nothing without `colour`. */
void nd_terminal_begin(struct nd_buf *out, bool colour, const char *sgr);
void nd_terminal_end(struct nd_buf *out, bool colour);

/*
 * Append text from outside. What would act on the terminal, or is not UTF-8, becomes U+FFFD; each
 * character takes one column, give or take.
 */
void nd_terminal_add(struct nd_buf *out, const char *str);

#endif /* NODIAG_ANALYZER_RENDER_TERMINAL_H */
