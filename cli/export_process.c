/* SPDX-License-Identifier: Apache-2.0 */

/* A process that runs, as requests of OTLP. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/export/http_metrics.h"
#include "analyzer/export/metrics.h"
#include "analyzer/export/resource.h"
#include "analyzer/export/samples.h"
#include "analyzer/export/spans.h"
#include "analyzer/lag/lag.h"
#include "analyzer/profile/profile.h"
#include "cli/command.h"
#include "cli/export_impl.h"
#include "cli/script.h"
#include "cli/target.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/procfs.h"
#include "common/wall.h"
#include "proto/call.h"
#include "proto/limits.h"
#include "proto/span.h"

#define ARGS_SIZE 65536

/*
 * While events are not read, the agent's rings fill. The network may have so much time in a second,
 * and a moment after so many spans.
 */
#define WORK_NS	   (50 * ND_NSEC_PER_MSEC)
#define WORK_SPANS 256

/*
 * So often the wall clock is looked at while spans come. What ended since the last look, and was
 * not read when somebody set the clock, is dated by what holds then.
 */
#define CLOCK_NS (100 * ND_NSEC_PER_MSEC)

/* As 'nodiag record' does it. */
#define PROFILE_HZ 99

/* A loop may be late to answer. */
#define ASK_NS (2 * ND_NSEC_PER_SEC)

struct export_watch {
	struct export_session session;
	struct lag_answer answer; /* of a tap */
	struct nd_tail *tail;
	struct nd_samples *samples; /* NULL: profiles are not wanted */
	uint64_t profiled_ns;	    /* when the last profile was given away */
	uint64_t start_ns;
	struct nd_wall wall;
	uint64_t walled_ns; /* when the wall clock was looked at */
	uint64_t shown_ns;  /* to a tap */
	uint64_t asked_ns;  /* when loops were asked for what they tell only then */
	uint64_t span_count;
	int error; /* of the first failure */
};

static int no_memory(struct nd_err *err)
{
	return nd_err_set(err, -ENOMEM, "out of memory");
}

static int describe_process(struct export_session *s)
{
	char *args = malloc(ARGS_SIZE + 1);
	struct nd_resource_process process = {.pid = s->result->lag.pid,
					      .runtime = s->result->lag.runtime};
	ssize_t len;
	int ret;

	if (!args)
		return -ENOMEM;
	len = nd_procfs_read_args(process.pid, args, ARGS_SIZE);
	if (len > 0) {
		args[len] = '\0';
		process.script = script_find(args, (size_t)len);
	}
	ret = nd_resource_add_process(s->result->resource, &process);
	free(args);
	return ret ? ret : export_session_end_resource(s, NULL);
}

/* Reading clocks for each span would cost about as much as the span. */
static void look_at_clock(struct export_watch *watch, uint64_t time_ns)
{
	if (time_ns < watch->walled_ns + CLOCK_NS)
		return;
	nd_wall_read(&watch->wall);
	watch->walled_ns = nd_clock_monotonic_ns();
}

static int keep_span(void *arg, const struct nd_event_span *span)
{
	struct export_watch *watch = arg;

	look_at_clock(watch, span->event.time_ns);
	return nd_export_span(span, watch->wall.offset_ns, &watch->session.spans);
}

static int add_span(void *arg, const struct nd_event_span *span)
{
	struct export_watch *watch = arg;
	struct export_session *s = &watch->session;
	int ret = nd_http_metrics_add(s->http, span);

	if (!ret && !s->resource.len)
		ret = describe_process(s);
	if (!ret)
		ret = nd_tail_add(watch->tail, span);
	if (!ret && watch->samples)
		ret = nd_samples_add_span(watch->samples, span);
	if (ret)
		return ret;
	if (++watch->span_count % WORK_SPANS == 0)
		s->options->work(s->options->arg, 0);
	return 0;
}

