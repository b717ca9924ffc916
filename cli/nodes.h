/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_NODES_H
#define NODIAG_CLI_NODES_H

/*
 * The Node.js processes of this host: which they are, how they do, and how much nodiag would see
 * of each.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/symbols/runtime.h"
#include "common/container.h"
#include "common/err.h"
#include "common/procstat.h"

/* For how long nodes_look() watches the CPU. */
#define NODES_INTERVAL_MS 200

struct node {
	pid_t pid;
	struct nd_runtime *runtime; /* NULL where this user may not see what it runs */
	struct nd_proc_status status;
	/* From here on by nodes_look(). */
	struct nd_runtime_info info;
	struct nd_container container; /* "" where it is in none */
	char user[33];		       /* its name, or its number */
	char *args;		       /* see cli/script.h */
	size_t args_len;
	char *text;  /* script_describe(), printable */
	int workers; /* -1: not known */
	uint64_t age_ns;
	uint64_t cpu_ns; /* used by all threads since its start */
	uint64_t cpu_at_ns;
	double cpu;		 /* cores used during the interval */
	bool is_elsewhere;	 /* in another mount namespace, where that can be seen */
	const char *sampler;	 /* "eBPF" or "perf_event", NULL: nothing can be seen of it */
	struct nd_err why;	 /* what cannot be seen of it; code 0: everything can */
	bool has_agent;		 /* one that answers this user */
	uint32_t agent_features; /* enum nd_agent_feature: what works of it */
	uint32_t agent_reason;	 /* enum nd_agent_reason: why not all does */
	/* Of its threads: why not all are traced, or tell of their requests; else the main one's.
	 */
	uint32_t tracing; /* enum nd_tracing, or a newer one */
	uint32_t context; /* enum nd_context, likewise */
};

struct nodes {
	struct nd_runtimes *runtimes;
	struct node *list;
	size_t count;
	bool is_hidden;		  /* /proc does not show the processes of others */
	const char *sampler;	  /* by nodes_look(): "eBPF", "perf_event", NULL where none works */
	struct nd_err no_sampler; /* why none does, or why not the better one; code 0: it does */
};

/*
 * Find them: all that this user can see, by process id. Of processes whose executable may not be
 * looked at, those that are called like Node.js, or have threads that are. -ENOMEM, or the errno of
 * reading /proc.
 */
int nodes_find(struct nodes *ret_nodes, struct nd_err *err);

/* The same of one process. -ENOENT when it is none of Node.js, -ESRCH, -ENOMEM. */
int nodes_find_one(pid_t pid, struct nodes *ret_nodes, struct nd_err *err);
void nodes_fini(struct nodes *nodes);

/* Drop those that are not this user's; all are root's. */
void nodes_keep_own(struct nodes *nodes);

/*
 * Fill in all the rest, which takes NODES_INTERVAL_MS. Those that end meanwhile are dropped, the
 * busiest come first.
 */
int nodes_look(struct nodes *nodes, struct nd_err *err);

/*
 * Call `step` for each, and drop those for which it does not return 0. -ENOMEM ends it, and is
 * returned.
 */
int nodes_filter(struct nodes *nodes, int (*step)(struct nodes *nodes, struct node *node));

/* "script.js --port 3000" of any process; the caller frees it. NULL when out of memory. */
char *nodes_describe(pid_t pid);

#endif /* NODIAG_CLI_NODES_H */
