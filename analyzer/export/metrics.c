/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/export/batch.h"
#include "analyzer/export/metrics_impl.h"
#include "analyzer/lag/lag.h"
#include "common/histogram.h"

/*
 * Buckets of iterations: eight for each power of two, from half a microsecond on. Those of
 * common/histogram.h are even between two powers, and go to where their middle is.
 */
#define SCALE	   3
#define INDEX_MIN  (-176)
#define INDEX_MAX  104
#define INDEXES	   (INDEX_MAX - INDEX_MIN + 1)
#define ATTRIBUTES 3

/* A point with room for its attributes and buckets. */
struct slot {
	struct nd_otlp_attribute attributes[ATTRIBUTES];
	uint64_t buckets[INDEXES];
};

struct writer {
	const struct nd_metrics *metrics;
	uint64_t time_unix_ns;
	struct nd_loop_view *views;
	size_t view_count;
	struct nd_otlp_point *points;
	struct slot *slots;
	size_t point_count;
	struct nd_batch *batch;
};

static const double gc_bounds[ND_GC_BUCKETS - 1] = ND_GC_BOUNDS;

struct nd_metrics *nd_metrics_new(uint64_t start_ns, uint64_t start_unix_ns)
{
	struct nd_metrics *metrics = calloc(1, sizeof(*metrics));

	if (metrics) {
		metrics->start_ns = start_ns;
		metrics->start_unix_ns = start_unix_ns;
		metrics->unix_offset_ns = start_unix_ns - start_ns;
	}
	return metrics;
}

void nd_metrics_free(struct nd_metrics *metrics)
{
	if (!metrics)
		return;
	free(metrics->histories);
	free(metrics);
}

void nd_metrics_set_clock(struct nd_metrics *metrics, uint64_t unix_offset_ns)
{
	uint64_t start_unix_ns = metrics->start_ns + unix_offset_ns;

	/* Counted from the first beginning, so that steps back and forth come to the same one. */
	if (start_unix_ns < metrics->start_unix_ns)
		metrics->start_unix_ns = start_unix_ns;
	metrics->unix_offset_ns = unix_offset_ns;
}

uint64_t nd_metrics_unix_ns(const struct nd_metrics *metrics, uint64_t time_ns)
{
	return time_ns + metrics->unix_offset_ns;
}

/* Another point of the metric that is being written; `key` is one more attribute, or NULL. */
static struct nd_otlp_point *add_point(struct writer *writer, const struct nd_loop_view *view,
				       const char *key, const char *value)
{
	struct slot *slot = &writer->slots[writer->point_count];
	struct nd_otlp_point *point = &writer->points[writer->point_count++];
	size_t count = view->attribute_count;

	memcpy(slot->attributes, view->attributes, count * sizeof(slot->attributes[0]));
	if (key)
		slot->attributes[count++] =
			(struct nd_otlp_attribute){key, ND_OTLP_STRING, {.string = value}};
	*point = (struct nd_otlp_point){.attributes = {slot->attributes, count},
					.time_unix_ns = writer->time_unix_ns};
	return point;
}

static int write_metric(struct writer *writer, const char *name, const char *unit,
			const char *description, enum nd_otlp_metric_kind kind)
{
	const struct nd_otlp_metric metric = {
		.name = name,
		.description = description,
		.unit = unit,
		.kind = kind,
		.points = writer->points,
		.point_count = writer->point_count,
	};
	size_t i;

	for (i = 0; i < writer->point_count && kind != ND_OTLP_GAUGE; i++)
		writer->points[i].start_unix_ns = writer->metrics->start_unix_ns;
	writer->point_count = 0;
	return nd_batch_add_metric(writer->batch, &metric);
}

