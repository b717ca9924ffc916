/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs every renderer and importer, what makes recordings, what makes requests, and what there is
 * for heap snapshots, with each of its allocations failing in turn: alone, and with all that
 * follow. It must say so or do without, and leave nothing behind, which is for LeakSanitizer to
 * see.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/export/batch.h"
#include "analyzer/export/links.h"
#include "analyzer/export/metrics.h"
#include "analyzer/export/profile.h"
#include "analyzer/export/queue.h"
#include "analyzer/gzip.h"
#include "analyzer/heap/analysis.h"
#include "analyzer/heap/census.h"
#include "analyzer/heap/collections.h"
#include "analyzer/heap/deferred.h"
#include "analyzer/heap/diff.h"
#include "analyzer/heap/outline.h"
#include "analyzer/heap/pack.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/query.h"
#include "analyzer/heap/routes.h"
#include "analyzer/heap/summary.h"
#include "analyzer/heap/suspects.h"
#include "analyzer/heap/write.h"
#include "analyzer/lag/lag.h"
#include "analyzer/lag/recorded.h"
#include "analyzer/profile/import.h"
#include "analyzer/render/heap.h"
#include "analyzer/render/render.h"
#include "analyzer/trace/recorded.h"
#include "analyzer/trace/trace.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/intern.h"
#include "proto/limits.h"
#include "tests/known_profile.h"
#include "tests/known_recording.h"
#include "tests/oom/fail_alloc.h"
#include "tests/unit/heap_build.h"

/* What a run works on; made while nothing fails. */
struct scene {
	const struct nd_profile *profile;
	const struct nd_render_format *format;
	const struct nd_buf *file;
	int also; /* an error that may come instead of -ENOMEM */
};

typedef int (*run_fn)(const struct scene *scene);

static int run_build(const struct scene *scene)
{
	struct nd_profile *profile = known_profile(true, false);

	nd_profile_free(profile);
	return profile ? 0 : -ENOMEM;
}

static int run_render(const struct scene *scene)
{
	struct nd_buf out;
	int ret;

	nd_buf_init(&out, ND_OUTPUT_MAX);
	ret = scene->format->render(scene->profile, &out);
	nd_buf_fini(&out);
	return ret;
}

static int run_table(const struct scene *scene)
{
	struct nd_buf out;
	int ret;

	nd_buf_init(&out, ND_OUTPUT_MAX);
	ret = nd_render_table(scene->profile, 10, 80, true, &out);
	nd_buf_fini(&out);
	return ret;
}

static int run_import(const struct scene *scene)
{
	struct nd_profile *profile = NULL;
	struct nd_err err = {0};
	int ret = nd_import_profile(scene->file->data, scene->file->len, &profile, &err);

	if (ret != err.code)
		return -EINVAL;
	nd_profile_free(profile);
	return ret;
}

static int run_record(const struct scene *scene)
{
	struct nd_buf out;
	int ret;

	nd_buf_init(&out, ND_RECORDING_MAX);
	ret = known_record(&out);
	nd_buf_fini(&out);
	return ret;
}

static int run_lag(const struct scene *scene)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_lag *lag = frames ? nd_lag_new(frames) : NULL;
	struct nd_lag_recorded recorded;
	int ret = -ENOMEM;
	struct nd_buf out;

	nd_buf_init(&out, ND_OUTPUT_MAX);
	if (lag)
		ret = nd_lag_read_recording(lag, frames, scene->file->data, scene->file->len,
					    &recorded, NULL);
	if (!ret)
		ret = nd_render_lag(lag, frames, recorded.threshold_ns, false, &out);
	if (!ret)
		ret = nd_render_lag_json(lag, frames, recorded.threshold_ns, &out);
	nd_buf_fini(&out);
	nd_lag_free(lag);
	nd_profile_free(frames);
	return ret;
}

static int run_links(const struct scene *scene)
{
	struct nd_recorded_links *links;
	struct nd_profile *profile;
	int ret = nd_import_recording(scene->file->data, scene->file->len, false, &profile, NULL,
				      NULL);

	if (ret)
		return ret;
	ret = nd_recorded_links_new(profile, scene->file->data, scene->file->len, &links, NULL);
	if (!ret)
		nd_recorded_links_free(links);
	nd_profile_free(profile);
	return ret;
}

