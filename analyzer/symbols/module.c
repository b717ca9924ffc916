/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/symbols/elf.h"
#include "common/err.h"
#include "common/intern.h"
#include "common/procfs.h"
#include "proto/limits.h"

/* Addresses whose symbols are remembered, 100 bytes each; beyond, all are forgotten. */
#define PLACES_MAX 65536

#define BUILTIN_PREFIX "Builtins_"

/* Longest native name shown; C++ templates go on for pages. */
#define NAME_MAX_BYTES 512

struct module_key {
	uint64_t dev;
	uint64_t inode; /* 0 for the vdso */
};

struct nd_module {
	UT_hash_handle hh;
	struct module_key key;
	char *path;
	struct nd_elf *elf; /* NULL when it could not be opened */
	bool v8_tried;
	bool has_v8;
	struct nd_v8_layout v8;
	struct nd_err v8_err;
};

struct symbol_key {
	struct nd_module *module;
	uint64_t vaddr; /* UINT64_MAX: the whole file */
};

struct symbol_entry {
	UT_hash_handle hh;
	struct symbol_key key;
	struct nd_symbol symbol;
};

/* The symbol of one address: stacks pass through the same few thousand over and over. */
struct place {
	UT_hash_handle hh;
	struct symbol_key key; /* with the exact address */
	struct nd_symbol *symbol;
};

struct nd_modules {
	struct nd_profile *profile;
	struct place *places;
	struct nd_module *set;
	struct symbol_entry *symbols;
	struct nd_intern *names;
};

/* Functions that begin a piece of V8's work, by the start of their names. */
static const struct {
	const char *prefix;
	enum nd_work work;
} works[] = {
	{"v8::internal::Heap::CollectGarbage", ND_WORK_GC},
	{"v8::internal::Heap::CollectAllGarbage", ND_WORK_GC},
	{"v8::internal::Heap::CollectAllAvailableGarbage", ND_WORK_GC},
	{"v8::internal::Heap::PerformGarbageCollection", ND_WORK_GC},
	{"v8::internal::Heap::HandleGCRequest", ND_WORK_GC},
	{"v8::internal::Heap::Scavenge", ND_WORK_GC},
	{"v8::internal::Scavenge", ND_WORK_GC},
	{"v8::internal::MarkCompactCollector", ND_WORK_GC},
	{"v8::internal::MinorMark", ND_WORK_GC},
	{"v8::internal::ConcurrentMarking", ND_WORK_GC},
	{"v8::internal::IncrementalMarking", ND_WORK_GC},
	{"v8::internal::Sweeper", ND_WORK_GC},
	{"v8::internal::Evacuator", ND_WORK_GC},
	{"v8::internal::PageEvacuationJob", ND_WORK_GC},
	{"v8::internal::PointersUpdatingJob", ND_WORK_GC},
	{"v8::internal::ArrayBufferSweeper", ND_WORK_GC},
	{"v8::internal::MemoryAllocator::Unmapper", ND_WORK_GC},
	{"cppgc::internal::", ND_WORK_GC},
	{"v8::internal::Compiler::", ND_WORK_COMPILE},
	{"v8::internal::OptimizedCompilationJob", ND_WORK_COMPILE},
	{"v8::internal::TurbofanCompilationJob", ND_WORK_COMPILE},
	{"v8::internal::OptimizingCompile", ND_WORK_COMPILE},
	{"v8::internal::LazyCompileDispatcher", ND_WORK_COMPILE},
	{"v8::internal::compiler::", ND_WORK_COMPILE},
	{"v8::internal::maglev::", ND_WORK_COMPILE},
	{"v8::internal::baseline::", ND_WORK_COMPILE},
	{"v8::internal::parsing::", ND_WORK_COMPILE},
	{"v8::internal::BackgroundCompileTask", ND_WORK_COMPILE},
	{"v8::internal::wasm::ExecuteCompilationUnits", ND_WORK_COMPILE},
	{"v8::internal::wasm::WasmCompilationUnit", ND_WORK_COMPILE},
	{"v8::internal::RegExp", ND_WORK_REGEXP},
	{"v8::internal::NativeRegExpMacroAssembler", ND_WORK_REGEXP},
	{"v8::internal::IrregexpInterpreter", ND_WORK_REGEXP},
};

static enum nd_work work_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		if (!strncmp(name, works[i].prefix, strlen(works[i].prefix)))
			return works[i].work;
	return ND_WORK_NONE;
}

struct nd_modules *nd_modules_new(struct nd_profile *profile)
{
	struct nd_modules *modules = calloc(1, sizeof(*modules));

