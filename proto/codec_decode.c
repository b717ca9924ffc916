/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/budget.h"
#include "proto/codec_event.h"
#include "proto/codec_impl.h"
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
		nd_codec_unpack_id(CELL(message, sample_span, i), samples[i].span_id);
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
		if (nd_codec_read_event(message->event[i], message->time_ns, &room,
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
	ND_CODEC_COPY(loop->phase_ns, message, phase_ns);
	for (i = 0; i < message->n_delay_bucket; i++) {
		bucket += message->delay_bucket[i];
		if (bucket < ND_HISTOGRAM_BUCKETS)
			loop->delay[bucket] = CELL(message, delay_count, i);
	}
}

static void read_collector(const Nodiag__Collector *message, struct nd_gc_counters *gc)
{
	ND_CODEC_COPY(gc->count, message, count);
	ND_CODEC_COPY(gc->time_ns, message, time_ns);
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
	slot->kind = nd_codec_thread_kind(message->kind);
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
