/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_LAG_SOURCE_H
#define NODIAG_CLI_LAG_SOURCE_H

/*
 * Where an observation of event loops gets its counters, stalls and stacks from: the agent in the
 * process (lag_agent.c), or eBPF outside of it (lag_probes.c).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/lag_sink.h"

struct channel;
struct nd_err;
struct nd_symbolizer;
struct nd_walk_layout;

/* What a source works with: borrowed for as long as it is open. */
struct lag_observation {
	pid_t pid;
	bool from_the_start;   /* of the process, and not from now on */
	uint64_t threshold_ns; /* of a stall */
	bool no_stacks;	       /* during stalls, which cost the process something */
	bool trace;	       /* spans of requests too, of which only the agent tells */
	uint32_t spans;	       /* of ND_FEATURE_SPANS, besides those of requests */
	unsigned int hz;       /* CPU samples that the agent is to take besides; 0: none */
	bool async;	       /* asynchronous resources too, where the agent can */
	bool active;	       /* what keeps loops alive, by type; likewise */
	const struct nd_walk_layout *layout; /* of the process's V8; all zeros when not known */
	struct nd_symbolizer *symbolizer;
	struct lag_sink sink;
	uint64_t start_ns;
};

/* How it goes, besides what the sink gets. */
struct lag_report {
	uint64_t stacks;      /* taken during stalls */
	uint64_t dropped;     /* events that found no room */
	uint64_t left_out;    /* threads without a place of their own */
	const char *reason;   /* why not all can be measured, or "" */
	const char *untraced; /* why requests of some thread are not traced, or "" */
	const char *unread;   /* why samples of some thread tell of no request, or "" */
	uint64_t spans_lost;  /* requests that could not be followed */
	/* What the agent says of itself, borrowed; NULL where it is not the agent. */
	const struct nd_channel_head *agent;
	bool is_unread; /* all that it saw since its start is there */
};

struct lag_source_ops {
	const char *name; /* "the agent" */
	const char *adds; /* what another source would add, or "" */
	/* Begin; the observation starts when this returns. */
	int (*start)(void *impl, const struct lag_observation *o, struct nd_err *err);
	/* Hand on all that there is by now, without waiting. */
	int (*read)(void *impl, const struct lag_observation *o);
	/* Have loops tell soon what they tell only when asked: handles, and the heap's spaces. */
	void (*ask)(void *impl);
	/* Hand on what there is at the end; nothing is read any more. */
	int (*finish)(void *impl, const struct lag_observation *o);
	/* Whether the process has ended, or cannot be observed any more. */
	bool (*is_over)(void *impl, const struct lag_observation *o);
	/* Whether a loop was close to a stall, or in one, when it was read last. */
	bool (*is_late)(void *impl);
	void (*report)(void *impl, struct lag_report *ret_report);
	void (*close)(void *impl);
};

struct lag_source {
	const struct lag_source_ops *ops;
	void *impl;
};

/* The agent in a process. -ENOENT when there is none, and as channel_open(). */
int lag_agent_open(pid_t pid, struct lag_source *ret_source, struct nd_err *err);

/* The same by a connection that is there already, and stays the caller's: -ENOMEM. */
int lag_agent_use(struct channel *channel, struct lag_source *ret_source);

/* Whether a loop's current iteration is older than half of the threshold. */
static inline bool lag_is_late(const struct nd_loop_counters *loop, uint64_t threshold_ns,
			       uint64_t now_ns)
{
	return loop->busy_since_ns && now_ns > loop->busy_since_ns &&
	       now_ns - loop->busy_since_ns >= threshold_ns / 2;
}

/* eBPF. -EPERM with a hint where it is not permitted. */
int lag_probes_open(uint64_t threshold_ns, struct lag_source *ret_source, struct nd_err *err);

#endif /* NODIAG_CLI_LAG_SOURCE_H */
