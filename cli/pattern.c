/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pattern.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Returns whether the id is in it. What does not fit is left out. */
static bool replace(const char *pattern, pid_t pid, char *buf, size_t size)
{
	bool has_pid = false;
	size_t len = 0;

	buf[0] = '\0';
	for (; *pattern && len < size; pattern++) {
		bool is_pid = pattern[0] == '%' && pattern[1] == 'p';

		if (is_pid || (pattern[0] == '%' && pattern[1] == '%'))
			pattern++;
		has_pid |= is_pid;
		if (is_pid)
			len += (size_t)snprintf(buf + len, size - len, "%d", pid);
		else
			len += (size_t)snprintf(buf + len, size - len, "%c", *pattern);
	}
	return has_pid;
}

/* Where a name's extension begins, or its end; a name may begin with a dot. */
static const char *find_extension(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');

	return dot && dot != name ? dot : name + strlen(name);
}

int pattern_expand(const char *pattern, pid_t pid, unsigned int attempt, char *buf, size_t size)
{
	char path[4096], mark[32] = "";
	bool has_pid = replace(pattern, pid, path, sizeof(path));
	unsigned int number = attempt + has_pid;
	const char *extension = find_extension(path);
	int len = 0;

	if (attempt && !has_pid)
		len = snprintf(mark, sizeof(mark), "-%d", pid);
	if (attempt && number > 1)
		snprintf(mark + len, sizeof(mark) - (size_t)len, "-%u", number);
	len = snprintf(buf, size, "%.*s%s%s", (int)(extension - path), path, mark, extension);
	return len < 0 || (size_t)len >= size || strlen(path) + 1 >= sizeof(path) ? -ENAMETOOLONG
										  : 0;
}