static int write_delays(struct writer *writer)
{
	static const struct {
		const char *name;
		const char *description;
	} metrics[ND_DELAY_COUNT] = {
		[ND_DELAY_MIN] = {"nodejs.eventloop.delay.min", "Event loop minimum delay."},
		[ND_DELAY_MAX] = {"nodejs.eventloop.delay.max", "Event loop maximum delay."},
		[ND_DELAY_MEAN] = {"nodejs.eventloop.delay.mean", "Event loop mean delay."},
		[ND_DELAY_STDDEV] = {"nodejs.eventloop.delay.stddev",
				     "Event loop standard deviation delay."},
		[ND_DELAY_P50] = {"nodejs.eventloop.delay.p50", "Event loop 50 percentile delay."},
		[ND_DELAY_P90] = {"nodejs.eventloop.delay.p90", "Event loop 90 percentile delay."},
		[ND_DELAY_P99] = {"nodejs.eventloop.delay.p99", "Event loop 99 percentile delay."},
	};
	const struct nd_loop_view *view;
	int delay, ret = 0;

	for (delay = 0; delay < ND_DELAY_COUNT && !ret; delay++) {
		for (view = writer->views; view < writer->views + writer->view_count; view++)
			if (view->iterations)
				add_point(writer, view, NULL, NULL)->number = view->delay[delay];
		ret = write_metric(writer, metrics[delay].name, "s", metrics[delay].description,
				   ND_OTLP_GAUGE);
	}
	return ret;
}

static int write_times(struct writer *writer)
{
	static const char key[] = "nodejs.eventloop.state";
	const struct nd_loop_view *view;
	int ret;

	for (view = writer->views; view < writer->views + writer->view_count; view++)
		if (view->busy_ns + view->idle_ns)
			add_point(writer, view, NULL, NULL)->number =
				(double)view->busy_ns / (double)(view->busy_ns + view->idle_ns);
	ret = write_metric(writer, "nodejs.eventloop.utilization", "1", "Event loop utilization.",
			   ND_OTLP_GAUGE);
	if (ret)
		return ret;
	for (view = writer->views; view < writer->views + writer->view_count; view++) {
		add_point(writer, view, key, "active")->number = (double)view->loop->busy_ns / 1e9;
		add_point(writer, view, key, "idle")->number = (double)view->loop->idle_ns / 1e9;
	}
	return write_metric(writer, "nodejs.eventloop.time", "s",
			    "Cumulative duration of time the event loop has been in each state.",
			    ND_OTLP_COUNTER);
}

static int index_of(uint32_t bucket)
{
	double seconds = nd_bucket_middle(bucket);
	int index = (int)ceil(log2(seconds) * (1 << SCALE)) - 1;

	return index < INDEX_MIN ? INDEX_MIN : index > INDEX_MAX ? INDEX_MAX : index;
}

static void fill_iterations(const struct nd_lag_loop *loop, struct nd_otlp_point *point,
			    uint64_t *buckets)
{
	int first = INDEXES, last = 0, at;
	uint32_t i;

	memset(buckets, 0, INDEXES * sizeof(*buckets));
	for (i = 0; i < ND_HISTOGRAM_BUCKETS; i++) {
		if (!loop->delay[i])
			continue;
		at = index_of(i) - INDEX_MIN;
		buckets[at] += loop->delay[i];
		point->count += loop->delay[i];
		point->sum += nd_bucket_middle(i) * (double)loop->delay[i];
		first = at < first ? at : first;
		last = at;
	}
	point->scale = SCALE;
	if (!point->count)
		return;
	point->max = (double)loop->max_ns / 1e9;
	point->offset = first + INDEX_MIN;
	point->buckets = buckets + first;
	point->bucket_count = (size_t)last - (size_t)first + 1;
}

static int write_iterations(struct writer *writer)
{
	const struct nd_loop_view *view;
	uint64_t *buckets;
	int ret;

	for (view = writer->views; view < writer->views + writer->view_count; view++) {
		buckets = writer->slots[writer->point_count].buckets;
		fill_iterations(view->loop, add_point(writer, view, NULL, NULL), buckets);
	}
	ret = write_metric(writer, "nodiag.eventloop.iteration.duration", "s",
			   "Time that iterations of the event loop took.",
			   ND_OTLP_EXPONENTIAL_HISTOGRAM);
	if (ret)
		return ret;
	for (view = writer->views; view < writer->views + writer->view_count; view++) {
		struct nd_otlp_point *point = add_point(writer, view, NULL, NULL);

		point->is_integer = true;
		point->integer = (int64_t)view->loop->stalls;
	}
	ret = write_metric(writer, "nodiag.eventloop.stall.count", "{stall}",
			   "Iterations of the event loop that were over the threshold.",
			   ND_OTLP_COUNTER);
	if (ret)
		return ret;
	for (view = writer->views; view < writer->views + writer->view_count; view++)
		add_point(writer, view, NULL, NULL)->number = (double)view->loop->stall_ns / 1e9;
	return write_metric(writer, "nodiag.eventloop.stall.time", "s",
			    "Time of the iterations that were over the threshold.",
			    ND_OTLP_COUNTER);
}

