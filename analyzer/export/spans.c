/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/spans.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/export/batch.h"
#include "analyzer/export/spans_impl.h"
#include "analyzer/utf8.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/wall.h"
#include "proto/recording.h"
#include "proto/span.h"

#define ATTRIBUTES_MAX 16

static const enum nd_otlp_span_kind otlp_kinds[ND_SPAN_KIND_COUNT] = {
	[ND_SPAN_SERVER] = ND_OTLP_SPAN_SERVER,
	[ND_SPAN_CLIENT] = ND_OTLP_SPAN_CLIENT,
	[ND_SPAN_INTERNAL] = ND_OTLP_SPAN_INTERNAL,
};

/* A span and what its strings are in. */
struct writer {
	const struct nd_event_span *span;
	struct nd_buf texts[ND_SPAN_TEXTS]; /* as UTF-8 */
	struct nd_otlp_attribute list[ATTRIBUTES_MAX];
	size_t count;
	const char *method;
	char name[4 * ND_SPAN_TEXT_MAX]; /* has room for texts in which all was repaired */
	char url[7 * ND_SPAN_TEXT_MAX];
	char version[ND_SPAN_WORD];
	char status[ND_SPAN_WORD];
};

static const char *text(const struct writer *writer, enum nd_span_text which)
{
	return writer->texts[which].data;
}

/* Empty ones are not there. */
static void add(struct writer *writer, const char *key, const char *value)
{
	if (*value)
		writer->list[writer->count++] =
			(struct nd_otlp_attribute){key, ND_OTLP_STRING, {.string = value}};
}

static void add_number(struct writer *writer, const char *key, int64_t value)
{
	if (value)
		writer->list[writer->count++] =
			(struct nd_otlp_attribute){key, ND_OTLP_INTEGER, {.integer = value}};
}

static const char *const methods[ND_SPAN_METHODS] = {"CONNECT", "DELETE", "GET", "HEAD",  "OPTIONS",
						     "PATCH",	"POST",	  "PUT", "TRACE", "QUERY"};

size_t nd_span_find_method(const char *method)
{
	size_t i;

	for (i = 0; i < ND_SPAN_METHODS && strcmp(methods[i], method) != 0;)
		i++;
	return i;
}

const char *nd_span_method_word(size_t method)
{
	return method < ND_SPAN_METHODS ? methods[method] : "_OTHER";
}

const char *nd_span_error_type(const struct nd_event_span *span, char room[ND_SPAN_WORD])
{
	const char *error = nd_span_get_text(span, ND_SPAN_ERROR);

	if (*error || !nd_span_is_error(span))
		return error;
	if (span->flags & ND_SPAN_ABORTED)
		return "aborted";
	snprintf(room, ND_SPAN_WORD, "%d", span->status);
	return room;
}

void nd_span_get_version(const struct nd_event_span *span, char room[ND_SPAN_WORD])
{
	room[0] = '\0';
	if (span->http_version)
		snprintf(room, ND_SPAN_WORD, span->http_version % 10 ? "%d.%d" : "%d",
			 span->http_version / 10, span->http_version % 10);
}

static void add_request(struct writer *writer)
{
	const char *method = text(writer, ND_SPAN_METHOD);
	size_t index = nd_span_find_method(method);

	writer->method = index < ND_SPAN_METHODS ? method : "HTTP";
	add(writer, "http.request.method", nd_span_method_word(index));
	if (index == ND_SPAN_METHODS)
		add(writer, "http.request.method_original", method);
	add_number(writer, "http.response.status_code", writer->span->status);
	nd_span_get_version(writer->span, writer->version);
	add(writer, "network.protocol.version", writer->version);
	add(writer, "server.address", text(writer, ND_SPAN_HOST));
	add_number(writer, "server.port", writer->span->port);
	add(writer, "network.peer.address", text(writer, ND_SPAN_PEER));
	add_number(writer, "thread.id", writer->span->event.tid);
}

static void add_server(struct writer *writer)
{
	add(writer, "url.scheme", writer->span->flags & ND_SPAN_TLS ? "https" : "http");
	add(writer, "url.path", text(writer, ND_SPAN_PATH));
	add(writer, "http.route", text(writer, ND_SPAN_ROUTE));
	add(writer, "client.address", text(writer, ND_SPAN_PEER));
}

