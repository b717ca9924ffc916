/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/elf.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/symbols/elf_file.h"
#include "common/err.h"
#include "common/intern.h"
#include "proto/limits.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ELFDATA_NATIVE ELFDATA2LSB
#else
#define ELFDATA_NATIVE ELFDATA2MSB
#endif

/* A mapping begins at a page, its segment perhaps later in that page. */
#define PAGE_BYTES 4096

static bool is_within(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

bool nd_elf_read_file(const struct nd_elf *elf, uint64_t offset, void *buf, size_t len)
{
	char *at = buf;
	ssize_t n;

	if (!is_within(offset, len, elf->size))
		return false;
	if (elf->image) {
		memcpy(buf, elf->image + offset, len);
		return true;
	}
	while (len) {
		n = pread(elf->fd, at, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return true;
}

static int check_header(const struct nd_elf *elf, struct nd_err *err)
{
	Elf64_Ehdr header;

	if (!nd_elf_read_file(elf, 0, header.e_ident, sizeof(header.e_ident)) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return nd_err_set(err, -ENOEXEC, "not an ELF file");
	if (header.e_ident[EI_CLASS] != ELFCLASS64)
		return nd_err_set(err, -ENOEXEC, "not a 64-bit ELF file");
	if (header.e_ident[EI_DATA] != ELFDATA_NATIVE)
		return nd_err_set(err, -ENOEXEC, "an ELF file of another byte order");
	if (!nd_elf_read_file(elf, 0, &header, sizeof(header)))
		return nd_err_set(err, -ENOEXEC, "a truncated ELF file");
	/*
	 * Counts beyond 16 bits are written elsewhere in the file. Only object files need that, and
	 * libelf would allocate for as many sections as the file claims.
	 */
	if ((header.e_shoff && !header.e_shnum) || header.e_phnum == PN_XNUM)
		return nd_err_set(err, -ENOEXEC, "an ELF file with too many sections or segments");
	return 0;
}

static int load_segments(struct nd_elf *elf, Elf *e)
{
	struct elf_segment *segment;
	size_t i, count;
	GElf_Phdr p;

	if (elf_getphdrnum(e, &count) || !count)
		return 0;
	elf->segments = calloc(count, sizeof(*elf->segments));
	if (!elf->segments)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		if (!gelf_getphdr(e, (int)i, &p))
			continue;
		if (p.p_type == PT_GNU_EH_FRAME)
			elf->unwind_index = p.p_vaddr;
		if (p.p_type != PT_LOAD || p.p_vaddr > UINT64_MAX - p.p_memsz ||
		    p.p_offset > UINT64_MAX - p.p_filesz)
			continue;
		segment = &elf->segments[elf->segment_count++];
		segment->offset = p.p_offset;
		segment->vaddr = p.p_vaddr;
		segment->mem_size = p.p_memsz;
		segment->file_size = p.p_filesz < p.p_memsz ? p.p_filesz : p.p_memsz;
	}
	return 0;
}

/* Take over one symbol table; one that makes no sense is as good as none. */
static void load_table(struct nd_elf *elf, Elf *e, const GElf_Shdr *section)
{
	enum elf_table_kind kind = section->sh_type == SHT_DYNSYM ? ELF_DYNSYM : ELF_SYMTAB;
	struct elf_table *table = &elf->tables[kind];
	uint64_t count = section->sh_size / sizeof(Elf64_Sym);
	Elf_Scn *link = elf_getscn(e, section->sh_link);
	GElf_Shdr strings;

	if (table->count || section->sh_entsize != sizeof(Elf64_Sym) ||
	    !gelf_getshdr(link, &strings) || strings.sh_type != SHT_STRTAB ||
	    strings.sh_size > UINT32_MAX ||
	    !is_within(section->sh_offset, section->sh_size, elf->size) ||
	    !is_within(strings.sh_offset, strings.sh_size, elf->size))
		return;
	table->offset = section->sh_offset;
	table->count = count < ND_ELF_SYMBOLS_MAX ? (size_t)count : ND_ELF_SYMBOLS_MAX;
	table->strings = strings.sh_offset;
	table->strings_size = (uint32_t)strings.sh_size;
}

static int load_sections(struct nd_elf *elf, Elf *e)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr section;
	size_t count;

	if (elf_getshdrnum(e, &count) || !count)
		return 0;
	elf->section_ends = calloc(count, sizeof(*elf->section_ends));
	if (!elf->section_ends)
		return -ENOMEM;
	elf->section_count = count;
	while ((scn = elf_nextscn(e, scn))) {
		if (!gelf_getshdr(scn, &section))
			continue;
		if ((section.sh_flags & SHF_ALLOC) &&
		    section.sh_addr <= UINT64_MAX - section.sh_size)
			elf->section_ends[elf_ndxscn(scn)] = section.sh_addr + section.sh_size;
		if (section.sh_type == SHT_DYNSYM || section.sh_type == SHT_SYMTAB)
			load_table(elf, e, &section);
	}
	return 0;
}

static int load(struct nd_elf *elf, struct nd_err *err)
{
	Elf *e;
	int r = check_header(elf, err);

	if (r)
		return r;
	elf_version(EV_CURRENT);
	/* libelf takes a `char *` for images that may be written, too; this one is only read. */
	e = elf->image ? elf_memory((char *)(uintptr_t)elf->image, elf->size)
		       : elf_begin(elf->fd, ELF_C_READ, NULL);
	if (!e)
		return nd_err_set(err, -ENOEXEC, "not an ELF file: %s", elf_errmsg(-1));
	r = load_segments(elf, e);
	if (!r)
		r = load_sections(elf, e);
	elf_end(e);
	elf->names = r ? NULL : nd_intern_new();
	return elf->names ? 0 : nd_err_set_errno(err, -ENOMEM, "cannot open an ELF file");
}

static int finish_open(struct nd_elf *elf, struct nd_elf **ret_elf, struct nd_err *err)
{
	int r = load(elf, err);

	if (r) {
		nd_elf_close(elf);
		return r;
	}
	*ret_elf = elf;
	return 0;
}

static int check_file(int fd, uint64_t *ret_size, struct nd_err *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return nd_err_set_errno(err, -errno, "cannot open an ELF file");
	if (!S_ISREG(st.st_mode))
		return nd_err_set(err, -ENOEXEC, "not a regular file");
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int nd_elf_open(int fd, struct nd_elf **ret_elf, struct nd_err *err)
{
	struct nd_elf *elf;
	uint64_t size = 0;
	int r = check_file(fd, &size, err);

	elf = r ? NULL : calloc(1, sizeof(*elf));
	if (!elf) {
		close(fd);
		return r ? r : nd_err_set_errno(err, -ENOMEM, "cannot open an ELF file");
	}
	elf->fd = fd;
	elf->size = size;
	return finish_open(elf, ret_elf, err);
}

int nd_elf_open_memory(const void *image, size_t size, struct nd_elf **ret_elf, struct nd_err *err)
{
	struct nd_elf *elf = calloc(1, sizeof(*elf));

	if (!elf)
		return nd_err_set_errno(err, -ENOMEM, "cannot open an ELF file");
	elf->fd = -1;
	elf->image = image;
	elf->size = size;
	return finish_open(elf, ret_elf, err);
}

void nd_elf_close(struct nd_elf *elf)
{
	if (!elf)
		return;
	if (elf->fd >= 0)
		close(elf->fd);
	nd_intern_free(elf->names);
	free(elf->functions);
	free(elf->section_ends);
	free(elf->segments);
	free(elf);
}

bool nd_elf_vaddr_of_offset(const struct nd_elf *elf, uint64_t offset, uint64_t *ret_vaddr)
{
	const struct elf_segment *segment;
	size_t i;

	for (i = 0; i < elf->segment_count; i++) {
		segment = &elf->segments[i];
		if (offset < segment->offset || offset - segment->offset >= segment->file_size)
			continue;
		*ret_vaddr = segment->vaddr + (offset - segment->offset);
		return true;
	}
	return false;
}

bool nd_elf_find_bias(const struct nd_elf *elf, uint64_t start, uint64_t offset, uint64_t *ret_bias)
{
	uint64_t vaddr;

	if (!nd_elf_vaddr_of_offset(elf, offset + PAGE_BYTES - 1, &vaddr))
		return false;
	*ret_bias = start + PAGE_BYTES - 1 - vaddr;
	return true;
}

bool nd_elf_read(const struct nd_elf *elf, uint64_t vaddr, void *buf, size_t len)
{
	const struct elf_segment *segment;
	uint64_t at, in_file;
	size_t i;

	for (i = 0; i < elf->segment_count; i++) {
		segment = &elf->segments[i];
		at = vaddr - segment->vaddr;
		if (vaddr < segment->vaddr || !is_within(at, len, segment->mem_size))
			continue;
		in_file = at < segment->file_size ? segment->file_size - at : 0;
		if (in_file > len)
			in_file = len;
		if (in_file && !nd_elf_read_file(elf, segment->offset + at, buf, in_file))
			return false;
		memset((char *)buf + in_file, 0, len - in_file);
		return true;
	}
	return false;
}

bool nd_elf_has_symtab(const struct nd_elf *elf)
{
	return elf->tables[ELF_SYMTAB].count > 0;
}

bool nd_elf_find_unwind_index(const struct nd_elf *elf, uint64_t *ret_vaddr)
{
	if (!elf->unwind_index)
		return false;
	*ret_vaddr = elf->unwind_index;
	return true;
}