/* Tell of the process until now. */
static int tell_process(struct export_watch *watch, uint64_t now_ns)
{
	struct export_session *s = &watch->session;
	int ret;

	if (!s->options->signals[ND_OTLP_METRICS])
		return 0;
	nd_metrics_set_clock(s->metrics, watch->wall.offset_ns);
	ret = nd_metrics_add_process(s->metrics, s->result->lag.pid, now_ns, &s->batch);
	/* Of one that has ended, what its loops did is known all the same. */
	return ret && ret != -ESRCH ? ret : export_session_tell(s, now_ns);
}

static int add_sample(void *arg, const struct nd_event_sample *sample, const uint8_t *span_id,
		      const struct nd_call *calls, size_t depth)
{
	const struct export_watch *watch = arg;
	struct nd_stack stack = {
		.calls = calls,
		.depth = depth,
		.count = 1,
		.time_ns = sample->event.time_ns,
		.pid = (uint32_t)watch->session.result->lag.pid,
		.tid = sample->event.tid,
	};
	int ret;

	memcpy(stack.span_id, span_id, sizeof(stack.span_id));
	ret = nd_samples_add(watch->samples, &stack);
	/* A program without end of different stacks: those that are new have to wait. */
	return ret == -E2BIG ? 0 : ret;
}

static int tell_profile(struct export_watch *watch, uint64_t now_ns)
{
	const struct export_session *s = &watch->session;

	watch->profiled_ns = now_ns;
	if (!watch->samples)
		return 0;
	return nd_samples_flush(watch->samples, now_ns, watch->wall.offset_ns, &s->source,
				&s->options->sink);
}

/* Once for each time that metrics are told, and some time before. */
static bool ask(void *arg)
{
	struct export_watch *watch = arg;
	const struct export_session *s = &watch->session;
	uint64_t now_ns = nd_clock_monotonic_ns();

	if (!s->options->signals[ND_OTLP_METRICS] || watch->asked_ns > s->told_ns ||
	    now_ns + ASK_NS < s->told_ns + s->options->interval_ns)
		return false;
	watch->asked_ns = now_ns;
	return true;
}

/* Called about once a second. */
static void show(void *arg, struct nd_lag *lag)
{
	struct export_watch *watch = arg;
	struct export_session *s = &watch->session;
	uint64_t now_ns = nd_clock_monotonic_ns();

	look_at_clock(watch, now_ns);
	if (!watch->error && !s->resource.len)
		watch->error = describe_process(s);
	if (!watch->error)
		watch->error = nd_tail_settle(watch->tail, now_ns);
	if (!watch->error)
		watch->error = nd_batch_flush(&s->spans, NULL);
	/* The first time at once: who gave a wrong endpoint should not have to wait to be told. */
	if (!watch->error &&
	    (s->told_ns == watch->start_ns || now_ns - s->told_ns >= s->options->interval_ns))
		watch->error = tell_process(watch, now_ns);
	if (!watch->error && now_ns - watch->profiled_ns >= s->options->interval_ns)
		watch->error = tell_profile(watch, now_ns);
	s->options->work(s->options->arg, WORK_NS);
}

/* What there is at the end. */
static int tell_last(struct export_watch *watch, struct nd_err *err)
{
	struct export_session *s = &watch->session;
	int ret = watch->error;

	look_at_clock(watch, nd_clock_monotonic_ns());
	if (!ret && !s->resource.len)
		ret = describe_process(s);
	if (!ret)
		ret = nd_tail_finish(watch->tail);
	if (!ret)
		ret = nd_batch_flush(&s->spans, NULL);
	nd_tail_get_counts(watch->tail, &s->result->tail);
	if (!ret)
		ret = tell_process(watch, nd_clock_monotonic_ns());
	if (!ret)
		ret = tell_profile(watch, nd_clock_monotonic_ns());
	return ret ? nd_err_set_errno(err, ret, "cannot tell of %d", s->result->lag.pid) : 0;
}

static int init(struct export_watch *watch, struct nd_profile *frames,
		const struct export_options *options, struct export_result *result,
		struct nd_err *err)
{
	struct export_session *s = &watch->session;
	int ret = export_session_init(s, frames, options, result, err);

