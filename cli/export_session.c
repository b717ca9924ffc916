/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/export_session.h"

#include <errno.h>
#include <stdlib.h>

#include "analyzer/export/http_metrics.h"
#include "analyzer/export/links.h"
#include "analyzer/export/metrics.h"
#include "analyzer/export/profile.h"
#include "analyzer/export/resource.h"
#include "analyzer/export/spans.h"
#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "analyzer/profile/import.h"
#include "analyzer/profile/profile.h"
#include "cli/closing.h"
#include "cli/command.h"
#include "cli/export_impl.h"
#include "cli/file.h"
#include "cli/losses.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/err.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/recording.h"
#include "proto/span.h"

static const char *get_variable(void *arg, const char *name)
{
	return getenv(name);
}

static int no_memory(struct nd_err *err)
{
	return nd_err_set(err, -ENOMEM, "out of memory");
}

/* What the user says of the service comes before what is found out. */
static int begin_resource(struct export_session *s, struct nd_err *err)
{
	struct nd_err why = {0};
	int ret;

	s->result->resource = nd_resource_new();
	if (!s->result->resource)
		return no_memory(err);
	ret = nd_resource_add_environment(s->result->resource, get_variable, NULL, &why);
	if (ret == -ENOMEM)
		return no_memory(err);
	if (ret)
		term_note("%s; it is ignored: %s", why.what, why.hint);
	return 0;
}

int export_session_end_resource(struct export_session *s, struct nd_err *err)
{
	struct nd_resource *resource = s->result->resource;
	struct nd_otlp_attributes attributes;
	int ret = nd_resource_finish(resource, ND_VERSION);

	attributes = nd_resource_get(resource);
	if (!ret)
		ret = nd_otlp_encode_resource(&attributes, &s->resource);
	if (ret)
		return no_memory(err);
	if (s->options->describe)
		s->options->describe(s->options->arg, &s->resource);
	return 0;
}

int export_session_init(struct export_session *s, struct nd_profile *frames,
			const struct export_options *options, struct export_result *result,
			struct nd_err *err)
{
	*s = (struct export_session){.options = options, .result = result, .frames = frames};
	nd_buf_init(&s->resource, ND_OTLP_REQUEST_MAX);
	s->source = (struct nd_source){.resource = &s->resource, .version = ND_VERSION};
	nd_batch_init(&s->batch, ND_OTLP_METRICS, &s->source, options->sink);
	nd_batch_init(&s->spans, ND_OTLP_TRACES, &s->source, options->sink);
	s->lag = nd_lag_new(frames);
	s->http = nd_http_metrics_new();
	return s->lag && s->http ? begin_resource(s, err) : no_memory(err);
}

void export_session_fini(struct export_session *s)
{
	nd_batch_fini(&s->batch);
	nd_batch_fini(&s->spans);
	nd_metrics_free(s->metrics);
	nd_http_metrics_free(s->http);
	nd_recording_close(s->recording);
	nd_lag_free(s->lag);
	nd_buf_fini(&s->resource);
}

/* The first part of a recording says what it is of. */
static int read_header(struct export_session *s, const struct nd_buf *data, struct nd_err *err)
{
	struct nd_recording *recording;
	struct nd_item item;
	int ret = nd_recording_open(data->data, data->len, &recording, err);

	if (ret)
		return ret;
	ret = nd_recording_next(recording, &item);
	if (ret > 0 && item.kind == ND_ITEM_HEADER) {
		s->metrics = nd_metrics_new(item.header->start_ns, item.header->start_unix_ns);
		s->told_ns = item.header->start_ns;
		nd_wall_set(&s->wall, item.header->start_ns, item.header->start_unix_ns);
		ret = s->metrics ? nd_resource_add_recorded(s->result->resource, item.header)
				 : -ENOMEM;
		if (ret)
			no_memory(err);
	} else {
		ret = nd_err_set(err, -EBADMSG, "the recording does not say what it is of");
	}
	nd_recording_close(recording);
	return ret;
}

int export_session_tell(struct export_session *s, uint64_t time_ns)
{
	int ret = nd_metrics_add_loops(s->metrics, s->lag, time_ns, &s->batch);

	s->told_ns = time_ns;
	if (!ret)
		ret = nd_metrics_add_http(s->metrics, s->http, time_ns, &s->batch);
	return ret ? ret : nd_batch_flush(&s->batch, NULL);
}

static const struct nd_event_span *get_span(const struct nd_item *item)
{
	bool is_span =
		item->kind == ND_ITEM_EVENT && (item->event->event.kind == ND_EVENT_SPAN_START ||
						item->event->event.kind == ND_EVENT_SPAN);

	return is_span ? item->event->spanned.span : NULL;
}

/* The requests of the recording that were told of until then. */
static int count_requests(struct export_session *s, uint64_t until_ns)
{
	struct nd_item item;
	int ret = 0;

	while (!ret && (!s->next || s->next->event.time_ns <= until_ns)) {
		if (s->next)
			ret = nd_http_metrics_add(s->http, s->next);
		s->next = NULL;
		if (!ret)
			ret = nd_recording_next(s->recording, &item);
		if (ret <= 0)
			return ret;
		if (item.kind == ND_ITEM_MOMENT && item.moment->unix_ns) {
			nd_wall_set(&s->wall, item.moment->time_ns, item.moment->unix_ns);
			nd_metrics_set_clock(s->metrics, s->wall.offset_ns);
		}
		s->next = get_span(&item);
		ret = 0;
	}
	return ret;
}

