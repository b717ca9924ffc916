/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_RUNTIME_H
#define NODIAG_ANALYZER_SYMBOLS_RUNTIME_H

/*
 * Which processes run Node.js, and which Node.js: what can be told without a look at their stacks.
 *
 * A process runs Node.js when its executable, or the libnode that this is linked to, has V8's
 * metadata or node::Start(), whatever the file, the process or its command line is called. Each
 * file is looked at once, however many processes run it. Only reads. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_memory;
struct nd_runtime;
struct nd_runtimes;

struct nd_runtime_info {
	char node[24];	  /* "22.23.3", or "" where that is not known */
	char v8[24];	  /* "12.4.254.21", or "" */
	bool has_layout;  /* JavaScript can be named */
	bool is_stripped; /* of its symbol table: native functions have no names */
	char limits[128]; /* why JavaScript cannot be named, or "" */
};

/* NULL when out of memory. */
struct nd_runtimes *nd_runtimes_new(void);
void nd_runtimes_free(struct nd_runtimes *runtimes);

/*
 * The Node.js that a process runs; borrowed from `runtimes`. -ENOENT when it runs none, -EACCES
 * when this user may not see what it runs, -ESRCH, -ENOMEM.
 */
int nd_runtimes_find(struct nd_runtimes *runtimes, pid_t pid, struct nd_runtime **ret_runtime);

/*
 * Look into the memory of a process that runs it: for the version, where the file did not tell, and
 * for the number of its workers, -1 where that cannot be known. 0, -EPERM when its memory may not
 * be read, -ESRCH, -ENOMEM.
 */
int nd_runtime_look(struct nd_runtime *runtime, pid_t pid, int *ret_workers);

/* What is known by now. */
void nd_runtime_get_info(struct nd_runtime *runtime, struct nd_runtime_info *ret_info);

/*
 * Read "22.23.3" from node::per_process::metadata at `addr`; false when there is nothing that looks
 * like a version.
 */
bool nd_runtime_read_version(struct nd_memory *memory, uint64_t addr, char *buf, size_t size);

/* Name of that object, for nd_elf_find_symbol(). */
#define ND_RUNTIME_METADATA "_ZN4node11per_process8metadataE"

#endif /* NODIAG_ANALYZER_SYMBOLS_RUNTIME_H */