static int take_request(void *arg, enum nd_otlp_signal signal, const struct nd_buf *request,
			uint64_t items)
{
	const struct nd_queued what = {
		.signal = signal,
		.items = items,
		.packing = signal == ND_OTLP_TRACES ? ND_PACKING_ZSTD : ND_PACKING_GZIP,
	};

	return nd_export_queue_add(arg, &what, request, NULL);
}

/* What would be sent is read once more, as it is before it is. */
static int read_request(struct nd_export_queue *queue, enum nd_otlp_signal signal)
{
	const struct nd_queued *first = nd_export_queue_first(queue, signal);
	struct nd_buf plain;
	int ret;

	nd_buf_init(&plain, ND_OTLP_REQUEST_MAX);
	ret = first ? nd_export_queue_read(queue, first->id, &plain, NULL) : -ENOENT;
	nd_buf_fini(&plain);
	return ret;
}

static int run_export_profile(const struct scene *scene)
{
	struct nd_export_queue *queue = NULL;
	struct nd_buf resource;
	const struct nd_source source = {&resource, "1.2.3"};
	int ret = nd_export_queue_open(NULL, ND_QUEUE_BYTES_MAX, &queue, NULL);
	const struct nd_sink sink = {take_request, queue};

	nd_buf_init(&resource, ND_OTLP_REQUEST_MAX);
	if (!ret)
		ret = nd_export_profile(scene->profile, NULL, &source, &sink);
	if (!ret)
		ret = read_request(queue, ND_OTLP_PROFILES);
	nd_export_queue_close(queue);
	return ret;
}

static int observe(void *arg, struct nd_lag *lag, uint64_t time_ns)
{
	struct nd_batch *batch = arg;
	struct nd_metrics *metrics;
	int ret;

	if (time_ns != KNOWN_END_NS)
		return 0;
	metrics = nd_metrics_new(KNOWN_START_NS, KNOWN_UNIX_NS);
	ret = metrics ? nd_metrics_add_loops(metrics, lag, time_ns, batch) : -ENOMEM;
	nd_metrics_free(metrics);
	return ret ? ret : nd_batch_flush(batch, NULL);
}

static int export_metrics(const struct scene *scene, struct nd_lag *lag, struct nd_profile *frames)
{
	struct nd_export_queue *queue = NULL;
	struct nd_lag_recorded recorded;
	struct nd_buf resource;
	const struct nd_source source = {&resource, "1.2.3"};
	struct nd_batch batch;
	int ret = nd_export_queue_open(NULL, ND_QUEUE_BYTES_MAX, &queue, NULL);

	nd_buf_init(&resource, ND_OTLP_REQUEST_MAX);
	nd_batch_init(&batch, ND_OTLP_METRICS, &source, (struct nd_sink){take_request, queue});
	nd_lag_set_observer(lag, observe, &batch);
	if (!ret)
		ret = nd_lag_read_recording(lag, frames, scene->file->data, scene->file->len,
					    &recorded, NULL);
	if (!ret)
		ret = read_request(queue, ND_OTLP_METRICS);
	nd_batch_fini(&batch);
	nd_export_queue_close(queue);
	return ret;
}

static int run_export_metrics(const struct scene *scene)
{
	struct nd_profile *frames = nd_profile_new(false);
	struct nd_lag *lag = frames ? nd_lag_new(frames) : NULL;
	int ret = lag ? export_metrics(scene, lag, frames) : -ENOMEM;

	nd_lag_free(lag);
	nd_profile_free(frames);
	return ret;
}

static int search_heap(struct nd_heap_paths *paths, struct nd_buf *out)
{
	const struct nd_heap_query query = {
		.type = -1, .max_distance = 5, .retained_by = paths->heap->root, .limit = 5};
	uint32_t node = paths->heap->node_count - 1;
	struct nd_heap_matches matches;
	struct nd_heap_routes routes;
	int ret = nd_heap_find_matches(paths->heap, paths->analysis, &query, &matches);

	if (ret)
		return ret;
	ret = nd_render_heap_matches(paths, &matches, false, out);
	nd_heap_matches_fini(&matches);
	if (!ret)
		ret = nd_heap_find_routes(paths, node, 5, &routes);
	if (ret)
		return ret;
	ret = nd_render_heap_routes(paths, node, &routes, false, out);
	nd_heap_routes_fini(&routes);
	return ret ? ret : nd_render_heap_object(paths, node, 5, false, out);
}

