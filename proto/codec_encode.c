/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "proto/codec_event.h"
#include "proto/codec_impl.h"

/* Memory of one encoding, freed together. */
struct scratch {
	struct block *blocks;
	bool failed;
};

struct block {
	struct block *next;
	max_align_t data[];
};

/* A zeroed array of at least one element; NULL when out of memory, which the scratch remembers. */
static void *take(struct scratch *scratch, size_t count, size_t size)
{
	struct block *block = calloc(1, sizeof(*block) + (count ? count : 1) * size);

	if (!block) {
		scratch->failed = true;
		return NULL;
	}
	block->next = scratch->blocks;
	scratch->blocks = block;
	return block->data;
}

static void free_scratch(struct scratch *scratch)
{
	struct block *next;

	for (; scratch->blocks; scratch->blocks = next) {
		next = scratch->blocks->next;
		free(scratch->blocks);
	}
}

/* Add a message whose structures are complete, and free what it was made of. */
static int finish(struct scratch *scratch, const ProtobufCMessage *message, struct nd_buf *out)
{
	char *at;
	int ret = -ENOMEM;

	if (!scratch->failed) {
		at = nd_buf_reserve(out, protobuf_c_message_get_packed_size(message));
		if (at)
			out->len += protobuf_c_message_pack(message, (uint8_t *)at);
		ret = nd_buf_error(out);
	}
	free_scratch(scratch);
	return ret;
}

/* Borrows the text. */
static ProtobufCBinaryData text(const char *str)
{
	return (ProtobufCBinaryData){.len = str ? strlen(str) : 0, .data = (uint8_t *)str};
}

/*
 * A column: one member of each of an array's structures, as a repeated field. `to` is the field
 * without its message, `from` the array, `value` an expression of its element `row`.
 */
