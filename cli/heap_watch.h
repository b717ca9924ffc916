/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_WATCH_H
#define NODIAG_CLI_HEAP_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct heap_snapshot_options;
struct nd_err;

/* When to take a snapshot; all zero: now. */
struct heap_triggers {
	bool near_limit;      /* the heap has grown to its limit: once, as the last thing */
	int signal;	      /* this was sent to the process */
	uint64_t every_ns;    /* so much time has passed */
	uint64_t grown_bytes; /* so much more was left by a full collection than at the last one */
	uint32_t most; /* snapshots in the folder, of whomever: then no more; 0: any number */
	uint32_t keep; /* files of these that are kept, the newest */
};

static inline bool heap_triggers_are_set(const struct heap_triggers *triggers)
{
	return triggers->near_limit || triggers->signal || triggers->every_ns ||
	       triggers->grown_bytes;
}

/*
 * Read what the options take: a signal, "SIGUSR2", "USR2" or its number; a size; a number of files.
 * 0, or EINVAL with `err` set.
 */
int heap_triggers_set_signal(struct heap_triggers *triggers, const char *arg, struct nd_err *err);
int heap_triggers_set_grown(struct heap_triggers *triggers, const char *arg, struct nd_err *err);
int heap_triggers_set_keep(struct heap_triggers *triggers, const char *arg, struct nd_err *err);

/*
 * Take heap snapshots of a process whenever that is so, until it ends or the user has enough, and
 * print the name of each file. `options->output` is a folder, or NULL for the one we are in. 0, or
 * a negative errno.
 */
int heap_watch(pid_t pid, const struct heap_snapshot_options *options,
	       const struct heap_triggers *triggers, struct nd_err *err);

#endif /* NODIAG_CLI_HEAP_WATCH_H */