/* The URL without its query, which nobody kept. */
static void add_client(struct writer *writer)
{
	const struct nd_event_span *span = writer->span;
	const char *host = text(writer, ND_SPAN_HOST);
	bool is_v6 = strchr(host, ':') && *host != '[';
	char port[8] = "";

	if (!*host)
		return;
	if (span->port && span->port != (span->flags & ND_SPAN_TLS ? 443 : 80))
		snprintf(port, sizeof(port), ":%d", span->port);
	snprintf(writer->url, sizeof(writer->url), "%s://%s%s%s%s%s",
		 span->flags & ND_SPAN_TLS ? "https" : "http", is_v6 ? "[" : "", host,
		 is_v6 ? "]" : "", port, text(writer, ND_SPAN_PATH));
	add(writer, "url.full", writer->url);
}

/* What a request waited for in its own process, or in the kernel. */
static void add_internal(struct writer *writer)
{
	const char *name = text(writer, ND_SPAN_METHOD);

	if (!strncmp(name, "dns.", strlen("dns.")))
		add(writer, "dns.question.name", text(writer, ND_SPAN_HOST));
	else if (!strncmp(name, "tls.", strlen("tls.")))
		add(writer, "server.address", text(writer, ND_SPAN_HOST));
	else if (!strncmp(name, "child_process.", strlen("child_process.")))
		add(writer, "process.executable.path", text(writer, ND_SPAN_PATH));
	else if (!strncmp(name, "pipe.", strlen("pipe.")))
		add(writer, "network.peer.address", text(writer, ND_SPAN_PATH));
	add(writer, "network.peer.address", text(writer, ND_SPAN_PEER));
	if (*text(writer, ND_SPAN_PEER))
		add_number(writer, "network.peer.port", writer->span->port);
	add_number(writer, "thread.id", writer->span->event.tid);
}

static void add_error(struct writer *writer)
{
	const char *error = text(writer, ND_SPAN_ERROR);

	/* The span's own is there as UTF-8. */
	add(writer, "error.type",
	    *error ? error : nd_span_error_type(writer->span, writer->status));
}

static void set_name(struct writer *writer)
{
	const char *route = text(writer, ND_SPAN_ROUTE);

	if (writer->span->kind == ND_SPAN_INTERNAL)
		snprintf(writer->name, sizeof(writer->name), "%s", text(writer, ND_SPAN_METHOD));
	else if (writer->span->kind == ND_SPAN_SERVER && *route)
		snprintf(writer->name, sizeof(writer->name), "%s %s", writer->method, route);
	else
		snprintf(writer->name, sizeof(writer->name), "%s", writer->method);
}

static void add_attributes(struct writer *writer)
{
	if (writer->span->kind == ND_SPAN_INTERNAL) {
		add_internal(writer);
		return;
	}
	add_request(writer);
	if (writer->span->kind == ND_SPAN_SERVER)
		add_server(writer);
	else
		add_client(writer);
}

static int encode(struct writer *writer, uint64_t unix_offset_ns, struct nd_buf *items)
{
	const struct nd_event_span *span = writer->span;
	struct nd_otlp_span otlp = {
		.flags = 1 | ND_OTLP_SPAN_HAS_IS_REMOTE,
		.name = writer->name,
		.kind = otlp_kinds[span->kind],
		.start_unix_ns = span->start_ns + unix_offset_ns,
		.end_unix_ns = span->event.time_ns + unix_offset_ns,
		.status = nd_span_is_error(span) ? ND_OTLP_STATUS_ERROR : ND_OTLP_STATUS_UNSET,
	};

	add_attributes(writer);
	add_error(writer);
	set_name(writer);
	otlp.attributes = (struct nd_otlp_attributes){writer->list, writer->count};
	memcpy(otlp.trace_id, span->trace_id, sizeof(otlp.trace_id));
	memcpy(otlp.span_id, span->span_id, sizeof(otlp.span_id));
	memcpy(otlp.parent_span_id, span->parent_id, sizeof(otlp.parent_span_id));
	if (span->flags & ND_SPAN_REMOTE_PARENT)
		otlp.flags |= ND_OTLP_SPAN_IS_REMOTE;
	return nd_otlp_encode_span(&otlp, items);
}