#define COLUMN(scratch, message, to, from, count, value)                                           \
	do {                                                                                       \
		(message).to = take(scratch, count, sizeof(*(message).to));                        \
		(message).n_##to = (message).to ? (count) : 0;                                     \
		for (size_t row = 0; row < (message).n_##to; row++)                                \
			(message).to[row] = (from)[row].value;                                     \
	} while (0)

int nd_codec_encode_header(const struct nd_recording_header *header, struct nd_buf *out)
{
	Nodiag__Header message = NODIAG__HEADER__INIT;
	struct scratch scratch = {0};

	message.nodiag_version = text(header->nodiag_version);
	message.title = text(header->title);
	message.command = text(header->command);
	message.runtime = text(header->runtime);
	message.sampler = text(header->sampler);
	message.sampler_why = text(header->sampler_why);
	message.limits = text(header->limits);
	message.unnamed = text(header->unnamed);
	message.loops = text(header->loops);
	message.start_ns = header->start_ns;
	message.start_unix_ns = header->start_unix_ns;
	message.period_ns = header->period_ns;
	message.threshold_ns = header->threshold_ns;
	message.pid = header->pid;
	message.agent_reason = header->agent_reason;
	message.agent_features = header->agent_features;
	message.loops_known = header->loops_known;
	message.has_agent = header->has_agent;
	return finish(&scratch, &message.base, out);
}

static void fill_calls(struct scratch *scratch, const struct nd_names *names,
		       Nodiag__Names *message)
{
	size_t count = names->call_count, i;

	message->first_call = names->first_call;
	COLUMN(scratch, *message, call_frame, names->calls, count, frame);
	COLUMN(scratch, *message, call_caller, names->calls, count, caller);
	COLUMN(scratch, *message, call_line, names->calls, count, line);
	COLUMN(scratch, *message, call_column, names->calls, count, column);
	COLUMN(scratch, *message, call_tier, names->calls, count, tier);
	COLUMN(scratch, *message, call_inlined, names->calls, count, inlined);
	for (i = 0; i < message->n_call_caller; i++)
		if (message->call_caller[i])
			message->call_caller[i] =
				names->first_call + (uint32_t)i - message->call_caller[i];
}

int nd_codec_encode_names(const struct nd_names *names, struct nd_buf *out)
{
	Nodiag__Names message = NODIAG__NAMES__INIT;
	struct scratch scratch = {0};
	size_t i;

	message.first_string = names->first_string;
	message.strings = take(&scratch, names->string_count, sizeof(*message.strings));
	message.n_strings = message.strings ? names->string_count : 0;
	for (i = 0; i < message.n_strings; i++)
		message.strings[i] = text(names->strings[i]);
	message.first_frame = names->first_frame;
	COLUMN(&scratch, message, frame_name, names->frames, names->frame_count, name);
	COLUMN(&scratch, message, frame_file, names->frames, names->frame_count, file);
	COLUMN(&scratch, message, frame_line, names->frames, names->frame_count, line);
	COLUMN(&scratch, message, frame_column, names->frames, names->frame_count, column);
	COLUMN(&scratch, message, frame_kind, names->frames, names->frame_count, kind);
	fill_calls(&scratch, names, &message);
	message.first_thread = names->first_thread;
	COLUMN(&scratch, message, thread_pid, names->threads, names->thread_count, pid);
	COLUMN(&scratch, message, thread_tid, names->threads, names->thread_count, tid);
	COLUMN(&scratch, message, thread_name, names->threads, names->thread_count, name);
	return finish(&scratch, &message.base, out);
}

static void fill_events(struct scratch *scratch, const struct nd_events *events,
			Nodiag__Events *message)
{
	Nodiag__Event *event = take(scratch, events->event_count, sizeof(*event));
	union nd_codec_detail *details = take(scratch, events->event_count, sizeof(*details));
	size_t i;

	message->event = take(scratch, events->event_count, sizeof(Nodiag__Event *));
	if (scratch->failed)
		return;
	message->n_event = events->event_count;
	for (i = 0; i < events->event_count; i++) {
		message->event[i] = &event[i];
		nd_codec_fill_event(&events->events[i], events->time_ns, &details[i], &event[i]);
	}
}

/* Only the buckets that are not empty. */
static void fill_delay(struct scratch *scratch, const uint64_t *delay, Nodiag__Loop *message)
{
	uint32_t bucket, before = 0;
	size_t count = 0;

	for (bucket = 0; bucket < ND_HISTOGRAM_BUCKETS; bucket++)
		count += delay[bucket] != 0;
	message->delay_bucket = take(scratch, count, sizeof(*message->delay_bucket));
	message->delay_count = take(scratch, count, sizeof(*message->delay_count));
	if (scratch->failed)
		return;
	message->n_delay_bucket = message->n_delay_count = count;
	for (bucket = 0, count = 0; bucket < ND_HISTOGRAM_BUCKETS; bucket++) {
		if (!delay[bucket])
			continue;
		message->delay_bucket[count] = bucket - before;
		message->delay_count[count++] = delay[bucket];
		before = bucket;
	}
}

static void fill_loop(const struct nd_loop_counters *loop, Nodiag__Loop *message)
{
	nodiag__loop__init(message);
	message->start_ns = loop->start_ns;
	message->iterations = loop->iterations;
	message->busy_ns = loop->busy_ns;
	message->idle_ns = loop->idle_ns;
	message->busy_since_ns = loop->busy_since_ns;
	message->idle_since_ns = loop->idle_since_ns;
	message->max_ns = loop->max_ns;
	message->events = loop->events;
	message->stalls = loop->stalls;
	message->stall_ns = loop->stall_ns;
	message->phase = loop->phase;
	ND_CODEC_FIXED(*message, phase_ns, loop->phase_ns);
}

static void fill_collector(const struct nd_gc_counters *gc, Nodiag__Collector *message)
{
	nodiag__collector__init(message);
	ND_CODEC_FIXED(*message, count, gc->count);
	ND_CODEC_FIXED(*message, time_ns, gc->time_ns);
	message->used_bytes = gc->used_bytes;
	message->total_bytes = gc->total_bytes;
	message->limit_bytes = gc->limit_bytes;
	message->external_bytes = gc->external_bytes;
}

static Nodiag__Counters *make_counters(struct scratch *scratch,
				       const struct nd_recorded_counters *counters)
{
	const struct nd_channel_slot *slot = &counters->slot;
	Nodiag__Counters *message = take(scratch, 1, sizeof(*message));
	Nodiag__Loop *loop = take(scratch, 1, sizeof(*loop));
	Nodiag__Collector *collector = take(scratch, 1, sizeof(*collector));

	if (scratch->failed)
		return NULL;
	nodiag__counters__init(message);
	message->slot = counters->index;
	message->generation = slot->generation;
	message->tid = slot->tid;
	message->kind = slot->kind;
	message->state = slot->state;
	message->start_ns = slot->start_ns;
	message->is_baseline = counters->is_baseline;
	message->loop = loop;
	fill_loop(&slot->loop, loop);
	fill_delay(scratch, slot->loop.delay, loop);
	message->collector = collector;
	fill_collector(&slot->gc, collector);
	return message;
}

/* A recording of a process whose requests nobody followed has no column for them. */
static bool has_spans(const struct nd_events *events)
{
	size_t i;

	for (i = 0; i < events->sample_count; i++)
		if (nd_codec_pack_id(events->samples[i].span_id))
			return true;
	return false;
}

int nd_codec_encode_events(const struct nd_events *events, struct nd_buf *out)
{
	Nodiag__Events message = NODIAG__EVENTS__INIT;
	const struct nd_recorded_sample *samples = events->samples;
	struct scratch scratch = {0};
	size_t i;

	message.time_ns = events->time_ns;
	message.unix_ns = events->unix_ns;
	message.events_dropped = events->events_dropped;
	message.threads_left_out = events->threads_left_out;
	COLUMN(&scratch, message, loss, events->losses, events->loss_count, loss);
	COLUMN(&scratch, message, loss_count, events->losses, events->loss_count, count);
	COLUMN(&scratch, message, sample_thread, samples, events->sample_count, thread);
	COLUMN(&scratch, message, sample_call, samples, events->sample_count, call);
	COLUMN(&scratch, message, sample_weight_ns, samples, events->sample_count, weight_ns);
	COLUMN(&scratch, message, sample_time_ns, samples, events->sample_count, time_ns);
	if (has_spans(events)) {
		message.sample_span =
			take(&scratch, events->sample_count, sizeof(*message.sample_span));
		message.n_sample_span = message.sample_span ? events->sample_count : 0;
	}
	for (i = 0; i < message.n_sample_span; i++)
		message.sample_span[i] = nd_codec_pack_id(samples[i].span_id);
	for (i = message.n_sample_time_ns; i-- > 0;)
		message.sample_time_ns[i] =
			(int64_t)(samples[i].time_ns -
				  (i ? samples[i - 1].time_ns : events->time_ns));
	fill_events(&scratch, events, &message);
	message.counters = take(&scratch, events->counters_count, sizeof(Nodiag__Counters *));
	message.n_counters = message.counters ? events->counters_count : 0;
	for (i = 0; i < message.n_counters; i++)
		message.counters[i] = make_counters(&scratch, &events->counters[i]);
	return finish(&scratch, &message.base, out);
}

int nd_codec_encode_end(const struct nd_recording_end *end, struct nd_buf *out)
{
	Nodiag__End message = NODIAG__END__INIT;
	struct scratch scratch = {0};

	message.time_ns = end->time_ns;
	message.samples = end->samples;
	message.cause = (Nodiag__End__Cause)end->cause;
	return finish(&scratch, &message.base, out);
}

int nd_codec_encode_index(const struct nd_index *index, struct nd_buf *out)
{
	Nodiag__Index message = NODIAG__INDEX__INIT;
	const struct nd_index_entry *entries = index->entries;
	struct scratch scratch = {0};
	uint64_t offset = 0, first_ns = 0;
	size_t i;

	COLUMN(&scratch, message, kind, entries, index->count, kind);
	COLUMN(&scratch, message, offset, entries, index->count, start);
	COLUMN(&scratch, message, first_ns, entries, index->count, first_ns);
	COLUMN(&scratch, message, duration_ns, entries, index->count, last_ns);
	for (i = 0; i < index->count && !scratch.failed; i++) {
		message.offset[i] -= offset;
		message.duration_ns[i] -= entries[i].first_ns;
		message.first_ns[i] = (int64_t)(entries[i].first_ns - first_ns);
		offset = entries[i].start;
		first_ns = entries[i].first_ns;
	}
	return finish(&scratch, &message.base, out);
}
