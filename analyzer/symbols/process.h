/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_PROCESS_H
#define NODIAG_ANALYZER_SYMBOLS_PROCESS_H

/*
 * One observed process: its mappings, its memory and its V8.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/symbols/v8/script.h"
#include "common/procfs.h"

struct nd_err;
struct nd_loop_place;
struct nd_memory;
struct nd_module;
struct nd_modules;
struct nd_profile;
struct nd_site;
struct nd_symbol;
struct nd_unwinder;
struct nd_v8;
struct nd_walk_layout;

struct nd_process {
	pid_t pid;
	struct nd_maps maps;
	uint64_t maps_read_ns;
	struct nd_memory *memory;
	struct nd_module *v8_module; /* what V8 is linked into; NULL: not V8, or not readable */
	struct nd_v8 *v8;
	struct nd_v8_files files;
	struct nd_unwinder *unwinder;
};

/*
 * Get to know a process. One without V8 gives -ENOENT, one whose V8 cannot be read -ENOTSUP, each
 * with the reason; both are usable all the same. Frames go into `profile`, which must outlive it,
 * as must `modules`.
 */
int nd_process_init(struct nd_process *process, pid_t pid, struct nd_modules *modules,
		    struct nd_profile *profile, bool source_maps, struct nd_err *err);

/* Also for one that is all zeros, or that nd_process_init() failed on. */
void nd_process_fini(struct nd_process *process);

/* What the stack walker must know of the process. */
void nd_process_get_walk(const struct nd_process *process, struct nd_walk_layout *ret_walk);

/*
 * The executable mapping that holds an address; mappings are read again when an address is in none,
 * but not more often than ten times a second. NULL when there is none.
 */
const struct nd_map *nd_process_find_map(struct nd_process *process, uint64_t address);

/* "Node.js v22.23.3 (V8 12.4.254.21)" into `buf`, as far as the process tells; "" without V8. */
void nd_process_describe(struct nd_process *process, char *buf, size_t size);

/* Whether a mapping is anonymous memory, where V8 puts what it compiles. */
bool nd_map_is_jit(const struct nd_map *map);

/*
 * Where the process has a function of its C library, such as dlopen(); 0 when it is not found.
 */
uint64_t nd_process_find_libc_function(struct nd_process *process, struct nd_modules *modules,
				       const char *name);

/*
 * Find the event loop of Node.js that a thread runs. A thread other than the main one must wait for
 * events: -EAGAIN where it does not. -ENOENT when it runs none, -ESRCH, -EACCES.
 */
int nd_process_find_loop(struct nd_process *process, struct nd_modules *modules, pid_t tid,
			 struct nd_loop_place *ret_place);

/*
 * Find out what a pc is part of. `*ret_symbol` is its function where the pc is in a file's code,
 * else NULL.
 */
void nd_process_find_site(struct nd_process *process, struct nd_modules *modules, uint64_t pc,
			  struct nd_site *ret_site, struct nd_symbol **ret_symbol);

#endif /* NODIAG_ANALYZER_SYMBOLS_PROCESS_H */
