/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/http_metrics.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/export/batch.h"
#include "analyzer/export/metrics_impl.h"
#include "analyzer/export/spans_impl.h"
#include "analyzer/utf8.h"
#include "proto/limits.h"
#include "proto/span.h"

#define ATTRIBUTES_MAX 8

/* One byte holds a text's size. */
#define TEXT_MAX 256

/* The convention's buckets, in seconds. */
static const double bounds[] = {.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10};

#define BOUNDS	(sizeof(bounds) / sizeof(bounds[0]))
#define BUCKETS (BOUNDS + 1)

/* What tells requests apart, without padding: behind it are its texts, each with its NUL. */
struct key {
	uint16_t status;
	uint16_t port; /* of clients */
	uint8_t kind;
	uint8_t method;
	uint8_t version;
	uint8_t is_tls; /* of servers */
	char texts[2 * TEXT_MAX];
};

struct series {
	UT_hash_handle hh;
	char *place; /* the route, or the client's host; as UTF-8, and "" where there is none */
	char *error;
	char version[ND_SPAN_WORD];
	bool is_overflow;
	double sum;
	double max;
	uint64_t count;
	uint64_t buckets[BUCKETS];
	size_t key_size;
	struct key key; /* no more than it needs */
};

/* A request that a server has begun to answer. */
struct open {
	UT_hash_handle hh;
	uint8_t span_id[8];
	uint8_t method;
	uint8_t is_tls;
};

struct nd_http_metrics {
	struct series *series;
	struct series *overflow[ND_SPAN_KIND_COUNT];
	struct open *open;
	int64_t active[ND_SPAN_METHODS + 1][2]; /* by method, and whether it has TLS */
	bool was_active[ND_SPAN_METHODS + 1][2];
};

struct nd_http_metrics *nd_http_metrics_new(void)
{
	return calloc(1, sizeof(struct nd_http_metrics));
}

static void free_series(struct series *series)
{
	if (!series)
		return;
	free(series->place);
	free(series->error);
	free(series);
}

void nd_http_metrics_free(struct nd_http_metrics *requests)
{
	struct series *series, *next;
	struct open *open, *after;
	int kind;

	if (!requests)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	series = requests->series;
	HASH_CLEAR(hh, requests->series);
	for (; series; series = next) {
		next = series->hh.next;
		free_series(series);
	}
	open = requests->open;
	HASH_CLEAR(hh, requests->open);
	for (; open; open = after) {
		after = open->hh.next;
		free(open);
	}
	for (kind = 0; kind < ND_SPAN_KIND_COUNT; kind++)
		free_series(requests->overflow[kind]);
	free(requests);
}

static char *repair(const char *text)
{
	struct nd_buf buf;
	char *copy;

	nd_buf_init(&buf, 3 * TEXT_MAX);
	nd_utf8_repair(text, strlen(text), &buf);
	copy = nd_buf_error(&buf) ? NULL : strdup(buf.data);
	nd_buf_fini(&buf);
	return copy;
}

/* Returns the bytes of the key. */
static size_t make_key(const struct nd_event_span *span, struct key *key)
{
	bool is_server = span->kind == ND_SPAN_SERVER;
	const char *place = nd_span_get_text(span, is_server ? ND_SPAN_ROUTE : ND_SPAN_HOST);
	size_t size = strlen(place) + 1, error_size;
	char room[ND_SPAN_WORD];
	const char *error = nd_span_error_type(span, room);

	error_size = strlen(error) + 1;
	*key = (struct key){
		.status = span->status,
		.port = is_server ? 0 : span->port,
		.kind = span->kind,
		.method = (uint8_t)nd_span_find_method(nd_span_get_text(span, ND_SPAN_METHOD)),
		.version = span->http_version,
		.is_tls = is_server && span->flags & ND_SPAN_TLS,
	};
	memcpy(key->texts, place, size);
	memcpy(key->texts + size, error, error_size);
	return offsetof(struct key, texts) + size + error_size;
}

static struct series *new_series(const struct key *key, size_t size)
{
	struct series *series = calloc(1, offsetof(struct series, key) + size);

	if (!series)
		return NULL;
	series->key_size = size;
	memcpy(&series->key, key, size);
	series->place = repair(key->texts);
	series->error = repair(key->texts + strlen(key->texts) + 1);
	if (series->place && series->error)
		return series;
	free_series(series);
	return NULL;
}

