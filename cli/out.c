/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
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
	if (out->fd < 0) {
		nd_err_set_errno(err, -errno, "cannot write '%s'", out->path);
		return nd_err_hint(err, "give another place with -o FILE");
	}
	return 0;
}

/* A file without a name in the folder of `path`: nothing is left of it, however nodiag ends. */
static int open_unnamed(const char *path)
{
	char folder[4096];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

/* Where the file system has no unnamed files. */
static int open_temporary(struct out *out)
{
	int fd;

	snprintf(out->temporary, sizeof(out->temporary), "%s.nodiag-%d", out->path, getpid());
	fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd >= 0)
		return fd;
	out->temporary[0] = '\0';
	return -errno;
}

void out_make_name(const char *what, pid_t pid, const char *extension, char *buf, size_t size)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	if (pid)
		snprintf(buf, size, "%s-%d-%s.%s", what, pid, when, extension);
	else
		snprintf(buf, size, "%s-%s.%s", what, when, extension);
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
	out->is_new = true;
	out->fd = open_unnamed(path);
	if (out->fd == -EOPNOTSUPP || out->fd == -EISDIR)
		out->fd = open_temporary(out);
	if (out->fd < 0) {
		nd_err_set_errno(err, out->fd, "cannot write '%s'", path);
		return nd_err_hint(err, "give another place with -o FILE");
	}
	return 0;
}

void out_make_private(const struct out *out)
{
	if (out->is_new)
		fchmod(out->fd, 0600);
}

int out_create(struct out *out, const char *path, struct nd_err *err)
{
	int ret;

	*out = (struct out){.fd = -1};
	if (strlen(path) >= sizeof(out->path))
		return nd_err_set_errno(err, -ENAMETOOLONG, "cannot write '%s'", path);
	strcpy(out->path, path);
	out->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
	if (out->fd < 0) {
		ret = -errno;
		return nd_err_set_errno(err, ret, "cannot write '%s'", path);
	}
	out->is_new = out->is_named = true;
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

/* Give the unnamed file behind `fd` a name, which must be free. */
static int name_file(int fd, const char *path)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

/* Give the file its name, which someone may have taken meanwhile. */
static int publish(struct out *out)
{
	int ret;

	if (!out->temporary[0]) {
		ret = name_file(out->fd, out->path);
		if (ret != -EEXIST || !out->force)
			return ret;
		snprintf(out->temporary, sizeof(out->temporary), "%s.nodiag-%d", out->path,
			 getpid());
		ret = name_file(out->fd, out->temporary);
		if (ret)
			return ret;
	}
	if (out->force)
		ret = rename(out->temporary, out->path);
	else
		ret = link(out->temporary, out->path) ? -1 : unlink(out->temporary);
	if (ret)
		return -errno;
	out->temporary[0] = '\0';
	return 0;
}

static int fail(const struct out *out, int ret, struct nd_err *err)
{
	nd_err_set_errno(err, ret, "cannot write '%s'",
			 strcmp(out->path, "-") ? out->path : "stdout");
	return nd_err_hint(err, "give another place with -o FILE");
}

int out_write(struct out *out, const void *data, size_t len, struct nd_err *err)
{
	int ret = write_all(out->fd, data, len);

	if (ret)
		return fail(out, ret, err);
	out->size += len;
	return 0;
}

int out_append(struct out *out, const void *data, size_t len, struct nd_err *err)
{
	int ret = write_all(out->fd, data, len);

	if (!ret && out->is_new && !out->is_named)
		ret = publish(out);
	if (!ret) {
		out->is_named = true;
		out->size += len;
		return 0;
	}
	/* Half of it would be in the way of what may still find room. */
	if (out->is_new && !ftruncate(out->fd, (off_t)out->size))
		lseek(out->fd, (off_t)out->size, SEEK_SET);
	return fail(out, ret, err);
}

int out_commit(struct out *out, const void *data, size_t len, struct nd_err *err)
{
	int ret = out_append(out, data, len, err);

	out_close(out);
	return ret;
}

int out_sync(struct out *out, struct nd_err *err)
{
	if (out->is_new && fsync(out->fd))
		return fail(out, -errno, err);
	return 0;
}

void out_close(struct out *out)
{
	if (out->fd >= 0 && out->fd != STDOUT_FILENO)
		close(out->fd);
	if (out->temporary[0])
		unlink(out->temporary);
	if (out->fd >= 0 && out->is_named && !out->size)
		unlink(out->path);
	out->fd = -1;
	out->temporary[0] = '\0';
}

int out_print(const struct nd_buf *text, int ret, struct nd_err *err)
{
	if (ret)
		return nd_err_set_errno(err, ret, "cannot print the answer");
	fwrite(text->data, 1, text->len, stdout);
	return out_flush_stdout(err);
}

int out_flush_stdout(struct nd_err *err)
{
	if (fflush(stdout) || ferror(stdout))
		return nd_err_set_errno(err, errno ? -errno : -EIO, "cannot write to stdout");
	return 0;
}
