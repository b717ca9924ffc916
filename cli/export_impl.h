/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_EXPORT_IMPL_H
#define NODIAG_CLI_EXPORT_IMPL_H

/* What export_session.c and export_process.c share. */

#include <stdint.h>

#include "analyzer/export/batch.h"
#include "cli/export_session.h"
#include "common/buf.h"
#include "common/wall.h"

struct nd_event_span;
struct nd_metrics;
struct nd_profile;
struct nd_recording;
struct nd_http_metrics;

struct export_session {
	const struct export_options *options;
	struct export_result *result;
	struct nd_buf resource; /* encoded; empty until it is known */
	struct nd_source source;
	struct nd_profile *frames; /* of stacks: borrowed */
	struct nd_lag *lag;
	struct nd_metrics *metrics;
	struct nd_http_metrics *http;
	/* Of a file, where requests are read besides, and what was read but did not count yet. */
	struct nd_recording *recording;
	const struct nd_event_span *next;
	struct nd_wall wall;   /* of a file, where it is read for requests */
	struct nd_batch batch; /* of metrics */
	struct nd_batch spans;
	uint64_t told_ns; /* until when metrics were told */
	uint64_t seen_ns; /* until when events were read, of a file */
};

/*
 * `frames` names the frames of stacks, and must outlive the session. Returns 0, or a negative errno
 * with `err` set; export_session_fini() is to be called in any case.
 */
int export_session_init(struct export_session *s, struct nd_profile *frames,
			const struct export_options *options, struct export_result *result,
			struct nd_err *err);
void export_session_fini(struct export_session *s);

/* All that is known of the target was added to the result's resource: encode it. */
int export_session_end_resource(struct export_session *s, struct nd_err *err);

/* Tell of what the loops did until now, and of requests. */
int export_session_tell(struct export_session *s, uint64_t time_ns);

#endif /* NODIAG_CLI_EXPORT_IMPL_H */