	if (!modules)
		return NULL;
	modules->profile = profile;
	modules->names = nd_intern_new();
	if (!modules->names) {
		free(modules);
		return NULL;
	}
	return modules;
}

static void free_module(struct nd_module *module)
{
	nd_elf_close(module->elf);
	free(module->path);
	free(module);
}

/* uthash keeps its elements in a list too, which outlives the table. */
static void forget_places(struct nd_modules *modules)
{
	struct place *place = modules->places, *next;

	HASH_CLEAR(hh, modules->places);
	for (; place; place = next) {
		next = place->hh.next;
		free(place);
	}
}

static void free_symbols(struct nd_modules *modules)
{
	struct symbol_entry *symbol = modules->symbols, *next;

	HASH_CLEAR(hh, modules->symbols);
	for (; symbol; symbol = next) {
		next = symbol->hh.next;
		free(symbol);
	}
}

void nd_modules_free(struct nd_modules *modules)
{
	struct nd_module *module, *next;

	if (!modules)
		return;
	forget_places(modules);
	free_symbols(modules);
	module = modules->set;
	HASH_CLEAR(hh, modules->set);
	for (; module; module = next) {
		next = module->hh.next;
		free_module(module);
	}
	nd_intern_free(modules->names);
	free(modules);
}

/* All processes of one kernel have the same vdso: take our own. */
static void open_vdso(struct nd_module *module, const struct nd_map *map)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);

	if (image)
		nd_elf_open_memory(image, map->end - map->start, &module->elf, NULL);
}

static void open_file(struct nd_module *module, pid_t pid, const struct nd_map *map)
{
	int fd = nd_procfs_open_map(pid, map);

	if (fd >= 0)
		nd_elf_open(fd, &module->elf, NULL);
}

struct nd_module *nd_modules_get(struct nd_modules *modules, pid_t pid, const struct nd_map *map)
{
	struct module_key key = {.dev = map->dev, .inode = map->inode};
	struct nd_module *module;

	HASH_FIND(hh, modules->set, &key, sizeof(key), module);
	if (module)
		return module;
	module = calloc(1, sizeof(*module));
	if (!module)
		return NULL;
	module->key = key;
	module->path = strdup(map->path);
	if (!module->path) {
		free(module);
		return NULL;
	}
	if (map->inode)
		open_file(module, pid, map);
	else
		open_vdso(module, map);
	HASH_ADD(hh, modules->set, key, sizeof(module->key), module);
	if (!module->hh.tbl) {
		free_module(module);
		return NULL;
	}
	return module;
}

static bool vaddr_of(const struct nd_module *module, const struct nd_map *map, uint64_t address,
		     uint64_t *ret_vaddr)
{
	return module->elf &&
	       nd_elf_vaddr_of_offset(module->elf, address - map->start + map->offset, ret_vaddr);
}

static const char *keep_name(struct nd_modules *modules, const char *name)
{
	uint32_t id;

	if (nd_intern_add(modules->names, name, strlen(name), &id))
		return NULL;
	return nd_intern_get(modules->names, id);
}

static void name_symbol(struct nd_modules *modules, struct nd_symbol *symbol, const char *name)
{
	char text[NAME_MAX_BYTES];
	const char *slash;

	if (!name) {
		slash = strrchr(symbol->module->path, '/');
		snprintf(text, sizeof(text), slash ? "[%.500s]" : "%.500s",
			 slash ? slash + 1 : symbol->module->path);
		symbol->name = keep_name(modules, text);
		return;
	}
	symbol->is_builtin = !strncmp(name, BUILTIN_PREFIX, strlen(BUILTIN_PREFIX));
	if (symbol->is_builtin)
		name += strlen(BUILTIN_PREFIX);
	symbol->name = keep_name(modules, nd_elf_demangle(name, text, sizeof(text)));
	if (symbol->name && !symbol->is_builtin)
		symbol->work = work_of(symbol->name);
}

static struct nd_symbol *get_symbol(struct nd_modules *modules, const struct symbol_key *key,
				    const char *name)
{
	struct symbol_entry *entry;

	HASH_FIND(hh, modules->symbols, key, sizeof(*key), entry);
	if (entry)
		return &entry->symbol;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->key = *key;
	entry->symbol.module = key->module;
	name_symbol(modules, &entry->symbol, name);
	if (entry->symbol.name)
		HASH_ADD(hh, modules->symbols, key, sizeof(entry->key), entry);
	if (!entry->symbol.name || !entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	return &entry->symbol;
}

/* Remember what was found. That it cannot be is no failure. */
static void add_place(struct nd_modules *modules, const struct symbol_key *key,
		      struct nd_symbol *symbol)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place || !symbol) {
		free(place);
		return;
	}
	if (HASH_COUNT(modules->places) >= PLACES_MAX)
		forget_places(modules);
	place->key = *key;
	place->symbol = symbol;
	HASH_ADD(hh, modules->places, key, sizeof(place->key), place);
	if (!place->hh.tbl)
		free(place);
}

