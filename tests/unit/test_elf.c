/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/elf.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/err.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE	ELFDATA2LSB
#define FOREIGN ELFDATA2MSB
#else
#define NATIVE	ELFDATA2MSB
#define FOREIGN ELFDATA2LSB
#endif

enum { TEXT = 0x1000, TEXT_SIZE = 0x800, DATA = 0x3000, BSS_SIZE = 16 };
enum { S_NULL, S_TEXT, S_DYNSYM, S_DYNSTR, S_SYMTAB, S_STRTAB, S_COUNT };
enum { P_TEXT, P_DATA, P_COUNT };

#define SYMBOLS_MAX 16

/* A small file. Each symbol has a slot of its own for its name. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[P_COUNT];
	Elf64_Shdr sections[S_COUNT];
	Elf64_Sym dynsym[SYMBOLS_MAX];
	Elf64_Sym symtab[SYMBOLS_MAX];
	char dynstr[SYMBOLS_MAX][16];
	char strtab[SYMBOLS_MAX][16];
	uint32_t data[4];
};

struct entry {
	const char *name;
	int type, binding, section;
	uint64_t value, size;
};

static void add_symbols(Elf64_Sym *symbols, char (*names)[16], const struct entry *e, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		symbols[i + 1] = (Elf64_Sym){.st_name = (Elf64_Word)(i + 1) * 16,
					     .st_info = ELF64_ST_INFO(e[i].binding, e[i].type),
					     .st_shndx = (Elf64_Section)e[i].section,
					     .st_value = e[i].value,
					     .st_size = e[i].size};
		strcpy(names[i + 1], e[i].name);
	}
}

static Elf64_Shdr make_section(uint32_t type, size_t offset, size_t size, uint32_t link)
{
	return (Elf64_Shdr){.sh_type = type,
			    .sh_offset = offset,
			    .sh_size = size,
			    .sh_link = link,
			    .sh_addralign = 1,
			    .sh_entsize = link ? sizeof(Elf64_Sym) : 0};
}

static void fill_headers(struct image *image)
{
	image->header = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, NATIVE, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = offsetof(struct image, segments),
		.e_shoff = offsetof(struct image, sections),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = P_COUNT,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = S_COUNT,
		.e_shstrndx = S_STRTAB,
	};
	image->segments[P_TEXT] = (Elf64_Phdr){.p_type = PT_LOAD,
					       .p_vaddr = TEXT,
					       .p_filesz = offsetof(struct image, data),
					       .p_memsz = offsetof(struct image, data)};
	image->segments[P_DATA] = (Elf64_Phdr){.p_type = PT_LOAD,
					       .p_offset = offsetof(struct image, data),
					       .p_vaddr = DATA,
					       .p_filesz = sizeof(image->data),
					       .p_memsz = sizeof(image->data) + BSS_SIZE};
	image->sections[S_TEXT] = (Elf64_Shdr){.sh_type = SHT_PROGBITS,
					       .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
					       .sh_addr = TEXT,
					       .sh_size = TEXT_SIZE};
	image->sections[S_DYNSYM] = make_section(SHT_DYNSYM, offsetof(struct image, dynsym),
						 sizeof(image->dynsym), S_DYNSTR);
	image->sections[S_DYNSTR] =
		make_section(SHT_STRTAB, offsetof(struct image, dynstr), sizeof(image->dynstr), 0);
	image->sections[S_SYMTAB] = make_section(SHT_SYMTAB, offsetof(struct image, symtab),
						 sizeof(image->symtab), S_STRTAB);
	image->sections[S_STRTAB] =
		make_section(SHT_STRTAB, offsetof(struct image, strtab), sizeof(image->strtab), 0);
}

static void make_image(struct image *image)
{
	static const struct entry dynamic[] = {
		{"v8dbg_a", STT_OBJECT, STB_GLOBAL, S_TEXT, DATA + 4, 4},
		{"v8dbg_undefined", STT_OBJECT, STB_GLOBAL, SHN_UNDEF, 0, 0},
		{"v8dbg_bb", STT_OBJECT, STB_GLOBAL, S_TEXT, DATA + 8, 4},
		{"no_v8dbg_c", STT_OBJECT, STB_GLOBAL, S_TEXT, DATA, 4},
		{"v8dbg_a_longer", STT_OBJECT, STB_GLOBAL, S_TEXT, DATA, 1},
		{"exported", STT_FUNC, STB_GLOBAL, S_TEXT, TEXT + 0x500, 0x10},
	};
	static const struct entry all[] = {
		{"local", STT_FUNC, STB_LOCAL, S_TEXT, TEXT + 0x100, 0x20},
		{"global", STT_FUNC, STB_GLOBAL, S_TEXT, TEXT + 0x100, 0x20},
		{"sizeless", STT_FUNC, STB_GLOBAL, S_TEXT, TEXT + 0x100, 0},
		{"last", STT_GNU_IFUNC, STB_GLOBAL, S_TEXT, TEXT + 0x700, 0},
		{"unsized", STT_FUNC, STB_GLOBAL, S_TEXT, TEXT + 0x200, 0},
		{"Builtins_Add", STT_NOTYPE, STB_LOCAL, S_TEXT, TEXT + 0x240, 0x10},
		{"label", STT_NOTYPE, STB_LOCAL, S_TEXT, TEXT + 0x210, 0},
		{"table", STT_OBJECT, STB_LOCAL, S_TEXT, TEXT + 0x220, 8},
		{"large", STT_FUNC, STB_LOCAL, S_TEXT, TEXT + 0x300, 0x100},
		{"small", STT_FUNC, STB_LOCAL, S_TEXT, TEXT + 0x320, 0x10},
		{"imported", STT_FUNC, STB_GLOBAL, SHN_UNDEF, TEXT + 0x600, 0x10},
		{"v8dbg_a", STT_OBJECT, STB_LOCAL, S_TEXT, DATA, 4},
		{"huge", STT_FUNC, STB_LOCAL, S_TEXT, UINT64_MAX - 4, UINT64_MAX},
	};

	memset(image, 0, sizeof(*image));
	fill_headers(image);
	add_symbols(image->dynsym, image->dynstr, dynamic, sizeof(dynamic) / sizeof(dynamic[0]));
	add_symbols(image->symtab, image->strtab, all, sizeof(all) / sizeof(all[0]));
	image->data[1] = 11;
	image->data[3] = 33;
}

static struct nd_elf *open_image(const struct image *image)
{
	struct nd_elf *elf = NULL;

	assert_int_equal(nd_elf_open_memory(image, sizeof(*image), &elf, NULL), 0);
	return elf;
}

static void assert_function(struct nd_elf *elf, uint64_t vaddr, const char *name)
{
	struct nd_elf_symbol found = {0};

	if (!name) {
		assert_false(nd_elf_find_function(elf, vaddr, &found));
		assert_null(found.name);
		return;
	}
	assert_true(nd_elf_find_function(elf, vaddr, &found));
	assert_string_equal(found.name, name);
}

static void test_functions_are_found_by_address(void **state)
{
	struct nd_elf_symbol found;
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_function(elf, TEXT + 0xff, NULL);
	assert_function(elf, TEXT + 0x100, "global");
	assert_function(elf, TEXT + 0x11f, "global");
	assert_function(elf, TEXT + 0x120, NULL);
	assert_function(elf, TEXT + 0x50f, "exported");
	assert_function(elf, TEXT + 0x605, NULL);
	assert_function(elf, UINT64_MAX, "huge");
	assert_true(nd_elf_find_function(elf, TEXT + 0x11f, &found));
	assert_int_equal(found.vaddr, TEXT + 0x100);
	assert_int_equal(found.size, 0x20);
	nd_elf_close(elf);
}

static void test_functions_without_a_size_reach_to_the_next(void **state)
{
	struct nd_elf_symbol found;
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_function(elf, TEXT + 0x210, "unsized");
	assert_function(elf, TEXT + 0x23f, "unsized");
	assert_function(elf, TEXT + 0x240, "Builtins_Add");
	assert_function(elf, TEXT + 0x7ff, "last");
	assert_function(elf, TEXT + 0x800, NULL);
	assert_true(nd_elf_find_function(elf, TEXT + 0x210, &found));
	assert_int_equal(found.size, 0);
	nd_elf_close(elf);
}

static void test_functions_may_hold_others(void **state)
{
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_function(elf, TEXT + 0x310, "large");
	assert_function(elf, TEXT + 0x32f, "small");
	assert_function(elf, TEXT + 0x330, "large");
	assert_function(elf, TEXT + 0x400, NULL);
	nd_elf_close(elf);
}

static void test_symbols_are_found_by_name(void **state)
{
	struct nd_elf_symbol found = {0};
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_true(nd_elf_find_symbol(elf, "v8dbg_a", &found));
	assert_string_equal(found.name, "v8dbg_a");
	assert_int_equal(found.vaddr, DATA + 4);
	assert_int_equal(found.size, 4);
	assert_true(nd_elf_find_symbol(elf, "table", &found));
	assert_int_equal(found.vaddr, TEXT + 0x220);
	assert_false(nd_elf_find_symbol(elf, "v8dbg_undefined", &found));
	assert_false(nd_elf_find_symbol(elf, "v8dbg_", &found));
	assert_false(nd_elf_find_symbol(elf, "", &found));
	assert_int_equal(found.vaddr, TEXT + 0x220);
	nd_elf_close(elf);
}

/* Linkers let a name that ends another one share its bytes. */
static void test_names_may_share_their_end(void **state)
{
	struct nd_elf_symbol found;
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	image.dynsym[7] = image.dynsym[4];
	image.dynsym[7].st_name += (Elf64_Word)strlen("no_");
	elf = open_image(&image);
	assert_true(nd_elf_find_symbol(elf, "v8dbg_c", &found));
	assert_string_equal(found.name, "v8dbg_c");
	nd_elf_close(elf);
}

