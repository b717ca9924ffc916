/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp.h"

#include <assert.h>
#include <string.h>

#include "common/buf.h"
#include "proto/limits.h"
#include "proto/otlp.pb-c.h"
#include "proto/otlp_wire.h"

/* Numbers of fields that are written without a message around them. */
enum {
	REQUEST_RESOURCE_ITEMS = 1,
	REQUEST_DICTIONARY = 2,
	RESOURCE_ITEMS_RESOURCE = 1,
	PROCESS_CONTEXT_RESOURCE = 1,
	RESOURCE_ITEMS_SCOPE_ITEMS = 2,
	SCOPE_ITEMS_SCOPE = 1,
	SCOPE_ITEMS_ITEM = 2,
	SCHEMA_URL = 3,
	METRIC_NAME = 1,
	METRIC_DESCRIPTION = 2,
	METRIC_UNIT = 3,
	DATA_POINT = 1,
	DATA_TEMPORALITY = 2,
	DATA_IS_MONOTONIC = 3,
	SPAN_EVENT = 11,
};

/* Attributes as messages, for as long as the one they belong to is encoded. */
struct attributes {
	Otlp__KeyValue pair[ND_OTLP_ATTRIBUTES_MAX];
	Otlp__AnyValue value[ND_OTLP_ATTRIBUTES_MAX];
	Otlp__KeyValue *list[ND_OTLP_ATTRIBUTES_MAX];
	size_t count;
	uint32_t dropped;
};

/* protobuf-c does not write to strings that it encodes. */
static char *text(const char *str)
{
	return (char *)(str ? str : "");
}

static void fill_value(const struct nd_otlp_attribute *attribute, Otlp__AnyValue *ret_value)
{
	otlp__any_value__init(ret_value);
	switch (attribute->type) {
	case ND_OTLP_STRING:
		ret_value->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		ret_value->string_value = text(attribute->string);
		break;
	case ND_OTLP_INTEGER:
		ret_value->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		ret_value->int_value = attribute->integer;
		break;
	case ND_OTLP_DOUBLE:
		ret_value->value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
		ret_value->double_value = attribute->number;
		break;
	case ND_OTLP_BOOL:
		ret_value->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
		ret_value->bool_value = attribute->yes;
		break;
	}
}

static void fill_attributes(const struct nd_otlp_attributes *from, struct attributes *ret)
{
	size_t i;

	ret->count = from->count < ND_OTLP_ATTRIBUTES_MAX ? from->count : ND_OTLP_ATTRIBUTES_MAX;
	ret->dropped = (uint32_t)(from->count - ret->count);
	for (i = 0; i < ret->count; i++) {
		otlp__key_value__init(&ret->pair[i]);
		fill_value(&from->list[i], &ret->value[i]);
		ret->pair[i].key = text(from->list[i].key);
		ret->pair[i].value = &ret->value[i];
		ret->list[i] = &ret->pair[i];
	}
}

static int encode_number(const struct nd_otlp_point *point, struct attributes *attributes,
			 struct nd_buf *out)
{
	Otlp__NumberDataPoint message = OTLP__NUMBER_DATA_POINT__INIT;

	message.attributes = attributes->list;
	message.n_attributes = attributes->count;
	message.start_time_unix_nano = point->start_unix_ns;
	message.time_unix_nano = point->time_unix_ns;
	if (point->is_integer) {
		message.value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
		message.as_int = point->integer;
	} else {
		message.value_case = OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
		message.as_double = point->number;
	}
	return nd_otlp_add_message(out, DATA_POINT, &message.base);
}

static int encode_histogram(const struct nd_otlp_point *point, struct attributes *attributes,
			    struct nd_buf *out)
{
	Otlp__HistogramDataPoint message = OTLP__HISTOGRAM_DATA_POINT__INIT;

	assert(point->bucket_count);
	message.attributes = attributes->list;
	message.n_attributes = attributes->count;
	message.start_time_unix_nano = point->start_unix_ns;
	message.time_unix_nano = point->time_unix_ns;
	message.count = point->count;
	message._sum_case = OTLP__HISTOGRAM_DATA_POINT___SUM_SUM;
	message.sum = point->sum;
	message._max_case = point->count ? OTLP__HISTOGRAM_DATA_POINT___MAX_MAX
					 : OTLP__HISTOGRAM_DATA_POINT___MAX__NOT_SET;
	message.max = point->max;
	message.bucket_counts = (uint64_t *)point->buckets;
	message.n_bucket_counts = point->bucket_count;
	message.explicit_bounds = (double *)point->bounds;
	message.n_explicit_bounds = point->bucket_count - 1;
	return nd_otlp_add_message(out, DATA_POINT, &message.base);
}

