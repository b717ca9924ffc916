/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/span.h"

#include <string.h>

#include "proto/channel.h"

size_t nd_span_size(const char *const texts[ND_SPAN_TEXTS])
{
	size_t size = sizeof(struct nd_event_span);
	int i;

	for (i = 0; i < ND_SPAN_TEXTS; i++)
		size += strlen(texts[i]) + 1;
	return size;
}

void nd_span_set_texts(struct nd_event_span *span, const char *const texts[ND_SPAN_TEXTS])
{
	char *at = span->text;
	size_t size;
	int i;

	memset(span->text_size, 0, sizeof(span->text_size));
	for (i = 0; i < ND_SPAN_TEXTS; i++) {
		size = strlen(texts[i]) + 1;
		memcpy(at, texts[i], size);
		span->text_size[i] = (uint8_t)size;
		at += size;
	}
}

size_t nd_span_get_size(const struct nd_event_span *span)
{
	size_t size = sizeof(*span);
	int i;

	for (i = 0; i < ND_SPAN_TEXTS; i++)
		size += span->text_size[i];
	return size;
}

bool nd_span_is_sound(const struct nd_event *event, size_t size)
{
	const struct nd_event_span *span = (const void *)event;
	const char *at = span->text;
	int i;

	if (size < sizeof(*span) || !span->kind || span->kind >= ND_SPAN_KIND_COUNT ||
	    span->event.time_ns < span->start_ns || nd_span_get_size(span) > size)
		return false;
	for (i = 0; i < ND_SPAN_TEXTS; i++) {
		if (!span->text_size[i] || span->text_size[i] > ND_SPAN_TEXT_MAX ||
		    at[span->text_size[i] - 1])
			return false;
		at += span->text_size[i];
	}
	return true;
}

const char *nd_span_get_text(const struct nd_event_span *span, enum nd_span_text text)
{
	const char *at = span->text;
	int i;

	for (i = 0; i < (int)text; i++)
		at += span->text_size[i];
	return at;
}

static uint32_t find_feature(const char *name, size_t len)
{
	static const struct {
		const char *name;
		uint32_t features;
	} known[] = {{"dns", ND_FEATURE_SPANS_DNS},
		     {"net", ND_FEATURE_SPANS_NET},
		     {"tls", ND_FEATURE_SPANS_TLS},
		     {"fs", ND_FEATURE_SPANS_FS},
		     {"child_process", ND_FEATURE_SPANS_CHILD},
		     {"worker", ND_FEATURE_SPANS_WORKER},
		     {"all", ND_FEATURE_SPANS}};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && !strncmp(known[i].name, name, len))
			return known[i].features;
	return 0;
}

uint32_t nd_span_features_parse(const char *list, const char **ret_unknown)
{
	uint32_t features = 0, found;
	const char *unknown = NULL;
	size_t len;

	for (; list && *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		found = find_feature(list, len);
		features |= found;
		if (!found && !unknown)
			unknown = list;
	}
	if (ret_unknown)
		*ret_unknown = unknown;
	return features;
}

bool nd_span_has_trace(const struct nd_event_span *span)
{
	static const uint8_t none[sizeof(span->trace_id)];

	return memcmp(span->trace_id, none, sizeof(none)) != 0;
}

bool nd_span_has_parent(const struct nd_event_span *span)
{
	static const uint8_t none[sizeof(span->parent_id)];

	return memcmp(span->parent_id, none, sizeof(none)) != 0;
}

bool nd_span_is_error(const struct nd_event_span *span)
{
	return *nd_span_get_text(span, ND_SPAN_ERROR) || span->flags & ND_SPAN_ABORTED ||
	       span->status >= (span->kind == ND_SPAN_SERVER ? 500 : 400);
}