struct visited {
	char names[64];
	int stop_after;
};

static int note_name(void *arg, const struct nd_elf_symbol *symbol)
{
	struct visited *visited = arg;

	strcat(visited->names, symbol->name);
	strcat(visited->names, " ");
	return --visited->stop_after ? 0 : 42;
}

static void test_visits_take_a_prefix(void **state)
{
	struct visited visited = {.stop_after = -1};
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_int_equal(nd_elf_visit(elf, "v8dbg_", note_name, &visited), 0);
	assert_string_equal(visited.names, "v8dbg_a v8dbg_bb v8dbg_a_longer ");
	visited = (struct visited){.stop_after = 2};
	assert_int_equal(nd_elf_visit(elf, "v8dbg_", note_name, &visited), 42);
	assert_string_equal(visited.names, "v8dbg_a v8dbg_bb ");
	nd_elf_close(elf);
	/* Without dynamic symbols, the others. */
	image.sections[S_DYNSYM].sh_type = SHT_PROGBITS;
	elf = open_image(&image);
	visited = (struct visited){.stop_after = -1};
	assert_int_equal(nd_elf_visit(elf, "la", note_name, &visited), 0);
	assert_string_equal(visited.names, "last label large ");
	nd_elf_close(elf);
}

static void test_visits_of_symtab(void **state)
{
	struct visited visited = {.stop_after = -1};
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_int_equal(nd_elf_visit_symtab(elf, "v8dbg_", note_name, &visited), 0);
	assert_string_equal(visited.names, "v8dbg_a ");
	visited = (struct visited){.stop_after = 1};
	assert_int_equal(nd_elf_visit_symtab(elf, "l", note_name, &visited), 42);
	assert_string_equal(visited.names, "local ");
	nd_elf_close(elf);
	image.sections[S_SYMTAB].sh_type = SHT_PROGBITS;
	elf = open_image(&image);
	visited = (struct visited){.stop_after = -1};
	assert_int_equal(nd_elf_visit_symtab(elf, "v8dbg_", note_name, &visited), 0);
	assert_string_equal(visited.names, "");
	nd_elf_close(elf);
}

