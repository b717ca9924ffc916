/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "proto/codec_event.h"
#include "proto/codec_impl.h"

/* Text of a fixed place, which a process wrote: it may have no end. */
#define TEXT(array)                                                                                \
	((ProtobufCBinaryData){.len = strnlen(array, sizeof(array)),                               \
			       .data = (uint8_t *)(uintptr_t)(array)})

/* A text into its fixed place, which has an end. */
#define COPY_TEXT(array, text) copy_fixed((array), sizeof(array), &(text))

static void copy_fixed(char *buf, size_t size, const ProtobufCBinaryData *text)
{
	size_t len = text->len < size ? text->len : size - 1;

	memset(buf, 0, size);
	if (len)
		memcpy(buf, text->data, len);
}

static void fill_memory(const struct nd_event_memory *event, Nodiag__Memory *message)
{
	nodiag__memory__init(message);
	message->external_bytes = event->external_bytes;
	message->array_buffers_unknown = event->array_buffers_bytes == UINT64_MAX;
	if (!message->array_buffers_unknown)
		message->array_buffers_bytes = event->array_buffers_bytes;
}

static void read_memory(const Nodiag__Memory *message, struct nd_event_memory *event)
{
	event->event.kind = ND_EVENT_MEMORY;
	event->external_bytes = message->external_bytes;
	event->array_buffers_bytes =
		message->array_buffers_unknown ? UINT64_MAX : message->array_buffers_bytes;
}

static void fill_space(const struct nd_event_space *event, Nodiag__Space *message)
{
	nodiag__space__init(message);
	message->name = TEXT(event->name);
	message->size_bytes = event->size_bytes;
	message->used_bytes = event->used_bytes;
	message->available_bytes = event->available_bytes;
	message->physical_bytes = event->physical_bytes;
}

static void read_space(const Nodiag__Space *message, struct nd_event_space *event)
{
	event->event.kind = ND_EVENT_SPACE;
	COPY_TEXT(event->name, message->name);
	event->size_bytes = message->size_bytes;
	event->used_bytes = message->used_bytes;
	event->available_bytes = message->available_bytes;
	event->physical_bytes = message->physical_bytes;
}

static void fill_async(const struct nd_event_async *event, Nodiag__Async *message)
{
	nodiag__async__init(message);
	message->reason = event->reason;
	message->since_ns = event->since_ns;
	message->resources_lost = event->resources_lost;
	message->sites_lost = event->sites_lost;
	message->types_lost = event->types_lost;
}

static void read_async(const Nodiag__Async *message, struct nd_event_async *event)
{
	event->event.kind = ND_EVENT_ASYNC;
	event->reason = message->reason;
	event->since_ns = message->since_ns;
	event->resources_lost = message->resources_lost;
	event->sites_lost = message->sites_lost;
	event->types_lost = message->types_lost;
}

static void fill_async_type(const struct nd_event_async_type *event, Nodiag__AsyncType *message)
{
	nodiag__async_type__init(message);
	message->name = TEXT(event->name);
	message->created = event->created;
	message->alive = event->alive;
	message->ended = event->ended;
	message->looks = event->looks;
	message->total_us = event->total_us;
	message->max_us = event->max_us;
	ND_CODEC_FIXED(*message, lifetime, event->lifetime);
}

static void read_async_type(const Nodiag__AsyncType *message, struct nd_event_async_type *event)
{
	event->event.kind = ND_EVENT_ASYNC_TYPE;
	COPY_TEXT(event->name, message->name);
	event->created = message->created;
	event->alive = message->alive;
	event->ended = message->ended;
	event->looks = message->looks;
	event->total_us = message->total_us;
	event->max_us = message->max_us;
	ND_CODEC_COPY(event->lifetime, message, lifetime);
}

static void fill_async_site(const struct nd_event_async_site *event, Nodiag__AsyncSite *message)
{
	nodiag__async_site__init(message);
	message->type = TEXT(event->type);
	message->function = TEXT(event->function);
	message->file = TEXT(event->file);
	message->line = event->line;
	message->column = event->column;
	message->created = event->created;
	message->alive = event->alive;
	message->ended = event->ended;
	message->total_us = event->total_us;
	message->max_us = event->max_us;
}

static void read_async_site(const Nodiag__AsyncSite *message, struct nd_event_async_site *event)
{
	event->event.kind = ND_EVENT_ASYNC_SITE;
	COPY_TEXT(event->type, message->type);
	COPY_TEXT(event->function, message->function);
	COPY_TEXT(event->file, message->file);
	event->line = message->line;
	event->column = message->column;
	event->created = message->created;
	event->alive = message->alive;
	event->ended = message->ended;
	event->total_us = message->total_us;
	event->max_us = message->max_us;
}

bool nd_codec_fill_resource(const union nd_recorded_event *event, union nd_codec_detail *detail,
			    Nodiag__Event *message)
{
	switch (event->event.kind) {
	case ND_EVENT_MEMORY:
		fill_memory(&event->memory, message->memory = &detail->memory);
		return true;
	case ND_EVENT_SPACE:
		fill_space(&event->space, message->space = &detail->space);
		return true;
	case ND_EVENT_ASYNC:
		fill_async(&event->async, message->async = &detail->async);
		return true;
	case ND_EVENT_ASYNC_TYPE:
		fill_async_type(&event->async_type, message->async_type = &detail->async_type);
		return true;
	case ND_EVENT_ASYNC_SITE:
		fill_async_site(&event->async_site, message->async_site = &detail->async_site);
		return true;
	default:
		return false;
	}
}

void nd_codec_read_resource(const Nodiag__Event *message, union nd_recorded_event *event)
{
	if (message->memory)
		read_memory(message->memory, &event->memory);
	else if (message->space)
		read_space(message->space, &event->space);
	else if (message->async)
		read_async(message->async, &event->async);
	else if (message->async_type)
		read_async_type(message->async_type, &event->async_type);
	else if (message->async_site)
		read_async_site(message->async_site, &event->async_site);
}