/* The pages, with a map of all or of what is new. */
static int draw_heap(const struct nd_heap_paths *paths, const struct nd_heap_summary *summary,
		     const struct nd_heap_comparison *c, struct nd_buf *out)
{
	struct nd_heap_outline outline;
	int ret = nd_heap_outline_make(paths->heap, paths->analysis, c ? c->series->census : NULL,
				       &outline, NULL);

	if (ret)
		return ret;
	ret = summary ? nd_render_heap_summary_html(summary, &outline, "a", out)
		      : nd_render_heap_diff_html(c, &outline, out);
	nd_heap_outline_fini(&outline);
	return ret;
}

static int answer_heap(struct nd_heap_paths *paths, const struct nd_heap_series *series,
		       const struct nd_heap_collections *collections)
{
	char name[] = "a", *names[] = {name, name};
	struct nd_heap_suspects suspects;
	struct nd_heap_summary summary;
	struct nd_heap_diff diff;
	struct nd_heap_comparison c = {series, &diff, &suspects, paths, names, 10, false};
	struct nd_buf out;
	int ret = nd_heap_summarize(paths, collections, 10, &summary, NULL);

	if (ret)
		return ret;
	nd_buf_init(&out, ND_OUTPUT_MAX);
	ret = nd_render_heap_summary(&summary, name, true, &out);
	if (!ret)
		ret = nd_render_heap_summary_json(&summary, name, &out);
	if (!ret)
		ret = draw_heap(paths, &summary, NULL, &out);
	nd_heap_summary_fini(&summary);
	if (!ret)
		ret = nd_heap_compare(series, &diff, NULL);
	if (!ret) {
		ret = nd_heap_find_growth(series, &diff, &suspects, NULL);
		if (!ret)
			ret = nd_render_heap_diff_json(&c, &out);
		if (!ret)
			ret = draw_heap(paths, NULL, &c, &out);
		nd_heap_diff_fini(&diff);
	}
	if (!ret)
		ret = nd_render_heap_retainers(paths, paths->heap->node_count - 1, 10, true, &out);
	if (!ret)
		ret = search_heap(paths, &out);
	nd_buf_fini(&out);
	return ret;
}

/* A heap compared with a census of itself, in all its parts. */
static int analyse_heap(struct nd_heap *heap, struct nd_intern *names)
{
	struct nd_heap_collections collections = {0};
	struct nd_heap_analysis analysis = {0};
	struct nd_heap_paths paths = {0};
	struct nd_heap_census census;
	struct nd_heap_series series = {&census, 1, heap, &analysis, NULL, 0};
	int ret = nd_heap_census_take(heap, names, &census, NULL);

	if (ret)
		return ret;
	ret = nd_heap_find_collections(heap, &collections);
	if (!ret)
		ret = nd_heap_analyse(heap, names, &analysis, NULL);
	if (!ret)
		ret = nd_heap_find_sums(heap, &analysis, NULL);
	if (!ret)
		ret = nd_heap_census_class(&census, &analysis.interfaces, names);
	if (!ret)
		ret = nd_heap_census_match(&census, heap, heap, NULL);
	if (!ret)
		ret = nd_heap_paths_init(&paths, heap, &analysis);
	if (!ret)
		ret = answer_heap(&paths, &series, &collections);
	nd_heap_paths_fini(&paths);
	nd_heap_analysis_fini(&analysis);
	nd_heap_collections_fini(&collections);
	nd_heap_census_fini(&census);
	return ret;
}

static int run_heap(const struct scene *scene)
{
	struct nd_intern *names = nd_intern_new();
	struct nd_heap *heap = NULL;
	int ret = names ? build_read(scene->file->data, scene->file->len, 1000, &heap, NULL)
			: -ENOMEM;

	if (!ret)
		ret = analyse_heap(heap, names);
	nd_heap_free(heap);
	nd_intern_free(names);
	return ret;
}

static int take_bytes(void *arg, const void *data, size_t len, struct nd_err *err)
{
	int ret = nd_buf_add(arg, data, len);

	return ret ? nd_err_set(err, ret, "out of memory") : 0;
}

/* Read what was packed, with what was found of it, and write it as text again. */
static int unpack_heap(const struct nd_buf *file, struct nd_intern *names, struct nd_buf *text)
{
	const struct nd_heap_sink sink = {take_bytes, text};
	struct nd_heap_analysis analysis = {0};
	struct nd_heap *heap = NULL;
	int ret = build_read(file->data, file->len, 1000, &heap, NULL);

	if (!ret)
		ret = nd_heap_write(heap, &sink, NULL);
	if (!ret)
		ret = nd_heap_analyse(heap, names, &analysis, NULL);
	if (!ret)
		ret = nd_heap_find_sums(heap, &analysis, NULL);
	if (!ret)
		ret = nd_heap_find_interfaces(heap, names, &analysis, NULL);
	nd_heap_analysis_fini(&analysis);
	nd_heap_free(heap);
	return ret;
}

