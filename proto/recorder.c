/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/intern.h"
#include "common/set.h"
#include "proto/limits.h"

/* When to make parts of what came together: what a crash may cost, against what parts cost. */
#define FLUSH_NS    ND_NSEC_PER_SEC
#define FLUSH_BYTES (256u << 10)

/* About what these take in a part before packing, for FLUSH_BYTES. */
#define SAMPLE_BYTES 12
#define CALL_BYTES   8
#define EVENT_BYTES  64

/* The texts of spans between two flushes: a flush is due long before. */
#define SPANS_MAX (64u << 20)

/* How much of each goes into one part, so that it stays below ND_PART_UNPACKED_MAX at the worst. */
#define PART_SAMPLES	  (128u << 10)
#define PART_EVENTS	  (8u << 10)
#define PART_COUNTERS	  1024
#define PART_NAMES	  (64u << 10)
#define PART_STRING_BYTES (1u << 20)

/* Room that the last parts and the index may need. */
#define END_BYTES (32u << 20)
#define END_PARTS 1024

/* A growing array. */
struct list {
	void *items;
	size_t count;
	size_t cap;
	size_t size; /* of an item */
};

/* How far a table was put into parts, of which some may not be in the file yet. */
struct progress {
	uint32_t strings;
	uint32_t frames;
	uint32_t calls;
	uint32_t threads;
};

struct nd_recorder {
	struct nd_packer *packer;
	struct nd_intern *strings;
	struct nd_set calls;   /* struct nd_name_call; an id of the recording is the set's + 1 */
	struct nd_set threads; /* struct thread_key */
	struct list thread_names;
	struct list samples;
	struct list events;
	struct list counters;
	struct nd_buf spans; /* what those among the events have behind them */
	struct list index;
	uint64_t losses[ND_LOSS_COUNT];
	uint64_t events_dropped;
	uint64_t threads_left_out;
	uint64_t span_ns; /* where the current span begins */
	struct progress done;
	struct nd_buf payload; /* of a part, before packing */
	struct nd_buf output;
	uint64_t size; /* of the file */
	uint64_t samples_made;
	uint64_t samples_written;
	size_t parts_written;
};

struct thread_key {
	uint32_t pid;
	uint32_t tid;
};

static int append(struct list *list, const void *item)
{
	size_t cap = list->cap ? list->cap * 2 : 16;
	void *grown;

	if (list->count == list->cap) {
		grown = reallocarray(list->items, cap, list->size);
		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->cap = cap;
	}
	memcpy((char *)list->items + list->count++ * list->size, item, list->size);
	return 0;
}

struct nd_recorder *nd_recorder_new(void)
{
	struct nd_recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->calls.size = sizeof(struct nd_name_call);
	r->threads.size = sizeof(struct thread_key);
	r->thread_names.size = sizeof(uint32_t);
	r->samples.size = sizeof(struct nd_recorded_sample);
	r->events.size = sizeof(union nd_recorded_event);
	r->counters.size = sizeof(struct nd_recorded_counters);
	r->index.size = sizeof(struct nd_index_entry);
	r->done.strings = 1;
	nd_buf_init(&r->spans, SPANS_MAX);
	nd_buf_init(&r->payload, ND_PART_UNPACKED_MAX);
	nd_buf_init(&r->output, ND_RECORDING_MAX);
	r->packer = nd_packer_new();
	r->strings = nd_intern_new();
	if (r->packer && r->strings && !nd_frame_add_head(&r->output))
		return r;
	nd_recorder_free(r);
	return NULL;
}

void nd_recorder_free(struct nd_recorder *r)
{
	if (!r)
		return;
	nd_packer_free(r->packer);
	nd_intern_free(r->strings);
	nd_set_fini(&r->calls);
	nd_set_fini(&r->threads);
	free(r->thread_names.items);
	free(r->samples.items);
	free(r->events.items);
	free(r->counters.items);
	free(r->index.items);
	nd_buf_fini(&r->spans);
	nd_buf_fini(&r->payload);
	nd_buf_fini(&r->output);
	free(r);
}