static void test_links(void **state)
{
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_true(nd_elf_links(elf, "exported"));
	assert_true(nd_elf_links(elf, "v8dbg_undefined"));
	assert_true(nd_elf_links(elf, "undef"));
	assert_false(nd_elf_links(elf, "global"));
	assert_false(nd_elf_links(elf, "exported "));
	nd_elf_close(elf);
	image.sections[S_DYNSYM].sh_type = SHT_PROGBITS;
	elf = open_image(&image);
	assert_false(nd_elf_links(elf, "exported"));
	nd_elf_close(elf);
}

static void test_bias(void **state)
{
	uint64_t bias = 1;
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	/* The segment begins inside of the page that is mapped. */
	image.segments[P_TEXT].p_offset = 0x800;
	image.segments[P_TEXT].p_filesz = image.segments[P_TEXT].p_memsz = 0x2000;
	elf = open_image(&image);
	assert_true(nd_elf_find_bias(elf, 0x555000, 0, &bias));
	assert_int_equal(0x555800, bias + TEXT);
	assert_false(nd_elf_find_bias(elf, 0x555000, 0x10000, &bias));
	nd_elf_close(elf);
}

static void test_data_is_read_by_address(void **state)
{
	uint32_t words[8];
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_true(nd_elf_read(elf, DATA + 4, words, 4));
	assert_int_equal(words[0], 11);
	memset(words, 0xff, sizeof(words));
	assert_true(nd_elf_read(elf, DATA, words, sizeof(image.data) + BSS_SIZE));
	assert_int_equal(words[3], 33);
	assert_int_equal(words[4], 0);
	assert_int_equal(words[7], 0);
	assert_true(nd_elf_read(elf, DATA + 20, words, 4));
	assert_int_equal(words[0], 0);
	assert_false(nd_elf_read(elf, DATA + 20, words, 16));
	assert_false(nd_elf_read(elf, DATA - 1, words, 4));
	assert_false(nd_elf_read(elf, UINT64_MAX, words, 4));
	nd_elf_close(elf);
}

