/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/elf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = strndup((const char *)data, size), *shown = malloc(512);

	if (name && shown && strlen(nd_elf_demangle(name, shown, 512)) > 511)
		abort();
	free(name);
	free(shown);
	return 0;
}
