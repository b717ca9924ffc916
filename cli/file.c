/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"

#define READ_BYTES (1u << 20)

int file_read(const char *path, struct nd_buf *out, struct nd_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	char *at;
	int ret;

	if (fd < 0)
		return nd_err_set_errno(err, -errno, "cannot open '%s'", path);
	while (n > 0) {
		at = nd_buf_reserve(out, READ_BYTES);
		if (!at)
			break;
		n = read(fd, at, READ_BYTES);
		if (n > 0)
			out->len += (size_t)n;
	}
	ret = n < 0 ? -errno : nd_buf_error(out);
	close(fd);
	return ret ? nd_err_set_errno(err, ret, "cannot read '%s'", path) : 0;
}