static void test_offsets_become_addresses(void **state)
{
	uint64_t vaddr = 1;
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_true(nd_elf_vaddr_of_offset(elf, 0x20, &vaddr));
	assert_int_equal(vaddr, TEXT + 0x20);
	assert_true(nd_elf_vaddr_of_offset(elf, offsetof(struct image, data[2]), &vaddr));
	assert_int_equal(vaddr, DATA + 8);
	assert_false(nd_elf_vaddr_of_offset(elf, sizeof(image), &vaddr));
	assert_false(nd_elf_vaddr_of_offset(elf, UINT64_MAX, &vaddr));
	assert_int_equal(vaddr, DATA + 8);
	nd_elf_close(elf);
}

static void test_symtab_is_told_apart(void **state)
{
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	elf = open_image(&image);
	assert_true(nd_elf_has_symtab(elf));
	nd_elf_close(elf);
	image.sections[S_SYMTAB].sh_type = SHT_NOBITS;
	elf = open_image(&image);
	assert_false(nd_elf_has_symtab(elf));
	assert_function(elf, TEXT + 0x500, "exported");
	assert_function(elf, TEXT + 0x100, NULL);
	nd_elf_close(elf);
}

static void assert_refused(const struct image *image, size_t size, const char *why)
{
	struct nd_elf *elf = NULL;
	struct nd_err err = {0};

	assert_int_equal(nd_elf_open_memory(image, size, &elf, &err), -ENOEXEC);
	assert_null(elf);
	assert_string_equal(err.what, why);
}

static void test_other_files_are_refused(void **state)
{
	struct image image;

	make_image(&image);
	assert_refused(&image, 0, "not an ELF file");
	assert_refused(&image, 15, "not an ELF file");
	assert_refused(&image, 63, "a truncated ELF file");
	image.header.e_ident[EI_DATA] = FOREIGN;
	assert_refused(&image, sizeof(image), "an ELF file of another byte order");
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_refused(&image, sizeof(image), "not a 64-bit ELF file");
	image.header.e_ident[EI_MAG3] = 'G';
	assert_refused(&image, sizeof(image), "not an ELF file");
	make_image(&image);
	image.header.e_shnum = 0;
	assert_refused(&image, sizeof(image), "an ELF file with too many sections or segments");
}

static void assert_no_tables(const struct image *image)
{
	struct nd_elf_symbol found;
	struct nd_elf *elf = open_image(image);

	assert_false(nd_elf_has_symtab(elf));
	assert_false(nd_elf_find_symbol(elf, "table", &found));
	assert_function(elf, TEXT + 0x100, NULL);
	nd_elf_close(elf);
}

static void test_bad_tables_are_as_good_as_none(void **state)
{
	static const uint64_t bad[] = {sizeof(struct image), UINT64_MAX, UINT64_MAX - 100,
				       1u << 31};
	struct image image;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_image(&image);
		image.sections[S_SYMTAB].sh_offset = bad[i];
		assert_no_tables(&image);
		make_image(&image);
		image.sections[S_SYMTAB].sh_size = bad[i];
		assert_no_tables(&image);
		make_image(&image);
		image.sections[S_STRTAB].sh_offset = bad[i];
		assert_no_tables(&image);
		make_image(&image);
		image.sections[S_SYMTAB].sh_link = (Elf64_Word)bad[i];
		assert_no_tables(&image);
		make_image(&image);
		image.sections[S_SYMTAB].sh_entsize = bad[i];
		assert_no_tables(&image);
	}
	make_image(&image);
	image.sections[S_SYMTAB].sh_link = S_TEXT;
	assert_no_tables(&image);
}

