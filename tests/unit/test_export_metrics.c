/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "common/clock.h"
#include "tests/known_recording.h"
#include "tests/unit/otlp_requests.h"

struct fixture {
	struct requests requests;
	struct nd_buf resource;
	struct nd_source source;
	struct nd_batch batch;
	struct nd_metrics *metrics;
	uint64_t moments[KNOWN_SPANS + 1];
	size_t moment_count;
};

static int init(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	nd_buf_init(&f.resource, 1000);
	f.source = (struct nd_source){&f.resource, "1.2.3"};
	nd_batch_init(&f.batch, ND_OTLP_METRICS, &f.source,
		      (struct nd_sink){requests_add, &f.requests});
	f.metrics = nd_metrics_new(KNOWN_START_NS, KNOWN_UNIX_NS);
	*state = &f;
	return f.metrics ? 0 : -1;
}

static int fini(void **state)
{
	struct fixture *f = *state;

	nd_metrics_free(f->metrics);
	nd_batch_fini(&f->batch);
	nd_buf_fini(&f->resource);
	requests_fini(&f->requests);
	return 0;
}

/* Tell of the loops twice: in the middle, and at the end. */
static int observe(void *arg, struct nd_lag *lag, uint64_t time_ns)
{
	struct fixture *f = arg;

	f->moments[f->moment_count++] = time_ns;
	if (time_ns != KNOWN_START_NS + 2 * KNOWN_SPAN_NS && time_ns != KNOWN_END_NS)
		return 0;
	assert_int_equal(nd_metrics_add_loops(f->metrics, lag, time_ns, &f->batch), 0);
	return nd_batch_flush(&f->batch, NULL);
}

static void read_recording(struct fixture *f, struct nd_lag *lag, struct nd_profile *frames)
{
	struct nd_lag_recorded recorded;
	struct nd_buf file;

	nd_buf_init(&file, ND_RECORDING_MAX);
	assert_int_equal(known_record(&file), 0);
	nd_lag_set_observer(lag, observe, f);
	assert_int_equal(nd_lag_read_recording(lag, frames, file.data, file.len, &recorded, NULL),
			 0);
	nd_buf_fini(&file);
}

static double number_of(const Otlp__ExportMetricsServiceRequest *request, const char *name,
			size_t point)
{
	const Otlp__Metric *metric = find_metric(request, name);

	assert_non_null(metric);
	assert_int_equal(metric->data_case, OTLP__METRIC__DATA_GAUGE);
	assert_true(point < metric->gauge->n_data_points);
	return metric->gauge->data_points[point]->as_double;
}

static void check_time(const Otlp__ExportMetricsServiceRequest *request)
{
	const Otlp__Metric *metric = find_metric(request, "nodejs.eventloop.time");
	const Otlp__NumberDataPoint *point;

	assert_non_null(metric);
	assert_string_equal(metric->unit, "s");
	assert_true(metric->sum->is_monotonic);
	assert_int_equal(metric->sum->aggregation_temporality,
			 OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE);
	/* Active and idle, of the main thread and of the worker. */
	assert_int_equal(metric->sum->n_data_points, 4);
	point = metric->sum->data_points[0];
	assert_string_equal(
		find_attribute(point->attributes, point->n_attributes, "nodejs.eventloop.state"),
		"active");
	assert_int_equal(point->n_attributes, 1);
	assert_int_equal(point->start_time_unix_nano, KNOWN_UNIX_NS);
	assert_int_equal(point->time_unix_nano, KNOWN_UNIX_NS + KNOWN_SPANS * KNOWN_SPAN_NS);
	/* 110 iterations of 9 ms. */
	assert_true(fabs(point->as_double - 0.99) < 1e-9);
	point = metric->sum->data_points[3];
	assert_int_equal(point->n_attributes, 3);
	assert_string_equal(find_attribute(point->attributes, point->n_attributes, "thread.name"),
			    "worker");
}

static void check_delays(const Otlp__ExportMetricsServiceRequest *request)
{
	/* The stall of 300 ms was after the first time of telling; the others are 9 ms. */
	assert_true(fabs(number_of(request, "nodejs.eventloop.delay.max", 0) - 0.3) < 1e-9);
	assert_true(fabs(number_of(request, "nodejs.eventloop.delay.min", 0) - 0.009) < 0.0006);
	assert_true(fabs(number_of(request, "nodejs.eventloop.delay.p50", 0) - 0.009) < 0.0006);
	/* 88 of 9 ms and one of 300 ms. */
	assert_true(fabs(number_of(request, "nodejs.eventloop.delay.mean", 0) - 0.0123) < 0.001);
	assert_true(number_of(request, "nodejs.eventloop.delay.stddev", 0) > 0.02);
	assert_true(fabs(number_of(request, "nodejs.eventloop.delay.max", 1) - 0.2) < 1e-9);
	assert_int_equal(find_metric(request, "nodejs.eventloop.delay.max")
				 ->gauge->data_points[0]
				 ->start_time_unix_nano,
			 0);
}

