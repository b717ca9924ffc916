/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/elf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SYMBOLS_MAX 32

struct seen {
	uint64_t vaddrs[SYMBOLS_MAX];
	size_t count;
};

/* Demangling is most of what a name can do. */
static int note_symbol(void *arg, const struct nd_elf_symbol *symbol)
{
	struct seen *seen = arg;
	char name[256];

	nd_elf_demangle(symbol->name, name, sizeof(name));
	seen->vaddrs[seen->count++] = symbol->vaddr;
	return seen->count == SYMBOLS_MAX;
}

static void use(struct nd_elf *elf, uint64_t vaddr)
{
	struct nd_elf_symbol found;
	char buf[64];
	uint64_t at;

	if (nd_elf_find_function(elf, vaddr, &found)) {
		nd_elf_demangle(found.name, buf, sizeof(buf));
		nd_elf_find_symbol(elf, found.name, &found);
	}
	nd_elf_read(elf, vaddr, buf, sizeof(buf));
	nd_elf_vaddr_of_offset(elf, vaddr, &at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {.count = 0};
	struct nd_elf *elf;
	size_t i;

	if (nd_elf_open_memory(data, size, &elf, NULL))
		return 0;
	if (!nd_elf_visit(elf, "v8dbg_", note_symbol, &seen))
		nd_elf_visit(elf, "_", note_symbol, &seen);
	for (i = 0; i < seen.count; i++) {
		use(elf, seen.vaddrs[i]);
		use(elf, seen.vaddrs[i] + 8);
	}
	use(elf, 0);
	nd_elf_close(elf);
	return 0;
}
