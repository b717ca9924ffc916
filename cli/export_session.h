/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_EXPORT_SESSION_H
#define NODIAG_CLI_EXPORT_SESSION_H

/*
 * Turns a recording, a profile or a running process into requests of OTLP, for a sink to take.
 */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/export/batch.h"
#include "analyzer/export/tail.h"
#include "cli/lag_session.h"
#include "cli/lag_tap.h"

struct channel;
struct nd_err;
struct nd_profile;
struct nd_resource;
struct target;

struct export_options {
	bool signals[ND_OTLP_SIGNALS]; /* which are wanted */
	bool all;		       /* whatever there is; else each has to be there */
	bool is_unattended;	       /* of a process: these two as in lag_session.h */
	struct channel *channel;
	struct nd_tail_rules tail; /* which traces are kept */
	uint64_t duration_ns;	   /* of a process; 0: until it ends */
	uint64_t interval_ns;	   /* between two points of a metric */
	struct nd_sink sink;
	/* Called again and again while a process is watched, which must not wait for longer. */
	void (*work)(void *arg, uint64_t for_ns);
	/* Called with its encoded resource once that is known, where it is not NULL. */
	void (*describe)(void *arg, const struct nd_buf *resource);
	void *arg;
};

/* How it went. */
struct export_result {
	struct lag_result lag; /* of a process */
	struct nd_tail_counts tail;
	struct nd_resource
		*resource; /* what was said of the target, freed by the caller; or NULL */
};

/* Read the file that `target` names. Returns 0, or an exit code with `err` set. */
int export_file(const struct target *target, const struct export_options *options,
		struct export_result *result, struct nd_err *err);

/* Watch the process or command. Returns likewise. */
int export_process(const struct target *target, const struct export_options *options,
		   struct export_result *result, struct nd_err *err);

/*
 * Watch a process that somebody else reads, who hands on what there is (cli/lag_tap.h); an agent
 * has one reader. `frames` names the frames of the stacks that come, and must outlive the watch.
 * export_unwatch() tells what there is at the end. Both return 0 or a negative errno with `err`
 * set.
 */
struct export_watch;
int export_watch(pid_t pid, struct nd_profile *frames, const struct export_options *options,
		 struct export_result *result, struct export_watch **ret_watch, struct nd_err *err);
int export_unwatch(struct export_watch *watch, struct nd_err *err);
struct lag_tap export_get_tap(struct export_watch *watch);

#endif /* NODIAG_CLI_EXPORT_SESSION_H */