static void test_bad_names_are_left_out(void **state)
{
	struct nd_elf_symbol found;
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	image.symtab[2].st_name = sizeof(image.strtab);
	image.symtab[9].st_name = UINT32_MAX;
	/* The last name has no end but that of the table. */
	memset(image.strtab[SYMBOLS_MAX - 1], 'x', 16);
	image.symtab[10].st_name = (SYMBOLS_MAX - 1) * 16 + 12;
	elf = open_image(&image);
	assert_false(nd_elf_find_function(elf, TEXT + 0x100, &found));
	assert_function(elf, TEXT + 0x310, NULL);
	assert_function(elf, TEXT + 0x320, "xxxx");
	nd_elf_close(elf);
}

static void test_bad_segments_hold_nothing(void **state)
{
	uint64_t vaddr, word;
	struct nd_elf *elf;
	struct image image;

	make_image(&image);
	image.segments[P_TEXT].p_offset = UINT64_MAX - 4;
	image.segments[P_DATA].p_vaddr = UINT64_MAX - 4;
	elf = open_image(&image);
	assert_false(nd_elf_vaddr_of_offset(elf, 0, &vaddr));
	assert_false(nd_elf_vaddr_of_offset(elf, offsetof(struct image, data), &vaddr));
	nd_elf_close(elf);
	make_image(&image);
	image.segments[P_DATA].p_filesz = image.segments[P_DATA].p_memsz = 1u << 20;
	elf = open_image(&image);
	assert_true(nd_elf_read(elf, DATA, &word, 8));
	assert_false(nd_elf_read(elf, DATA + 12, &word, 8));
	nd_elf_close(elf);
}

static int ignore_symbol(void *arg, const struct nd_elf_symbol *symbol)
{
	return 0;
}

static void use_everything(const void *bytes, size_t size)
{
	struct nd_elf_symbol found;
	struct nd_elf *elf;
	uint64_t vaddr;
	char buf[64];

	if (nd_elf_open_memory(bytes, size, &elf, NULL))
		return;
	nd_elf_find_symbol(elf, "table", &found);
	nd_elf_visit(elf, "v8dbg_", ignore_symbol, NULL);
	nd_elf_visit_symtab(elf, "l", ignore_symbol, NULL);
	nd_elf_links(elf, "exported");
	for (vaddr = TEXT; vaddr < TEXT + TEXT_SIZE; vaddr += 0x10)
		nd_elf_find_function(elf, vaddr, &found);
	nd_elf_read(elf, DATA, buf, 32);
	nd_elf_vaddr_of_offset(elf, 0x40, &vaddr);
	nd_elf_close(elf);
}

/* Every cut and every changed byte, in memory of just that size for the sanitizer to guard. */
static void test_damage_does_no_harm(void **state)
{
	static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	const size_t size = sizeof(struct image);
	unsigned char *copy;
	struct image image;
	size_t i, j;

	make_image(&image);
	for (i = 0; i < size; i++) {
		copy = malloc(i + 1);
		memcpy(copy, &image, i);
		use_everything(copy, i);
		free(copy);
	}
	copy = malloc(size);
	for (i = 0; i < offsetof(struct image, data); i++) {
		for (j = 0; j < sizeof(values); j++) {
			memcpy(copy, &image, size);
			copy[i] = values[j];
			use_everything(copy, size);
		}
	}
	free(copy);
}

static int write_image(const struct image *image)
{
	char path[] = "/tmp/nodiag-test-elf-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(write(fd, image, sizeof(*image)), sizeof(*image));
	return fd;
}

