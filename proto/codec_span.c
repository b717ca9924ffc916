/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/codec_span.h"

#include <string.h>

#define TEXTS(message)                                                                             \
	{                                                                                          \
		[ND_SPAN_METHOD] = &(message)->method, [ND_SPAN_ROUTE] = &(message)->route,        \
		[ND_SPAN_PATH] = &(message)->path, [ND_SPAN_HOST] = &(message)->host,              \
		[ND_SPAN_PEER] = &(message)->peer, [ND_SPAN_ERROR] = &(message)->error,            \
	}

static ProtobufCBinaryData bytes(const void *data, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

void nd_codec_fill_span(const struct nd_event_span *span, Nodiag__Span *message)
{
	ProtobufCBinaryData *const texts[ND_SPAN_TEXTS] = TEXTS(message);
	const char *text;
	int i;

	nodiag__span__init(message);
	message->duration_ns = span->event.time_ns - span->start_ns;
	if (span->turn_ns && span->turn_ns < span->start_ns)
		message->turn_ns = span->start_ns - span->turn_ns;
	message->trace_id = bytes(span->trace_id, sizeof(span->trace_id));
	message->span_id = bytes(span->span_id, sizeof(span->span_id));
	if (nd_span_has_parent(span))
		message->parent_id = bytes(span->parent_id, sizeof(span->parent_id));
	if (span->flags & ND_SPAN_OBSERVED)
		message->seen_id = bytes(span->seen_id, sizeof(span->seen_id));
	message->kind = span->kind;
	message->flags = span->flags;
	message->status = span->status;
	message->port = span->port;
	message->http_version = span->http_version;
	for (i = 0; i < ND_SPAN_TEXTS; i++) {
		text = nd_span_get_text(span, i);
		*texts[i] = bytes(text, strlen(text));
	}
}

/* Longer ones are cut where they are read, as where they are written. */
static size_t text_len(const ProtobufCBinaryData *text)
{
	return text->len < ND_SPAN_TEXT_MAX ? text->len : ND_SPAN_TEXT_MAX - 1;
}

size_t nd_codec_span_room(const Nodiag__Span *message)
{
	const ProtobufCBinaryData *const texts[ND_SPAN_TEXTS] = TEXTS(message);
	size_t size = sizeof(struct nd_event_span), i;

	for (i = 0; i < ND_SPAN_TEXTS; i++)
		size += text_len(texts[i]) + 1;
	return (size + 7) & ~(size_t)7;
}

static void read_texts(const Nodiag__Span *message, struct nd_event_span *span)
{
	const ProtobufCBinaryData *const from[ND_SPAN_TEXTS] = TEXTS(message);
	char room[ND_SPAN_TEXTS][ND_SPAN_TEXT_MAX];
	const char *texts[ND_SPAN_TEXTS];
	size_t i, len;

	for (i = 0; i < ND_SPAN_TEXTS; i++) {
		len = text_len(from[i]);
		if (len)
			memcpy(room[i], from[i]->data, len);
		room[i][len] = '\0';
		texts[i] = room[i];
	}
	nd_span_set_texts(span, texts);
}

static bool has_ids(const Nodiag__Span *message)
{
	const struct nd_event_span *span = NULL;

	return message->trace_id.len == sizeof(span->trace_id) &&
	       message->span_id.len == sizeof(span->span_id) &&
	       (!message->parent_id.len || message->parent_id.len == sizeof(span->parent_id)) &&
	       (!message->seen_id.len || message->seen_id.len == sizeof(span->seen_id));
}

bool nd_codec_read_span(const Nodiag__Span *message, enum nd_event_kind kind, char **room,
			struct nd_event_spanned *event)
{
	struct nd_event_span *span = (void *)*room;

	if (!has_ids(message) || message->duration_ns > event->event.time_ns || !message->kind ||
	    message->kind >= ND_SPAN_KIND_COUNT)
		return false;
	event->event.kind = kind;
	span->event = event->event;
	span->start_ns = event->event.time_ns - message->duration_ns;
	if (message->turn_ns && message->turn_ns < span->start_ns)
		span->turn_ns = span->start_ns - message->turn_ns;
	memcpy(span->trace_id, message->trace_id.data, sizeof(span->trace_id));
	memcpy(span->span_id, message->span_id.data, sizeof(span->span_id));
	if (message->parent_id.len)
		memcpy(span->parent_id, message->parent_id.data, sizeof(span->parent_id));
	if (message->seen_id.len)
		memcpy(span->seen_id, message->seen_id.data, sizeof(span->seen_id));
	span->kind = (uint8_t)message->kind;
	span->flags = (uint8_t)message->flags;
	span->status = (uint16_t)message->status;
	span->port = (uint16_t)message->port;
	span->http_version = (uint8_t)message->http_version;
	read_texts(message, span);
	event->span = span;
	*room += nd_codec_span_room(message);
	return true;
}