/* What finds no room of its own. */
static struct series *get_overflow(struct nd_http_metrics *requests, uint8_t kind)
{
	struct series **overflow = &requests->overflow[kind];
	const struct key key = {.kind = kind};

	if (!*overflow) {
		*overflow = new_series(&key, sizeof(key));
		if (*overflow)
			(*overflow)->is_overflow = true;
	}
	return *overflow;
}

static struct series *get_series(struct nd_http_metrics *requests, const struct nd_event_span *span)
{
	struct series *series;
	struct key key;
	size_t size = make_key(span, &key);

	HASH_FIND(hh, requests->series, &key, size, series);
	if (series)
		return series;
	if (HASH_COUNT(requests->series) >= ND_REQUEST_SERIES_MAX)
		return get_overflow(requests, span->kind);
	series = new_series(&key, size);
	if (!series)
		return NULL;
	nd_span_get_version(span, series->version);
	HASH_ADD_KEYPTR(hh, requests->series, &series->key, series->key_size, series);
	if (series->hh.tbl)
		return series;
	free_series(series);
	return NULL;
}

static void count(struct series *series, const struct nd_event_span *span)
{
	double seconds = (double)(span->event.time_ns - span->start_ns) / 1e9;
	size_t i = 0;

	while (i < BOUNDS && seconds > bounds[i])
		i++;
	series->buckets[i]++;
	series->count++;
	series->sum += seconds;
	if (seconds > series->max)
		series->max = seconds;
}

/* More than are told apart are not counted as active, which is fewer than there are. */
static int begin(struct nd_http_metrics *requests, const struct nd_event_span *span)
{
	struct open *open;

	HASH_FIND(hh, requests->open, span->span_id, sizeof(span->span_id), open);
	if (open || HASH_COUNT(requests->open) >= ND_REQUESTS_OPEN_MAX)
		return 0;
	open = calloc(1, sizeof(*open));
	if (!open)
		return -ENOMEM;
	memcpy(open->span_id, span->span_id, sizeof(open->span_id));
	open->method = (uint8_t)nd_span_find_method(nd_span_get_text(span, ND_SPAN_METHOD));
	open->is_tls = (span->flags & ND_SPAN_TLS) != 0;
	HASH_ADD(hh, requests->open, span_id, sizeof(open->span_id), open);
	if (!open->hh.tbl) {
		free(open);
		return -ENOMEM;
	}
	requests->active[open->method][open->is_tls]++;
	requests->was_active[open->method][open->is_tls] = true;
	return 0;
}

static void end(struct nd_http_metrics *requests, const struct nd_event_span *span)
{
	struct open *open;

	HASH_FIND(hh, requests->open, span->span_id, sizeof(span->span_id), open);
	if (!open)
		return;
	requests->active[open->method][open->is_tls]--;
	HASH_DEL(requests->open, open);
	free(open);
}

int nd_http_metrics_add(struct nd_http_metrics *requests, const struct nd_event_span *span)
{
	struct series *series;

	/* The program's own tracer has it, and counts it too. */
	if (span->flags & ND_SPAN_OBSERVED)
		return 0;
	if (span->event.kind == ND_EVENT_SPAN_START)
		return span->kind == ND_SPAN_SERVER ? begin(requests, span) : 0;
	end(requests, span);
	series = get_series(requests, span);
	if (!series)
		return -ENOMEM;
	count(series, span);
	return 0;
}

/* A point, and the room for its attributes. */
struct slot {
	struct nd_otlp_attribute attributes[ATTRIBUTES_MAX];
	size_t count;
};

static void add(struct slot *slot, const char *key, const char *value)
{
	if (*value)
		slot->attributes[slot->count++] =
			(struct nd_otlp_attribute){key, ND_OTLP_STRING, {.string = value}};
}

static void add_number(struct slot *slot, const char *key, int64_t value)
{
	if (value)
		slot->attributes[slot->count++] =
			(struct nd_otlp_attribute){key, ND_OTLP_INTEGER, {.integer = value}};
}

