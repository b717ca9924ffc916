/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/elf.h"

#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/elf_file.h"
#include "common/intern.h"
#include "proto/limits.h"

#define CHUNK_SYMBOLS	1024
#define CHUNK_BYTES	(64u << 10)
#define NAME_OFFSET_MAX ((1u << 29) - 1)

/* How many functions before a pc may start after the larger one that holds both. */
#define LOOK_BACK 8

/* Walks a symbol table in chunks, so that it need not be held as a whole. */
struct cursor {
	const struct nd_elf *elf;
	const struct elf_table *table;
	size_t at;   /* index of the symbol after chunk[used - 1] */
	size_t used; /* of the chunk */
	size_t held; /* by the chunk */
	Elf64_Sym chunk[CHUNK_SYMBOLS];
};

static void start_cursor(struct cursor *cursor, const struct nd_elf *elf, enum elf_table_kind kind)
{
	cursor->elf = elf;
	cursor->table = &elf->tables[kind];
	cursor->at = 0;
	cursor->used = 0;
	cursor->held = 0;
}

/* The next symbol; NULL at the end or when the file cannot be read. */
static const Elf64_Sym *next_symbol(struct cursor *cursor)
{
	size_t left = cursor->table->count - cursor->at;

	if (cursor->used == cursor->held) {
		if (!left)
			return NULL;
		cursor->held = left < CHUNK_SYMBOLS ? left : CHUNK_SYMBOLS;
		cursor->used = 0;
		if (!nd_elf_read_file(cursor->elf,
				      cursor->table->offset + cursor->at * sizeof(Elf64_Sym),
				      cursor->chunk, cursor->held * sizeof(Elf64_Sym)))
			return NULL;
	}
	cursor->at++;
	return &cursor->chunk[cursor->used++];
}

/* Copy a name, cut at ND_ELF_NAME_MAX; false when there is none at `offset`. */
static bool read_name(const struct nd_elf *elf, enum elf_table_kind kind, uint32_t offset,
		      char name[ND_ELF_NAME_MAX + 1])
{
	const struct elf_table *table = &elf->tables[kind];
	size_t len;

	if (offset >= table->strings_size)
		return false;
	len = table->strings_size - offset;
	if (len > ND_ELF_NAME_MAX)
		len = ND_ELF_NAME_MAX;
	name[len] = '\0';
	return nd_elf_read_file(elf, table->strings + offset, name, len);
}

/* Names that are handed out are kept until the file is closed. NULL when there is none. */
static const char *keep_name(struct nd_elf *elf, enum elf_table_kind kind, uint32_t offset)
{
	char name[ND_ELF_NAME_MAX + 1];
	uint32_t id;

	if (!read_name(elf, kind, offset, name) ||
	    nd_intern_add(elf->names, name, strlen(name), &id))
		return NULL;
	return nd_intern_get(elf->names, id);
}

/* Of the symbols without a type, which assembler code often has, only V8's builtins are wanted. */
static bool is_builtin(const struct nd_elf *elf, enum elf_table_kind kind, uint32_t offset)
{
	static const char prefix[] = "Builtins_";
	const struct elf_table *table = &elf->tables[kind];
	char name[sizeof(prefix) - 1];

	return offset < table->strings_size && table->strings_size - offset > sizeof(name) &&
	       nd_elf_read_file(elf, table->strings + offset, name, sizeof(name)) &&
	       !memcmp(name, prefix, sizeof(name));
}

static bool is_function(const struct nd_elf *elf, enum elf_table_kind kind, const Elf64_Sym *symbol)
{
	if (symbol->st_shndx == SHN_UNDEF || !symbol->st_name || symbol->st_name > NAME_OFFSET_MAX)
		return false;
	switch (ELF64_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return true;
	case STT_NOTYPE:
		return is_builtin(elf, kind, symbol->st_name);
	default:
		return false;
	}
}

/* A symbol without a size reaches to the end of its section, unless another one follows. */
static uint64_t guess_size(const struct nd_elf *elf, const Elf64_Sym *symbol)
{
	uint64_t end =
		symbol->st_shndx < elf->section_count ? elf->section_ends[symbol->st_shndx] : 0;

	return end > symbol->st_value ? end - symbol->st_value : 0;
}

