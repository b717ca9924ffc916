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

enum heap_format heap_format_of_path(const char *path)
{
	const char *dot = strrchr(path, '.');
	enum heap_format format = dot ? heap_format_find(dot + 1) : HEAP_FORMAT_USUAL;

	return format == HEAP_FORMAT_ND || format == HEAP_FORMAT_HEAPSNAPSHOT ? format
									      : HEAP_FORMAT_USUAL;
}

enum heap_format heap_format_choose(enum heap_format asked, const char *path)
{
	enum heap_format format = asked;

	if (format == HEAP_FORMAT_USUAL && path)
		format = heap_format_of_path(path);
	return format == HEAP_FORMAT_USUAL ? HEAP_FORMAT_ND : format;
}
