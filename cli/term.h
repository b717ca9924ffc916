/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_TERM_H
#define NODIAG_CLI_TERM_H

/* Talking to the person: messages and progress on stderr, what the terminals can do. */

#include <stdbool.h>

struct nd_err;

/* "nodiag: WHAT" and, where there is one, "hint: HINT". */
void term_error(const struct nd_err *err);

/* One line on stderr, with "nodiag: " before it. */
void term_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Overwrite the progress line, if stderr is a terminal; "" removes it. */
void term_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

enum term_colour { TERM_COLOUR_AUTO, TERM_COLOUR_ALWAYS, TERM_COLOUR_NEVER };

/* Read "auto", "always" or "never". 0, or EINVAL with `err` set. */
int term_parse_colour(const char *text, enum term_colour *ret_colour, struct nd_err *err);

/* Whether stdout gets colours: as asked, else a terminal without NO_COLOR does. */
bool term_has_colour(enum term_colour colour);

/* Columns of stdout's terminal, 0 when it is none. */
unsigned int term_width(void);

#endif /* NODIAG_CLI_TERM_H */
