/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int check(int len, size_t size)
{
	return len < 0 || (size_t)len >= size ? -ERANGE : 0;
}

int nd_socket_make_folder(int choice, const char *nodiag_socket, const char *xdg_runtime_dir,
			  uid_t uid, char *buf, size_t size)
{
	bool has_own = nodiag_socket && *nodiag_socket;
	bool has_runtime = !has_own && xdg_runtime_dir && *xdg_runtime_dir;

	if (has_own && choice == 0)
		return check(snprintf(buf, size, "%s", nodiag_socket), size);
	if (has_runtime && choice == 0)
		return check(snprintf(buf, size, "%s/nodiag", xdg_runtime_dir), size);
	if (!has_own && choice == has_runtime)
		return check(snprintf(buf, size, "/tmp/nodiag-%u", (unsigned int)uid), size);
	return -ENOENT;
}

int nd_socket_make_path(const char *folder, pid_t pid, char *buf, size_t size)
{
	return check(snprintf(buf, size, "%s/%d.sock", folder, pid), size);
}

int nd_socket_claim_folder(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	if (lstat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) ? 0 : -EPERM;
}

int nd_socket_make_lock_path(const char *folder, char *buf, size_t size)
{
	return check(snprintf(buf, size, "%s/analyzer.lock", folder), size);
}
