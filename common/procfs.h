/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_PROCFS_H
#define NODIAG_COMMON_PROCFS_H

/*
 * What /proc says of a process. Everything here only reads, and all of it may change or vanish
 * while it is read: -ESRCH when the process is gone, -EACCES where the kernel hides it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One executable mapping of a process. */
struct nd_map {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* into the file */
	uint64_t dev;	 /* makedev() number and inode of the file; both 0 for anonymous memory */
	uint64_t inode;
	char *path; /* "" when anonymous; "[vdso]"; as seen in the process's own mount namespace */
};

struct nd_maps {
	struct nd_map *map; /* in order of address */
	size_t count;
};

/* The executable mappings of `pid`. -E2BIG beyond `limit`. Call nd_maps_fini() after success. */
int nd_procfs_read_maps(pid_t pid, size_t limit, struct nd_maps *ret_maps);

/* The same from the text of a maps file, which the caller read. -EBADMSG when it is none. */
int nd_maps_decode(const char *text, size_t limit, struct nd_maps *ret_maps);
void nd_maps_fini(struct nd_maps *maps);

/* The mapping that holds `addr`, or NULL. */
const struct nd_map *nd_maps_find(const struct nd_maps *maps, uint64_t addr);

/* Memory from `start` to before `end`. */
struct nd_range {
	uint64_t start;
	uint64_t end;
};

struct nd_ranges {
	struct nd_range *range; /* in order of address; freed by the caller */
	size_t count;
};

/* The writable mappings of `pid`, in which its stacks are. -E2BIG beyond `limit`. */
int nd_procfs_read_writable(pid_t pid, size_t limit, struct nd_ranges *ret_ranges);

/* The same from the text of a maps file. -EBADMSG when it is none. */
int nd_ranges_decode(const char *text, size_t limit, struct nd_ranges *ret_ranges);

/* The command line, arguments joined by spaces, cut to `size`. Returns its length. */
ssize_t nd_procfs_read_cmdline(pid_t pid, char *buf, size_t size);

/* The thread's or, with tid == pid, the process's name as the kernel has it. */
int nd_procfs_read_comm(pid_t pid, pid_t tid, char *buf, size_t size);

/* The thread ids of `pid`. The caller frees `*ret_tids`. */
int nd_procfs_read_threads(pid_t pid, pid_t **ret_tids, size_t *ret_count);

/* The effective user id of `pid`. */
int nd_procfs_read_uid(pid_t pid, uid_t *ret_uid);

/* Who traces a thread with ptrace(2), 0 when nobody does. */
int nd_procfs_read_tracer(pid_t tid, pid_t *ret_tracer);

/* The thread's state as one letter: R, S, D, T, t, Z, ...; see proc(5). */
int nd_procfs_read_state(pid_t pid, pid_t tid, char *ret_state);

/* The number of the system call that a thread waits in, -1 when it does not. */
int nd_procfs_read_syscall(pid_t pid, pid_t tid, int *ret_number);

/* All process ids that can be seen. The caller frees `*ret_pids`. */
int nd_procfs_read_pids(pid_t **ret_pids, size_t *ret_count);

/* The path that the exe link of `pid` names, in its own mount namespace. */
int nd_procfs_read_exe(pid_t pid, char *buf, size_t size);

/*
 * Open a file of the process, whatever mount namespace it lives in: through map_files where
 * permitted (right even when the file was deleted), else /proc/PID/root. Returns a descriptor.
 */
int nd_procfs_open_map(pid_t pid, const struct nd_map *map);

#endif /* NODIAG_COMMON_PROCFS_H */
