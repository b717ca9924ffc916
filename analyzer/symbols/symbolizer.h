/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_SYMBOLIZER_H
#define NODIAG_ANALYZER_SYMBOLS_SYMBOLIZER_H

/*
 * From raw samples (proto/sample.h) to named stacks in a profile.
 *
 * Knows the observed processes: their mappings, memory, V8s and threads. Samples should come soon
 * after they were taken, while the memory is still true; what has become untrue is shown as unknown
 * and counted, never guessed. Only reads. Not thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nd_call;
struct nd_err;
struct nd_loop_place;
struct nd_profile;
struct nd_sample_cpu;
struct nd_sample_header;
struct nd_sample_stack;
struct nd_stack;
struct nd_symbolizer;
struct nd_walk_layout;

struct nd_symbolizer_options {
	struct nd_profile *profile; /* gets the stacks; outlives the symbolizer */
	uint64_t period_ns;	    /* CPU time that one sample stands for */
	bool threads;		    /* a root frame for each thread */
	bool source_maps;	    /* show original sources where scripts name a map */
	/* Name a kernel address into `buf`; NULL where there are no kernel frames. */
	bool (*name_kernel)(void *arg, uint64_t address, char *buf, size_t size);
	void *arg;
	/* Takes the stacks instead of the profile, which gets their frames only; or NULL. */
	int (*add_stack)(void *stack_arg, const struct nd_stack *stack);
	void *stack_arg;
};

/* NULL when out of memory. */
struct nd_symbolizer *nd_symbolizer_new(const struct nd_symbolizer_options *options);
void nd_symbolizer_free(struct nd_symbolizer *symbolizer);

/*
 * Get to know a process, or get to know it anew after an exec, and tell the walker about its V8.
 * -ENOENT when it runs no V8, -ENOTSUP with the reason when it runs one that cannot be read; its
 * native stacks still come out. -ESRCH, -EACCES, -ENOMEM.
 */
int nd_symbolizer_add_process(struct nd_symbolizer *symbolizer, pid_t pid,
			      struct nd_walk_layout *ret_walk, struct nd_err *err);

/* What that told of a process, again; all zeros for one that was not added, or runs no V8. */
void nd_symbolizer_get_walk(const struct nd_symbolizer *symbolizer, pid_t pid,
			    struct nd_walk_layout *ret_walk);

/* Whether the process was added. */
bool nd_symbolizer_has_process(const struct nd_symbolizer *symbolizer, pid_t pid);

/*
 * Name one sample and add it to the profile. Samples of processes that were not added are counted
 * as ND_LOSS_PROCESS_GONE. -ENOMEM, -E2BIG (see nd_profile_add_stack()).
 */
int nd_symbolizer_add_sample(struct nd_symbolizer *symbolizer,
			     const struct nd_sample_header *record);

/*
 * Walk the copy of a stack, to be named later. This reads what the garbage collector may move, so
 * it should come as soon as can be; names can wait. The caller frees the sample. -ESRCH for a
 * process that was not added, -ENOMEM.
 */
int nd_symbolizer_walk_stack(struct nd_symbolizer *symbolizer, const struct nd_sample_stack *stack,
			     struct nd_sample_cpu **ret_sample);

/* The calls of one sample. */
struct nd_named_stack {
	const struct nd_call *calls; /* [0] is the innermost; valid until the next sample */
	size_t depth;
	bool truncated; /* ends in "[truncated]": there are more calls towards the root */
	bool rootless;	/* the walk ended before the thread's first function */
	bool ran_js;	/* the thread has run JavaScript, now or in an earlier sample */
};

/*
 * Name one sample and add only its frames and losses to the profile; an ND_SAMPLE_TAIL is kept for
 * the next, and gives no stack. -ESRCH for a process that was not added, -ENOMEM.
 */
int nd_symbolizer_name_sample(struct nd_symbolizer *symbolizer,
			      const struct nd_sample_header *record,
			      struct nd_named_stack *ret_stack);

/* Where a process that was added has a function of its C library; 0 when it is not found. */
uint64_t nd_symbolizer_find_libc_function(struct nd_symbolizer *symbolizer, pid_t pid,
					  const char *name);

/* nd_process_find_loop() of a process that was added. */
int nd_symbolizer_find_loop(struct nd_symbolizer *symbolizer, pid_t pid, pid_t tid,
			    struct nd_loop_place *ret_place);

/* Whether an address is in what V8 compiled, or in its builtins. */
bool nd_symbolizer_is_js(struct nd_symbolizer *symbolizer, pid_t pid, uint64_t pc);

/* Add time in which a thread waited for events; only threads that ran JavaScript get it. */
int nd_symbolizer_add_idle(struct nd_symbolizer *symbolizer, pid_t pid, pid_t tid,
			   uint64_t idle_ns);

/* The samples that follow come later: memory read before does not hold for them. */
void nd_symbolizer_end_batch(struct nd_symbolizer *symbolizer);

/* "Node.js v22.23.3 (V8 12.4.254.21)", as far as the process tells. Returns `buf`. */
char *nd_symbolizer_describe(struct nd_symbolizer *symbolizer, pid_t pid, char *buf, size_t size);

/* What could not be seen in a process, as words for a person, or NULL. */
const char *nd_symbolizer_get_limits(const struct nd_symbolizer *symbolizer, pid_t pid);

#endif /* NODIAG_ANALYZER_SYMBOLS_SYMBOLIZER_H */
