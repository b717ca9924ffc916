/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/export_session.h"

#include <errno.h>
#include <stdlib.h>

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
#include "cli/file.h"
#include "cli/losses.h"
#include "cli/script.h"
#include "cli/target.h"
#include "cli/term.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/recording.h"

#define ARGS_SIZE 65536

/*
 * While events are not read, the agent's rings fill. The network may have so much time in a second,
 * and a moment after so many spans.
 */
#define WORK_NS	   (50 * ND_NSEC_PER_MSEC)
#define WORK_SPANS 256

struct session {
	const struct export_options *options;
	struct export_result *result;
	struct nd_buf resource;
	struct nd_source source;
	struct nd_lag *lag;
	struct nd_profile *frames;
	struct nd_metrics *metrics;
	struct nd_batch batch; /* of metrics */
	struct nd_batch spans;
	uint64_t span_count;
	uint64_t start_ns; /* of watching a process, by both clocks */
	uint64_t start_unix_ns;
	uint64_t told_ns; /* until when metrics were told */
	uint64_t seen_ns;
	int error; /* of the first failure while a process is watched */
};

static const char *get_variable(void *arg, const char *name)
{
	return getenv(name);
}

static int no_memory(struct nd_err *err)
{
	return nd_err_set(err, -ENOMEM, "out of memory");
}

/* What the user says of the service comes before what is found out. */
static int begin_resource(struct session *s, struct nd_err *err)
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

static int end_resource(struct session *s, struct nd_err *err)
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

static int init(struct session *s, const struct export_options *options,
		struct export_result *result, struct nd_err *err)
{
	*s = (struct session){.options = options, .result = result};
	nd_buf_init(&s->resource, ND_OTLP_REQUEST_MAX);
	s->source = (struct nd_source){.resource = &s->resource, .version = ND_VERSION};
	nd_batch_init(&s->batch, ND_OTLP_METRICS, &s->source, options->sink);
	nd_batch_init(&s->spans, ND_OTLP_TRACES, &s->source, options->sink);
	s->frames = nd_profile_new(false);
	s->lag = s->frames ? nd_lag_new(s->frames) : NULL;
	return s->lag ? begin_resource(s, err) : no_memory(err);
}

static void fini(struct session *s)
{
	nd_batch_fini(&s->batch);
	nd_batch_fini(&s->spans);
	nd_metrics_free(s->metrics);
	nd_lag_free(s->lag);
	nd_profile_free(s->frames);
	nd_buf_fini(&s->resource);
}

/* The first part of a recording says what it is of. */
static int read_header(struct session *s, const struct nd_buf *data, struct nd_err *err)
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

/* Tell of what the loops did until now. */
static int tell(struct session *s, struct nd_lag *lag, uint64_t time_ns)
{
	int ret = nd_metrics_add_loops(s->metrics, lag, time_ns, &s->batch);

	s->told_ns = time_ns;
	return ret ? ret : nd_batch_flush(&s->batch, NULL);
}

static int observe(void *arg, struct nd_lag *lag, uint64_t time_ns)
{
	struct session *s = arg;

	s->seen_ns = time_ns;
	return time_ns - s->told_ns < s->options->interval_ns ? 0 : tell(s, lag, time_ns);
}

static int send_metrics(struct session *s, const struct nd_buf *data, struct nd_err *err)
{
	struct nd_lag_recorded recorded;
	int ret;

	if (!nd_frame_is_recording(data->data, data->len))
		return nd_err_set(err, -ENODATA, "only recordings have metrics");
	nd_lag_set_observer(s->lag, observe, s);
	ret = nd_lag_read_recording(s->lag, s->frames, data->data, data->len, &recorded, err);
	if (ret)
		return ret;
	if (s->seen_ns > s->told_ns)
		ret = tell(s, s->lag, s->seen_ns);
	return ret ? nd_err_set_errno(err, ret, "cannot make metrics of it") : 0;
}

static int send_profile(struct session *s, const char *path, const struct nd_buf *data,
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
	ret = nd_export_profile(profile, &s->source, &s->options->sink);
	nd_profile_free(profile);
	return ret ? nd_err_set_errno(err, ret, "cannot make a profile of it") : 0;
}

static int send_spans(struct session *s, const struct nd_buf *data, struct nd_err *err)
{
	if (!nd_frame_is_recording(data->data, data->len))
		return nd_err_set(err, -ENODATA, "only recordings have requests");
	return nd_export_recorded_spans(data->data, data->len, &s->source, &s->options->sink, err);
}

