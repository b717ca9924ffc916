/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A text longer than this is cut. */
#define TEXT_MAX_BYTES 512

/* Where to; "" for nowhere. */
static char log_path[4096];

void nd_log_read_environment(void)
{
	const char *path = secure_getenv("NODIAG_LOG");

	snprintf(log_path, sizeof(log_path), "%s", path ? path : "");
}

/* One write, so that lines of several processes do not mix. Nobody to tell if it fails. */
static void write_line(const char *line, size_t len)
{
	ssize_t written;
	int fd;

	if (!strcmp(log_path, "stderr"))
		fd = dup(STDERR_FILENO);
	else
		fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return;
	written = write(fd, line, len);
	(void)written;
	close(fd);
}

__attribute__((format(printf, 1, 0))) static void log_text(const char *fmt, va_list ap)
{
	char text[TEXT_MAX_BYTES], line[TEXT_MAX_BYTES + 32];
	int len;

	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is in nd_log() */
	vsnprintf(text, sizeof(text), fmt, ap);
	len = snprintf(line, sizeof(line), "nodiag-agent %d: %s\n", getpid(), text);
	if (len > 0 && len < (int)sizeof(line))
		write_line(line, (size_t)len);
}

void nd_log(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!log_path[0])
		return;
	va_start(ap, fmt);
	log_text(fmt, ap);
	va_end(ap);
	errno = saved;
}
