/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/pairs.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

/* A copy without spaces around it; `end` is behind the text. NULL when out of memory. */
static char *trim(const char *start, const char *end)
{
	while (start < end && isspace((unsigned char)*start))
		start++;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	return strndup(start, (size_t)(end - start));
}

static int digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Replace %XX in place. False when an escape is none, or is a NUL. */
static bool unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text != '%') {
			*to++ = *text;
			continue;
		}
		if (!isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]))
			return false;
		*to = (char)(digit(text[1]) * 16 + digit(text[2]));
		if (!*to++)
			return false;
		text += 2;
	}
	*to = '\0';
	return true;
}

static int read_pair(const char *start, const char *end,
		     int (*add)(void *arg, const char *key, const char *value), void *arg)
{
	const char *equals = memchr(start, '=', (size_t)(end - start));
	char *key, *value;
	int ret = -EINVAL;

	if (!equals)
		return -EINVAL;
	key = trim(start, equals);
	value = trim(equals + 1, end);
	if (!key || !value)
		ret = -ENOMEM;
	else if (*key && unescape(value))
		ret = add ? add(arg, key, value) : 0;
	free(key);
	free(value);
	return ret;
}

static int read_all(const char *text, int (*add)(void *arg, const char *key, const char *value),
		    void *arg)
{
	const char *end;
	int ret = 0;

	for (; *text && !ret; text = *end ? end + 1 : end) {
		end = strchrnul(text, ',');
		/* Nothing between two commas is nothing. */
		if (strspn(text, " \t") < (size_t)(end - text))
			ret = read_pair(text, end, add, arg);
	}
	return ret;
}

int nd_pairs_decode(const char *text, int (*add)(void *arg, const char *key, const char *value),
		    void *arg)
{
	int ret = strlen(text) > ND_EXPORT_TEXT_MAX ? -E2BIG : read_all(text, NULL, NULL);

	return ret ? ret : read_all(text, add, arg);
}