static int tell_recorded(struct export_session *s, uint64_t time_ns)
{
	int ret = count_requests(s, time_ns);

	return ret ? ret : export_session_tell(s, time_ns);
}

static int observe(void *arg, struct nd_lag *lag, uint64_t time_ns)
{
	struct export_session *s = arg;

	s->seen_ns = time_ns;
	return time_ns - s->told_ns < s->options->interval_ns ? 0 : tell_recorded(s, time_ns);
}

static int send_metrics(struct export_session *s, const struct nd_buf *data, struct nd_err *err)
{
	struct nd_lag_recorded recorded;
	int ret;

	if (!nd_frame_is_recording(data->data, data->len))
		return nd_err_set(err, -ENODATA, "only recordings have metrics");
	ret = nd_recording_open(data->data, data->len, &s->recording, err);
	if (ret)
		return ret;
	nd_lag_set_observer(s->lag, observe, s);
	ret = nd_lag_read_recording(s->lag, s->frames, data->data, data->len, &recorded, err);
	if (ret)
		return ret;
	if (s->seen_ns > s->told_ns)
		ret = tell_recorded(s, s->seen_ns);
	return ret ? nd_err_set_errno(err, ret, "cannot make metrics of it") : 0;
}

/* What its samples were taken in is sent, too, or was, or can be. */
static int send_linked(struct export_session *s, const struct nd_profile *profile,
		       const struct nd_buf *data, struct nd_err *err)
{
	struct nd_links links = {.find_trace = nd_recorded_links_find};
	struct nd_recorded_links *recorded;
	int ret = nd_recorded_links_new(profile, data->data, data->len, &recorded, err);

	if (ret)
		return ret;
	links.arg = recorded;
	ret = nd_export_profile(profile, &links, &s->source, &s->options->sink);
	nd_recorded_links_free(recorded);
	return ret ? nd_err_set_errno(err, ret, "cannot make a profile of it") : 0;
}

static int send_profile(struct export_session *s, const char *path, const struct nd_buf *data,
			struct nd_err *err)
{
	struct nd_recording_state state;
	struct nd_profile *profile;
	bool is_recording = nd_frame_is_recording(data->data, data->len);
	int ret = is_recording
			  ? nd_import_recording(data->data, data->len, false, &profile, &state, err)
			  : nd_import_profile(data->data, data->len, &profile, err);

	if (ret)
		return ret;
	if (is_recording)
		closing_print_recording(
			&state, (double)nd_profile_get_info(profile)->duration_ns / 1e9, path);
	losses_print(profile, LOSSES_ALL);
	if (is_recording) {
		ret = send_linked(s, profile, data, err);
	} else {
		ret = nd_export_profile(profile, NULL, &s->source, &s->options->sink);
		if (ret)
			nd_err_set_errno(err, ret, "cannot make a profile of it");
	}
	nd_profile_free(profile);
	return ret;
}

static int send_spans(struct export_session *s, const struct nd_buf *data, struct nd_err *err)
{
	const struct nd_recorded_spans what = {data->data, data->len, &s->source, &s->options->sink,
					       s->options->tail};

	if (!nd_frame_is_recording(data->data, data->len))
		return nd_err_set(err, -ENODATA, "only recordings have requests");
	return nd_export_recorded_spans(&what, &s->result->tail, err);
}

static int send_signal(struct export_session *s, enum nd_otlp_signal signal, const char *path,
		       const struct nd_buf *data, struct nd_err *err)
{
	switch (signal) {
	case ND_OTLP_METRICS:
		return send_metrics(s, data, err);
	case ND_OTLP_PROFILES:
		return send_profile(s, path, data, err);
	default:
		return send_spans(s, data, err);
	}
}

/* What is not there is fine, unless it was asked for, or nothing is. */
static int send_all(struct export_session *s, const char *path, const struct nd_buf *data,
		    struct nd_err *err)
{
	struct nd_err why = {0};
	bool any = false;
	int signal, ret;

	for (signal = 0; signal < ND_OTLP_SIGNALS; signal++) {
		if (!s->options->signals[signal])
			continue;
		ret = send_signal(s, (enum nd_otlp_signal)signal, path, data, &why);
		any |= !ret;
		if (ret && !(ret == -ENODATA && s->options->all)) {
			*err = why;
			return ret;
		}
	}
	if (any)
		return 0;
	*err = why;
	return why.code;
}

static int read_file(struct export_session *s, const struct target *target,
		     const struct nd_buf *data, struct nd_err *err)
{
	struct nd_err why = {0};
	int ret = 0;

	if (nd_frame_is_recording(data->data, data->len))
		ret = read_header(s, data, &why);
	if (!ret)
		ret = export_session_end_resource(s, &why);
	if (!ret)
		ret = send_all(s, target->path, data, &why);
	if (!ret)
		return 0;
	return nd_err_set_why(err, ret, &why, "cannot export '%s'", target->path);
}

int export_file(const struct target *target, const struct export_options *options,
		struct export_result *result, struct nd_err *err)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct export_session s;
	struct nd_buf data;
	int ret;

	if (!frames) {
		no_memory(err);
		return EXIT_FAILED;
	}
	ret = export_session_init(&s, frames, options, result, err);
	nd_buf_init(&data, ND_IMPORT_MAX);
	if (!ret)
		ret = file_read(target->path, &data, err);
	if (!ret)
		ret = read_file(&s, target, &data, err);
	nd_buf_fini(&data);
	export_session_fini(&s);
	nd_profile_free(frames);
	return ret ? EXIT_FAILED : EXIT_DONE;
}
