/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_SENDER_H
#define NODIAG_CLI_SENDER_H

/*
 * An exporter (analyzer/export/exporter.h) with what its user is told while it works: where to, how
 * often, and each problem once.
 */

#include <stdint.h>

#include "analyzer/export/options.h"
#include "analyzer/export/tail.h"

struct nd_err;
struct nd_exporter;

struct sender {
	struct nd_export_options options;
	struct nd_exporter *exporter; /* opened by the caller once the options stand */
	uint64_t interval_ns;	      /* between two points of a metric */
	struct nd_tail_rules tail;
	char shown[ND_OTLP_SIGNALS][512];
	/* Gets what is to be said, one line without its end. */
	void (*say)(void *arg, const char *text);
	void *arg;
};

/* Read OTEL_* and NODIAG_TAIL of the environment. `say` has to be set. Returns as
 * nd_export_options_init(). */
int sender_read_environment(struct sender *sender, struct nd_err *err);

void sender_fini(struct sender *sender);

/* Send what is due, for at most so long. */
void sender_work(struct sender *sender, uint64_t for_ns);

/*
 * Send what waits, until SIGINT or SIGTERM comes, or nothing has gone for `give_up_ns`. Returns a
 * negative errno when the queue cannot be read.
 */
int sender_finish(struct sender *sender, uint64_t give_up_ns, struct nd_err *err);

#endif /* NODIAG_CLI_SENDER_H */
