/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_RECORD_SESSION_H
#define NODIAG_CLI_RECORD_SESSION_H

/*
 * One recording into a file: the sampler's stacks and, by the agent or by eBPF, event loops,
 * written as they come.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cli/lag_source.h"
#include "cli/lag_tap.h"
#include "cli/out.h"
#include "cli/session.h"
#include "cli/target.h"

struct nd_err;
struct nd_profile;

struct record_options {
	struct session_options session;
	uint64_t threshold_ns; /* of a stall */
	bool async;	       /* asynchronous resources too, where the agent can */
	bool trace;	       /* follow requests, too */
	/*
	 * Only what the agent in the process sees, its CPU samples too, and all that it has seen
	 * where nobody has read that yet; the recording ends with it.
	 */
	bool agent_only;
	const struct lag_tap *tap; /* gets what is told of event loops, too; or NULL */
};

/* How it went, for the closing words. */
struct record_result {
	struct session_result session;
	const char *loops;	  /* who told of event loops: "the agent"; "" nobody */
	const char *adds;	  /* what the agent would add to that, or "" */
	char no_loops[640];	  /* why event loops are not recorded, or "" */
	char unnamed[640];	  /* why their stacks have no names, or "" */
	struct lag_report report; /* of who told of event loops, when it was asked last */
	bool has_async;		  /* the agent was there that follows asynchronous resources */
	bool has_trace;		  /* likewise requests */
	uint64_t agent_samples;	  /* CPU samples by the agent, in place of a sampler */
	uint64_t size_bytes;	  /* of the file */
	uint64_t samples;	  /* CPU samples in it */
	bool is_full;		  /* it is as large as can be read back */
};

/*
 * Record `target` into `out`. SIGINT and SIGTERM end it early, which is no failure. Returns
 * EXIT_DONE, or the exit code of the failure with `err` set; what was written until then stays, and
 * is readable. `profile` gets the losses.
 */
int record_session_run(const struct target *target, const struct record_options *options,
		       struct out *out, struct nd_profile *profile,
		       struct record_result *ret_result, struct nd_err *err);

#endif /* NODIAG_CLI_RECORD_SESSION_H */
