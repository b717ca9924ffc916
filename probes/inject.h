/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROBES_INJECT_H
#define NODIAG_PROBES_INJECT_H

/*
 * Loading a library into a running process, with ptrace.
 *
 * Its main thread is borrowed for a few calls: dlopen(), dlsym(), and the library's own start. That
 * is done only where nothing can be half done: when the event loop is about to wait for events, or,
 * when that does not happen for a while, in the middle of JavaScript. Where neither comes the
 * process is left alone. Other threads go on all the time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/channel.h"

struct nd_err;

struct nd_inject {
	pid_t pid;
	/* Functions in the process. */
	uint64_t dlopen_address;
	uint64_t dlsym_address;
	uint64_t dlerror_address;
	uint64_t memfd_create_address;
	const char *library; /* its path as the process sees it; NULL: it is given as bytes */
	const void *image;   /* those; they become a memory file that the process keeps */
	size_t image_size;
	const char *image_name; /* of that file */
	const char *symbol;	/* void symbol(enum nd_start_place) */
	/* Whether JavaScript runs at an address, and not something that it called. */
	bool (*is_js)(void *arg, uint64_t pc);
	void *arg;
};

struct nd_injected {
	enum nd_start_place place;
	uint64_t stopped_ns; /* how long the main thread was stopped */
	uint64_t waited_ns;  /* for the place */
};

/*
 * Load it and call its start. -EPERM when tracing is not permitted, -EBUSY when no place came,
 * -ESRCH when the process is gone, -ELIBACC when it could not load the library, -ENOTSUP on
 * machines where this is not made.
 */
int nd_inject(const struct nd_inject *inject, struct nd_injected *ret_injected, struct nd_err *err);

#endif /* NODIAG_PROBES_INJECT_H */