static int encode_exponential(const struct nd_otlp_point *point, struct attributes *attributes,
			      struct nd_buf *out)
{
	Otlp__ExponentialHistogramDataPoint__Buckets buckets =
		OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT__BUCKETS__INIT;
	Otlp__ExponentialHistogramDataPoint message = OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT__INIT;

	message.attributes = attributes->list;
	message.n_attributes = attributes->count;
	message.start_time_unix_nano = point->start_unix_ns;
	message.time_unix_nano = point->time_unix_ns;
	message.count = point->count;
	message._sum_case = OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT___SUM_SUM;
	message.sum = point->sum;
	message._max_case = point->count ? OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT___MAX_MAX
					 : OTLP__EXPONENTIAL_HISTOGRAM_DATA_POINT___MAX__NOT_SET;
	message.max = point->max;
	message.scale = point->scale;
	message.zero_count = point->zero_count;
	buckets.offset = point->offset;
	buckets.bucket_counts = (uint64_t *)point->buckets;
	buckets.n_bucket_counts = point->bucket_count;
	message.positive = &buckets;
	return nd_otlp_add_message(out, DATA_POINT, &message.base);
}

static int encode_point(enum nd_otlp_metric_kind kind, const struct nd_otlp_point *point,
			struct nd_buf *out)
{
	struct attributes attributes;

	fill_attributes(&point->attributes, &attributes);
	switch (kind) {
	case ND_OTLP_HISTOGRAM:
		return encode_histogram(point, &attributes, out);
	case ND_OTLP_EXPONENTIAL_HISTOGRAM:
		return encode_exponential(point, &attributes, out);
	default:
		return encode_number(point, &attributes, out);
	}
}

/* The field of a metric that holds its points. */
static unsigned int data_field(enum nd_otlp_metric_kind kind)
{
	switch (kind) {
	case ND_OTLP_GAUGE:
		return OTLP__METRIC__DATA_GAUGE;
	case ND_OTLP_HISTOGRAM:
		return OTLP__METRIC__DATA_HISTOGRAM;
	case ND_OTLP_EXPONENTIAL_HISTOGRAM:
		return OTLP__METRIC__DATA_EXPONENTIAL_HISTOGRAM;
	default:
		return OTLP__METRIC__DATA_SUM;
	}
}

static int encode_data(const struct nd_otlp_metric *metric, struct nd_buf *out)
{
	size_t i;

	for (i = 0; i < metric->point_count; i++)
		encode_point(metric->kind, &metric->points[i], out);
	if (metric->kind != ND_OTLP_GAUGE)
		nd_otlp_add_number(
			out, DATA_TEMPORALITY,
			OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE);
	if (metric->kind == ND_OTLP_COUNTER)
		nd_otlp_add_number(out, DATA_IS_MONOTONIC, true);
	return nd_buf_error(out);
}

int nd_otlp_encode_metric(const struct nd_otlp_metric *metric, struct nd_buf *items)
{
	struct nd_buf data, whole;
	int ret;

	nd_buf_init(&data, items->max);
	nd_buf_init(&whole, items->max);
	nd_otlp_add_string(&whole, METRIC_NAME, metric->name);
	nd_otlp_add_string(&whole, METRIC_DESCRIPTION, metric->description);
	nd_otlp_add_string(&whole, METRIC_UNIT, metric->unit);
	ret = encode_data(metric, &data);
	if (!ret)
		ret = nd_otlp_add_bytes(&whole, data_field(metric->kind), data.data, data.len);
	if (!ret)
		ret = nd_otlp_add_bytes(items, SCOPE_ITEMS_ITEM, whole.data, whole.len);
	nd_buf_fini(&data);
	nd_buf_fini(&whole);
	return ret;
}

static int encode_event(const struct nd_otlp_span_event *event, struct nd_buf *out)
{
	Otlp__Span__Event message = OTLP__SPAN__EVENT__INIT;
	struct attributes attributes;

	fill_attributes(&event->attributes, &attributes);
	message.time_unix_nano = event->time_unix_ns;
	message.name = text(event->name);
	message.attributes = attributes.list;
	message.n_attributes = attributes.count;
	return nd_otlp_add_message(out, SPAN_EVENT, &message.base);
}

static ProtobufCBinaryData bytes(const uint8_t *data, size_t len)
{
	return (ProtobufCBinaryData){.data = (uint8_t *)data, .len = len};
}