static void check_gc(const Otlp__ExportMetricsServiceRequest *request)
{
	const Otlp__Metric *metric = find_metric(request, "v8js.gc.duration");
	const Otlp__HistogramDataPoint *minor, *major;

	assert_non_null(metric);
	assert_int_equal(metric->data_case, OTLP__METRIC__DATA_HISTOGRAM);
	assert_int_equal(metric->histogram->n_data_points, 2);
	minor = metric->histogram->data_points[0];
	major = metric->histogram->data_points[1];
	assert_string_equal(find_attribute(minor->attributes, minor->n_attributes, "v8js.gc.type"),
			    "minor");
	assert_int_equal(minor->count, 2);
	assert_true(fabs(minor->sum - 0.003) < 1e-9);
	assert_true(fabs(minor->max - 0.002) < 1e-9);
	assert_int_equal(minor->n_bucket_counts, ND_GC_BUCKETS);
	assert_int_equal(minor->n_explicit_bounds, ND_GC_BUCKETS - 1);
	assert_int_equal(minor->bucket_counts[0], 2);
	assert_int_equal(major->count, 1);
	/* 20 ms are in the bucket up to 25. */
	assert_int_equal(major->bucket_counts[2], 1);
}

static void check_iterations(const Otlp__ExportMetricsServiceRequest *request)
{
	const Otlp__Metric *metric = find_metric(request, "nodiag.eventloop.iteration.duration");
	const Otlp__ExponentialHistogramDataPoint *point;
	uint64_t sum = 0;
	double base;
	size_t i;

	assert_non_null(metric);
	point = metric->exponential_histogram->data_points[0];
	assert_int_equal(point->count, 111);
	for (i = 0; i < point->positive->n_bucket_counts; i++)
		sum += point->positive->bucket_counts[i];
	assert_int_equal(sum, 111);
	/* The first and the last bucket are those of 9 and of 300 ms. */
	base = exp2(exp2(-point->scale));
	assert_int_equal(point->positive->bucket_counts[0], 110);
	assert_true(pow(base, point->positive->offset) < 0.0093);
	assert_true(pow(base, point->positive->offset + 1) > 0.0087);
	i = point->positive->n_bucket_counts - 1;
	assert_int_equal(point->positive->bucket_counts[i], 1);
	assert_true(pow(base, point->positive->offset + (double)i) < 0.31);
	assert_true(pow(base, point->positive->offset + (double)i + 1) > 0.29);
	assert_true(fabs(point->max - 0.3) < 1e-9);
}

static void check_heap(const Otlp__ExportMetricsServiceRequest *request)
{
	const Otlp__Metric *metric = find_metric(request, "nodiag.heap.used");

	assert_int_equal(metric->sum->n_data_points, 1);
	assert_false(metric->sum->is_monotonic);
	assert_int_equal(metric->sum->data_points[0]->as_int, 20u << 20);
	/* The worker whose spaces were told has ended. */
	assert_null(find_metric(request, "v8js.memory.heap.used"));
}

/* One space of the main thread. */
static void add_space(struct nd_lag *lag)
{
	const struct nd_event_space space = {
		.event = {ND_EVENT_SPACE, 4242, KNOWN_END_NS},
		.name = "new_space",
		.size_bytes = 4,
		.used_bytes = 1,
		.available_bytes = 2,
		.physical_bytes = 3,
	};

	assert_int_equal(nd_lag_add_event(lag, &space.event, sizeof(space)), 0);
}

static void check_space(const Otlp__ExportMetricsServiceRequest *request)
{
	static const char *const names[] = {
		"v8js.memory.heap.used", "v8js.memory.heap.space.available_size",
		"v8js.memory.heap.space.physical_size", "v8js.memory.heap.space.size"};
	const Otlp__NumberDataPoint *point;
	const Otlp__Metric *metric;
	int i;

	for (i = 0; i < 4; i++) {
		metric = find_metric(request, names[i]);
		assert_non_null(metric);
		assert_int_equal(metric->sum->n_data_points, 1);
		point = metric->sum->data_points[0];
		assert_int_equal(point->as_int, i + 1);
		assert_string_equal(find_attribute(point->attributes, point->n_attributes,
						   "v8js.heap.space.name"),
				    "new_space");
	}
}