/* Make a part of the payload, of which the index is to know; `ret` says how encoding it went. */
static int add_part(struct nd_recorder *r, int ret, enum nd_part_kind kind, uint64_t first_ns,
		    uint64_t last_ns)
{
	struct nd_index_entry entry = {.kind = kind,
				       .start = r->size + r->output.len,
				       .first_ns = first_ns,
				       .last_ns = last_ns};

	if (!ret && r->index.count >= ND_RECORDING_PARTS_MAX)
		ret = -E2BIG;
	if (!ret)
		ret = append(&r->index, &entry);
	if (!ret)
		ret = nd_frame_add_part(r->packer, kind, r->payload.data, r->payload.len,
					&r->output);
	nd_buf_reset(&r->payload);
	return ret == -EFBIG ? -E2BIG : ret;
}

int nd_recorder_set_header(struct nd_recorder *r, const struct nd_recording_header *header)
{
	int ret;

	if (!r->span_ns)
		r->span_ns = header->start_ns;
	ret = nd_codec_encode_header(header, &r->payload);
	return add_part(r, ret, ND_PART_HEADER, 0, 0);
}

static int intern(struct nd_recorder *r, const char *str, uint32_t *ret_id)
{
	if (nd_intern_add(r->strings, str, strnlen(str, ND_RECORDING_STRING_MAX), ret_id))
		return -ENOMEM;
	return nd_intern_count(r->strings) > ND_RECORDING_STRINGS_MAX ? -E2BIG : 0;
}

bool nd_recorder_has_thread(const struct nd_recorder *r, uint32_t pid, uint32_t tid)
{
	struct thread_key key = {.pid = pid, .tid = tid};
	uint32_t id;

	return nd_set_find(&r->threads, &key, &id);
}

int nd_recorder_add_thread(struct nd_recorder *r, uint32_t pid, uint32_t tid, const char *name)
{
	struct thread_key key = {.pid = pid, .tid = tid};
	uint32_t id, string;
	int ret;

	if (nd_set_find(&r->threads, &key, &id))
		return 0;
	ret = intern(r, name, &string);
	if (!ret)
		ret = append(&r->thread_names, &string);
	if (ret)
		return ret;
	ret = nd_set_add(&r->threads, &key, ND_RECORDING_THREADS_MAX, &id);
	if (ret)
		r->thread_names.count--;
	return ret;
}

/* The id of a stack: its calls are added from the root on, as far as they are new. */
static int add_calls(struct nd_recorder *r, const struct nd_call *calls, size_t depth,
		     uint32_t *ret_call)
{
	size_t i = depth < ND_STACK_DEPTH_MAX ? depth : ND_STACK_DEPTH_MAX;
	struct nd_name_call call = {0};
	uint32_t id = 0;
	int ret;

	while (i-- > 0) {
		call = (struct nd_name_call){
			.caller = id,
			.frame = calls[i].frame,
			.line = calls[i].line,
			.column = calls[i].column,
			.tier = calls[i].tier,
			.inlined = calls[i].inlined,
		};
		ret = nd_set_add(&r->calls, &call, ND_RECORDING_CALLS_MAX, &id);
		if (ret)
			return ret;
		id++;
	}
	*ret_call = id;
	return 0;
}

int nd_recorder_add_sample(struct nd_recorder *r, const struct nd_stack *stack)
{
	struct thread_key key = {.pid = stack->pid, .tid = stack->tid};
	struct nd_recorded_sample sample = {.time_ns = stack->time_ns, .weight_ns = stack->weight};
	int ret = nd_recorder_add_thread(r, key.pid, key.tid, "");

	if (ret)
		return ret;
	nd_set_find(&r->threads, &key, &sample.thread);
	memcpy(sample.span_id, stack->span_id, ND_SPAN_ID_SIZE);
	ret = add_calls(r, stack->calls, stack->depth, &sample.call);
	return ret ? ret : append(&r->samples, &sample);
}

/* Until the flush a span has an offset in place of its address, which may change. */
static int add_spanned(struct nd_recorder *r, const struct nd_event *event, size_t size)
{
	union nd_recorded_event recorded = {.spanned = {.event = *event}};
	static const char padding[8];
	size_t len;

	if (!nd_span_is_sound(event, size))
		return 0;
	len = nd_span_get_size((const void *)event);
	recorded.spanned.span = (const void *)(uintptr_t)r->spans.len;
	nd_buf_add(&r->spans, event, len);
	if (nd_buf_add(&r->spans, padding, -len % sizeof(padding)))
		return nd_buf_error(&r->spans) == -EFBIG ? -E2BIG : -ENOMEM;
	return append(&r->events, &recorded);
}