int nd_export_span(const struct nd_event_span *span, uint64_t unix_offset_ns,
		   struct nd_batch *batch)
{
	struct writer writer = {.span = span};
	const char *str;
	int i, ret = 0;

	if (span->flags & (ND_SPAN_UNSAMPLED | ND_SPAN_OBSERVED))
		return 0;

	for (i = 0; i < ND_SPAN_TEXTS; i++) {
		str = nd_span_get_text(span, (enum nd_span_text)i);
		nd_buf_init(&writer.texts[i], 3 * ND_SPAN_TEXT_MAX);
		nd_utf8_repair(str, strlen(str), &writer.texts[i]);
		if (nd_buf_error(&writer.texts[i]))
			ret = nd_buf_error(&writer.texts[i]);
	}
	if (!ret)
		ret = encode(&writer, unix_offset_ns, &batch->items);
	for (i = 0; i < ND_SPAN_TEXTS; i++)
		nd_buf_fini(&writer.texts[i]);
	return ret ? ret : nd_batch_added(batch, 1);
}

/* A recording that is read. */
struct reader {
	const struct nd_recorded_spans *what;
	struct nd_batch batch;
	struct nd_tail *tail;
	struct nd_wall wall; /* as it was while the spans ended */
	uint64_t settled_ns;
	uint64_t count;
};

static int keep(void *arg, const struct nd_event_span *span)
{
	struct reader *reader = arg;

	return nd_export_span(span, reader->wall.offset_ns, &reader->batch);
}

static int read_span(struct reader *reader, const struct nd_event_span *span)
{
	int ret = 0;

	reader->count += span->event.kind == ND_EVENT_SPAN;
	if (span->event.time_ns > reader->settled_ns + ND_NSEC_PER_SEC) {
		reader->settled_ns = span->event.time_ns;
		ret = nd_tail_settle(reader->tail, span->event.time_ns);
	}
	return ret ? ret : nd_tail_add(reader->tail, span);
}

static int read_items(struct reader *reader, struct nd_recording *recording)
{
	struct nd_item item;
	int ret;

	while ((ret = nd_recording_next(recording, &item)) > 0) {
		ret = 0;
		/* It may come again, and be older than the last moment then. */
		if (item.kind == ND_ITEM_HEADER && !reader->wall.offset_ns)
			nd_wall_set(&reader->wall, item.header->start_ns,
				    item.header->start_unix_ns);
		if (item.kind == ND_ITEM_MOMENT && item.moment->unix_ns)
			nd_wall_set(&reader->wall, item.moment->time_ns, item.moment->unix_ns);
		if (item.kind == ND_ITEM_EVENT && (item.event->event.kind == ND_EVENT_SPAN_START ||
						   item.event->event.kind == ND_EVENT_SPAN))
			ret = read_span(reader, item.event->spanned.span);
		if (ret)
			return ret;
	}
	if (!ret)
		ret = nd_tail_finish(reader->tail);
	return ret ? ret : nd_batch_flush(&reader->batch, NULL);
}

int nd_export_recorded_spans(const struct nd_recorded_spans *what,
			     struct nd_tail_counts *ret_counts, struct nd_err *err)
{
	struct reader reader = {.what = what};
	struct nd_recording *recording;
	int ret = nd_recording_open(what->data, what->len, &recording, err);

	if (ret)
		return ret;
	nd_batch_init(&reader.batch, ND_OTLP_TRACES, what->source, *what->sink);
	reader.tail = nd_tail_new(&what->tail, keep, &reader);
	ret = reader.tail ? read_items(&reader, recording) : -ENOMEM;
	if (reader.tail)
		nd_tail_get_counts(reader.tail, ret_counts);
	nd_tail_free(reader.tail);
	nd_batch_fini(&reader.batch);
	nd_recording_close(recording);
	if (ret)
		return nd_err_set_errno(err, ret, "cannot send the requests of the recording");
	if (reader.count)
		return 0;
	nd_err_set(err, -ENODATA, "the recording has no requests");
	nd_err_hint(err, "record them: nodiag record --trace PID");
	return -ENODATA;
}
