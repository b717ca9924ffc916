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

/* A walk over the mappings of the process, in order of address. */
struct scan {
	int (*take_line)(struct scan *scan, const char *line);
	struct nd_dontfork *kept;	  /* of find_line() */
	struct nd_dontfork_range current; /* of share_line(): shared together */
	bool is_private;
};

/* "7f00-7f10 rw-p ...": the names of all that follows in smaps begin with capitals. */
static bool is_first_line(const char *line)
{
	return (*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f');
}

/* What comes behind the addresses, "rw-p ...", when it is private; else NULL. */
static const char *decode_private(const char *line, struct nd_dontfork_range *ret_range)
{
	char *end;

	ret_range->start = strtoul(line, &end, 16);
	if (*end != '-')
		return NULL;
	ret_range->end = strtoul(end + 1, &end, 16);
	return strlen(end) > 4 && end[4] == 'p' ? end + 1 : NULL;
}

static int find_line(struct scan *scan, const char *line)
{
	static const char flags[] = "VmFlags:";

	if (is_first_line(line)) {
		scan->is_private = decode_private(line, &scan->current);
		return 0;
	}
	if (!scan->is_private || strncmp(line, flags, sizeof(flags) - 1) != 0 ||
	    !strstr(line, " dc"))
		return 0;
	if (scan->kept->count == RANGES_MAX)
		return -E2BIG;
	scan->kept->list[scan->kept->count++] = scan->current;
	return 0;
}

/* What another thread has unmapped meanwhile is no loss; the rest of it is shared. */
static int share(const struct nd_dontfork_range *range)
{
	if (range->start == range->end ||
	    !madvise((void *)range->start, range->end - range->start, MADV_DOFORK) ||
	    errno == ENOMEM)
		return 0;
	return -errno;
}

/* Files have a path, and what is the kernel's a name, "[vdso]", but memory may be named, too. */
static bool is_memory(const char *access)
{
	const char *path = strpbrk(access, "/[");

	return !path || !strncmp(path, "[anon", 5);
}

static int share_line(struct scan *scan, const char *line)
{
	struct nd_dontfork_range range;
	const char *access = decode_private(line, &range);
	int ret;

	if (!access || !is_memory(access))
		return 0;
	if (range.start == scan->current.end) {
		scan->current.end = range.end;
		return 0;
	}
	ret = share(&scan->current);
	scan->current = range;
	return ret;
}

/* Scan the whole lines in `text`; returns how much of it that was, or a negative errno. */
static ssize_t scan_text(struct scan *scan, char *text, size_t len)
{
	char *line = text, *end;
	int ret;

	while ((end = memchr(line, '\n', len - (size_t)(line - text)))) {
		*end = '\0';
		ret = scan->take_line(scan, line);
		if (ret)
			return ret;
		line = end + 1;
	}
	return line - text;
}

static int read_lines(int fd, struct scan *scan)
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

static int scan_file(const char *path, struct scan *scan)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = read_lines(fd, scan);
	close(fd);
	return ret;
}

int nd_dontfork_find(struct nd_dontfork *ret_kept)
{
	struct scan scan = {.take_line = find_line, .kept = ret_kept};
	void *list =
		mmap(NULL, LIST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*ret_kept = (struct nd_dontfork){0};
	if (list == MAP_FAILED)
		return -errno;
	ret_kept->list = list;
	return scan_file("/proc/self/smaps", &scan);
}

int nd_dontfork_share_all(void)
{
	struct scan scan = {.take_line = share_line};
	int ret = scan_file("/proc/self/maps", &scan);

	return ret ? ret : share(&scan.current);
}

void nd_dontfork_keep(const struct nd_dontfork *kept)
{
	const struct nd_dontfork_range *range = kept->list, *end = range + kept->count;

	for (; range < end; range++)
		madvise((void *)range->start, range->end - range->start, MADV_DONTFORK);
}

void nd_dontfork_fini(struct nd_dontfork *kept)
{
	if (kept->list)
		munmap(kept->list, LIST_BYTES);
	*kept = (struct nd_dontfork){0};
}
