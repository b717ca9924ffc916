/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/heap_format.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
	[HEAP_FORMAT_TEXT] = "text",
	[HEAP_FORMAT_JSON] = "json",
	[HEAP_FORMAT_HTML] = "html",
	[HEAP_FORMAT_ND] = "nd",
	[HEAP_FORMAT_HEAPSNAPSHOT] = "heapsnapshot",
};

const char *heap_format_get_name(enum heap_format format)
{
	return names[format];
}

enum heap_format heap_format_find(const char *name)
{
	size_t i;

	for (i = HEAP_FORMAT_USUAL + 1; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return (enum heap_format)i;
	return HEAP_FORMAT_USUAL;
}
