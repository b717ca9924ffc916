/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_SESSION_H
#define NODIAG_CLI_SESSION_H

/*
 * One recording of CPU samples: connects the sampler (probes) to the symbolizer (analyzer), from
 * the first look at the target until its profile is complete.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/child.h"
#include "cli/target.h"

struct nd_err;
struct nd_profile;
struct nd_stack;
struct nd_symbolizer;

struct session_options {
	uint64_t duration_ns; /* 0: until the target ends */
	unsigned int hz;
	bool kernel;
	bool idle;
	bool threads;
	bool source_maps;
	/* Asked now and then: whether what was to be seen is over; NULL: no. */
	bool (*is_over)(void *arg, pid_t pid);
	void *arg;
	const struct session_hooks *hooks; /* or NULL */
};

/* How things stand after a round of samples. */
struct session_moment {
	pid_t node_pid; /* the first process seen to run V8, 0 before */
	uint64_t samples;
	uint64_t ring_full; /* of these, lost because nobody read in time */
	uint64_t unwatched; /* threads that could not be watched */
	bool is_last;	    /* no more samples will come */
};

/* What is done besides filling a profile. The result of the session is valid all along. */
struct session_hooks {
	/*
	 * The target is about to be sampled; `symbolizer` lives as long as the session. Returns 0,
	 * or a negative errno with `err` set.
	 */
	int (*begin)(void *arg, struct nd_symbolizer *symbolizer, pid_t pid, struct nd_err *err);
	/* Takes the stacks, of which the profile gets their frames only. As nd_profile_add_stack().
	 */
	int (*add_stack)(void *arg, const struct nd_stack *stack);
	/* After each round, at least fifty times a second. As begin(), or 1 to end the session. */
	int (*look)(void *arg, const struct session_moment *moment, struct nd_err *err);
	/* Whether the next look should come sooner than that. */
	bool (*is_urgent)(void *arg);
	void *arg;
	/* Where sampling is not permitted, go on without, and leave the agent to the hooks. */
	bool may_lack_sampler;
	bool no_sampler; /* do so in any case */
};

/* How it went, for the closing words. */
struct session_result {
	char runtime[96];      /* "Node.js v22.23.3 (V8 12.4.254)" */
	char title[256];       /* "server.js (4242)" */
	char command[512];     /* the target's command line */
	const char *sampler;   /* "eBPF", "perf_event", "the agent", or "" for none */
	char sampler_why[640]; /* why not eBPF, or "" */
	char limits[256];      /* what could not be seen in the target, or "" */
	uint64_t samples;
	uint64_t start_ns; /* monotonic */
	uint64_t start_unix_ns;
	uint64_t duration_ns;
	uint64_t own_cpu_ns;	 /* CPU time of nodiag during the recording */
	uint64_t sampler_cpu_ns; /* CPU time of taking samples, charged to the target */
	bool target_ended;	 /* before the duration was over */
	struct child child;	 /* the command, which may go on: child_wait() */
};

/*
 * Record `target` into `profile`. SIGINT and SIGTERM end the recording early, which is no failure.
 * A command that has not ended by then goes on, as if nodiag had not been there.
 * Returns EXIT_DONE, or the exit code of the failure with `err` set.
 */
int session_run(const struct target *target, const struct session_options *options,
		struct nd_profile *profile, struct session_result *ret_result, struct nd_err *err);

#endif /* NODIAG_CLI_SESSION_H */