static int send_signal(struct session *s, enum nd_otlp_signal signal, const char *path,
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
static int send_all(struct session *s, const char *path, const struct nd_buf *data,
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

static int read_file(struct session *s, const struct target *target, const struct nd_buf *data,
		     struct nd_err *err)
{
	struct nd_err why = {0};
	int ret = 0;

	if (nd_frame_is_recording(data->data, data->len))
		ret = read_header(s, data, &why);
	if (!ret)
		ret = end_resource(s, &why);
	if (!ret)
		ret = send_all(s, target->path, data, &why);
	if (!ret)
		return 0;
	nd_err_set(err, ret, "cannot export '%s': %s", target->path, why.what);
	return why.hint[0] ? nd_err_hint(err, "%s", why.hint) : ret;
}

int export_file(const struct target *target, const struct export_options *options,
		struct export_result *result, struct nd_err *err)
{
	struct session s;
	struct nd_buf data;
	int ret = init(&s, options, result, err);

	nd_buf_init(&data, ND_IMPORT_MAX);
	if (!ret)
		ret = file_read(target->path, &data, err);
	if (!ret)
		ret = read_file(&s, target, &data, err);
	nd_buf_fini(&data);
	fini(&s);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

static int describe_process(struct session *s, struct nd_err *err)
{
	char *args = malloc(ARGS_SIZE + 1);
	struct nd_resource_process process = {.pid = s->result->lag.pid,
					      .runtime = s->result->lag.runtime};
	ssize_t len;
	int ret;

	if (!args)
		return no_memory(err);
	len = nd_procfs_read_args(process.pid, args, ARGS_SIZE);
	if (len > 0) {
		args[len] = '\0';
		process.script = script_find(args, (size_t)len);
	}
	ret = nd_resource_add_process(s->result->resource, &process);
	free(args);
	return ret ? no_memory(err) : end_resource(s, err);
}

static int add_span(void *arg, const struct nd_event_span *span)
{
	struct session *s = arg;
	int ret = s->resource.len ? 0 : describe_process(s, NULL);

	if (++s->span_count % WORK_SPANS == 0)
		s->options->work(s->options->arg, 0);
	return ret ? ret : nd_export_span(span, s->start_unix_ns - s->start_ns, &s->spans);
}

/* Tell of the process until now. */
static int tell_process(struct session *s, struct nd_lag *lag, uint64_t now_ns)
{
	int ret;

	if (!s->options->signals[ND_OTLP_METRICS])
		return 0;
	ret = nd_metrics_add_process(s->metrics, s->result->lag.pid, now_ns, &s->batch);
	/* Of one that has ended, what its loops did is known all the same. */
	return ret && ret != -ESRCH ? ret : tell(s, lag, now_ns);
}

/* Called about once a second. */
static void show(void *arg, struct nd_lag *lag)
{
	struct session *s = arg;
	uint64_t now_ns = nd_clock_monotonic_ns();

	if (!s->error && !s->resource.len)
		s->error = describe_process(s, NULL);
	if (!s->error)
		s->error = nd_batch_flush(&s->spans, NULL);
	/* The first time at once: who gave a wrong endpoint should not have to wait to be told. */
	if (!s->error &&
	    (s->told_ns == s->start_ns || now_ns - s->told_ns >= s->options->interval_ns))
		s->error = tell_process(s, lag, now_ns);
	s->options->work(s->options->arg, WORK_NS);
}

/* What there is at the end. */
static int tell_last(struct session *s, struct nd_err *err)
{
	int ret = s->error;

	if (!ret && !s->resource.len)
		ret = describe_process(s, NULL);
	if (!ret)
		ret = nd_batch_flush(&s->spans, NULL);
	if (!ret)
		ret = tell_process(s, s->lag, nd_clock_monotonic_ns());
	return ret ? nd_err_set_errno(err, ret, "cannot tell of %d", s->result->lag.pid) : 0;
}

static int watch(struct session *s, const struct target *target, struct nd_err *err)
{
	const struct lag_options options = {
		.duration_ns = s->options->duration_ns,
		.threshold_ns = ND_STALL_THRESHOLD_NS,
		.is_unattended = s->options->is_unattended,
		.add_span = s->options->signals[ND_OTLP_TRACES] ? add_span : NULL,
		.show = show,
		.arg = s,
	};
	int ret;

	s->start_ns = s->told_ns = nd_clock_monotonic_ns();
	s->start_unix_ns = nd_clock_realtime_ns();
	s->metrics = nd_metrics_new(s->start_ns, s->start_unix_ns);
	if (!s->metrics) {
		no_memory(err);
		return EXIT_FAILED;
	}
	ret = lag_session_run(target, &options, s->lag, s->frames, &s->result->lag, err);
	if (!ret && s->result->lag.duration_ns && tell_last(s, err))
		ret = EXIT_FAILED;
	return ret;
}

int export_process(const struct target *target, const struct export_options *options,
		   struct export_result *result, struct nd_err *err)
{
	struct session s;
	int ret = init(&s, options, result, err);

	ret = ret ? EXIT_FAILED : watch(&s, target, err);
	fini(&s);
	return ret;
}