static bool is_span(const struct nd_event *event)
{
	return event->kind == ND_EVENT_SPAN || event->kind == ND_EVENT_SPAN_START;
}

static void place_spans(struct nd_recorder *r)
{
	union nd_recorded_event *events = r->events.items;
	size_t i;

	for (i = 0; i < r->events.count; i++)
		if (is_span(&events[i].event))
			events[i].spanned.span =
				(const void *)(r->spans.data + (uintptr_t)events[i].spanned.span);
}

int nd_recorder_add_event(struct nd_recorder *r, const struct nd_event *event, size_t size)
{
	static const size_t sizes[] = {
		[ND_EVENT_THREAD_START] = sizeof(struct nd_event_thread),
		[ND_EVENT_THREAD_END] = sizeof(struct nd_event_thread),
		[ND_EVENT_STALL] = sizeof(struct nd_event_stall),
		[ND_EVENT_GC] = ND_EVENT_GC_SIZE_MIN,
		[ND_EVENT_BLOCKED] = sizeof(struct nd_event_blocked),
		[ND_EVENT_HANDLES] = sizeof(struct nd_event_handles),
		[ND_EVENT_MEMORY] = sizeof(struct nd_event_memory),
		[ND_EVENT_SPACE] = sizeof(struct nd_event_space),
		[ND_EVENT_ASYNC] = sizeof(struct nd_event_async),
		[ND_EVENT_ASYNC_TYPE] = sizeof(struct nd_event_async_type),
		[ND_EVENT_ASYNC_SITE] = sizeof(struct nd_event_async_site),
		[ND_EVENT_FORGET] = sizeof(struct nd_event),
	};
	union nd_recorded_event recorded = {0};

	if (is_span(event))
		return add_spanned(r, event, size);
	if (event->kind >= sizeof(sizes) / sizeof(sizes[0]) || !sizes[event->kind] ||
	    size < sizes[event->kind])
		return 0;
	memcpy(&recorded, event, sizes[event->kind]);
	if (event->kind == ND_EVENT_GC && size >= sizeof(recorded.gc))
		recorded.gc = *(const struct nd_event_gc *)(const void *)event;
	return append(&r->events, &recorded);
}

int nd_recorder_add_named(struct nd_recorder *r, const struct nd_event_sample *sample,
			  const uint8_t *span_id, const struct nd_call *calls, size_t depth)
{
	union nd_recorded_event recorded = {.named = {.event = sample->event}};
	int ret = add_calls(r, calls, depth, &recorded.named.call);

	recorded.named.syscall = sample->syscall;
	if (span_id)
		memcpy(recorded.named.span_id, span_id, ND_SPAN_ID_SIZE);
	return ret ? ret : append(&r->events, &recorded);
}

int nd_recorder_add_counters(struct nd_recorder *r, uint32_t index,
			     const struct nd_channel_slot *slot, bool is_baseline)
{
	struct nd_recorded_counters counters = {
		.slot = *slot, .index = index, .is_baseline = is_baseline};

	return append(&r->counters, &counters);
}

void nd_recorder_set_loss(struct nd_recorder *r, enum nd_loss loss, uint64_t count)
{
	r->losses[loss] = count;
}

void nd_recorder_set_agent_losses(struct nd_recorder *r, uint64_t events_dropped,
				  uint64_t threads_left_out)
{
	r->events_dropped = events_dropped;
	r->threads_left_out = threads_left_out;
}

bool nd_recorder_is_due(const struct nd_recorder *r, uint64_t now_ns)
{
	size_t bytes = r->samples.count * SAMPLE_BYTES + r->events.count * EVENT_BYTES +
		       r->spans.len + (size_t)(r->calls.count - r->done.calls) * CALL_BYTES;

	return now_ns - r->span_ns >= FLUSH_NS || bytes >= FLUSH_BYTES;
}

