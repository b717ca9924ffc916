/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_SMAPS_H
#define NODIAG_COMMON_SMAPS_H

/*
 * What a Node.js process has in memory, by what it is for, from /proc/PID/smaps. The kernel walks
 * page tables for it, some 25 ms for each GB, during which the process can map nothing new.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum nd_resident {
	ND_RESIDENT_HEAP,   /* V8's: what is kept from children (MADV_DONTFORK), JIT code too */
	ND_RESIDENT_NATIVE, /* of no file: what malloc() and mmap() gave, buffers too */
	ND_RESIDENT_STACKS, /* of all threads */
	ND_RESIDENT_FILES,  /* programs, libraries, and other files that are mapped */
	ND_RESIDENT_SHARED, /* with other processes, of no file on a disk */
	ND_RESIDENT_COUNT
};

struct nd_smaps {
	uint64_t resident_bytes[ND_RESIDENT_COUNT]; /* together, the resident set */
	uint64_t swapped_bytes;
	uint32_t stacks; /* how many */
};

/* Its text, line by line; all zero before the first. */
struct nd_smaps_scan {
	struct nd_smaps smaps;
	uint64_t start; /* the mapping that the lines are of */
	uint64_t end;
	bool is_guard;	  /* nobody may touch it */
	bool after_guard; /* it lies right behind one that nobody may touch */
	enum nd_resident kind;
	uint64_t rss_bytes;
	uint32_t mappings;
};

/* Take a line. -EBADMSG when it is none of smaps, -E2BIG for more mappings than a process may have.
 */
int nd_smaps_scan_line(struct nd_smaps_scan *scan, const char *line);

/* Read that of a process. -ESRCH, -EACCES, or as above. */
int nd_procfs_read_smaps(pid_t pid, struct nd_smaps *ret_smaps);

#endif /* NODIAG_COMMON_SMAPS_H */
