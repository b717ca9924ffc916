/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for one descriptor, aligned as it must be. */
union rights {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

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

int nd_socket_send(int fd, const void *message, size_t size, int passed_fd)
{
	union rights rights = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
					  .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS}};
	struct iovec data = {(void *)(uintptr_t)message, size};
	const struct msghdr out = {.msg_iov = &data,
				   .msg_iovlen = 1,
				   .msg_control = &rights,
				   .msg_controllen = sizeof(rights)};
	ssize_t sent;

	memcpy(CMSG_DATA(&rights.header), &passed_fd, sizeof(int));
	sent = sendmsg(fd, &out, MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	return (size_t)sent == size ? 0 : -EPIPE;
}

ssize_t nd_socket_receive(int fd, void *buf, size_t size, int *ret_fd)
{
	union rights rights;
	struct iovec data = {buf, size};
	struct msghdr in = {.msg_iov = &data,
			    .msg_iovlen = 1,
			    .msg_control = &rights,
			    .msg_controllen = sizeof(rights)};
	ssize_t len = recvmsg(fd, &in, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = len < 0 ? NULL : CMSG_FIRSTHDR(&in);

	*ret_fd = -1;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return len < 0 ? -errno : len;
}
