/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/budget.h"
#include "proto/codec_span.h"
#include "proto/limits.h"
#include "proto/nodiag.pb-c.h"

/* Arrays of one part: names have the most. */
#define BLOCKS_MAX 8

/* What a decoded part points into; nothing of the message is left. */
struct storage {
	void *blocks[BLOCKS_MAX];
	size_t count;
};

/* A zeroed array of at least one element. */
static void *take(struct nd_decoded *decoded, size_t count, size_t size)
{
	struct storage *storage = decoded->storage;

	storage->blocks[storage->count] = calloc(count ? count : 1, size);
	return storage->blocks[storage->count++];
}

/* Copy a text to where there is room for it, and move that on. */
static const char *copy_text(const ProtobufCBinaryData *text, char **room)
{
	char *copy = *room;

	if (text->len)
		memcpy(copy, text->data, text->len);
	*room += text->len + 1;
	return copy;
}

static int decode_header(const void *data, struct nd_decoded *decoded)
{
	const Nodiag__Header *message = data;
	const struct {
		const ProtobufCBinaryData *from;
		const char **to;
	} texts[] = {
		{&message->nodiag_version, &decoded->header.nodiag_version},
		{&message->title, &decoded->header.title},
		{&message->command, &decoded->header.command},
		{&message->runtime, &decoded->header.runtime},
		{&message->sampler, &decoded->header.sampler},
		{&message->sampler_why, &decoded->header.sampler_why},
		{&message->limits, &decoded->header.limits},
		{&message->unnamed, &decoded->header.unnamed},
		{&message->loops, &decoded->header.loops},
	};
	size_t size = 0, i;
	char *room;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		size += texts[i].from->len + 1;
	room = take(decoded, size, 1);
	if (!room)
		return -ENOMEM;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i].to = copy_text(texts[i].from, &room);
	decoded->header.start_ns = message->start_ns;
	decoded->header.start_unix_ns = message->start_unix_ns;
	decoded->header.period_ns = message->period_ns;
	decoded->header.threshold_ns = message->threshold_ns;
	decoded->header.pid = message->pid;
	decoded->header.agent_reason = message->agent_reason;
	decoded->header.agent_features = message->agent_features;
	decoded->header.loops_known = message->loops_known;
	decoded->header.has_agent = message->has_agent;
	return 0;
}

static int decode_strings(const Nodiag__Names *message, struct nd_decoded *decoded)
{
	struct nd_names *names = &decoded->names;
	size_t size = 0, i;
	char *room;

	for (i = 0; i < message->n_strings; i++)
		size += message->strings[i].len + 1;
	room = take(decoded, size, 1);
	names->strings = take(decoded, message->n_strings, sizeof(*names->strings));
	if (!room || !names->strings)
		return -ENOMEM;
	for (i = 0; i < message->n_strings; i++)
		names->strings[i] = copy_text(&message->strings[i], &room);
	names->first_string = message->first_string;
	names->string_count = message->n_strings;
	return 0;
}

/* An optional column: as long as the one that all rows have, or absent. */
static bool is_column(size_t count, size_t rows)
{
	return !count || count == rows;
}

/* An element of a column, 0 where it is absent. */
#define CELL(message, field, row) ((message)->n_##field ? (message)->field[row] : 0)

