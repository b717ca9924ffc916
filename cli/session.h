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

#include "cli/target.h"

struct nd_err;
struct nd_profile;

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
};

/* How it went, for the closing words. */
struct session_result {
	char runtime[96];      /* "Node.js v22.23.3 (V8 12.4.254)" */
	char title[256];       /* "server.js (4242)" */
	char command[512];     /* the target's command line */
	const char *sampler;   /* "eBPF", "perf_event" or "the agent" */
	char sampler_why[640]; /* why not eBPF, or "" */
	char limits[256];      /* what could not be seen in the target, or "" */
	uint64_t samples;
	uint64_t start_ns; /* monotonic */
	uint64_t start_unix_ns;
	uint64_t duration_ns;
	uint64_t own_cpu_ns;	 /* CPU time of nodiag during the recording */
	uint64_t sampler_cpu_ns; /* CPU time of taking samples, charged to the target */
	bool target_ended;	 /* before the duration was over */
	int status;		 /* of a command: its exit status, as a shell has it */
};

/*
 * Record `target` into `profile`. SIGINT and SIGTERM end the recording early, which is no failure.
 * Returns EXIT_DONE, or the exit code of the failure with `err` set.
 */
int session_run(const struct target *target, const struct session_options *options,
		struct nd_profile *profile, struct session_result *ret_result, struct nd_err *err);

#endif /* NODIAG_CLI_SESSION_H */
