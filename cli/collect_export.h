/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_COLLECT_EXPORT_H
#define NODIAG_CLI_COLLECT_EXPORT_H

/* One process of those that `nodiag collect` sends to an OpenTelemetry collector. */

struct channel;
struct nd_err;

/*
 * Send what a process does to where its own environment wants it, until it ends or SIGTERM comes;
 * then what waits, for a while. What is left stays in a queue in `folder`, and is sent by the next
 * that sends to the same place. This program has the variables of that process afterwards. Returns
 * 0, or a negative errno with `err` set.
 */
int collect_export(struct channel *channel, const char *folder, struct nd_err *err);

#endif /* NODIAG_CLI_COLLECT_EXPORT_H */
