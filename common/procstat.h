/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_PROCSTAT_H
#define NODIAG_COMMON_PROCSTAT_H

/*
 * The numbers that /proc keeps of a process: whose it is, how large, since when, in which
 * namespaces. Errors as in common/procfs.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bits of `capabilities`, as in capability.h of Linux. */
#define ND_CAP_SYS_PTRACE (UINT64_C(1) << 19)
#define ND_CAP_SYS_ADMIN  (UINT64_C(1) << 21)
#define ND_CAP_PERFMON	  (UINT64_C(1) << 38)
#define ND_CAP_BPF	  (UINT64_C(1) << 39)

/* What /proc/PID/status says. A field that a kernel does not write is 0. */
struct nd_proc_status {
	pid_t ppid;
	uid_t uid; /* effective */
	uint64_t rss_bytes;
	uint32_t threads;
	pid_t namespace_pid;	 /* the id that it has for itself */
	uint32_t pid_namespaces; /* how deep it is below our pid namespace, which is 1 */
	uint64_t capabilities;	 /* effective */
	bool has_seccomp_filter; /* system calls may be refused whatever the capabilities say */
};

/* Read the text of a status file. -EBADMSG when it is none. */
int nd_proc_status_decode(const char *text, struct nd_proc_status *ret_status);
int nd_procfs_read_status(pid_t pid, struct nd_proc_status *ret_status);

/*
 * The 22nd field of a stat file, after the name in parentheses, which may hold anything: when the
 * process began, in clock ticks (sysconf(_SC_CLK_TCK)) since boot. -EBADMSG.
 */
int nd_proc_stat_decode_start(const char *text, uint64_t *ret_ticks);

/* How long a process has lived. */
int nd_procfs_read_age(pid_t pid, uint64_t *ret_ns);

/* CPU time of all its threads, user and system. Needs no permission. */
int nd_procfs_read_cpu(pid_t pid, uint64_t *ret_ns);

/* Whether a process is in another namespace than we, of a kind such as "mnt" or "pid". */
int nd_procfs_is_elsewhere(pid_t pid, const char *kind, bool *ret_elsewhere);

/* Whether we are in the kernel's first namespace of a kind, "pid" or "user", so in no container. */
bool nd_procfs_is_on_host(const char *kind);

#endif /* NODIAG_COMMON_PROCSTAT_H */