bool nd_recorder_is_full(const struct nd_recorder *r)
{
	return r->size + r->output.len > ND_RECORDING_MAX - END_BYTES ||
	       r->index.count > ND_RECORDING_PARTS_MAX - END_PARTS;
}

/* Frames for one part: as many as its ceilings allow. */
static int take_frames(struct nd_recorder *r, const struct nd_frame *frames, uint32_t count,
		       struct list *rows)
{
	struct nd_name_frame row;
	size_t bytes = 0;
	int ret = 0;

	if (count > ND_RECORDING_FRAMES_MAX)
		return -E2BIG;
	for (; r->done.frames < count && rows->count < PART_NAMES && bytes < PART_STRING_BYTES;
	     r->done.frames++) {
		const struct nd_frame *frame = &frames[r->done.frames];

		row = (struct nd_name_frame){
			.line = frame->line, .column = frame->column, .kind = frame->kind};
		ret = intern(r, frame->name, &row.name);
		if (!ret)
			ret = intern(r, frame->file, &row.file);
		if (!ret)
			ret = append(rows, &row);
		if (ret)
			break;
		bytes += strlen(frame->name) + strlen(frame->file);
	}
	return ret;
}

static int take_strings(struct nd_recorder *r, struct list *rows)
{
	uint32_t count = nd_intern_count(r->strings);
	const char *str;
	int ret = 0;

	for (; r->done.strings < count && !ret; r->done.strings++) {
		str = nd_intern_get(r->strings, r->done.strings);
		ret = append(rows, &str);
	}
	return ret;
}

static int take_threads(struct nd_recorder *r, struct list *rows)
{
	const struct thread_key *keys = (const void *)r->threads.records;
	const uint32_t *names = r->thread_names.items;
	struct nd_name_thread row;
	int ret = 0;

	for (; r->done.threads < r->threads.count && rows->count < PART_NAMES && !ret;
	     r->done.threads++) {
		row = (struct nd_name_thread){.pid = keys[r->done.threads].pid,
					      .tid = keys[r->done.threads].tid,
					      .name = names[r->done.threads]};
		ret = append(rows, &row);
	}
	return ret;
}

/* One part of names: functions first, then what is made of them. */
static int add_names(struct nd_recorder *r, const struct nd_frame *frames, uint32_t frame_count)
{
	struct list frame_rows = {.size = sizeof(struct nd_name_frame)};
	struct list thread_rows = {.size = sizeof(struct nd_name_thread)};
	struct list string_rows = {.size = sizeof(char *)};
	struct nd_names names = {.first_string = r->done.strings,
				 .first_frame = r->done.frames,
				 .first_call = r->done.calls + 1,
				 .first_thread = r->done.threads};
	int ret = take_frames(r, frames, frame_count, &frame_rows);

	if (!ret)
		ret = take_threads(r, &thread_rows);
	if (!ret)
		ret = take_strings(r, &string_rows);
	if (!ret && r->done.frames == frame_count) {
		names.calls =
			(const struct nd_name_call *)(const void *)r->calls.records + r->done.calls;
		names.call_count = r->calls.count - r->done.calls;
		if (names.call_count > PART_NAMES)
			names.call_count = PART_NAMES;
		r->done.calls += (uint32_t)names.call_count;
	}
	names.frames = frame_rows.items;
	names.frame_count = frame_rows.count;
	names.threads = thread_rows.items;
	names.thread_count = thread_rows.count;
	names.strings = string_rows.items;
	names.string_count = string_rows.count;
	if (!ret)
		ret = nd_codec_encode_names(&names, &r->payload);
	ret = add_part(r, ret, ND_PART_NAMES, 0, 0);
	free(frame_rows.items);
	free(thread_rows.items);
	free(string_rows.items);
	return ret;
}

static bool has_new_names(const struct nd_recorder *r, uint32_t frame_count)
{
	return r->done.frames < frame_count || r->done.calls < r->calls.count ||
	       r->done.threads < r->threads.count;
}

static size_t at_most(size_t count, size_t max)
{
	return count < max ? count : max;
}

/*
 * One part of events, from `*from` on; moves that on. Counters come last, when all that led to them
 * is there.
 */
