/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_TRACE_RECORDED_H
#define NODIAG_ANALYZER_TRACE_RECORDED_H

#include <stddef.h>
#include <stdint.h>

struct nd_err;
struct nd_trace;

/*
 * Take the spans of a recording, and the time of its last moment. -ENODATA when it has none, and as
 * nd_recording_open(). Stalls are nd_lag's, which reads the same recording on its own.
 */
int nd_trace_read_recording(struct nd_trace *trace, const void *data, size_t len,
			    uint64_t *ret_end_ns, struct nd_err *err);

#endif /* NODIAG_ANALYZER_TRACE_RECORDED_H */
