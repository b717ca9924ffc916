/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/flame_routes.h"

#include <errno.h>
#include <string.h>

#include "analyzer/profile/profile.h"
#include "analyzer/trace/by_route.h"
#include "cli/agent_sampler.h"
#include "cli/command.h"
#include "cli/lag_source.h"
#include "common/clock.h"
#include "common/err.h"
#include "proto/call.h"
#include "proto/event.h"
#include "proto/limits.h"
#include "proto/sample.h"

struct routes {
	const struct session_options *options;
	struct nd_profile *profile;
	struct nd_by_route *by_route;
	struct lag_source source;
	struct lag_observation o;
	struct nd_walk_layout layout;
	struct session_result *result;
	struct flame_routes *answer;
};

static void set_known(void *impl, uint32_t known)
{
	/* How event loops do is not asked. */
}

static int set_counters(void *impl, const struct lag_counters *counters)
{
	return 0;
}

static int add_event(void *impl, const struct nd_event *event, size_t size)
{
	struct routes *r = impl;

	return nd_by_route_add_event(r->by_route, event, size);
}

static int add_stack(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		     const struct nd_call *calls, size_t depth)
{
	return 0; /* of stalls, which are not asked for */
}

static int add_sample(void *impl, const struct nd_event_sample *sample, const uint8_t *span_id,
		      const struct nd_call *calls, size_t depth)
{
	struct routes *r = impl;
	struct nd_stack stack = {
		.calls = calls,
		.depth = depth,
		.weight = ND_NSEC_PER_SEC / r->options->hz,
		.count = 1,
		.time_ns = sample->event.time_ns,
		.pid = (uint32_t)r->o.pid,
		.tid = sample->event.tid,
	};

	memcpy(stack.span_id, span_id, sizeof(stack.span_id));
	r->answer->samples++;
	return nd_by_route_add_stack(r->by_route, &stack);
}

static const struct lag_sink_ops sink_ops = {
	.set_known = set_known,
	.add_event = add_event,
	.add_stack = add_stack,
	.add_sample = add_sample,
	.set_counters = set_counters,
};

static int explain(int ret, pid_t pid, struct nd_err *err)
{
	if (ret == -ENOENT)
		nd_err_hint(err, "load it: nodiag attach %d", pid);
	return ret;
}

static int begin(void *arg, struct nd_symbolizer *symbolizer, pid_t pid, struct nd_err *err)
{
	struct routes *r = arg;
	int ret;

	if (r->options->hz > AGENT_SAMPLER_HZ_MAX) {
		nd_err_set(err, -EINVAL, "the agent takes at most %d samples a second",
			   AGENT_SAMPLER_HZ_MAX);
		return nd_err_hint(err, "give a lower rate: -r 99");
	}
	ret = lag_agent_open(pid, &r->source, err);
	if (ret)
		return explain(ret, pid, err);
	r->o.pid = pid;
	r->o.symbolizer = symbolizer;
	r->o.start_ns = nd_clock_monotonic_ns();
	return r->source.ops->start(r->source.impl, &r->o, err);
}

static void keep_report(struct routes *r)
{
	struct lag_report report;

	r->source.ops->report(r->source.impl, &report);
	r->answer->dropped = report.dropped;
	r->answer->spans_lost = report.spans_lost;
	r->answer->untraced = report.untraced;
	r->answer->unread = report.unread;
	r->answer->requests = nd_by_route_spans(r->by_route);
}

static int look(void *arg, const struct session_moment *moment, struct nd_err *err)
{
	struct routes *r = arg;
	int ret = r->source.ops->read(r->source.impl, &r->o);

	if (!ret && moment->is_last) {
		keep_report(r);
		ret = nd_by_route_finish(r->by_route);
	}
	return ret ? nd_err_set_errno(err, ret, "cannot read samples") : 0;
}

/* Names want to be fresh, in stalls too, of which there may be any number. */
static bool is_urgent(void *arg)
{
	return true;
}

static int run(struct routes *r, const struct target *target, struct nd_err *err)
{
	const struct session_hooks hooks = {
		.begin = begin,
		.look = look,
		.is_urgent = is_urgent,
		.arg = r,
		.no_sampler = true,
	};
	struct session_options options = *r->options;
	int ret;

	options.hooks = &hooks;
	ret = session_run(target, &options, r->profile, r->result, err);
	if (!ret) {
		r->result->sampler = "the agent";
		r->result->samples = r->answer->samples;
		nd_profile_add_loss(r->profile, ND_LOSS_RING_FULL, r->answer->dropped);
	}
	return ret;
}

/* Where nothing at all was traced there is no answer. */
static int check_traced(const struct routes *r, struct nd_err *err)
{
	const char *why = *r->answer->untraced ? r->answer->untraced : r->answer->unread;

	if (!*why || (r->answer->requests && why != r->answer->unread))
		return EXIT_DONE;
	nd_err_set(err, -ENOTSUP, "cannot tell requests of %d apart: %s", r->o.pid, why);
	return EXIT_FAILED;
}

int flame_routes_run(const struct target *target, const struct session_options *options,
		     struct nd_profile *profile, struct session_result *ret_result,
		     struct flame_routes *ret_routes, struct nd_err *err)
{
	struct routes r = {
		.options = options,
		.profile = profile,
		.by_route = nd_by_route_new(profile),
		.o = {.threshold_ns = ND_STALL_THRESHOLD_NS,
		      .no_stacks = true,
		      .trace = true,
		      .hz = options->hz},
		.result = ret_result,
		.answer = ret_routes,
	};
	int ret = EXIT_FAILED;

	*ret_routes = (struct flame_routes){.untraced = "", .unread = ""};
	r.o.layout = &r.layout;
	r.o.sink = (struct lag_sink){&sink_ops, &r};
	if (r.by_route) {
		ret = run(&r, target, err);
		if (!ret)
			ret = check_traced(&r, err);
	} else {
		nd_err_set(err, -ENOMEM, "out of memory");
	}
	if (r.source.ops)
		r.source.ops->close(r.source.impl);
	nd_by_route_free(r.by_route);
	return ret;
}