static void collect_functions(struct nd_elf *elf, enum elf_table_kind kind)
{
	const Elf64_Sym *symbol;
	struct elf_function *f;
	struct cursor cursor;
	uint64_t size;

	start_cursor(&cursor, elf, kind);
	while ((symbol = next_symbol(&cursor))) {
		if (!is_function(elf, kind, symbol))
			continue;
		size = symbol->st_size ? symbol->st_size : guess_size(elf, symbol);
		if (!size)
			continue;
		f = &elf->functions[elf->function_count++];
		f->vaddr = symbol->st_value;
		f->size = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
		f->name = symbol->st_name & NAME_OFFSET_MAX;
		f->table = kind;
		f->is_guessed = !symbol->st_size;
		f->is_local = ELF64_ST_BIND(symbol->st_info) == STB_LOCAL;
	}
}

/* By address; of several at one address the best name comes first. */
static int compare_functions(const void *a, const void *b)
{
	const struct elf_function *x = a, *y = b;

	if (x->vaddr != y->vaddr)
		return x->vaddr < y->vaddr ? -1 : 1;
	if (x->is_guessed != y->is_guessed)
		return x->is_guessed ? 1 : -1;
	if (x->is_local != y->is_local)
		return x->is_local ? 1 : -1;
	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* Drop all but the first at each address, and end guessed sizes where the next one starts. */
static void settle_functions(struct nd_elf *elf)
{
	struct elf_function *f = elf->functions, *last;
	size_t i, count = 0;

	for (i = 0; i < elf->function_count; i++) {
		last = count ? &f[count - 1] : NULL;
		if (last && last->vaddr == f[i].vaddr)
			continue;
		if (last && last->is_guessed && f[i].vaddr - last->vaddr < last->size)
			last->size = (uint32_t)(f[i].vaddr - last->vaddr);
		f[count++] = f[i];
	}
	elf->function_count = count;
}

/* Out of memory, the file is as good as one without symbols: an answer without these names. */
static void build_functions(struct nd_elf *elf)
{
	size_t max = elf->tables[ELF_DYNSYM].count + elf->tables[ELF_SYMTAB].count;
	struct elf_function *shrunk;

	elf->is_indexed = true;
	elf->function_count = 0;
	elf->functions = max ? malloc(max * sizeof(*elf->functions)) : NULL;
	if (!elf->functions)
		return;
	collect_functions(elf, ELF_DYNSYM);
	collect_functions(elf, ELF_SYMTAB);
	qsort(elf->functions, elf->function_count, sizeof(*elf->functions), compare_functions);
	settle_functions(elf);
	if (!elf->function_count)
		return;
	shrunk = realloc(elf->functions, elf->function_count * sizeof(*elf->functions));
	if (shrunk)
		elf->functions = shrunk;
}

/* How many functions start at or before `vaddr`. */
static size_t count_until(const struct nd_elf *elf, uint64_t vaddr)
{
	size_t low = 0, high = elf->function_count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (elf->functions[middle].vaddr <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool nd_elf_find_function(struct nd_elf *elf, uint64_t vaddr, struct nd_elf_symbol *ret_symbol)
{
	const struct elf_function *f;
	const char *name;
	size_t i, back;

	if (!elf->is_indexed)
		build_functions(elf);
	i = count_until(elf, vaddr);
	for (back = 0; i && back < LOOK_BACK; back++) {
		f = &elf->functions[--i];
		if (vaddr - f->vaddr >= f->size)
			continue;
		name = keep_name(elf, f->table, f->name);
		if (!name)
			return false;
		ret_symbol->name = name;
		ret_symbol->vaddr = f->vaddr;
		ret_symbol->size = f->is_guessed ? 0 : f->size;
		return true;
	}
	return false;
}

/* Where in a string table a text occurs, in rising order. */
struct places {
	uint32_t *offset;
	size_t count;
	size_t cap;
};

static int add_place(struct places *places, uint32_t offset)
{
	size_t cap = places->cap ? places->cap * 2 : 64;
	uint32_t *grown;

	if (places->count == places->cap) {
		grown = realloc(places->offset, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		places->offset = grown;
		places->cap = cap;
	}
	places->offset[places->count++] = offset;
	return 0;
}

static bool has_place(const struct places *places, uint32_t offset)
{
	size_t low = 0, high = places->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (places->offset[middle] == offset)
			return true;
		if (places->offset[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/*
 * Searching the strings first and the symbols only for what was found is several times faster than
 * looking at each symbol's name, and holds neither in memory.
 */
static int find_places(const struct nd_elf *elf, const struct elf_table *table, const char *text,
		       size_t len, struct places *places)
{
	size_t size = CHUNK_BYTES + len, chunk_len;
	char *chunk = malloc(size), *at;
	uint64_t start;
	int r = chunk ? 0 : -ENOMEM;

	/* Chunks overlap by what a text that began at the end of one would lack. */
	for (start = 0; !r && start < table->strings_size; start += CHUNK_BYTES) {
		chunk_len = table->strings_size - start;
		if (chunk_len > CHUNK_BYTES + len - 1)
			chunk_len = CHUNK_BYTES + len - 1;
		if (!nd_elf_read_file(elf, table->strings + start, chunk, chunk_len))
			break;
		at = chunk;
		while (!r && (at = memmem(at, chunk_len - (size_t)(at - chunk), text, len)))
			r = add_place(places, (uint32_t)(start + (size_t)(at++ - chunk)));
	}
	free(chunk);
	return r;
}

/* Visit the defined symbols of one table whose names start with `text`, which may end with a NUL.
 */
static int visit_table(struct nd_elf *elf, enum elf_table_kind kind, const char *text, size_t len,
		       int (*visit)(void *arg, const struct nd_elf_symbol *symbol), void *arg)
{
	struct places places = {0};
	struct nd_elf_symbol found;
	const Elf64_Sym *symbol;
	struct cursor cursor;
	int r = find_places(elf, &elf->tables[kind], text, len, &places);

	start_cursor(&cursor, elf, kind);
	while (!r && places.count && (symbol = next_symbol(&cursor))) {
		if (symbol->st_shndx == SHN_UNDEF || !has_place(&places, symbol->st_name))
			continue;
		found.name = keep_name(elf, kind, symbol->st_name);
		found.vaddr = symbol->st_value;
		found.size = symbol->st_size;
		r = found.name ? visit(arg, &found) : -ENOMEM;
	}
	free(places.offset);
	return r;
}

static int take_symbol(void *arg, const struct nd_elf_symbol *symbol)
{
	*(struct nd_elf_symbol *)arg = *symbol;
	return 1;
}

bool nd_elf_find_symbol(struct nd_elf *elf, const char *name, struct nd_elf_symbol *ret_symbol)
{
	size_t len = strlen(name) + 1;

	return visit_table(elf, ELF_DYNSYM, name, len, take_symbol, ret_symbol) == 1 ||
	       visit_table(elf, ELF_SYMTAB, name, len, take_symbol, ret_symbol) == 1;
}

int nd_elf_visit(struct nd_elf *elf, const char *prefix,
		 int (*visit)(void *arg, const struct nd_elf_symbol *symbol), void *arg)
{
	enum elf_table_kind kind = elf->tables[ELF_DYNSYM].count ? ELF_DYNSYM : ELF_SYMTAB;

	assert(*prefix);
	return visit_table(elf, kind, prefix, strlen(prefix), visit, arg);
}

int nd_elf_visit_symtab(struct nd_elf *elf, const char *prefix,
			int (*visit)(void *arg, const struct nd_elf_symbol *symbol), void *arg)
{
	assert(*prefix);
	return visit_table(elf, ELF_SYMTAB, prefix, strlen(prefix), visit, arg);
}

bool nd_elf_links(const struct nd_elf *elf, const char *text)
{
	struct places places = {0};
	bool found;

	assert(*text);
	find_places(elf, &elf->tables[ELF_DYNSYM], text, strlen(text), &places);
	found = places.count > 0;
	free(places.offset);
	return found;
}
