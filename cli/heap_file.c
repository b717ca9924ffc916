/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/reader.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"

/* Stays in the second cache, from the kernel's copy to the reader's. */
#define READ_BYTES (256u << 10)

/* Nobody waits for less. */
#define PROGRESS_NS ND_NSEC_PER_SEC

static void show_progress(const char *path, uint64_t bytes, uint64_t *shown_ns)
{
	uint64_t now = nd_clock_monotonic_ns();

	if (now - *shown_ns < PROGRESS_NS)
		return;
	*shown_ns = now;
	term_progress("reading %s: %" PRIu64 " MiB", path, bytes >> 20);
}

static int feed_all(int fd, const char *path, struct nd_heap_reader *reader, struct nd_err *err)
{
	char *chunk = malloc(READ_BYTES);
	uint64_t shown_ns = nd_clock_monotonic_ns(), bytes = 0;
	ssize_t n = 1;
	int ret = chunk ? 0 : nd_err_set(err, -ENOMEM, "out of memory");

	while (!ret && n > 0) {
		n = read(fd, chunk, READ_BYTES);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n < 0)
			ret = nd_err_set_errno(err, -errno, "it cannot be read");
		else
			ret = nd_heap_reader_feed(reader, chunk, (size_t)n, err);
		bytes += n < 0 ? 0 : (uint64_t)n;
		show_progress(path, bytes, &shown_ns);
	}
	free(chunk);
	return ret;
}

static int read_from(int fd, const char *path, bool defers_edges, struct nd_heap **ret_heap,
		     struct nd_err *err)
{
	struct nd_heap_reader *reader = nd_heap_reader_new();
	struct stat file;
	int ret = reader ? 0 : nd_err_set(err, -ENOMEM, "out of memory");

	if (!ret && !fstat(fd, &file) && S_ISREG(file.st_mode))
		nd_heap_reader_expect(reader, (uint64_t)file.st_size);
	if (!ret && defers_edges)
		nd_heap_reader_defer_edges(reader);
	if (!ret)
		ret = feed_all(fd, path, reader, err);
	if (!ret)
		ret = nd_heap_reader_finish(reader, ret_heap, err);
	nd_heap_reader_free(reader);
	term_progress("%s", "");
	return ret;
}

int heap_file_read(const char *path, bool defers_edges, struct nd_heap **ret_heap,
		   struct nd_err *err)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), ret;
	struct nd_err why = {0};

	if (fd < 0)
		return nd_err_set_errno(err, -errno, "cannot open '%s'", path);
	ret = read_from(fd, path, defers_edges, ret_heap, &why);
	if (!is_stdin)
		close(fd);
	return ret ? nd_err_set_why(err, ret, &why, "cannot read '%s'", path) : 0;
}
