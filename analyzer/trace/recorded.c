/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/trace/recorded.h"

#include <errno.h>

#include "analyzer/trace/trace.h"
#include "common/err.h"
#include "proto/recording.h"

static int read_event(struct nd_trace *trace, const union nd_recorded_event *event)
{
	if (event->event.kind == ND_EVENT_STALL)
		return nd_trace_add_event(trace, &event->event, sizeof(event->stall));
	if (event->event.kind == ND_EVENT_GC)
		return nd_trace_add_event(trace, &event->event, sizeof(event->gc));
	if (event->event.kind != ND_EVENT_SPAN && event->event.kind != ND_EVENT_SPAN_START)
		return 0;
	return nd_trace_add_event(trace, &event->spanned.span->event,
				  nd_span_get_size(event->spanned.span));
}

int nd_trace_read_recording(struct nd_trace *trace, const void *data, size_t len,
			    uint64_t *ret_end_ns, struct nd_err *err)
{
	struct nd_recording *recording;
	uint64_t end_ns = 0;
	struct nd_item item;
	int ret = nd_recording_open(data, len, &recording, err);

	if (ret)
		return ret;
	while ((ret = nd_recording_next(recording, &item)) > 0) {
		if (item.kind == ND_ITEM_MOMENT)
			end_ns = item.moment->time_ns;
		ret = item.kind == ND_ITEM_EVENT ? read_event(trace, item.event) : 0;
		if (ret)
			break;
	}
	nd_recording_close(recording);
	if (ret)
		return nd_err_set_errno(err, ret, "cannot read the recording");
	if (!nd_trace_count(trace)) {
		nd_err_set(err, -ENODATA, "the recording has no requests");
		nd_err_hint(err, "record them: nodiag record --trace PID");
		return -ENODATA;
	}
	*ret_end_ns = end_ns;
	return 0;
}
