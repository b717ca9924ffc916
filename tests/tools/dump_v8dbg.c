/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: dump_v8dbg NODE
 *
 * What a node binary says of its V8, as a fixture for v8_fixture.h: its version, the lengths of its
 * bytecodes, the size of its builtins, and its v8dbg_ constants by name.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/elf.h"
#include "analyzer/symbols/v8/layout.h"
#include "common/err.h"

#define PREFIX "v8dbg_"

#define CONSTANTS_MAX 8192

struct constant {
	const char *name;
	int32_t value;
};

struct dump {
	struct nd_elf *elf;
	struct constant constants[CONSTANTS_MAX];
	size_t count;
};

static int add_constant(void *arg, const struct nd_elf_symbol *symbol)
{
	struct dump *dump = arg;
	struct constant *constant = &dump->constants[dump->count];

	if (dump->count == CONSTANTS_MAX)
		return -E2BIG;
	constant->name = symbol->name + strlen(PREFIX);
	if (nd_elf_read(dump->elf, symbol->vaddr, &constant->value, sizeof(constant->value)))
		dump->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct constant *)a)->name, ((const struct constant *)b)->name);
}

static void print(struct dump *dump, const struct nd_v8_layout *layout)
{
	const struct nd_v8_version *version = &layout->version;
	uint32_t sizes = 3 * layout->bytecode_count, i;
	uint8_t bytes[3 * 256];

	printf("v8 %d.%d.%d.%d\n", version->major, version->minor, version->build, version->patch);
	if (nd_elf_read(dump->elf, layout->bytecode_sizes_vaddr, bytes, sizes)) {
		printf("bytecode_sizes ");
		for (i = 0; i < sizes; i++)
			printf("%02x", bytes[i]);
		printf("\n");
	}
	printf("builtins_size %" PRIu64 "\n", layout->builtins_size);
	qsort(dump->constants, dump->count, sizeof(dump->constants[0]), by_name);
	for (i = 0; i < dump->count; i++)
		printf("%s %" PRId32 "\n", dump->constants[i].name, dump->constants[i].value);
}

int main(int argc, char **argv)
{
	struct dump *dump = calloc(1, sizeof(*dump));
	struct nd_v8_layout layout;
	struct nd_err err = {0};
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int ret = 1;

	if (fd < 0) {
		fprintf(stderr, "usage: dump_v8dbg NODE\n");
	} else if (dump && !nd_elf_open(fd, &dump->elf, &err) &&
		   !nd_v8_layout_read(dump->elf, &layout, &err) &&
		   !nd_elf_visit(dump->elf, PREFIX, add_constant, dump)) {
		print(dump, &layout);
		ret = 0;
	} else {
		fprintf(stderr, "dump_v8dbg: %s\n", err.what);
	}
	if (dump)
		nd_elf_close(dump->elf);
	free(dump);
	return ret;
}
