/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_NAMER_H
#define NODIAG_ANALYZER_SYMBOLS_NAMER_H

/*
 * Names the frames of one walked sample: addresses of the kernel, of files and of what V8 compiled
 * become calls, the work of the collector and the like gets a call of its own, and what lies below
 * a thread's first function is left out. What is lost on the way is counted in the profile. Not
 * thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/symbols/calls.h"
#include "analyzer/symbols/module.h"

struct nd_kernel_name;
struct nd_process;
struct nd_sample_cpu;

/* What the caller sets, and all zeros. */
struct nd_namer {
	struct nd_profile *profile; /* gets the frames, and what was lost */
	struct nd_modules *modules;
	/* As in struct nd_symbolizer_options. */
	bool (*name_kernel)(void *arg, uint64_t address, char *buf, size_t size);
	void *arg;

	/* Of the last sample. */
	struct nd_calls named; /* its calls, innermost first */
	bool rootless;	       /* the walk ended before its root */
	bool ran_js;	       /* one of its frames runs JavaScript */

	/* Frames of what is no function; nd_namer_init() adds them. */
	uint32_t work_frames[ND_WORK_COUNT];
	uint32_t unknown_frame;
	uint32_t truncated_frame;
	uint32_t idle_frame;

	struct nd_calls calls;			       /* without what is added to them */
	struct nd_symbol *symbols[ND_STACK_DEPTH_MAX]; /* of native calls, beside `calls` */
	struct nd_kernel_name *kernel_names;
};

/* -ENOMEM. */
int nd_namer_init(struct nd_namer *namer);

/* Also after that failed. */
void nd_namer_fini(struct nd_namer *namer);

/* Name a sample of a thread that has that isolate, into `namer->named`. */
void nd_namer_name(struct nd_namer *namer, struct nd_process *process, uint32_t isolate,
		   const struct nd_sample_cpu *sample);

#endif /* NODIAG_ANALYZER_SYMBOLS_NAMER_H */
