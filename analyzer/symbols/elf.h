/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_ELF_H
#define NODIAG_ANALYZER_SYMBOLS_ELF_H

/*
 * The symbols of one ELF file: function names by address, and data symbols by name.
 *
 * Addresses are the file's own virtual addresses (st_value); nd_elf_vaddr_of_offset() leads there
 * from a file offset, which is what a mapping gives. Going by file offset is what makes V8's second
 * mapping of its embedded builtins come out right, and position-independent files need no load
 * bias.
 *
 * The tables are built on first use and then only searched: reading a file's symbols costs tens of
 * milliseconds for node, so it is done only for files that are met in a stack. The file may be
 * hostile: sizes are bounded by proto/limits.h, offsets by the file's size.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_elf;
struct nd_err;

struct nd_elf_symbol {
	const char *name; /* as in the file (mangled); borrowed from the nd_elf */
	uint64_t vaddr;	  /* start */
	uint64_t size;	  /* 0 when the file does not say */
};

/*
 * Open the ELF file behind `fd`, which the nd_elf takes over, also on failure. -ENOEXEC when it is
 * not a 64-bit ELF file of this machine's byte order, -ENOMEM, or the errno of reading.
 */
int nd_elf_open(int fd, struct nd_elf **ret_elf, struct nd_err *err);

/* The same for an image in memory (the vdso, tests), which must outlive the nd_elf. */
int nd_elf_open_memory(const void *image, size_t size, struct nd_elf **ret_elf, struct nd_err *err);
void nd_elf_close(struct nd_elf *elf);

/* The virtual address of a file offset by the PT_LOAD headers; false when no segment holds it. */
bool nd_elf_vaddr_of_offset(const struct nd_elf *elf, uint64_t offset, uint64_t *ret_vaddr);

/*
 * What to add to the file's virtual addresses for those of a process, by one of its mappings of the
 * file: where it starts, and at which offset of the file. False when no segment holds that.
 */
bool nd_elf_find_bias(const struct nd_elf *elf, uint64_t start, uint64_t offset,
		      uint64_t *ret_bias);

/*
 * The function (or V8 builtin, whose symbols have no type) that holds `vaddr`, from .symtab and
 * .dynsym. Symbols without a size reach to the next one. False when there is none.
 */
bool nd_elf_find_function(struct nd_elf *elf, uint64_t vaddr, struct nd_elf_symbol *ret_symbol);

/* A symbol of any type by its exact name, .dynsym before .symtab. False when there is none. */
bool nd_elf_find_symbol(struct nd_elf *elf, const char *name, struct nd_elf_symbol *ret_symbol);

/*
 * Call `visit` for each defined symbol of .dynsym, or of .symtab where there is no .dynsym, whose
 * name starts with `prefix`, which is not empty; stop when it returns non-zero, and return that.
 * -ENOMEM when out of memory.
 */
int nd_elf_visit(struct nd_elf *elf, const char *prefix,
		 int (*visit)(void *arg, const struct nd_elf_symbol *symbol), void *arg);

/*
 * The same for .symtab, which has also the symbols that the file keeps to itself. Nothing is
 * visited when it was stripped.
 */
int nd_elf_visit_symtab(struct nd_elf *elf, const char *prefix,
			int (*visit)(void *arg, const struct nd_elf_symbol *symbol), void *arg);

/*
 * Whether a text stands anywhere in the names that the file links by: of the symbols that it
 * exports or wants, and of the libraries it needs.
 */
bool nd_elf_links(const struct nd_elf *elf, const char *text);

/*
 * Read initialised data by virtual address; .bss reads as zeros. False when no segment holds all of
 * it.
 */
bool nd_elf_read(const struct nd_elf *elf, uint64_t vaddr, void *buf, size_t len);

/* The virtual address of the unwind tables' index (PT_GNU_EH_FRAME); false when it has none. */
bool nd_elf_find_unwind_index(const struct nd_elf *elf, uint64_t *ret_vaddr);

/* Whether the file has a .symtab, i.e. was not stripped. */
bool nd_elf_has_symtab(const struct nd_elf *elf);

/*
 * A C++ or Rust symbol as people write it: "v8::internal::Heap::CollectGarbage(...)" loses its
 * arguments and its return type, since flame graphs have no room. Other names, and those beyond
 * ND_ELF_NAME_MAX or ND_ELF_DEMANGLED_MAX, are copied as they are. What does not fit into `buf` is
 * cut. Returns `buf`.
 */
char *nd_elf_demangle(const char *name, char *buf, size_t size);

#endif /* NODIAG_ANALYZER_SYMBOLS_ELF_H */