/* The same for a question about one object. */
static int look_up_deferred(const struct nd_buf *file)
{
	struct nd_heap *heap = NULL;
	int ret = build_read_deferred(file->data, file->len, 1000, &heap, NULL);

	if (!ret) {
		nd_heap_need_edges(heap, heap->root);
		ret = nd_heap_deferred_check(heap, NULL);
	}
	nd_heap_free(heap);
	return ret;
}

/* Heaps that were packed without the analysis that there was no memory for. */
static int packed_unanalysed;

static int run_heap_convert(const struct scene *scene)
{
	struct nd_intern *names = nd_intern_new();
	struct nd_heap *heap = NULL;
	struct nd_buf file, text;
	const struct nd_heap_sink sink = {take_bytes, &file};
	bool is_analysed = true;
	int ret = names ? build_read(scene->file->data, scene->file->len, 1000, &heap, NULL)
			: -ENOMEM;

	nd_buf_init(&file, ND_OUTPUT_MAX);
	nd_buf_init(&text, ND_OUTPUT_MAX);
	if (!ret)
		ret = nd_heap_pack_analysed(heap, &sink, &is_analysed, NULL);
	packed_unanalysed += !ret && !is_analysed;
	if (!ret)
		ret = unpack_heap(&file, names, &text);
	if (!ret)
		ret = look_up_deferred(&file);
	nd_buf_fini(&file);
	nd_buf_fini(&text);
	nd_heap_free(heap);
	nd_intern_free(names);
	return ret;
}

/* Returns how many runs ended as they must not. */
static int fail_each(const char *name, run_fn run, const struct scene *scene)
{
	static const enum fail_alloc_mode modes[] = {FAIL_ALLOC_ONCE, FAIL_ALLOC_FROM};
	size_t count, n, mode;
	int ret, bad = 0;

	fail_alloc_start(FAIL_ALLOC_NEVER, 0);
	ret = run(scene);
	count = fail_alloc_stop();
	if (ret || !count) {
		printf("%s: %d after %zu allocations, none of which failed\n", name, ret, count);
		return 1;
	}
	for (mode = 0; mode < sizeof(modes) / sizeof(modes[0]); mode++) {
		for (n = 0; n < count; n++) {
			fail_alloc_start(modes[mode], n);
			ret = run(scene);
			fail_alloc_stop();
			if (!ret || ret == -ENOMEM || ret == scene->also)
				continue;
			printf("%s: %d when allocation %zu failed\n", name, ret, n);
			if (++bad == 10)
				return bad;
		}
	}
	printf("%s: %zu allocations\n", name, count);
	return bad;
}

static int fail_renderers(const struct nd_profile *profile)
{
	struct scene scene = {.profile = profile};
	int bad = fail_each("table", run_table, &scene);

	bad += fail_each("OTLP profile", run_export_profile, &scene);
	for (scene.format = nd_render_formats; scene.format->name; scene.format++)
		bad += fail_each(scene.format->name, run_render, &scene);
	return bad;
}

static int fail_importers(const struct nd_profile *profile)
{
	static const char *const formats[] = {"folded", "pprof", "cpuprofile"};
	const struct nd_render_format *format;
	struct scene scene = {0};
	struct nd_buf file;
	char name[64];
	int bad = 0;
	size_t i;

	scene.file = &file;
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		format = nd_render_find_format(formats[i]);
		nd_buf_init(&file, ND_OUTPUT_MAX);
		if (format->render(profile, &file)) {
			printf("cannot render %s\n", formats[i]);
			bad++;
		}
		/* When jansson cannot allocate a string it says that the syntax is wrong. */
		scene.also = strcmp(formats[i], "cpuprofile") != 0 ? -ENOMEM : -EBADMSG;
		snprintf(name, sizeof(name), "import of %s", formats[i]);
		bad += fail_each(name, run_import, &scene);
		nd_buf_fini(&file);
	}
	return bad;
}

static int answer_requests(struct nd_trace *trace)
{
	const struct nd_trace_options options = {.max = 8};
	struct nd_trace_answer answer;
	int ret = nd_trace_make_answer(trace, &options, KNOWN_END_NS, &answer);

	if (!ret)
		nd_trace_free_answer(&answer);
	return ret;
}

