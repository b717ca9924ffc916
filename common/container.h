/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_CONTAINER_H
#define NODIAG_COMMON_CONTAINER_H

/*
 * Which container a process runs in, by the names that container engines give to cgroups. There is
 * no other place that all of them write to and that any user may read.
 */

#include <stdbool.h>
#include <sys/types.h>

struct nd_container {
	char runtime[24]; /* "docker", "containerd", "cri-o", "podman", "lxc", ... */
	char id[72];	  /* 64 hexadecimal digits, or a name */
	char pod[40];	  /* the uid of its Kubernetes pod, or "" */
};

/*
 * Find the container in the text of a cgroup file: the innermost, where they are nested. False when
 * the text names none, as on the host, and as a process sees itself in a cgroup namespace.
 */
bool nd_container_decode(const char *text, struct nd_container *ret_container);

/* The same of a process. 1, 0 when it is in none, -ESRCH, -EACCES. */
int nd_procfs_read_container(pid_t pid, struct nd_container *ret_container);

#endif /* NODIAG_COMMON_CONTAINER_H */
