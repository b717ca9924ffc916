/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/dontfork.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As many as the kernel's default vm.max_map_count. */
#define RANGES_MAX 65536
#define LIST_BYTES (RANGES_MAX * sizeof(struct nd_dontfork_range))

/* A line has a path at its end, at most. */
#define TEXT_MAX 16384

struct scan {
	struct nd_dontfork *ranges;
	struct nd_dontfork_range current;
	bool is_private;
};

/* "7f00-7f10 rw-p ...": the names of all that follows begin with capitals. */
static void begin_range(struct scan *scan, const char *line)
{
	char *end;

	scan->current.start = strtoul(line, &end, 16);
	scan->is_private = false;
	if (*end != '-')
		return;
	scan->current.end = strtoul(end + 1, &end, 16);
	scan->is_private = strlen(end) > 4 && end[4] == 'p';
}

static int scan_line(struct scan *scan, const char *line)
{
	static const char flags[] = "VmFlags:";

	if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
		begin_range(scan, line);
		return 0;
	}
	if (!scan->is_private || strncmp(line, flags, sizeof(flags) - 1) != 0 ||
	    !strstr(line, " dc"))
		return 0;
	if (scan->ranges->count == RANGES_MAX)
		return -E2BIG;
	scan->ranges->list[scan->ranges->count++] = scan->current;
	return 0;
}

/* Scan the whole lines in `text`; returns how much of it that was, or a negative errno. */
static ssize_t scan_text(struct scan *scan, char *text, size_t len)
{
	char *line = text, *end;
	int ret;

	while ((end = memchr(line, '\n', len - (size_t)(line - text)))) {
		*end = '\0';
		ret = scan_line(scan, line);
		if (ret)
			return ret;
		line = end + 1;
	}
	return line - text;
}

static int scan_file(int fd, struct scan *scan)
{
	char text[TEXT_MAX];
	size_t len = 0;
	ssize_t n, used;

	for (;;) {
		n = read(fd, text + len, sizeof(text) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		len += (size_t)n;
		used = scan_text(scan, text, len);
		if (used < 0)
			return (int)used;
		len -= (size_t)used;
		if (len == sizeof(text))
			return -E2BIG;
		memmove(text, text + used, len);
	}
}

int nd_dontfork_find(struct nd_dontfork *ranges)
{
	struct scan scan = {.ranges = ranges};
	void *list =
		mmap(NULL, LIST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd, ret;

	*ranges = (struct nd_dontfork){0};
	if (list == MAP_FAILED)
		return -errno;
	ranges->list = list;
	fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = scan_file(fd, &scan);
	close(fd);
	return ret;
}

int nd_dontfork_share(const struct nd_dontfork *ranges)
{
	const struct nd_dontfork_range *range = ranges->list, *end = range + ranges->count;

	/* What another thread has unmapped meanwhile is no loss; the rest of it is shared. */
	for (; range < end; range++)
		if (madvise((void *)range->start, range->end - range->start, MADV_DOFORK) &&
		    errno != ENOMEM)
			return -errno;
	return 0;
}

void nd_dontfork_keep(const struct nd_dontfork *ranges)
{
	const struct nd_dontfork_range *range = ranges->list, *end = range + ranges->count;

	for (; range < end; range++)
		madvise((void *)range->start, range->end - range->start, MADV_DONTFORK);
}

void nd_dontfork_fini(struct nd_dontfork *ranges)
{
	if (ranges->list)
		munmap(ranges->list, LIST_BYTES);
	*ranges = (struct nd_dontfork){0};
}
