/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/metrics_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "analyzer/lag/lag.h"
#include "common/histogram.h"

/* What a loop had when it was looked at last. */
struct nd_loop_history {
	uint32_t tid;
	uint64_t thread_start_ns;
	bool ended; /* and was told of for the last time */
	bool is_there;
	uint64_t busy_ns;
	uint64_t idle_ns;
	uint64_t max_ns;
	uint64_t delay[ND_HISTOGRAM_BUCKETS];
};

double nd_bucket_middle(uint32_t bucket)
{
	uint64_t start = nd_histogram_start(bucket);
	uint64_t end = bucket + 1 < ND_HISTOGRAM_BUCKETS ? nd_histogram_start(bucket + 1) : start;

	return ((double)start + (double)end) / 2 / 1e9;
}

static struct nd_loop_history *find_history(struct nd_metrics *metrics,
					    const struct nd_lag_loop *loop)
{
	struct nd_loop_history *history, *grown;
	size_t i;

	for (i = 0; i < metrics->history_count; i++) {
		history = &metrics->histories[i];
		if (history->tid == loop->tid && history->thread_start_ns == loop->start_ns)
			return history;
	}
	grown = reallocarray(metrics->histories, metrics->history_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	metrics->histories = grown;
	history = &grown[metrics->history_count++];
	*history = (struct nd_loop_history){.tid = loop->tid, .thread_start_ns = loop->start_ns};
	return history;
}

/* Mean and deviation of the iterations of `loop`, whose counts are those of an interval. */
static void measure_spread(const struct nd_lag_loop *loop, double *delay)
{
	double count = 0, sum = 0, squares = 0, value;
	uint32_t i;

	for (i = 0; i < ND_HISTOGRAM_BUCKETS; i++) {
		if (!loop->delay[i])
			continue;
		if (count == 0)
			delay[ND_DELAY_MIN] = (double)nd_histogram_start(i) / 1e9;
		value = nd_bucket_middle(i);
		delay[ND_DELAY_MAX] = i + 1 < ND_HISTOGRAM_BUCKETS
					      ? (double)nd_histogram_start(i + 1) / 1e9
					      : value;
		count += (double)loop->delay[i];
		sum += value * (double)loop->delay[i];
		squares += value * value * (double)loop->delay[i];
	}
	if (count == 0)
		return;
	delay[ND_DELAY_MEAN] = sum / count;
	value = squares / count - sum / count * (sum / count);
	delay[ND_DELAY_STDDEV] = value > 0 ? sqrt(value) : 0;
}

static void measure_interval(struct nd_loop_history *history, const struct nd_lag_loop *loop,
			     struct nd_loop_view *view)
{
	struct nd_lag_loop interval = {.tid = loop->tid};
	uint32_t i;

	for (i = 0; i < ND_HISTOGRAM_BUCKETS; i++) {
		if (loop->delay[i] > history->delay[i])
			interval.delay[i] = loop->delay[i] - history->delay[i];
		view->iterations += interval.delay[i];
		history->delay[i] = loop->delay[i];
	}
	/* What lasts is counted as it goes, so a sum may shrink by what it turned out to be. */
	view->busy_ns = loop->busy_ns > history->busy_ns ? loop->busy_ns - history->busy_ns : 0;
	view->idle_ns = loop->idle_ns > history->idle_ns ? loop->idle_ns - history->idle_ns : 0;
	measure_spread(&interval, view->delay);
	/* The longest one is known exactly where it is the longest of all. */
	if (loop->max_ns > history->max_ns)
		view->delay[ND_DELAY_MAX] = (double)loop->max_ns / 1e9;
	interval.max_ns = (uint64_t)(view->delay[ND_DELAY_MAX] * 1e9);
	view->delay[ND_DELAY_P50] = (double)nd_lag_percentile(&interval, 0.5) / 1e9;
	view->delay[ND_DELAY_P90] = (double)nd_lag_percentile(&interval, 0.9) / 1e9;
	view->delay[ND_DELAY_P99] = (double)nd_lag_percentile(&interval, 0.99) / 1e9;
	history->busy_ns = loop->busy_ns;
	history->idle_ns = loop->idle_ns;
	history->max_ns = loop->max_ns;
	history->ended = loop->ended;
}

/* Forget loops that the analyzer has forgotten. */
static void sweep(struct nd_metrics *metrics)
{
	size_t i, kept = 0;

	for (i = 0; i < metrics->history_count; i++)
		if (metrics->histories[i].is_there)
			metrics->histories[kept++] = metrics->histories[i];
	for (i = 0; i < kept; i++)
		metrics->histories[i].is_there = false;
	metrics->history_count = kept;
}

int nd_metrics_look(struct nd_metrics *metrics, const struct nd_lag_loop *loops, size_t count,
		    struct nd_loop_view *views, size_t *ret_count)
{
	struct nd_loop_history *history;
	struct nd_loop_view *view;
	size_t i;

	*ret_count = 0;
	for (i = 0; i < count; i++) {
		history = find_history(metrics, &loops[i]);
		if (!history)
			return -ENOMEM;
		history->is_there = true;
		if (history->ended)
			continue;
		view = &views[(*ret_count)++];
		view->loop = &loops[i];
		if (loops[i].kind == ND_THREAD_WORKER) {
			view->attributes[0] = (struct nd_otlp_attribute){
				"thread.id", ND_OTLP_INTEGER, {.integer = loops[i].tid}};
			view->attributes[1] = (struct nd_otlp_attribute){
				"thread.name", ND_OTLP_STRING, {.string = "worker"}};
			view->attribute_count = 2;
		}
		measure_interval(history, &loops[i], view);
	}
	sweep(metrics);
	return 0;
}