static int run_trace(const struct scene *scene)
{
	struct nd_trace *trace = nd_trace_new();
	uint64_t end_ns;
	int ret = -ENOMEM;

	if (trace)
		ret = nd_trace_read_recording(trace, scene->file->data, scene->file->len, &end_ns,
					      NULL);
	if (!ret)
		ret = answer_requests(trace);
	nd_trace_free(trace);
	return ret;
}

static int fail_recordings(void)
{
	struct scene scene = {0};
	struct nd_buf file;
	int bad = fail_each("recording", run_record, &scene);

	nd_buf_init(&file, ND_RECORDING_MAX);
	if (known_record(&file)) {
		printf("cannot record\n");
		bad++;
	}
	scene.file = &file;
	bad += fail_each("import of a recording", run_import, &scene);
	bad += fail_each("event loops of a recording", run_lag, &scene);
	bad += fail_each("links of a recording", run_links, &scene);
	bad += fail_each("requests of a recording", run_trace, &scene);
	bad += fail_each("OTLP metrics", run_export_metrics, &scene);
	nd_buf_fini(&file);
	return bad;
}

static int fail_heaps(void)
{
	static const struct build_node nodes[] = {
		{ND_HEAP_SYNTHETIC, "", 1, 0},
		{ND_HEAP_OBJECT, "global", 3, 16},
		{ND_HEAP_CLOSURE, "f", 5, 16},
		{ND_HEAP_CODE, "f", 7, 16},
		{ND_HEAP_CODE, "/app/a.js", 9, 16},
		{ND_HEAP_OBJECT, "system / Context", 11, 16},
		{ND_HEAP_OBJECT, "Object", 13, 16},
		{ND_HEAP_OBJECT, "Object", 4000000001u, 5000000},
		{ND_HEAP_STRING, "twice", 15, 100},
		{ND_HEAP_STRING, "twice", 17, 100},
		{ND_HEAP_NATIVE, "<div a>", 2, 100},
	};
	static const struct build_edge edges[] = {
		{0, ND_HEAP_EDGE_SHORTCUT, "g", 0, 1},
		{1, ND_HEAP_EDGE_PROPERTY, "f", 0, 2},
		{2, ND_HEAP_EDGE_INTERNAL, "shared", 0, 3},
		{2, ND_HEAP_EDGE_INTERNAL, "context", 0, 5},
		{3, ND_HEAP_EDGE_INTERNAL, "script", 0, 4},
		{5, ND_HEAP_EDGE_CONTEXT, "v", 0, 6},
		{6, ND_HEAP_EDGE_PROPERTY, "x", 0, 7},
		{6, ND_HEAP_EDGE_PROPERTY, "s", 0, 8},
		{7, ND_HEAP_EDGE_PROPERTY, "x", 0, 9},
		{7, ND_HEAP_EDGE_PROPERTY, "s", 0, 10},
	};
	static const uint32_t location[][4] = {{2, 1, 2, 3}};
	const struct build build = {nodes, 11, edges, 10, location, 1};
	/* When jansson cannot allocate a string it says that the syntax is wrong. */
	struct scene scene = {.also = -EBADMSG};
	struct nd_buf file, packed;
	int bad;

	nd_buf_init(&file, ND_OUTPUT_MAX);
	nd_buf_init(&packed, ND_OUTPUT_MAX);
	build_text(&build, &file);
	scene.file = &file;
	bad = fail_each("heap snapshot", run_heap, &scene);
	bad += fail_each("converted heap snapshot", run_heap_convert, &scene);
	if (!packed_unanalysed) {
		printf("converted heap snapshot: never without an analysis\n");
		bad++;
	}
	if (nd_gzip(file.data, file.len, &packed)) {
		printf("cannot pack\n");
		bad++;
	}
	scene.file = &packed;
	bad += fail_each("packed heap snapshot", run_heap, &scene);
	nd_buf_fini(&file);
	nd_buf_fini(&packed);
	return bad;
}

int main(void)
{
	struct nd_profile *profile = known_profile(true, false);
	int bad;

	fail_alloc_jansson();
	bad = fail_each("profile", run_build, &(struct scene){0});
	bad += fail_renderers(profile);
	bad += fail_importers(profile);
	bad += fail_recordings();
	bad += fail_heaps();
	nd_profile_free(profile);
	return bad ? 1 : 0;
}
