/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/kind.h"

#include <string.h>

static bool starts_with(const char *str, const char *prefix)
{
	return !strncmp(str, prefix, strlen(prefix));
}

enum nd_frame_kind nd_frame_kind_of_url(const char *url)
{
	if (starts_with(url, "node:"))
		return ND_FRAME_NODE;
	if (starts_with(url, "wasm://"))
		return ND_FRAME_WASM;
	if (starts_with(url, "node_modules/") || strstr(url, "/node_modules/") ||
	    strstr(url, "\\node_modules\\"))
		return ND_FRAME_NPM;
	return ND_FRAME_JS;
}

enum nd_frame_kind nd_frame_kind_of_v8(const char *name)
{
	if (!strcmp(name, "(garbage collector)"))
		return ND_FRAME_GC;
	if (!strcmp(name, "(idle)"))
		return ND_FRAME_IDLE;
	if (!strcmp(name, "(program)"))
		return ND_FRAME_NATIVE;
	if (starts_with(name, "RegExp: "))
		return ND_FRAME_REGEXP;
	return ND_FRAME_BUILTIN;
}
