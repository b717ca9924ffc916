/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"

#define STUB "libnodiag-agent.so"
#define CORE "nodiag/libnodiag-core.so"

/* Folders of the libraries, as seen from that of this program. */
static const char *const folders[] = {"../agent", "../" ND_LIBDIR};

/* Find a library beside this program. */
static const char *find(const char *name, char *buf, size_t size)
{
	char self[2048], path[4096], *slash;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t i;

	if (len <= 0)
		return NULL;
	self[len] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *real;

		snprintf(path, sizeof(path), "%s/%s/%s", self, folders[i], name);
		real = realpath(path, NULL);
		if (!real)
			continue;
		snprintf(buf, size, "%s", real);
		free(real);
		return buf;
	}
	return NULL;
}

const char *agent_get_stub(void)
{
	static char path[4096];

	return find(STUB, path, sizeof(path)) ? path : STUB;
}

const char *agent_get_core(void)
{
	static char path[4096];

	return find(CORE, path, sizeof(path));
}

int agent_preload(struct nd_err *err)
{
	const char *stub = agent_get_stub(), *before = getenv("LD_PRELOAD");
	char *value;
	int ret;

	if (*stub != '/')
		return nd_err_set(err, -ENOENT, "'%s' is not beside nodiag", STUB);
	if (asprintf(&value, "%s%s%s", stub, before && *before ? ":" : "", before ? before : "") <
	    0)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = setenv("LD_PRELOAD", value, 1) ? nd_err_set(err, -ENOMEM, "out of memory") : 0;
	/* An agent has one reader, and that is this program. */
	unsetenv("NODIAG_OUTPUT");
	if (setenv("NODIAG_EXPORT", "off", 1))
		ret = nd_err_set(err, -ENOMEM, "out of memory");
	free(value);
	return ret;
}
