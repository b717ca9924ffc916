/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_SNAPSHOT_H
#define NODIAG_CLI_HEAP_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/heap_format.h"

struct nd_err;

struct heap_snapshot_options {
	const char *output; /* a path, "-" for stdout, NULL: named after the process and the time */
	bool force;	    /* replace a file */
	enum heap_format format; /* ND or HEAPSNAPSHOT */
	bool advise;		 /* say what a packed one is good for */
	bool redact;		 /* of strings only lengths and hashes */
	bool in_process;	 /* without a child: the process stands still */
	uint32_t worker;	 /* whose heap: the thread's id; 0: the main thread's */
	uint64_t timeout_ns;
	uint64_t child_memory; /* what the child may take, in bytes; 0: as much as it should need */
};

/*
 * Take a heap snapshot of a process by a child that the agent forks from it, or in the process
 * itself, and write it while it comes. A file is there when it is whole. The agent is loaded for it
 * where there is none. 0, or a negative errno: -ESRCH when there is no such process, -EPERM and
 * -EACCES.
 */
int heap_snapshot_take(pid_t pid, const struct heap_snapshot_options *options, struct nd_err *err);

/*
 * The same in advance: have a snapshot taken when the heap has grown to its limit. `*ret_taking`
 * waits for that; heap_snapshot_wait() returns true, after so long at most, when that is so or the
 * process is gone. Then heap_snapshot_collect() takes what comes. Its -ESRCH means that nothing
 * did, -EALREADY that a snapshot was being taken just then, and -EAGAIN that the child got stuck.
 */
struct taking;
int heap_snapshot_arm(pid_t pid, const struct heap_snapshot_options *options,
		      struct taking **ret_taking, struct nd_err *err);
bool heap_snapshot_wait(struct taking *taking, int timeout_ms);
int heap_snapshot_collect(struct taking *taking, const struct heap_snapshot_options *options,
			  struct nd_err *err);
void heap_snapshot_disarm(struct taking *taking);

#endif /* NODIAG_CLI_HEAP_SNAPSHOT_H */
