/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_SOCKET_H
#define NODIAG_PROTO_SOCKET_H

/*
 * Where an agent's socket is: in a folder that only its user may enter, named after the process.
 * And messages over it that carry a descriptor.
 */

#include <stddef.h>
#include <sys/types.h>

/*
 * Write a folder's path into `buf`. `choice` counts from 0 over the places that an agent tries and
 * a reader looks at, in this order; -ENOENT ends them, -ERANGE is one that does not fit.
 *
 * What NODIAG_SOCKET names is the only place; without it "nodiag" in XDG_RUNTIME_DIR is the first,
 * and /tmp/nodiag-UID the next. Both variables are as the observed process has them (NULL: not
 * set).
 */
int nd_socket_make_folder(int choice, const char *nodiag_socket, const char *xdg_runtime_dir,
			  uid_t uid, char *buf, size_t size);

/* The path of a process's socket in a folder; the id is that of its own pid namespace. */
int nd_socket_make_path(const char *folder, pid_t pid, char *buf, size_t size);

/* Make a folder that is there for this user alone, or see that it is so: 0 or a negative errno. */
int nd_socket_claim_folder(const char *path);

/*
 * What the analyzer of a folder's processes, of which there is one, holds a lock on for as long as
 * it runs (fcntl(2), of the whole file).
 */
int nd_socket_make_lock_path(const char *folder, char *buf, size_t size);

/*
 * Send a message with a copy of a descriptor. 0 or a negative errno; -EPIPE where not all of it was
 * taken.
 */
int nd_socket_send(int fd, const void *message, size_t size, int passed_fd);

/*
 * Receive a message into `buf`, and the descriptor that came with it, which is the caller's from
 * then on; -1 where none did. Returns its size or a negative errno.
 */
ssize_t nd_socket_receive(int fd, void *buf, size_t size, int *ret_fd);

#endif /* NODIAG_PROTO_SOCKET_H */
