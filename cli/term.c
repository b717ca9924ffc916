/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/term.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/err.h"

static bool progress_shown;

void term_error(const struct nd_err *err)
{
	term_progress("%s", "");
	fprintf(stderr, "nodiag: %s\n", err->what);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
}

void term_note(const char *fmt, ...)
{
	va_list ap;

	term_progress("%s", "");
	fputs("nodiag: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void term_progress(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!text[0] && !progress_shown)
		return;
	fprintf(stderr, "\r\033[K%s", text);
	progress_shown = text[0] != '\0';
}

int term_parse_colour(const char *text, enum term_colour *ret_colour, struct nd_err *err)
{
	static const char *const words[] = {"auto", "always", "never"};
	int i;

	for (i = 0; i < 3; i++)
		if (!strcmp(text, words[i])) {
			*ret_colour = (enum term_colour)i;
			return 0;
		}
	nd_err_set(err, -EINVAL, "'%s' is none of auto, always and never", text);
	return EINVAL;
}

bool term_has_colour(enum term_colour colour)
{
	const char *no_color = getenv("NO_COLOR");

	if (colour != TERM_COLOUR_AUTO)
		return colour == TERM_COLOUR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color);
}

unsigned int term_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col;
}