/* Pauses of the kinds of collection that have one name in the conventions. */
static void add_gc_point(struct writer *writer, const struct nd_loop_view *view, const char *name,
			 uint32_t types)
{
	uint64_t *buckets = writer->slots[writer->point_count].buckets;
	struct nd_otlp_point *point;
	uint64_t max_ns = 0, count = 0;
	size_t type, i;
	double sum = 0;

	memset(buckets, 0, ND_GC_BUCKETS * sizeof(*buckets));
	for (type = 0; type < ND_GC_TYPES; type++) {
		const struct nd_gc_pauses *pauses = &view->loop->gc_pauses[type];

		if (!(types & 1u << type))
			continue;
		for (i = 0; i < ND_GC_BUCKETS; i++) {
			buckets[i] += pauses->count[i];
			count += pauses->count[i];
		}
		sum += (double)pauses->ns / 1e9;
		if (view->loop->gc_max_ns[type] > max_ns)
			max_ns = view->loop->gc_max_ns[type];
	}
	if (!count)
		return;
	point = add_point(writer, view, "v8js.gc.type", name);
	point->count = count;
	point->sum = sum;
	point->max = (double)max_ns / 1e9;
	point->buckets = buckets;
	point->bucket_count = ND_GC_BUCKETS;
	point->bounds = gc_bounds;
}

static int write_gc(struct writer *writer)
{
	const struct nd_loop_view *view;

	for (view = writer->views; view < writer->views + writer->view_count; view++) {
		if (!(view->loop->known & ND_LOOP_GC))
			continue;
		add_gc_point(writer, view, "minor", ND_GC_SCAVENGE | ND_GC_MINOR_MARK_SWEEP);
		add_gc_point(writer, view, "major", ND_GC_MARK_COMPACT);
		add_gc_point(writer, view, "incremental", ND_GC_INCREMENTAL);
		add_gc_point(writer, view, "weakcb", ND_GC_WEAK_CALLBACKS);
	}
	return write_metric(writer, "v8js.gc.duration", "s", "Garbage collection duration.",
			    ND_OTLP_HISTOGRAM);
}

static int write_resources(struct writer *writer)
{
	const struct nd_loop_view *view;
	size_t i;

	for (view = writer->views; view < writer->views + writer->view_count; view++)
		for (i = 0; !view->loop->ended && i < view->loop->resources; i++) {
			const struct nd_lag_resource *resource = &view->loop->resource[i];
			struct nd_otlp_point *point =
				add_point(writer, view, "v8js.resource.type", resource->type);

			point->is_integer = true;
			point->integer = (int64_t)resource->count;
		}
	return write_metric(writer, "v8js.resource.active", "{resource}",
			    "Active resources that are keeping the event loop alive.",
			    ND_OTLP_GAUGE);
}

/* A number of a heap, or of one of its spaces. */
struct heap_metric {
	const char *name;
	const char *description;
	size_t offset;
};

static void add_bytes(struct writer *writer, const struct nd_loop_view *view, const char *space,
		      const void *from, size_t offset)
{
	struct nd_otlp_point *point =
		add_point(writer, view, space ? "v8js.heap.space.name" : NULL, space);
	uint64_t bytes;

	memcpy(&bytes, (const char *)from + offset, sizeof(bytes));
	point->is_integer = true;
	point->integer = (int64_t)bytes;
}