/* A span without its events, which are added behind it. */
static int encode_span(const struct nd_otlp_span *span, struct nd_buf *out)
{
	static const uint8_t none[sizeof(span->parent_span_id)];
	Otlp__Span message = OTLP__SPAN__INIT;
	Otlp__Status status = OTLP__STATUS__INIT;
	struct attributes attributes;

	fill_attributes(&span->attributes, &attributes);
	message.trace_id = bytes(span->trace_id, sizeof(span->trace_id));
	message.span_id = bytes(span->span_id, sizeof(span->span_id));
	if (memcmp(span->parent_span_id, none, sizeof(none)) != 0)
		message.parent_span_id = bytes(span->parent_span_id, sizeof(none));
	message.trace_state = text(span->trace_state);
	message.flags = span->flags;
	message.name = text(span->name);
	message.kind = (Otlp__Span__SpanKind)span->kind;
	message.start_time_unix_nano = span->start_unix_ns;
	message.end_time_unix_nano = span->end_unix_ns;
	message.attributes = attributes.list;
	message.n_attributes = attributes.count;
	message.dropped_attributes_count = attributes.dropped;
	if (span->status != ND_OTLP_STATUS_UNSET) {
		status.code = (Otlp__Status__StatusCode)span->status;
		status.message = text(span->status_message);
		message.status = &status;
	}
	return nd_otlp_add_plain(out, &message.base);
}

int nd_otlp_encode_span(const struct nd_otlp_span *span, struct nd_buf *items)
{
	struct nd_buf whole;
	size_t i;
	int ret;

	nd_buf_init(&whole, items->max);
	ret = encode_span(span, &whole);
	for (i = 0; i < span->event_count && !ret; i++)
		ret = encode_event(&span->events[i], &whole);
	if (!ret)
		ret = nd_otlp_add_bytes(items, SCOPE_ITEMS_ITEM, whole.data, whole.len);
	nd_buf_fini(&whole);
	return ret;
}

int nd_otlp_encode_resource(const struct nd_otlp_attributes *attributes, struct nd_buf *out)
{
	Otlp__Resource message = OTLP__RESOURCE__INIT;
	struct attributes messages;

	fill_attributes(attributes, &messages);
	message.attributes = messages.list;
	message.n_attributes = messages.count;
	message.dropped_attributes_count = messages.dropped;
	return nd_otlp_add_plain(out, &message.base);
}

int nd_otlp_encode_process_context(const struct nd_buf *resource, struct nd_buf *out)
{
	return nd_otlp_add_bytes(out, PROCESS_CONTEXT_RESOURCE, resource->data, resource->len);
}

int nd_otlp_encode_request(const struct nd_otlp_envelope *envelope, struct nd_buf *out)
{
	Otlp__InstrumentationScope scope = OTLP__INSTRUMENTATION_SCOPE__INIT;
	struct nd_buf before, around;
	size_t inner;

	/* What is before the items, and what is around them with a length that counts them too. */
	nd_buf_init(&before, ND_OTLP_REQUEST_MAX);
	nd_buf_init(&around, ND_OTLP_REQUEST_MAX);
	scope.name = text(envelope->scope);
	scope.version = text(envelope->scope_version);
	nd_otlp_add_message(&before, SCOPE_ITEMS_SCOPE, &scope.base);
	inner = before.len + envelope->items->len;
	nd_otlp_add_bytes(&around, RESOURCE_ITEMS_RESOURCE, envelope->resource->data,
			  envelope->resource->len);
	nd_otlp_add_string(&around, SCHEMA_URL, ND_OTLP_SCHEMA_URL);
	nd_otlp_add_length(&around, RESOURCE_ITEMS_SCOPE_ITEMS, inner);
	nd_otlp_add_length(out, REQUEST_RESOURCE_ITEMS, around.len + inner);
	nd_buf_add(out, around.data, around.len);
	nd_buf_add(out, before.data, before.len);
	nd_buf_add(out, envelope->items->data, envelope->items->len);
	if (envelope->dictionary)
		nd_otlp_add_bytes(out, REQUEST_DICTIONARY, envelope->dictionary->data,
				  envelope->dictionary->len);
	if (nd_buf_error(&before) || nd_buf_error(&around))
		out->error = nd_buf_error(&before) ? nd_buf_error(&before) : nd_buf_error(&around);
	nd_buf_fini(&before);
	nd_buf_fini(&around);
	return nd_buf_error(out);
}