	if (ret)
		return ret;
	watch->start_ns = s->told_ns = watch->profiled_ns = nd_clock_monotonic_ns();
	look_at_clock(watch, watch->start_ns);
	s->metrics = nd_metrics_new(watch->start_ns, watch->start_ns + watch->wall.offset_ns);
	watch->tail = nd_tail_new(&options->tail, keep_span, watch);
	if (!s->metrics || !watch->tail)
		return no_memory(err);
	if (!options->signals[ND_OTLP_PROFILES])
		return 0;
	watch->samples = nd_samples_new(frames, ND_NSEC_PER_SEC / PROFILE_HZ, watch->start_ns);
	return watch->samples ? 0 : no_memory(err);
}

static void fini(struct export_watch *watch)
{
	nd_tail_free(watch->tail);
	nd_samples_free(watch->samples);
	export_session_fini(&watch->session);
}

static int watch_target(struct export_watch *watch, const struct target *target, struct nd_err *err)
{
	struct export_session *s = &watch->session;
	const struct lag_options options = {
		.duration_ns = s->options->duration_ns,
		.threshold_ns = ND_STALL_THRESHOLD_NS,
		.is_unattended = s->options->is_unattended,
		.channel = s->options->channel,
		.add_span = s->options->signals[ND_OTLP_TRACES] ? add_span : NULL,
		.add_sample = add_sample,
		.hz = watch->samples ? PROFILE_HZ : 0,
		.active = s->options->signals[ND_OTLP_METRICS],
		.show = show,
		.ask = ask,
		.arg = watch,
	};
	int ret = lag_session_run(target, &options, s->lag, s->frames, &s->result->lag, err);

	if (!ret && s->result->lag.duration_ns && tell_last(watch, err))
		ret = EXIT_FAILED;
	return ret;
}

int export_process(const struct target *target, const struct export_options *options,
		   struct export_result *result, struct nd_err *err)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct export_watch watch = {0};
	int ret;

	if (!frames) {
		no_memory(err);
		return EXIT_FAILED;
	}
	ret = init(&watch, frames, options, result, err);
	ret = ret ? EXIT_FAILED : watch_target(&watch, target, err);
	fini(&watch);
	nd_profile_free(frames);
	return ret;
}

/* The analyzer's round after that of the reader. */
static bool look(void *arg, const char *runtime)
{
	struct export_watch *watch = arg;
	struct lag_result *lag = &watch->session.result->lag;
	uint64_t now_ns = nd_clock_monotonic_ns();

	if (!watch->error)
		watch->error = nd_lag_settle(watch->session.lag);
	if (!lag->runtime[0])
		snprintf(lag->runtime, sizeof(lag->runtime), "%s", runtime);
	if (watch->shown_ns && now_ns - watch->shown_ns < ND_NSEC_PER_SEC)
		return false;
	watch->shown_ns = now_ns;
	show(watch, watch->session.lag);
	return ask(watch);
}

int export_watch(pid_t pid, struct nd_profile *frames, const struct export_options *options,
		 struct export_result *result, struct export_watch **ret_watch, struct nd_err *err)
{
	struct export_watch *watch = calloc(1, sizeof(*watch));
	int ret;

	if (!watch)
		return no_memory(err);
	result->lag = (struct lag_result){.pid = pid};
	ret = init(watch, frames, options, result, err);
	if (ret) {
		fini(watch);
		free(watch);
		return ret;
	}
	watch->answer = (struct lag_answer){
		.lag = watch->session.lag,
		.add_span = options->signals[ND_OTLP_TRACES] ? add_span : NULL,
		.add_sample = watch->samples ? add_sample : NULL,
		.arg = watch,
	};
	*ret_watch = watch;
	return 0;
}

struct lag_tap export_get_tap(struct export_watch *watch)
{
	return (struct lag_tap){lag_sink_to_answer(&watch->answer), look, watch};
}

int export_unwatch(struct export_watch *watch, struct nd_err *err)
{
	int ret;

	if (!watch->error)
		watch->error = nd_lag_finish(watch->session.lag, nd_clock_monotonic_ns());
	ret = tell_last(watch, err);
	fini(watch);
	free(watch);
	return ret;
}
