/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_ELF_FILE_H
#define NODIAG_ANALYZER_SYMBOLS_ELF_FILE_H

/*
 * What elf.c (headers and bytes) and elf_symbols.c (symbol tables) share; nobody else includes it.
 *
 * The file is read with pread(), not mapped: a file that is cut short under a mapping raises
 * SIGBUS, and every page touched would count as memory of nodiag's own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_intern;

/* A PT_LOAD header whose sums do not overflow. */
struct elf_segment {
	uint64_t offset;
	uint64_t vaddr;
	uint64_t file_size; /* at most mem_size; may lie beyond the end of the file */
	uint64_t mem_size;
};

/* A symbol table and its strings, both within the file; no symbols when the file has none. */
struct elf_table {
	uint64_t offset;
	size_t count;
	uint64_t strings;
	uint32_t strings_size;
};

enum elf_table_kind { ELF_DYNSYM, ELF_SYMTAB, ELF_TABLE_COUNT };

/* One function of the sorted table; kept small, since node has 100,000 and more. */
struct elf_function {
	uint64_t vaddr;
	uint32_t size; /* never 0: guessed where the file does not say */
	uint32_t name : 29;
	uint32_t table : 1; /* enum elf_table_kind */
	uint32_t is_guessed : 1;
	uint32_t is_local : 1;
};

struct nd_elf {
	int fd;		   /* -1 for an image in memory */
	const char *image; /* NULL for a file */
	uint64_t size;
	struct elf_segment *segments;
	size_t segment_count;
	uint64_t unwind_index;	/* vaddr of PT_GNU_EH_FRAME, 0 when there is none */
	uint64_t *section_ends; /* virtual address behind each section, 0 for those without one */
	size_t section_count;
	struct elf_table tables[ELF_TABLE_COUNT];
	bool is_indexed; /* `functions` is built, or could not be */
	struct elf_function *functions;
	size_t function_count;
	struct nd_intern *names; /* those that were handed out */
};

/* Read all of [offset, offset + len) of the file; false when it has not so much. */
bool nd_elf_read_file(const struct nd_elf *elf, uint64_t offset, void *buf, size_t len);

#endif /* NODIAG_ANALYZER_SYMBOLS_ELF_FILE_H */
