/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_LAG_SESSION_H
#define NODIAG_CLI_LAG_SESSION_H

/*
 * One observation of event loops: connects a source, in the process or outside of it, to the
 * analyzer, from the first look at the target until its answer is complete.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/child.h"
#include "cli/target.h"

struct nd_err;
struct channel;
struct nd_call;
struct nd_event_sample;
struct nd_event_span;
struct nd_lag;
struct nd_profile;
struct nd_trace;

struct lag_options {
	uint64_t duration_ns; /* 0: until the target ends */
	uint64_t threshold_ns;
	/*
	 * The agent alone tells, of all that it has seen where nobody has read that yet; and no
	 * stacks are taken during stalls, which costs the process less.
	 * `show` is called at once, too.
	 */
	bool is_unattended;
	/*
	 * A connection to the agent that is there already, or NULL. By it, what a process told that
	 * has ended meanwhile is still there.
	 */
	struct channel *channel;
	bool active;   /* what keeps loops alive, by type; by the agent only */
	bool async;    /* follow asynchronous resources, which only the agent can */
	bool requests; /* follow them, for stalls to name theirs; by the agent only */
	/* Gets the spans of requests, of which only an agent tells; NULL: nobody wants them. */
	struct nd_trace *trace;
	uint32_t spans; /* of ND_FEATURE_SPANS: what else it is to get them of */
	/*
	 * Gets each of them, when it begins and when it is over, likewise; what it returns but 0
	 * ends the observation.
	 */
	int (*add_span)(void *arg, const struct nd_event_span *span);
	/* Gets CPU samples, of which the agent takes so many a second; likewise. */
	int (*add_sample)(void *arg, const struct nd_event_sample *sample, const uint8_t *span_id,
			  const struct nd_call *calls, size_t depth);
	unsigned int hz; /* at most AGENT_SAMPLER_HZ_MAX; 0: none */
	/* Called once a second with the answer so far; NULL: not at all. */
	void (*show)(void *arg, struct nd_lag *lag);
	/* Called as often: whether handles and the heap's spaces are wanted anew; NULL: no. */
	bool (*ask)(void *arg);
	void *arg; /* of all of them */
};

/* How it went, for the closing words. */
struct lag_result {
	pid_t pid;
	char runtime[96];   /* "Node.js v22.23.3 (V8 12.4.254)" */
	char title[256];    /* "server.js (4242)" */
	char unnamed[640];  /* why stacks have no names, or "" */
	const char *source; /* "the agent" */
	const char *adds;   /* what the agent would add, or "" */
	const char *reason; /* why not all could be measured, or "" */
	uint64_t duration_ns;
	uint64_t stacks;	  /* taken during stalls */
	uint64_t dropped;	  /* events that found no room */
	uint64_t left_out;	  /* threads without a place of their own */
	uint64_t stalls_left_out; /* by more functions than are told apart */
	uint64_t spans_lost;	  /* requests that could not be followed */
	const char *untraced;	  /* why requests of some thread were not traced, or "" */
	const char *unread;	  /* why stacks of some thread tell of no request, or "" */
	uint64_t own_cpu_ns;
	bool target_ended;
	struct child child; /* the command, which may go on: child_wait() */
};

/*
 * Observe `target`. SIGINT and SIGTERM end it early, which is no failure. Returns EXIT_DONE, or the
 * exit code of the failure with `err` set.
 */
int lag_session_run(const struct target *target, const struct lag_options *options,
		    struct nd_lag *lag, struct nd_profile *frames, struct lag_result *ret_result,
		    struct nd_err *err);

#endif /* NODIAG_CLI_LAG_SESSION_H */
