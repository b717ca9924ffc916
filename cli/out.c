/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"

static int open_stdout(struct out *out, bool binary, struct nd_err *err)
{
	if (binary && isatty(STDOUT_FILENO)) {
		nd_err_set(err, -EINVAL, "this format is binary, and stdout is a terminal");
		return nd_err_hint(err, "give -o FILE, or pipe it into a program");
	}
	out->fd = STDOUT_FILENO;
	return 0;
}

/* A device or a pipe is written to as it is. */
static int open_special(struct out *out, struct nd_err *err)
{
	out->fd = open(out->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (out->fd < 0)
		return nd_err_set_errno(err, -errno, "cannot write '%s'", out->path);
	return 0;
}

int out_open(struct out *out, const char *path, bool force, bool binary, struct nd_err *err)
{
	struct stat st;

	*out = (struct out){.fd = -1, .force = force};
	if (strlen(path) >= sizeof(out->path))
		return nd_err_set_errno(err, -ENAMETOOLONG, "cannot write '%s'", path);
	strcpy(out->path, path);
	if (!strcmp(path, "-"))
		return open_stdout(out, binary, err);
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return open_special(out, err);
	if (!force && !access(path, F_OK)) {
		nd_err_set(err, -EEXIST, "'%s' exists", path);
		return nd_err_hint(err, "give another name with -o, or --force to replace it");
	}
	snprintf(out->temporary, sizeof(out->temporary), "%s.nodiag-%d", path, getpid());
	out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (out->fd < 0) {
		nd_err_set_errno(err, -errno, "cannot write '%s'", path);
		return nd_err_hint(err, "give another place with -o FILE");
	}
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Give the file its name, which someone may have taken meanwhile. */
static int publish(const struct out *out)
{
	if (out->force)
		return rename(out->temporary, out->path) ? -errno : 0;
	if (!renameat2(AT_FDCWD, out->temporary, AT_FDCWD, out->path, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* This file system cannot tell: a link never replaces. */
	if (link(out->temporary, out->path))
		return -errno;
	unlink(out->temporary);
	return 0;
}

int out_commit(struct out *out, const void *data, size_t len, struct nd_err *err)
{
	bool is_file = out->fd != STDOUT_FILENO;
	int ret = write_all(out->fd, data, len);

	if (is_file && close(out->fd) && !ret)
		ret = -errno;
	if (is_file)
		out->fd = -1;
	if (!ret && out->temporary[0])
		ret = publish(out);
	if (!ret) {
		out->temporary[0] = '\0';
		return 0;
	}
	out_close(out);
	return nd_err_set_errno(err, ret, "cannot write '%s'", is_file ? out->path : "stdout");
}

void out_close(struct out *out)
{
	if (out->fd >= 0 && out->fd != STDOUT_FILENO)
		close(out->fd);
	if (out->temporary[0])
		unlink(out->temporary);
	out->fd = -1;
	out->temporary[0] = '\0';
}

int out_flush_stdout(struct nd_err *err)
{
	if (fflush(stdout) || ferror(stdout))
		return nd_err_set_errno(err, errno ? -errno : -EIO, "cannot write to stdout");
	return 0;
}