static int add_events(struct nd_recorder *r, const struct nd_events *events, struct nd_events *from)
{
	struct nd_events part = *events;
	int ret;

	part.sample_count = at_most(events->sample_count - from->sample_count, PART_SAMPLES);
	part.event_count = at_most(events->event_count - from->event_count, PART_EVENTS);
	part.samples += from->sample_count;
	part.events += from->event_count;
	from->sample_count += part.sample_count;
	from->event_count += part.event_count;
	part.counters_count = 0;
	if (from->sample_count == events->sample_count &&
	    from->event_count == events->event_count) {
		part.counters += from->counters_count;
		part.counters_count =
			at_most(events->counters_count - from->counters_count, PART_COUNTERS);
		from->counters_count += part.counters_count;
	}
	ret = nd_codec_encode_events(&part, &r->payload);
	return add_part(r, ret, ND_PART_EVENTS, r->span_ns, events->time_ns);
}

static int add_span(struct nd_recorder *r, uint64_t time_ns, uint64_t unix_ns)
{
	struct nd_recorded_loss losses[ND_LOSS_COUNT];
	struct nd_events events = {
		.time_ns = time_ns,
		.unix_ns = unix_ns,
		.events_dropped = r->events_dropped,
		.threads_left_out = r->threads_left_out,
		.losses = losses,
		.samples = r->samples.items,
		.events = r->events.items,
		.counters = r->counters.items,
		.sample_count = r->samples.count,
		.event_count = r->events.count,
		.counters_count = r->counters.count,
	};
	struct nd_events from = {0};
	uint32_t loss;
	int ret;

	for (loss = 1; loss < ND_LOSS_COUNT; loss++)
		if (r->losses[loss])
			losses[events.loss_count++] =
				(struct nd_recorded_loss){.loss = loss, .count = r->losses[loss]};
	do {
		ret = add_events(r, &events, &from);
	} while (!ret && (from.sample_count < events.sample_count ||
			  from.event_count < events.event_count ||
			  from.counters_count < events.counters_count));
	return ret;
}

int nd_recorder_flush(struct nd_recorder *r, uint64_t time_ns, uint64_t unix_ns,
		      const struct nd_frame *frames, uint32_t frame_count)
{
	int ret = 0;

	while (!ret && has_new_names(r, frame_count))
		ret = add_names(r, frames, frame_count);
	place_spans(r);
	if (!ret)
		ret = add_span(r, time_ns, unix_ns);
	if (!ret)
		r->samples_made += r->samples.count;
	r->samples.count = r->events.count = r->counters.count = 0;
	nd_buf_reset(&r->spans);
	r->span_ns = time_ns;
	return ret;
}

int nd_recorder_finish(struct nd_recorder *r, enum nd_end_cause cause, uint64_t time_ns)
{
	struct nd_recording_end end = {
		.cause = cause, .time_ns = time_ns, .samples = r->samples_made};
	uint64_t index_start;
	struct nd_index index;
	int ret;

	ret = nd_codec_encode_end(&end, &r->payload);
	ret = add_part(r, ret, ND_PART_END, time_ns, time_ns);
	if (ret)
		return ret;
	index = (struct nd_index){.entries = r->index.items, .count = r->index.count};
	index_start = r->size + r->output.len;
	ret = nd_codec_encode_index(&index, &r->payload);
	ret = add_part(r, ret, ND_PART_INDEX, 0, 0);
	return ret ? ret : nd_frame_add_foot(&r->output, index_start);
}

const struct nd_buf *nd_recorder_get_output(const struct nd_recorder *r)
{
	return &r->output;
}

void nd_recorder_take_output(struct nd_recorder *r)
{
	r->size += r->output.len;
	r->samples_written = r->samples_made;
	r->parts_written = r->index.count;
	nd_buf_reset(&r->output);
}

void nd_recorder_drop_output(struct nd_recorder *r)
{
	r->samples_made = r->samples_written;
	r->index.count = r->parts_written;
	nd_buf_reset(&r->output);
}

uint64_t nd_recorder_get_size(const struct nd_recorder *r)
{
	return r->size;
}

uint64_t nd_recorder_get_samples(const struct nd_recorder *r)
{
	return r->samples_written;
}