static int decode_frames(const Nodiag__Names *message, struct nd_decoded *decoded)
{
	size_t rows = message->n_frame_name, i;
	struct nd_name_frame *frames;

	if (!is_column(message->n_frame_file, rows) || !is_column(message->n_frame_line, rows) ||
	    !is_column(message->n_frame_column, rows) || !is_column(message->n_frame_kind, rows))
		return -EBADMSG;
	decoded->names.frames = frames = take(decoded, rows, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	for (i = 0; i < rows; i++) {
		frames[i].name = message->frame_name[i];
		frames[i].file = CELL(message, frame_file, i);
		frames[i].line = CELL(message, frame_line, i);
		frames[i].column = CELL(message, frame_column, i);
		frames[i].kind = CELL(message, frame_kind, i);
		if (frames[i].kind >= ND_FRAME_KIND_COUNT)
			frames[i].kind = ND_FRAME_UNKNOWN;
	}
	decoded->names.first_frame = message->first_frame;
	decoded->names.frame_count = rows;
	return 0;
}

static int decode_calls(const Nodiag__Names *message, struct nd_decoded *decoded)
{
	size_t rows = message->n_call_frame, i;
	struct nd_name_call *calls;
	uint32_t back;

	if (!is_column(message->n_call_caller, rows) || !is_column(message->n_call_line, rows) ||
	    !is_column(message->n_call_column, rows) || !is_column(message->n_call_tier, rows) ||
	    !is_column(message->n_call_inlined, rows))
		return -EBADMSG;
	decoded->names.calls = calls = take(decoded, rows, sizeof(*calls));
	if (!calls)
		return -ENOMEM;
	for (i = 0; i < rows; i++) {
		back = CELL(message, call_caller, i);
		if (back > message->first_call + i)
			return -EBADMSG;
		calls[i].caller = back ? (uint32_t)(message->first_call + i - back) : 0;
		calls[i].frame = message->call_frame[i];
		calls[i].line = CELL(message, call_line, i);
		calls[i].column = CELL(message, call_column, i);
		calls[i].tier = CELL(message, call_tier, i);
		calls[i].inlined = CELL(message, call_inlined, i);
		if (calls[i].tier >= ND_TIER_COUNT)
			calls[i].tier = ND_TIER_NONE;
	}
	decoded->names.first_call = message->first_call;
	decoded->names.call_count = rows;
	return 0;
}

static int decode_threads(const Nodiag__Names *message, struct nd_decoded *decoded)
{
	size_t rows = message->n_thread_tid, i;
	struct nd_name_thread *threads;

	if (!is_column(message->n_thread_pid, rows) || !is_column(message->n_thread_name, rows))
		return -EBADMSG;
	decoded->names.threads = threads = take(decoded, rows, sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	for (i = 0; i < rows; i++) {
		threads[i].tid = message->thread_tid[i];
		threads[i].pid = CELL(message, thread_pid, i);
		threads[i].name = CELL(message, thread_name, i);
	}
	decoded->names.first_thread = message->first_thread;
	decoded->names.thread_count = rows;
	return 0;
}

static int decode_names(const void *data, struct nd_decoded *decoded)
{
	const Nodiag__Names *message = data;
	int ret = decode_strings(message, decoded);

	if (!ret)
		ret = decode_frames(message, decoded);
	if (!ret)
		ret = decode_calls(message, decoded);
	return ret ? ret : decode_threads(message, decoded);
}

/* As it was before the encoder made a number of it. */
static void unpack_id(uint64_t packed, uint8_t ret_id[ND_SPAN_ID_SIZE])
{
	size_t i;

	for (i = ND_SPAN_ID_SIZE; i-- > 0; packed >>= 8)
		ret_id[i] = (uint8_t)packed;
}

static int decode_samples(const Nodiag__Events *message, struct nd_decoded *decoded)
{
	size_t rows = message->n_sample_thread, i;
	uint64_t time_ns = message->time_ns;
	struct nd_recorded_sample *samples;

	if (!is_column(message->n_sample_time_ns, rows) ||
	    !is_column(message->n_sample_call, rows) ||
	    !is_column(message->n_sample_weight_ns, rows) ||
	    !is_column(message->n_sample_span, rows))
		return -EBADMSG;
	decoded->events.samples = samples = take(decoded, rows, sizeof(*samples));
	if (!samples)
		return -ENOMEM;
	for (i = 0; i < rows; i++) {
		time_ns += (uint64_t)CELL(message, sample_time_ns, i);
		samples[i].time_ns = time_ns;
		samples[i].thread = message->sample_thread[i];
		samples[i].call = CELL(message, sample_call, i);
		samples[i].weight_ns = CELL(message, sample_weight_ns, i);
		unpack_id(CELL(message, sample_span, i), samples[i].span_id);
	}
	decoded->events.sample_count = rows;
	return 0;
}

static int decode_losses(const Nodiag__Events *message, struct nd_decoded *decoded)
{
	size_t rows = message->n_loss, i;
	struct nd_recorded_loss *losses;

	if (!is_column(message->n_loss_count, rows))
		return -EBADMSG;
	decoded->events.losses = losses = take(decoded, rows, sizeof(*losses));
	if (!losses)
		return -ENOMEM;
	for (i = 0; i < rows; i++) {
		losses[i].loss = message->loss[i];
		losses[i].count = CELL(message, loss_count, i);
	}
	decoded->events.loss_count = rows;
	return 0;
}

/* As much of a message's array as there is room for. */
#define COPY(to, message, field)                                                                   \
	do {                                                                                       \
		for (size_t at = 0;                                                                \
		     at < (message)->n_##field && at < sizeof(to) / sizeof((to)[0]); at++)         \
			(to)[at] = (message)->field[at];                                           \
	} while (0)

static void read_stall(const Nodiag__Stall *message, struct nd_event_stall *event)
{
	event->event.kind = ND_EVENT_STALL;
	event->start_ns = event->event.time_ns - message->duration_ns;
	event->cpu_ns = message->cpu_ns;
	event->run_delay_ns = message->run_delay_ns;
	event->since_ns = message->since_ns;
	event->gc_ns = message->gc_ns;
	COPY(event->phase_ns, message, phase_ns);
}

static void read_gc(const Nodiag__Gc *message, struct nd_event_gc *event)
{
	event->event.kind = ND_EVENT_GC;
	event->start_ns = event->event.time_ns - message->duration_ns;
	event->type = message->type;
	event->flags = message->flags;
	event->used_before_bytes = message->used_before_bytes;
	event->used_after_bytes = message->used_after_bytes;
	event->total_bytes = message->total_bytes;
	event->limit_bytes = message->limit_bytes;
	event->external_bytes = message->external_bytes;
	event->malloced_bytes = message->malloced_bytes;
	unpack_id(message->span, event->span_id);
}

static void read_handles(const Nodiag__Handles *message, struct nd_event_handles *event)
{
	event->event.kind = ND_EVENT_HANDLES;
	COPY(event->active, message, active);
	COPY(event->total, message, total);
	event->requests = message->requests;
}

/* A text into its fixed place, which has an end. */
#define COPY_TEXT(array, text) copy_fixed((array), sizeof(array), &(text))

static void copy_fixed(char *buf, size_t size, const ProtobufCBinaryData *text)
{
	size_t len = text->len < size ? text->len : size - 1;

	memset(buf, 0, size);
	if (len)
		memcpy(buf, text->data, len);
}

static void read_memory(const Nodiag__Memory *message, struct nd_event_memory *event)
{
	event->event.kind = ND_EVENT_MEMORY;
	event->external_bytes = message->external_bytes;
	event->array_buffers_bytes =
		message->array_buffers_unknown ? UINT64_MAX : message->array_buffers_bytes;
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

static void read_async(const Nodiag__Async *message, struct nd_event_async *event)
{
	event->event.kind = ND_EVENT_ASYNC;
	event->reason = message->reason;
	event->since_ns = message->since_ns;
	event->resources_lost = message->resources_lost;
	event->sites_lost = message->sites_lost;
	event->types_lost = message->types_lost;
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
	COPY(event->lifetime, message, lifetime);
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

/* Kinds that not every agent has. */
static void read_resource(const Nodiag__Event *message, union nd_recorded_event *event)
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

static uint32_t thread_kind(uint32_t kind)
{
	return kind <= ND_THREAD_AGENT ? kind : ND_THREAD_WORKER;
}

/* False when it is of a kind that is not known here. */
static bool read_event(const Nodiag__Event *message, uint64_t time_ns, char **room,
		       union nd_recorded_event *event)
{
	event->event.tid = message->tid;
	event->event.time_ns = time_ns + (uint64_t)message->time_ns;
	if (message->stall) {
		read_stall(message->stall, &event->stall);
	} else if (message->gc) {
		read_gc(message->gc, &event->gc);
	} else if (message->blocked) {
		event->event.kind = ND_EVENT_BLOCKED;
		event->blocked.start_ns = message->blocked->start_ns;
		event->blocked.syscall = message->blocked->syscall;
	} else if (message->handles) {
		read_handles(message->handles, &event->handles);
	} else if (message->stack) {
		event->event.kind = ND_EVENT_SAMPLE;
		event->named.call = message->stack->call;
		event->named.syscall = message->stack->syscall;
		unpack_id(message->stack->span, event->named.span_id);
	} else if (message->forget) {
		event->event.kind = ND_EVENT_FORGET;
	} else if (message->span_started) {
		return nd_codec_read_span(message->span_started, ND_EVENT_SPAN_START, room,
					  &event->spanned);
	} else if (message->span_ended) {
		return nd_codec_read_span(message->span_ended, ND_EVENT_SPAN, room,
					  &event->spanned);
	} else if (message->started || message->ended) {
		event->event.kind = message->started ? ND_EVENT_THREAD_START : ND_EVENT_THREAD_END;
		event->thread.thread_kind = thread_kind(message->started ? message->started->kind
									 : message->ended->kind);
	} else {
		read_resource(message, event);
	}
	return event->event.kind != 0;
}

/* Room for the spans of all events. */
static char *take_spans(const Nodiag__Events *message, struct nd_decoded *decoded)
{
	size_t size = 0, i;

	for (i = 0; i < message->n_event; i++) {
		if (message->event[i]->span_started)
			size += nd_codec_span_room(message->event[i]->span_started);
		if (message->event[i]->span_ended)
			size += nd_codec_span_room(message->event[i]->span_ended);
	}
	return take(decoded, size, 1);
}

static int decode_event_list(const Nodiag__Events *message, struct nd_decoded *decoded)
{
	union nd_recorded_event *events;
	char *room;
	size_t i;

	if (message->n_event > ND_PART_EVENTS_MAX)
		return -EBADMSG;
	decoded->events.events = events = take(decoded, message->n_event, sizeof(*events));
	room = take_spans(message, decoded);
	if (!events || !room)
		return -ENOMEM;
	for (i = 0; i < message->n_event; i++)
		if (read_event(message->event[i], message->time_ns, &room,
			       &events[decoded->events.event_count]))
			decoded->events.event_count++;
	return 0;
}

static void read_loop(const Nodiag__Loop *message, struct nd_loop_counters *loop)
{
	uint64_t bucket = 0;
	size_t i;

	loop->start_ns = message->start_ns;
	loop->iterations = message->iterations;
	loop->busy_ns = message->busy_ns;
	loop->idle_ns = message->idle_ns;
	loop->busy_since_ns = message->busy_since_ns;
	loop->idle_since_ns = message->idle_since_ns;
	loop->max_ns = message->max_ns;
	loop->events = message->events;
	loop->stalls = message->stalls;
	loop->stall_ns = message->stall_ns;
	loop->phase = message->phase < ND_PHASE_COUNT ? message->phase : ND_PHASE_OTHER;
	COPY(loop->phase_ns, message, phase_ns);
	for (i = 0; i < message->n_delay_bucket; i++) {
		bucket += message->delay_bucket[i];
		if (bucket < ND_HISTOGRAM_BUCKETS)
			loop->delay[bucket] = CELL(message, delay_count, i);
	}
}

static void read_collector(const Nodiag__Collector *message, struct nd_gc_counters *gc)
{
	COPY(gc->count, message, count);
	COPY(gc->time_ns, message, time_ns);
	gc->used_bytes = message->used_bytes;
	gc->total_bytes = message->total_bytes;
	gc->limit_bytes = message->limit_bytes;
	gc->external_bytes = message->external_bytes;
}

static int read_counters(const Nodiag__Counters *message, struct nd_recorded_counters *counters)
{
	struct nd_channel_slot *slot = &counters->slot;

	if (message->slot >= ND_CHANNEL_SLOTS_MAX ||
	    (message->loop &&
	     !is_column(message->loop->n_delay_count, message->loop->n_delay_bucket)))
		return -EBADMSG;
	counters->index = message->slot;
	counters->is_baseline = message->is_baseline;
	slot->generation = message->generation;
	slot->tid = message->tid;
	slot->kind = thread_kind(message->kind);
	slot->state = message->state <= ND_SLOT_ENDED ? message->state : ND_SLOT_ENDED;
	slot->start_ns = message->start_ns;
	if (message->loop)
		read_loop(message->loop, &slot->loop);
	if (message->collector)
		read_collector(message->collector, &slot->gc);
	return 0;
}

static int decode_counters(const Nodiag__Events *message, struct nd_decoded *decoded)
{
	struct nd_recorded_counters *counters;
	size_t i;
	int ret = 0;

	if (message->n_counters > ND_PART_COUNTERS_MAX)
		return -EBADMSG;
	decoded->events.counters = counters = take(decoded, message->n_counters, sizeof(*counters));
	if (!counters)
		return -ENOMEM;
	for (i = 0; i < message->n_counters && !ret; i++)
		ret = read_counters(message->counters[i], &counters[i]);
	decoded->events.counters_count = message->n_counters;
	return ret;
}

static int decode_events(const void *data, struct nd_decoded *decoded)
{
	const Nodiag__Events *message = data;
	int ret = decode_samples(message, decoded);

	decoded->events.time_ns = message->time_ns;
	decoded->events.unix_ns = message->unix_ns;
	decoded->events.events_dropped = message->events_dropped;
	decoded->events.threads_left_out = message->threads_left_out;
	if (!ret)
		ret = decode_losses(message, decoded);
	if (!ret)
		ret = decode_event_list(message, decoded);
	return ret ? ret : decode_counters(message, decoded);
}

static int decode_end(const void *data, struct nd_decoded *decoded)
{
	const Nodiag__End *message = data;
	unsigned int cause = (unsigned int)message->cause;

	decoded->end.time_ns = message->time_ns;
	decoded->end.samples = message->samples;
	decoded->end.cause = cause < ND_END_CAUSE_COUNT ? (enum nd_end_cause)cause : ND_END_UNKNOWN;
	return 0;
}

static int decode_index(const void *data, struct nd_decoded *decoded)
{
	const Nodiag__Index *message = data;
	size_t rows = message->n_offset, i;
	uint64_t start = 0, first_ns = 0;
	struct nd_index_entry *entries;

	if (!is_column(message->n_kind, rows) || !is_column(message->n_first_ns, rows) ||
	    !is_column(message->n_duration_ns, rows) || rows > ND_RECORDING_PARTS_MAX)
		return -EBADMSG;
	decoded->index.entries = entries = take(decoded, rows, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (i = 0; i < rows; i++) {
		if (i && !message->offset[i])
			return -EBADMSG;
		start += message->offset[i];
		first_ns += (uint64_t)CELL(message, first_ns, i);
		entries[i].start = start;
		entries[i].kind = CELL(message, kind, i);
		entries[i].first_ns = first_ns;
		entries[i].last_ns = first_ns + CELL(message, duration_ns, i);
	}
	decoded->index.count = rows;
	return 0;
}

/* How a part of each kind becomes a message, and that C. */
static const struct {
	const ProtobufCMessageDescriptor *descriptor;
	int (*decode)(const void *message, struct nd_decoded *decoded);
} kinds[ND_PART_KIND_COUNT] = {
	[ND_PART_HEADER] = {&nodiag__header__descriptor, decode_header},
	[ND_PART_NAMES] = {&nodiag__names__descriptor, decode_names},
	[ND_PART_EVENTS] = {&nodiag__events__descriptor, decode_events},
	[ND_PART_END] = {&nodiag__end__descriptor, decode_end},
	[ND_PART_INDEX] = {&nodiag__index__descriptor, decode_index},
};

int nd_codec_decode(enum nd_part_kind kind, const void *data, size_t len,
		    struct nd_decoded *ret_decoded)
{
	struct nd_decoded decoded = {.kind = kind, .storage = calloc(1, sizeof(struct storage))};
	struct nd_budget budget = {.left = ND_PART_MEMORY_MAX};
	ProtobufCAllocator allocator = {nd_budget_alloc, nd_budget_free, &budget};
	ProtobufCMessage *message;
	int ret;

	if (!decoded.storage)
		return -ENOMEM;
	message = protobuf_c_message_unpack(kinds[kind].descriptor, &allocator, len, data);
	if (message)
		ret = kinds[kind].decode(message, &decoded);
	else
		ret = budget.failed ? -ENOMEM : -EBADMSG;
	if (message)
		protobuf_c_message_free_unpacked(message, &allocator);
	if (ret)
		nd_codec_free(&decoded);
	else
		*ret_decoded = decoded;
	return ret;
}

void nd_codec_free(struct nd_decoded *decoded)
{
	struct storage *storage = decoded->storage;
	size_t i;

	for (i = 0; storage && i < storage->count; i++)
		free(storage->blocks[i]);
	free(storage);
	decoded->storage = NULL;
}
