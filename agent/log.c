/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line longer than this is cut. */
#define LINE_MAX_BYTES 512

void nd_log(const char *fmt, ...)
{
	const char *path = secure_getenv("NODIAG_LOG");
	char line[LINE_MAX_BYTES];
	int saved = errno, fd, len;
	va_list ap;

	if (!path || !*path)
		return;
	len = snprintf(line, sizeof(line) - 1, "nodiag-agent %d: ", getpid());
	va_start(ap, fmt);
	len += vsnprintf(line + len, sizeof(line) - 1 - (size_t)len, fmt, ap);
	va_end(ap);
	len = len < (int)sizeof(line) - 1 ? len : (int)sizeof(line) - 2;
	line[len++] = '\n';
	if (!strcmp(path, "stderr"))
		fd = dup(STDERR_FILENO);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
	/* One write, so that lines of several processes do not mix. Nobody to tell if it fails. */
	if (fd >= 0) {
		if (write(fd, line, (size_t)len) < 0)
			len = 0;
		close(fd);
	}
	errno = saved;
}