static void describe(const struct series *series, struct slot *slot)
{
	const struct key *key = &series->key;

	if (series->is_overflow) {
		slot->attributes[slot->count++] = (struct nd_otlp_attribute){
			"otel.metric.overflow", ND_OTLP_BOOL, {.yes = true}};
		return;
	}
	add(slot, "http.request.method", nd_span_method_word(key->method));
	add_number(slot, "http.response.status_code", key->status);
	add(slot, "error.type", series->error);
	add(slot, "network.protocol.version", series->version);
	if (key->kind == ND_SPAN_SERVER) {
		add(slot, "url.scheme", key->is_tls ? "https" : "http");
		add(slot, "http.route", series->place);
	} else {
		add(slot, "server.address", series->place);
		add_number(slot, "server.port", key->port);
	}
}

struct writer {
	const struct nd_metrics *metrics;
	uint64_t time_unix_ns;
	struct nd_otlp_point *points;
	struct slot *slots;
	size_t count;
	struct nd_batch *batch;
};

static struct nd_otlp_point *add_point(struct writer *writer)
{
	struct nd_otlp_point *point = &writer->points[writer->count];

	writer->slots[writer->count++].count = 0;
	*point = (struct nd_otlp_point){.start_unix_ns = writer->metrics->start_unix_ns,
					.time_unix_ns = writer->time_unix_ns};
	return point;
}

static void add_series(struct writer *writer, const struct series *series)
{
	struct slot *slot = &writer->slots[writer->count];
	struct nd_otlp_point *point = add_point(writer);

	describe(series, slot);
	point->attributes = (struct nd_otlp_attributes){slot->attributes, slot->count};
	point->count = series->count;
	point->sum = series->sum;
	point->max = series->max;
	point->buckets = series->buckets;
	point->bucket_count = BUCKETS;
	point->bounds = bounds;
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
		.point_count = writer->count,
	};

	writer->count = 0;
	return nd_batch_add_metric(writer->batch, &metric);
}

static int write_durations(struct writer *writer, const struct nd_http_metrics *requests,
			   uint8_t kind, const char *name, const char *description)
{
	const struct series *series;

	for (series = requests->series; series; series = series->hh.next)
		if (series->key.kind == kind)
			add_series(writer, series);
	if (requests->overflow[kind])
		add_series(writer, requests->overflow[kind]);
	return write_metric(writer, name, "s", description, ND_OTLP_HISTOGRAM);
}

static int write_active(struct writer *writer, const struct nd_http_metrics *requests)
{
	struct nd_otlp_point *point;
	struct slot *slot;
	size_t method;
	int is_tls;

	for (method = 0; method <= ND_SPAN_METHODS; method++)
		for (is_tls = 0; is_tls < 2; is_tls++) {
			if (!requests->was_active[method][is_tls])
				continue;
			slot = &writer->slots[writer->count];
			point = add_point(writer);
			add(slot, "http.request.method", nd_span_method_word(method));
			add(slot, "url.scheme", is_tls ? "https" : "http");
			point->attributes =
				(struct nd_otlp_attributes){slot->attributes, slot->count};
			point->is_integer = true;
			point->integer = requests->active[method][is_tls];
		}
	return write_metric(writer, "http.server.active_requests", "{request}",
			    "Number of active HTTP server requests.", ND_OTLP_UP_DOWN_COUNTER);
}

int nd_metrics_add_http(const struct nd_metrics *metrics, const struct nd_http_metrics *requests,
			uint64_t time_ns, struct nd_batch *batch)
{
	/* As many as any of the three metrics can have. */
	size_t most = HASH_COUNT(requests->series) + 1 + (ND_SPAN_METHODS + 1) * 2;
	struct writer writer = {
		.metrics = metrics,
		.time_unix_ns = nd_metrics_unix_ns(metrics, time_ns),
		.points = calloc(most, sizeof(*writer.points)),
		.slots = calloc(most, sizeof(*writer.slots)),
		.batch = batch,
	};
	int ret = -ENOMEM;

	if (writer.points && writer.slots)
		ret = write_durations(&writer, requests, ND_SPAN_SERVER,
				      "http.server.request.duration",
				      "Duration of HTTP server requests.");
	if (!ret)
		ret = write_durations(&writer, requests, ND_SPAN_CLIENT,
				      "http.client.request.duration",
				      "Duration of HTTP client requests.");
	if (!ret)
		ret = write_active(&writer, requests);
	free(writer.points);
	free(writer.slots);
	return ret;
}
