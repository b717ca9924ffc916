/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/listener.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/log.h"
#include "proto/socket.h"

/* Left-over sockets looked at when a process starts. */
#define SWEEP_MAX 64

static struct {
	char path[ND_LISTENER_PATH];
	/* NODIAG_SOCKET and XDG_RUNTIME_DIR; what is cut is too long for a socket anyway. */
	char own_folder[ND_LISTENER_PATH];
	char runtime_folder[ND_LISTENER_PATH];
} listener;

/*
 * The socket gets its name when it listens already, so that one which refuses is of a process that
 * is gone. In a folder of our own that name is free, or was left over by such a process.
 */
static bool listen_at(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s~", path) >=
	    (int)sizeof(address.sun_path))
		return false;
	unlink(address.sun_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return false;
	if (!listen(fd, ND_LISTENER_CLIENTS) && !rename(address.sun_path, path))
		return true;
	unlink(address.sun_path);
	return false;
}

/* Returns a descriptor, or -1. */
static int bind_in(const char *folder)
{
	int fd;

	if (nd_socket_make_path(folder, getpid(), listener.path, sizeof(listener.path)) ||
	    nd_socket_claim_folder(folder))
		return -1;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && !listen_at(fd, listener.path)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Remove a socket that nobody listens at. */
static void sweep(const char *folder, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name) >=
	    (int)sizeof(address.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno == ECONNREFUSED)
		unlink(address.sun_path);
	close(fd);
}

/* What processes left that were killed; a few at a time, so that it costs next to nothing. */
static void sweep_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	const char *end;
	int looks = SWEEP_MAX;

	while (dir && looks-- > 0 && (entry = readdir(dir))) {
		end = strrchr(entry->d_name, '.');
		if (end && !strcmp(end, ".sock"))
			sweep(folder, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static void copy_variable(const char *name, char *buf)
{
	const char *value = secure_getenv(name);

	snprintf(buf, ND_LISTENER_PATH, "%s", value ? value : "");
}

void nd_listener_read_environment(void)
{
	copy_variable("NODIAG_SOCKET", listener.own_folder);
	copy_variable("XDG_RUNTIME_DIR", listener.runtime_folder);
}

int nd_listener_open(char folder[ND_LISTENER_PATH])
{
	int choice, ret, fd = -1;

	for (choice = 0; fd < 0; choice++) {
		ret = nd_socket_make_folder(choice, listener.own_folder, listener.runtime_folder,
					    geteuid(), folder, ND_LISTENER_PATH);
		if (ret == -ENOENT)
			break;
		fd = ret ? -1 : bind_in(folder);
	}
	if (fd >= 0)
		sweep_folder(folder);
	else
		nd_log("no socket: no folder of this user's own could be made");
	return fd;
}

void nd_listener_remove(void)
{
	unlink(listener.path);
}