static void add_resource(struct nd_lag *lag, const char *type, uint64_t count)
{
	struct nd_event_resource resource = {.event = {ND_EVENT_RESOURCE, 4242, KNOWN_END_NS},
					     .count = count};

	snprintf(resource.type, sizeof(resource.type), "%s", type);
	assert_int_equal(nd_lag_add_event(lag, &resource.event, sizeof(resource)), 0);
}

/* What a look found goes with the next. */
static void add_resources(struct nd_lag *lag)
{
	add_resource(lag, "", 1);
	add_resource(lag, "TTYWrap", 1);
	add_resource(lag, "", 12);
	add_resource(lag, "Timeout", 10);
	add_resource(lag, "TCPSocketWrap", 2);
}

static void check_resources(const Otlp__ExportMetricsServiceRequest *request)
{
	const Otlp__Metric *metric = find_metric(request, "v8js.resource.active");
	const Otlp__NumberDataPoint *point;

	assert_non_null(metric);
	assert_string_equal(metric->unit, "{resource}");
	assert_int_equal(metric->gauge->n_data_points, 2);
	point = metric->gauge->data_points[0];
	assert_int_equal(point->as_int, 10);
	assert_string_equal(
		find_attribute(point->attributes, point->n_attributes, "v8js.resource.type"),
		"Timeout");
	assert_int_equal(metric->gauge->data_points[1]->as_int, 2);
}

static void test_recording(void **state)
{
	struct fixture *f = *state;
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_lag *lag = nd_lag_new(frames);
	Otlp__ExportMetricsServiceRequest *first, *last;
	const Otlp__Metric *metric;

	read_recording(f, lag, frames);
	/* Each moment once, in order, from the first to the last. */
	assert_int_equal(f->moment_count, KNOWN_SPANS + 1);
	assert_int_equal(f->moments[0], KNOWN_START_NS);
	assert_int_equal(f->moments[KNOWN_SPANS], KNOWN_END_NS);
	assert_int_equal(f->requests.count, 2);
	first = requests_metrics(&f->requests, 0);
	last = requests_metrics(&f->requests, 1);
	/* No worker, no stall and no collection were there yet. */
	assert_true(number_of(first, "nodejs.eventloop.delay.max", 0) < 0.0097);
	assert_int_equal(find_metric(first, "nodejs.eventloop.time")->sum->n_data_points, 2);
	assert_null(find_metric(first, "v8js.gc.duration"));
	check_time(last);
	check_delays(last);
	check_gc(last);
	check_iterations(last);
	metric = find_metric(last, "nodiag.eventloop.stall.count");
	assert_int_equal(metric->sum->data_points[0]->as_int, 1);
	check_heap(last);
	/* 88 iterations of 9 ms, while the loop says that it waited for all of 1.2 s. */
	assert_true(fabs(number_of(last, "nodejs.eventloop.utilization", 0) - 0.3976) < 0.001);
	/* As many points as are said to be in it. */
	assert_true(f->requests.items[1] > 30);
	/* The worker has ended, and was told of: it does not come again. */
	add_space(lag);
	add_resources(lag);
	assert_int_equal(nd_metrics_add_loops(f->metrics, lag, KNOWN_END_NS + 1, &f->batch), 0);
	assert_int_equal(nd_batch_flush(&f->batch, NULL), 0);
	otlp__export_metrics_service_request__free_unpacked(first, NULL);
	first = requests_metrics(&f->requests, 2);
	assert_int_equal(find_metric(first, "nodejs.eventloop.time")->sum->n_data_points, 2);
	check_space(first);
	check_resources(first);
	/* Nothing happened since, so there is no delay to tell of. */
	assert_null(find_metric(first, "nodejs.eventloop.delay.max"));
	otlp__export_metrics_service_request__free_unpacked(first, NULL);
	otlp__export_metrics_service_request__free_unpacked(last, NULL);
	nd_lag_free(lag);
	nd_profile_free(frames);
}

