/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_COLLECT_EXPORT_H
#define NODIAG_CLI_COLLECT_EXPORT_H

/*
 * One process of those that `nodiag collect` sends to an OpenTelemetry collector: to where the
 * process's own environment wants it. What is left at the end stays in a queue in a folder, and is
 * sent by the next that sends to the same place.
 *
 * Functions that return int give 0, or a negative errno with `err` set.
 */

#include <stdbool.h>

struct channel;
struct collect_export;
struct lag_tap;
struct nd_err;
struct nd_profile;

/* This program has the variables of that process afterwards. `channel` must stay. */
int collect_export_open(struct channel *channel, const char *folder,
			struct collect_export **ret_export, struct nd_err *err);

/* Send what waits, for a while, and say what is not sent. Of NULL there is nothing. */
int collect_export_close(struct collect_export *export, struct nd_err *err);

/* Read the process and send what it does, until it ends or SIGTERM comes. */
int collect_export_run(struct collect_export *export, struct nd_err *err);

/*
 * Send what somebody else reads and gives to the tap, which is borrowed until it is ended;
 * `frames` as of export_watch().
 */
int collect_export_tap(struct collect_export *export, struct nd_profile *frames,
		       const struct lag_tap **ret_tap, struct nd_err *err);
int collect_export_untap(struct collect_export *export, struct nd_err *err);

/* Whether whoever reads has to ask for spans. */
bool collect_export_traces(const struct collect_export *export);

#endif /* NODIAG_CLI_COLLECT_EXPORT_H */
