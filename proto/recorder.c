/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/list.h"
#include "proto/limits.h"
#include "proto/tables.h"

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
#define PART_SAMPLES  (128u << 10)
#define PART_EVENTS   (8u << 10)
#define PART_COUNTERS 1024

/* Room that the last parts and the index may need. */
#define END_BYTES (32u << 20)
#define END_PARTS 1024

struct nd_recorder {
	struct nd_packer *packer;
	struct nd_tables names;
	struct nd_list samples;
	struct nd_list events;
	struct nd_list counters;
	struct nd_buf spans; /* what those among the events have behind them */
	struct nd_list index;
	uint64_t losses[ND_LOSS_COUNT];
	uint64_t events_dropped;
	uint64_t threads_left_out;
	uint64_t span_ns;      /* where the current span begins */
	struct nd_buf payload; /* of a part, before packing */
	struct nd_buf output;
	uint64_t size; /* of the file */
	uint64_t samples_made;
	uint64_t samples_written;
	size_t parts_written;
};

struct nd_recorder *nd_recorder_new(void)
{
	struct nd_recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->samples.size = sizeof(struct nd_recorded_sample);
	r->events.size = sizeof(union nd_recorded_event);
	r->counters.size = sizeof(struct nd_recorded_counters);
	r->index.size = sizeof(struct nd_index_entry);
	nd_buf_init(&r->spans, SPANS_MAX);
	nd_buf_init(&r->payload, ND_PART_UNPACKED_MAX);
	nd_buf_init(&r->output, ND_RECORDING_MAX);
	r->packer = nd_packer_new();
	if (!nd_tables_init(&r->names) && r->packer && !nd_frame_add_head(&r->output))
		return r;
	nd_recorder_free(r);
	return NULL;
}

void nd_recorder_free(struct nd_recorder *r)
{
	if (!r)
		return;
	nd_packer_free(r->packer);
	nd_tables_fini(&r->names);
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
		ret = nd_list_add(&r->index, &entry);
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

bool nd_recorder_has_thread(const struct nd_recorder *r, uint32_t pid, uint32_t tid)
{
	uint32_t id;

	return nd_tables_find_thread(&r->names, pid, tid, &id);
}

int nd_recorder_add_thread(struct nd_recorder *r, uint32_t pid, uint32_t tid, const char *name)
{
	return nd_tables_add_thread(&r->names, pid, tid, name);
}

int nd_recorder_add_sample(struct nd_recorder *r, const struct nd_stack *stack)
{
	struct nd_recorded_sample sample = {.time_ns = stack->time_ns, .weight_ns = stack->weight};
	int ret = nd_tables_add_thread(&r->names, stack->pid, stack->tid, "");

	if (ret)
		return ret;
	nd_tables_find_thread(&r->names, stack->pid, stack->tid, &sample.thread);
	memcpy(sample.span_id, stack->span_id, ND_SPAN_ID_SIZE);
	ret = nd_tables_add_calls(&r->names, stack->calls, stack->depth, &sample.call);
	return ret ? ret : nd_list_add(&r->samples, &sample);
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
	return nd_list_add(&r->events, &recorded);
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
	return nd_list_add(&r->events, &recorded);
}

int nd_recorder_add_named(struct nd_recorder *r, const struct nd_event_sample *sample,
			  const uint8_t *span_id, const struct nd_call *calls, size_t depth)
{
	union nd_recorded_event recorded = {.named = {.event = sample->event}};
	int ret = nd_tables_add_calls(&r->names, calls, depth, &recorded.named.call);

	recorded.named.syscall = sample->syscall;
	if (span_id)
		memcpy(recorded.named.span_id, span_id, ND_SPAN_ID_SIZE);
	return ret ? ret : nd_list_add(&r->events, &recorded);
}

int nd_recorder_add_counters(struct nd_recorder *r, uint32_t index,
			     const struct nd_channel_slot *slot, bool is_baseline)
{
	struct nd_recorded_counters counters = {
		.slot = *slot, .index = index, .is_baseline = is_baseline};

	return nd_list_add(&r->counters, &counters);
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
		       r->spans.len + (size_t)nd_tables_count_new_calls(&r->names) * CALL_BYTES;

	return now_ns - r->span_ns >= FLUSH_NS || bytes >= FLUSH_BYTES;
}

bool nd_recorder_is_full(const struct nd_recorder *r)
{
	return r->size + r->output.len > ND_RECORDING_MAX - END_BYTES ||
	       r->index.count > ND_RECORDING_PARTS_MAX - END_PARTS;
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

	while (!ret && nd_tables_have_new(&r->names, frame_count)) {
		ret = nd_tables_encode(&r->names, frames, frame_count, &r->payload);
		ret = add_part(r, ret, ND_PART_NAMES, 0, 0);
	}
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