static int write_spaces(struct writer *writer)
{
	static const struct heap_metric metrics[] = {
		{"v8js.memory.heap.used", "Heap Memory size allocated.",
		 offsetof(struct nd_lag_space, used_bytes)},
		{"v8js.memory.heap.space.size", "Size of a heap space.",
		 offsetof(struct nd_lag_space, size_bytes)},
		{"v8js.memory.heap.space.available_size", "Heap space available size.",
		 offsetof(struct nd_lag_space, available_bytes)},
		{"v8js.memory.heap.space.physical_size", "Committed size of a heap space.",
		 offsetof(struct nd_lag_space, physical_bytes)},
	};
	const struct nd_loop_view *view;
	size_t i, space;
	int ret = 0;

	for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]) && !ret; i++) {
		for (view = writer->views; view < writer->views + writer->view_count; view++)
			/* Those of a thread that has ended are no more. */
			for (space = 0; !view->loop->ended && space < view->loop->spaces; space++)
				add_bytes(writer, view, view->loop->space[space].name,
					  &view->loop->space[space], metrics[i].offset);
		ret = write_metric(writer, metrics[i].name, "By", metrics[i].description,
				   ND_OTLP_UP_DOWN_COUNTER);
	}
	return ret;
}

static int write_heap(struct writer *writer)
{
	static const struct heap_metric metrics[] = {
		{"nodiag.heap.used", "Memory of the heap that objects have.",
		 offsetof(struct nd_lag_loop, heap_used_bytes)},
		{"nodiag.heap.size", "Memory that the heap has taken.",
		 offsetof(struct nd_lag_loop, heap_total_bytes)},
		{"nodiag.heap.limit", "Size at which the heap may grow no more.",
		 offsetof(struct nd_lag_loop, heap_limit_bytes)},
		{"nodiag.heap.external", "Memory outside of the heap that JavaScript keeps alive.",
		 offsetof(struct nd_lag_loop, external_bytes)},
	};
	const struct nd_loop_view *view;
	size_t i;
	int ret = 0;

	for (i = 0; i < sizeof(metrics) / sizeof(metrics[0]) && !ret; i++) {
		for (view = writer->views; view < writer->views + writer->view_count; view++)
			/* Nothing is known of a heap that was never collected. */
			if (!view->loop->ended && view->loop->heap_total_bytes)
				add_bytes(writer, view, NULL, view->loop, metrics[i].offset);
		ret = write_metric(writer, metrics[i].name, "By", metrics[i].description,
				   ND_OTLP_UP_DOWN_COUNTER);
	}
	return ret;
}

/* The most points that a loop has in one metric: spaces, or types of resources. */
#define POINTS_OF_A_LOOP ND_LAG_SPACES_MAX
_Static_assert(ND_LAG_RESOURCES_MAX <= POINTS_OF_A_LOOP, "there is no room for them");

static int write_loops(struct writer *writer)
{
	int ret = write_delays(writer);

	if (!ret)
		ret = write_times(writer);
	if (!ret)
		ret = write_iterations(writer);
	if (!ret)
		ret = write_gc(writer);
	if (!ret)
		ret = write_spaces(writer);
	if (!ret)
		ret = write_resources(writer);
	return ret ? ret : write_heap(writer);
}

int nd_metrics_add_loops(struct nd_metrics *metrics, struct nd_lag *lag, uint64_t time_ns,
			 struct nd_batch *batch)
{
	struct writer writer = {.metrics = metrics,
				.time_unix_ns = nd_metrics_unix_ns(metrics, time_ns),
				.batch = batch};
	size_t count;
	const struct nd_lag_loop *loops = nd_lag_loops(lag, &count);
	int ret = -ENOMEM;

	if (!loops)
		return -ENOMEM;
	writer.views = calloc(count + 1, sizeof(*writer.views));
	writer.points = calloc(count + 1, POINTS_OF_A_LOOP * sizeof(*writer.points));
	writer.slots = calloc(count + 1, POINTS_OF_A_LOOP * sizeof(*writer.slots));
	if (writer.views && writer.points && writer.slots)
		ret = nd_metrics_look(metrics, loops, count, writer.views, &writer.view_count);
	if (!ret)
		ret = write_loops(&writer);
	free(writer.views);
	free(writer.points);
	free(writer.slots);
	return ret;
}