static struct nd_symbol *look_up(struct nd_modules *modules, struct nd_module *module,
				 uint64_t vaddr)
{
	struct symbol_key key = {.module = module, .vaddr = UINT64_MAX};
	struct nd_elf_symbol found;

	if (!nd_elf_find_function(module->elf, vaddr, &found))
		return get_symbol(modules, &key, NULL);
	key.vaddr = found.vaddr;
	return get_symbol(modules, &key, found.name);
}

struct nd_symbol *nd_modules_find_symbol(struct nd_modules *modules, struct nd_module *module,
					 const struct nd_map *map, uint64_t address)
{
	struct symbol_key key = {.module = module, .vaddr = UINT64_MAX};
	struct nd_symbol *symbol;
	struct place *place;

	if (!vaddr_of(module, map, address, &key.vaddr))
		return get_symbol(modules, &key, NULL);
	HASH_FIND(hh, modules->places, &key, sizeof(key), place);
	if (place)
		return place->symbol;
	symbol = look_up(modules, module, key.vaddr);
	add_place(modules, &key, symbol);
	return symbol;
}

const char *nd_symbol_get_path(const struct nd_symbol *symbol)
{
	return symbol->module->path;
}

bool nd_symbol_is_file(const struct nd_symbol *symbol)
{
	return symbol->name[0] == '[';
}

int nd_modules_get_frame(struct nd_modules *modules, struct nd_symbol *symbol, enum nd_work work,
			 uint32_t *ret_frame)
{
	static const enum nd_frame_kind kinds[ND_WORK_COUNT] = {
		[ND_WORK_NONE] = ND_FRAME_NATIVE,
		[ND_WORK_GC] = ND_FRAME_GC,
		[ND_WORK_COMPILE] = ND_FRAME_COMPILE,
		[ND_WORK_REGEXP] = ND_FRAME_REGEXP,
	};
	struct nd_frame frame = {
		.name = symbol->name,
		/* Builtins belong to V8, whatever file it is linked into. */
		.file = symbol->is_builtin ? "" : symbol->module->path,
		.kind = symbol->is_builtin ? ND_FRAME_BUILTIN : kinds[work],
	};

	if (!symbol->frames[work]) {
		if (nd_profile_add_frame(modules->profile, &frame, ret_frame))
			return -ENOMEM;
		symbol->frames[work] = *ret_frame + 1;
	}
	*ret_frame = symbol->frames[work] - 1;
	return 0;
}

const struct nd_v8_layout *nd_module_get_v8(struct nd_module *module, struct nd_err *err)
{
	if (!module->v8_tried && module->elf)
		module->has_v8 = !nd_v8_layout_read(module->elf, &module->v8, &module->v8_err);
	else if (!module->v8_tried)
		nd_err_set(&module->v8_err, -ENOENT, "its executable cannot be read");
	module->v8_tried = true;
	if (!module->has_v8 && err)
		*err = module->v8_err;
	return module->has_v8 ? &module->v8 : NULL;
}

bool nd_module_is_builtin(const struct nd_module *module, const struct nd_map *map,
			  uint64_t address)
{
	uint64_t vaddr;

	return module->has_v8 && vaddr_of(module, map, address, &vaddr) &&
	       vaddr - module->v8.builtins_vaddr < module->v8.builtins_size;
}

bool nd_module_read(struct nd_module *module, uint64_t vaddr, void *buf, size_t len)
{
	return module->elf && nd_elf_read(module->elf, vaddr, buf, len);
}

static bool find_bias(const struct nd_module *module, const struct nd_map *map, uint64_t *ret_bias)
{
	return module->elf && nd_elf_find_bias(module->elf, map->start, map->offset, ret_bias);
}

uint64_t nd_module_find_data(struct nd_module *module, const struct nd_map *map, const char *name)
{
	struct nd_elf_symbol symbol;
	uint64_t bias;

	if (!find_bias(module, map, &bias) || !nd_elf_find_symbol(module->elf, name, &symbol))
		return 0;
	return bias + symbol.vaddr;
}

uint64_t nd_module_find_unwind_index(struct nd_module *module, const struct nd_map *map)
{
	uint64_t bias, vaddr;

	if (!find_bias(module, map, &bias) || !nd_elf_find_unwind_index(module->elf, &vaddr))
		return 0;
	return bias + vaddr;
}
