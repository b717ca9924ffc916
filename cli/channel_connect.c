/* SPDX-License-Identifier: Apache-2.0 */

/* Where the agent of a process listens, in whatever container it is. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/channel_parts.h"
#include "common/procfs.h"
#include "common/procstat.h"
#include "proto/socket.h"

/* The socket's name relative to a folder, since a whole path may be too long for the kernel. */
static int connect_in(const char *folder, pid_t inner_pid, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char self[64];
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, ret = 0;

	if (dir < 0)
		return -errno;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		close(dir);
		return -EMFILE;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
	nd_socket_make_path(self, inner_pid, address.sun_path, sizeof(address.sun_path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		ret = -errno;
	close(dir);
	if (ret)
		close(fd);
	else
		*ret_fd = fd;
	return ret;
}

/* Only the process itself may answer for it. */
static bool is_peer(int fd, pid_t pid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.pid == pid;
}

/* Look where the agent is if it began as that user. */
static int connect_as(const struct nd_proc_status *status, pid_t pid, uid_t uid, int *ret_fd)
{
	char own[1024], runtime[1024], folder[1200], path[1300];
	int choice, ret, last = -ENOENT;

	nd_procfs_read_variable(pid, "NODIAG_SOCKET", own, sizeof(own));
	nd_procfs_read_variable(pid, "XDG_RUNTIME_DIR", runtime, sizeof(runtime));
	for (choice = 0;; choice++) {
		ret = nd_socket_make_folder(choice, own, runtime, uid, folder, sizeof(folder));
		if (ret == -ENOENT)
			return last;
		snprintf(path, sizeof(path), "/proc/%d/root%s", pid, folder);
		ret = connect_in(path, status->namespace_pid, ret_fd);
		if (!ret && is_peer(*ret_fd, pid))
			return 0;
		if (!ret)
			close(*ret_fd);
		if (ret == -EACCES || ret == -EPERM)
			last = -EPERM;
	}
}

int channel_connect(pid_t pid, int *ret_fd)
{
	struct nd_proc_status status;
	int ret = nd_procfs_read_status(pid, &status);

	if (ret)
		return ret;
	ret = connect_as(&status, pid, status.uid, ret_fd);
	if (ret != -ENOENT || !status.uid)
		return ret;
	/*
	 * A server may have begun as root, and gone on as somebody else. Root's folder is closed to
	 * others, whether it has the socket or not.
	 */
	ret = connect_as(&status, pid, 0, ret_fd);
	return ret == -EACCES || ret == -EPERM ? -ENOENT : ret;
}
