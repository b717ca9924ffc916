/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_MODULE_H
#define NODIAG_ANALYZER_SYMBOLS_MODULE_H

/*
 * Files that processes run code from: executables, libraries, addons, and the vdso. Each is opened
 * once, when a stack first leads into it, and shared by all processes that map it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/profile/profile.h"
#include "analyzer/symbols/v8/layout.h"

struct nd_err;
struct nd_map;
struct nd_module;
struct nd_modules;

/* What a native function does for V8; everything it calls is part of that. */
enum nd_work { ND_WORK_NONE, ND_WORK_GC, ND_WORK_COMPILE, ND_WORK_REGEXP, ND_WORK_COUNT };

/* A function of a module. */
struct nd_symbol {
	struct nd_module *module;
	const char *name; /* demangled; a builtin's without "Builtins_" */
	enum nd_work work;
	bool is_builtin;
	uint32_t
		frames[ND_WORK_COUNT]; /* in the profile, by the work it is part of; + 1, 0 unset */
};

/* No modules yet; names go into frames of `profile`. NULL when out of memory. */
struct nd_modules *nd_modules_new(struct nd_profile *profile);
void nd_modules_free(struct nd_modules *modules);

/* The module behind a mapping of a process, opened if new; NULL when memory is out. */
struct nd_module *nd_modules_get(struct nd_modules *modules, pid_t pid, const struct nd_map *map);

/*
 * The function at an address inside a mapping of the module. Where the module does not tell, a
 * symbol that stands for the whole file, named "[file]". NULL when memory is out.
 */
struct nd_symbol *nd_modules_find_symbol(struct nd_modules *modules, struct nd_module *module,
					 const struct nd_map *map, uint64_t address);

/* The path of the symbol's module, as the process has it. */
const char *nd_symbol_get_path(const struct nd_symbol *symbol);

/* Whether the symbol stands for a whole file. */
bool nd_symbol_is_file(const struct nd_symbol *symbol);

/* The symbol's frame as part of some work. -ENOMEM. */
int nd_modules_get_frame(struct nd_modules *modules, struct nd_symbol *symbol, enum nd_work work,
			 uint32_t *ret_frame);

/* How V8 is laid out in this module; NULL with the reason in `err` when it is none we can read. */
const struct nd_v8_layout *nd_module_get_v8(struct nd_module *module, struct nd_err *err);

/* Whether the address, inside a mapping of the module, is one of V8's embedded builtins. */
bool nd_module_is_builtin(const struct nd_module *module, const struct nd_map *map,
			  uint64_t address);

/* Read initialised data of the module by a symbol's name; false when it has none such. */
bool nd_module_read(struct nd_module *module, uint64_t vaddr, void *buf, size_t len);

/*
 * The run-time address of the module's unwind tables' index (.eh_frame_hdr), by one mapping of the
 * module; 0 when it has none.
 */
uint64_t nd_module_find_unwind_index(struct nd_module *module, const struct nd_map *map);

/* The run-time address of a data symbol, by one mapping of the module; 0 when it has none such. */
uint64_t nd_module_find_data(struct nd_module *module, const struct nd_map *map, const char *name);

#endif /* NODIAG_ANALYZER_SYMBOLS_MODULE_H */
