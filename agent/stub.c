/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libnodiag-agent.so, what LD_PRELOAD names. It gets into every program that is started with it, so
 * all it does is to look whether the program is Node, and if so to load the agent itself, which
 * lies in the folder "nodiag" beside it. Nothing is interposed, and nothing exported.
 */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "agent/log.h"

#define CORE "nodiag/libnodiag-core.so"

/* v8::Isolate::TryGetCurrent(): only what runs Node's JavaScript has it. */
void try_get_current(void) __asm__("_ZN2v87Isolate13TryGetCurrentEv") __attribute__((weak));

static void load_core(void)
{
	void (*start)(enum nd_start_place place);
	char path[4096];
	const char *slash;
	Dl_info self;
	void *core;

	if (!dladdr((void *)load_core, &self) || !(slash = strrchr(self.dli_fname, '/')))
		return;
	snprintf(path, sizeof(path), "%.*s/" CORE, (int)(slash - self.dli_fname), self.dli_fname);
	core = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!core) {
		nd_log_read_environment();
		nd_log("cannot load the agent: %s", dlerror());
		return;
	}
	*(void **)&start = dlsym(core, ND_CORE_START);
	if (start)
		start(ND_START_EARLY);
}

__attribute__((constructor)) static void on_load(void)
{
	const char *wanted = getenv("NODIAG_AGENT");

	if (try_get_current && !(wanted && !strcmp(wanted, "off")))
		load_core();
}
