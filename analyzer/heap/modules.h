/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_MODULES_H
#define NODIAG_ANALYZER_HEAP_MODULES_H

/*
 * Who keeps the heap, by modules: packages of node_modules, files of the program, and Node.js.
 *
 * Functions, their shared parts and code, the scopes with their variables, and scripts belong to a
 * module. Everything else belongs to the nearest one of these that dominates it, for without that
 * one it would be free. So each byte is charged once, and to who keeps it, not to who made it: the
 * users that a package's cache holds are the package's. What several modules share is dominated by
 * what is above all of them, and is nobody's.
 */

#include <stdint.h>

struct nd_heap_paths;
struct nd_intern;

enum nd_heap_module_kind {
	ND_HEAP_MODULE_NONE, /* V8's, or shared */
	ND_HEAP_MODULE_NODE, /* all that Node.js brings, "node:..." */
	ND_HEAP_MODULE_PACKAGE,
	ND_HEAP_MODULE_FILE
};

struct nd_heap_module {
	uint32_t name; /* in `names`: of a package, or a whole path; "" of nobody */
	enum nd_heap_module_kind kind;
	uint32_t count; /* of objects */
	uint64_t bytes;
};

struct nd_heap_modules {
	struct nd_intern *names;
	struct nd_heap_module *module; /* what keeps most first */
	uint32_t count;
};

/* 0 or -ENOMEM. */
int nd_heap_find_modules(const struct nd_heap_paths *paths, struct nd_heap_modules *ret);
void nd_heap_modules_fini(struct nd_heap_modules *modules);

/* "node", "package", "file"; NULL of nobody. */
const char *nd_heap_module_kind_name(enum nd_heap_module_kind kind);

#endif /* NODIAG_ANALYZER_HEAP_MODULES_H */