static void test_process(void **state)
{
	struct fixture *f = *state;
	uint64_t now_ns = KNOWN_START_NS + ND_NSEC_PER_SEC;
	Otlp__ExportMetricsServiceRequest *request;
	const Otlp__Metric *metric;

	assert_int_equal(nd_metrics_add_process(f->metrics, getpid(), now_ns, &f->batch), 0);
	assert_int_equal(nd_batch_flush(&f->batch, NULL), 0);
	request = requests_metrics(&f->requests, 0);
	metric = find_metric(request, "process.memory.usage");
	assert_true(metric->sum->data_points[0]->as_int > 100000);
	metric = find_metric(request, "process.memory.virtual");
	assert_true(metric->sum->data_points[0]->as_int > 100000);
	metric = find_metric(request, "process.thread.count");
	assert_int_equal(metric->sum->data_points[0]->as_int, 1);
	assert_false(metric->sum->is_monotonic);
	metric = find_metric(request, "process.cpu.time");
	assert_true(metric->sum->is_monotonic);
	assert_int_equal(metric->sum->n_data_points, 2);
	assert_string_equal(metric->sum->data_points[1]->attributes[0]->value->string_value,
			    "system");
	metric = find_metric(request, "process.unix.file_descriptor.count");
	assert_true(metric->sum->data_points[0]->as_int >= 3);
	assert_non_null(find_metric(request, "process.paging.faults"));
	assert_non_null(find_metric(request, "process.uptime"));
	otlp__export_metrics_service_request__free_unpacked(request, NULL);
	assert_int_not_equal(nd_metrics_add_process(f->metrics, 0x7ffffff0, now_ns, &f->batch), 0);
}

/* Tell once more, with the wall clock so far from where it was; when what began at which moment. */
static void tell_after(struct fixture *f, struct nd_lag *lag, int64_t step_ns,
		       struct nd_otlp_point *ret_loop, struct nd_otlp_point *ret_process)
{
	Otlp__ExportMetricsServiceRequest *request;
	const Otlp__NumberDataPoint *point;

	nd_metrics_set_clock(f->metrics, KNOWN_UNIX_NS - KNOWN_START_NS + (uint64_t)step_ns);
	assert_int_equal(nd_metrics_add_loops(f->metrics, lag, KNOWN_END_NS, &f->batch), 0);
	assert_int_equal(nd_metrics_add_process(f->metrics, getpid(), KNOWN_END_NS, &f->batch), 0);
	assert_int_equal(nd_batch_flush(&f->batch, NULL), 0);
	request = requests_metrics(&f->requests, f->requests.count - 1);
	point = find_metric(request, "nodejs.eventloop.time")->sum->data_points[0];
	ret_loop->start_unix_ns = point->start_time_unix_nano;
	ret_loop->time_unix_ns = point->time_unix_nano;
	point = find_metric(request, "process.cpu.time")->sum->data_points[0];
	ret_process->start_unix_ns = point->start_time_unix_nano;
	ret_process->time_unix_ns = point->time_unix_nano;
	otlp__export_metrics_service_request__free_unpacked(request, NULL);
}

#define HOUR_NS (3600 * (int64_t)ND_NSEC_PER_SEC)

/* What is told now is told of now; what it counts from stays, as long as that is before. */
static void test_clock_steps(void **state)
{
	static const int64_t steps[] = {0, HOUR_NS, 0, -HOUR_NS, 0};
	uint64_t end_ns = KNOWN_UNIX_NS + (KNOWN_END_NS - KNOWN_START_NS);
	uint64_t loop_start = KNOWN_UNIX_NS, process_start = 0;
	struct fixture *f = *state;
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_lag *lag = nd_lag_new(frames);
	struct nd_otlp_point loop, process;
	size_t i;

	read_recording(f, lag, frames);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		tell_after(f, lag, steps[i], &loop, &process);
		assert_int_equal(loop.time_unix_ns, end_ns + (uint64_t)steps[i]);
		assert_int_equal(process.time_unix_ns, loop.time_unix_ns);
		if (steps[i] < 0)
			loop_start = KNOWN_UNIX_NS + (uint64_t)steps[i];
		assert_int_equal(loop.start_unix_ns, loop_start);
		assert_true(process.start_unix_ns <= process.time_unix_ns);
		if (process_start && steps[i] >= 0 && steps[i - 1] >= 0)
			assert_int_equal(process.start_unix_ns, process_start);
		process_start = process.start_unix_ns;
	}
	nd_lag_free(lag);
	nd_profile_free(frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_recording, init, fini),
		cmocka_unit_test_setup_teardown(test_process, init, fini),
		cmocka_unit_test_setup_teardown(test_clock_steps, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
