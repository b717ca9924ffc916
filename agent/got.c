/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/got.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#define RELOC_CALL    R_X86_64_JUMP_SLOT
#define RELOC_ADDRESS R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define RELOC_CALL    R_AARCH64_JUMP_SLOT
#define RELOC_ADDRESS R_AARCH64_GLOB_DAT
#else
#error "which relocations fill the GOT here?"
#endif

struct search {
	uintptr_t inside;
	const char *name;
	struct nd_got_hook *hook;
	bool found;
};

struct tables {
	const ElfW(Sym) * symbols;
	const char *strings;
	const ElfW(Rela) * relocs[2];
	size_t size[2];
};

static bool holds(const struct dl_phdr_info *info, uintptr_t address)
{
	const ElfW(Phdr) * segment;
	int i;

	for (i = 0; i < info->dlpi_phnum; i++) {
		segment = &info->dlpi_phdr[i];
		if (segment->p_type == PT_LOAD &&
		    address - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz)
			return true;
	}
	return false;
}

static const ElfW(Phdr) * find_segment(const struct dl_phdr_info *info, uint32_t type)
{
	int i;

	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == type)
			return &info->dlpi_phdr[i];
	return NULL;
}

/* glibc has made the addresses in the dynamic section absolute, musl leaves them alone. */
static const void *table_at(uintptr_t base, uintptr_t address)
{
	return (const void *)(address < base ? base + address : address);
}

static void read_dynamic(uintptr_t base, const ElfW(Dyn) * entry, struct tables *tables)
{
	for (; entry->d_tag != DT_NULL; entry++) {
		switch (entry->d_tag) {
		case DT_SYMTAB:
			tables->symbols = table_at(base, entry->d_un.d_ptr);
			break;
		case DT_STRTAB:
			tables->strings = table_at(base, entry->d_un.d_ptr);
			break;
		case DT_JMPREL:
			tables->relocs[0] = table_at(base, entry->d_un.d_ptr);
			break;
		case DT_PLTRELSZ:
			tables->size[0] = entry->d_un.d_val;
			break;
		case DT_RELA:
			tables->relocs[1] = table_at(base, entry->d_un.d_ptr);
			break;
		case DT_RELASZ:
			tables->size[1] = entry->d_un.d_val;
			break;
		default:
			break;
		}
	}
}

/* False when the entries point to different functions: somebody else's hook is in one of them. */
static bool add_entry(struct nd_got_hook *hook, void **entry)
{
	if (hook->count == ND_GOT_ENTRIES_MAX || (hook->count && *entry != hook->original))
		return false;
	hook->original = *entry;
	hook->entry[hook->count++] = entry;
	return true;
}

static bool add_entries(struct search *search, const struct dl_phdr_info *info,
			const struct tables *tables, int which)
{
	const ElfW(Rela) *reloc = tables->relocs[which];
	const ElfW(Rela) *end = reloc + tables->size[which] / sizeof(*reloc);
	unsigned int type;
	const char *name;

	for (; reloc && reloc < end; reloc++) {
		type = ELF64_R_TYPE(reloc->r_info);
		if (type != RELOC_CALL && type != RELOC_ADDRESS)
			continue;
		name = tables->strings + tables->symbols[ELF64_R_SYM(reloc->r_info)].st_name;
		if (!strcmp(name, search->name) &&
		    !add_entry(search->hook, (void **)(info->dlpi_addr + reloc->r_offset)))
			return false;
	}
	return true;
}

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;
	struct tables tables = {0};
	const ElfW(Phdr) * dynamic, *relro;

	if (!holds(info, search->inside))
		return 0;
	dynamic = find_segment(info, PT_DYNAMIC);
	if (dynamic)
		read_dynamic(info->dlpi_addr, (const void *)(info->dlpi_addr + dynamic->p_vaddr),
			     &tables);
	relro = find_segment(info, PT_GNU_RELRO);
	if (relro) {
		search->hook->relro = (char *)(info->dlpi_addr + relro->p_vaddr);
		search->hook->relro_size = relro->p_memsz;
	}
	search->found = tables.symbols && tables.strings && add_entries(search, info, &tables, 0) &&
			add_entries(search, info, &tables, 1) && search->hook->count;
	return 1;
}

bool nd_got_find(const void *inside, const char *name, struct nd_got_hook *ret_hook)
{
	struct nd_got_hook hook = {0};
	struct search search = {.inside = (uintptr_t)inside, .name = name, .hook = &hook};

	dl_iterate_phdr(visit, &search);
	if (!search.found)
		return false;
	*ret_hook = hook;
	return true;
}

static int visit_file(struct dl_phdr_info *info, size_t size, void *arg)
{
	const uintptr_t *addresses = arg;

	if (!holds(info, addresses[0]))
		return 0;
	return holds(info, addresses[1]) ? 1 : -1;
}

bool nd_got_is_in_file(const void *inside, const void *data)
{
	uintptr_t addresses[] = {(uintptr_t)inside, (uintptr_t)data};

	return dl_iterate_phdr(visit_file, addresses) == 1;
}

static bool set_entry(const struct nd_got_hook *hook, void **entry, void *function)
{
	uintptr_t page_size = (uintptr_t)getpagesize();
	void *page = (void *)((uintptr_t)entry & ~(page_size - 1));

	if (mprotect(page, page_size, PROT_READ | PROT_WRITE))
		return false;
	/* Other threads may be calling. */
	__atomic_store_n(entry, function, __ATOMIC_RELEASE);
	if ((uintptr_t)entry - (uintptr_t)hook->relro < hook->relro_size)
		mprotect(page, page_size, PROT_READ);
	return true;
}

bool nd_got_set(const struct nd_got_hook *hook, void *function)
{
	size_t i;

	for (i = 0; i < hook->count; i++)
		if (!set_entry(hook, hook->entry[i], function))
			return false;
	return true;
}