static void test_files_may_shrink_while_open(void **state)
{
	struct nd_elf_symbol found;
	struct nd_elf *elf;
	struct image image;
	uint32_t word;
	int fd;

	make_image(&image);
	fd = write_image(&image);
	assert_int_equal(nd_elf_open(fd, &elf, NULL), 0);
	assert_true(nd_elf_find_symbol(elf, "v8dbg_bb", &found));
	assert_true(nd_elf_read(elf, found.vaddr, &word, 4));
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_false(nd_elf_find_symbol(elf, "v8dbg_a", &found));
	assert_false(nd_elf_read(elf, found.vaddr, &word, 4));
	assert_false(nd_elf_find_function(elf, TEXT + 0x100, &found));
	assert_string_equal(found.name, "v8dbg_bb");
	nd_elf_close(elf);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_a_refused_file_is_closed(void **state)
{
	struct nd_elf *elf;
	struct nd_err err;
	struct image image;
	int fd;

	make_image(&image);
	image.header.e_ident[0] = 0;
	fd = write_image(&image);
	assert_int_equal(nd_elf_open(fd, &elf, &err), -ENOEXEC);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = open("/", O_RDONLY | O_CLOEXEC);
	assert_int_equal(nd_elf_open(fd, &elf, &err), -ENOEXEC);
	assert_string_equal(err.what, "not a regular file");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	nd_elf_close(NULL);
}

/* Below, this program and its C library: what real linkers make. */

__attribute__((noinline)) static int find_me_by_address(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x * 3;
}

extern const uint64_t nd_test_elf_const;
extern uint64_t nd_test_elf_bss[4];

const uint64_t nd_test_elf_const = 0x6e6f64696167;
uint64_t nd_test_elf_bss[4];

/* The file behind the mapping that holds `pc`, and the file's own address for it. */
static struct nd_elf *open_behind(const void *pc, uint64_t *ret_vaddr)
{
	uint64_t start, end, offset, at = (uintptr_t)pc;
	FILE *maps = fopen("/proc/self/maps", "re");
	struct nd_elf *elf = NULL;
	char line[1024], path[512];

	assert_non_null(maps);
	while (!elf && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %511s", &start,
			   &end, &offset, path) != 4 ||
		    at < start || at >= end)
			continue;
		assert_int_equal(nd_elf_open(open(path, O_RDONLY | O_CLOEXEC), &elf, NULL), 0);
		assert_true(nd_elf_vaddr_of_offset(elf, at - start + offset, ret_vaddr));
	}
	fclose(maps);
	assert_non_null(elf);
	return elf;
}

static void test_own_program(void **state)
{
	struct nd_elf_symbol found;
	uint64_t vaddr = 0, value = 0;
	struct nd_elf *elf = open_behind((void *)(uintptr_t)find_me_by_address, &vaddr);

	assert_int_equal(find_me_by_address(2), 6);
	assert_true(nd_elf_has_symtab(elf));
	assert_function(elf, vaddr, "find_me_by_address");
	assert_function(elf, vaddr + 1, "find_me_by_address");
	assert_true(nd_elf_find_symbol(elf, "nd_test_elf_const", &found));
	/* AddressSanitizer's symbols include the red zone. */
	assert_true(found.size >= sizeof(nd_test_elf_const));
	assert_true(nd_elf_read(elf, found.vaddr, &value, sizeof(value)));
	assert_int_equal(value, nd_test_elf_const);
	nd_test_elf_bss[1] = 7;
	assert_true(nd_elf_find_symbol(elf, "nd_test_elf_bss", &found));
	assert_true(nd_elf_read(elf, found.vaddr + 8, &value, sizeof(value)));
	assert_int_equal(value, 0);
	nd_elf_close(elf);
}

static void test_shared_library(void **state)
{
	void *library = dlopen("libc.so.6", RTLD_LAZY);
	void *function = library ? dlsym(library, "gnu_get_libc_version") : NULL;
	struct nd_elf_symbol found;
	struct nd_elf *elf;
	uint64_t vaddr = 0;

	assert_non_null(function);
	elf = open_behind(function, &vaddr);
	assert_function(elf, vaddr, "gnu_get_libc_version");
	assert_true(nd_elf_find_symbol(elf, "gnu_get_libc_version", &found));
	assert_int_equal(found.vaddr, vaddr);
	nd_elf_close(elf);
	if (library)
		dlclose(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_are_found_by_address),
		cmocka_unit_test(test_functions_without_a_size_reach_to_the_next),
		cmocka_unit_test(test_functions_may_hold_others),
		cmocka_unit_test(test_symbols_are_found_by_name),
		cmocka_unit_test(test_names_may_share_their_end),
		cmocka_unit_test(test_visits_take_a_prefix),
		cmocka_unit_test(test_visits_of_symtab),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_bias),
		cmocka_unit_test(test_data_is_read_by_address),
		cmocka_unit_test(test_offsets_become_addresses),
		cmocka_unit_test(test_symtab_is_told_apart),
		cmocka_unit_test(test_other_files_are_refused),
		cmocka_unit_test(test_bad_tables_are_as_good_as_none),
		cmocka_unit_test(test_bad_names_are_left_out),
		cmocka_unit_test(test_bad_segments_hold_nothing),
		cmocka_unit_test(test_damage_does_no_harm),
		cmocka_unit_test(test_files_may_shrink_while_open),
		cmocka_unit_test(test_a_refused_file_is_closed),
		cmocka_unit_test(test_own_program),
		cmocka_unit_test(test_shared_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
