/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an observed process writes for a reader is taken for an answer: the memory of an agent, its
 * rings, events of any kind and size, and counters that never were.
 *
 * The first byte chooses what the others are: the memory as it is, or a thread's slot and events
 * (two bytes of length, then content) for a memory that is sound.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/lag/lag.h"
#include "analyzer/profile/profile.h"
#include "analyzer/render/render.h"
#include "analyzer/trace/trace.h"
#include "cli/channel.h"
#include "common/buf.h"
#include "proto/channel_view.h"
#include "proto/limits.h"
#include "proto/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOTS	  2
#define RING_SIZE 4096u
#define HEAD_SIZE ((sizeof(struct nd_channel_head) + 7) & ~(size_t)7)
#define SLOT_SIZE (sizeof(struct nd_channel_slot) + RING_SIZE)
#define MEMORY	  (HEAD_SIZE + SLOTS * SLOT_SIZE)

/* Longer ones only take longer. */
#define CALLS_MAX  16
#define OUTPUT_MAX (1u << 20)

struct reader {
	struct nd_profile *frames;
	struct nd_lag *lag;
	struct nd_trace *trace;
	struct nd_sample_stack *sample;
	uint32_t frame[ND_FRAME_KIND_COUNT];
};

static void add_frames(struct reader *r)
{
	struct nd_frame frame = {.name = "f", .file = "f.js", .line = 1};

	for (frame.kind = 0; frame.kind < ND_FRAME_KIND_COUNT; frame.kind++)
		if (nd_profile_add_frame(r->frames, &frame, &r->frame[frame.kind]))
			abort();
}

/* The bytes of its stack stand for the kinds of functions in it. */
static int add_stack(struct reader *r, const struct nd_event *event, size_t size)
{
	struct nd_call calls[CALLS_MAX] = {0};
	size_t depth = 0;

	if (channel_to_sample(event, size, 1, r->sample))
		return 0;
	for (; depth < r->sample->size && depth < CALLS_MAX; depth++)
		calls[depth].frame = r->frame[r->sample->stack[depth] % ND_FRAME_KIND_COUNT];
	return nd_lag_add_stack(r->lag, event, r->sample->span_id, calls, depth);
}

static int handle(void *arg, const struct nd_event *event, size_t size)
{
	struct reader *r = arg;

	if (nd_trace_add_event(r->trace, event, size))
		abort();
	return event->kind == ND_EVENT_SAMPLE ? add_stack(r, event, size)
					      : nd_lag_add_event(r->lag, event, size);
}

static void show_requests(struct reader *r, struct nd_buf *out)
{
	const struct nd_trace_options options = {.max = 64};
	struct nd_trace_answer answer;

	if (nd_trace_make_answer(r->trace, &options, 1u << 30, &answer))
		abort();
	nd_buf_reset(out);
	nd_render_trace(&answer, r->frames, true, out);
	nd_buf_reset(out);
	nd_render_trace_json(&answer, r->frames, out);
	nd_trace_free_answer(&answer);
}

static void show(struct reader *r)
{
	struct nd_buf out;

	nd_buf_init(&out, OUTPUT_MAX);
	if (nd_render_lag(r->lag, r->frames, 1, true, &out))
		abort();
	nd_buf_reset(&out);
	if (nd_render_lag_json(r->lag, r->frames, 1, &out))
		abort();
	show_requests(r, &out);
	nd_buf_fini(&out);
}

static void observe(struct reader *r, const struct nd_channel_view *view)
{
	void *record = malloc(view->head.ring_size / 2);
	struct nd_channel_slot slot;
	uint32_t i;
	int ret;

	for (i = 0; record && i < view->head.slots; i++) {
		ret = nd_channel_view_read(view, i, record, handle, r);
		if (ret && ret != -EBADMSG)
			abort();
		slot = *nd_channel_view_slot(view, i);
		if (slot.state != ND_SLOT_FREE &&
		    nd_lag_set_counters(r->lag, &(struct nd_channel_slot){0}, &slot, 1, 1u << 30))
			abort();
		nd_lag_settle(r->lag);
	}
	nd_lag_finish(r->lag, 1u << 30);
	show(r);
	free(record);
}

static void make_head(struct nd_channel_head *head)
{
	*head = (struct nd_channel_head){.magic = ND_CHANNEL_MAGIC,
					 .version = ND_CHANNEL_VERSION,
					 .head_size = HEAD_SIZE,
					 .slot_size = SLOT_SIZE,
					 .slots = SLOTS,
					 .ring_offset = sizeof(struct nd_channel_slot),
					 .ring_size = RING_SIZE};
}

/* As an agent would, as many as there is room for. */
static void write_events(struct nd_ring *ring, const uint8_t *data, size_t size)
{
	uint16_t len;
	void *event;

	while (size > sizeof(len)) {
		memcpy(&len, data, sizeof(len));
		data += sizeof(len);
		size -= sizeof(len);
		len = len < size ? len : (uint16_t)size;
		event = nd_ring_reserve(ring, len);
		if (event) {
			memcpy(event, data, len);
			nd_ring_commit(ring, event, len);
		}
		data += len;
		size -= len;
	}
}

static void fill(uint8_t *memory, const uint8_t *data, size_t size)
{
	struct nd_channel_view view;
	struct nd_channel_slot *slot;
	struct nd_ring ring;
	size_t part = size < sizeof(*slot) ? size : sizeof(*slot);

	make_head((void *)memory);
	if (nd_channel_view_init(&view, memory, MEMORY))
		abort();
	slot = nd_channel_view_slot(&view, 1);
	memcpy(slot, data, part);
	memset(&slot->ring, 0, sizeof(slot->ring));
	nd_channel_view_ring(&view, 1, &ring);
	write_events(&ring, data + part, size - part);
}

/* Just as large as it is, so that a sanitizer sees the first byte too many. */
static uint8_t *make_memory(const uint8_t *data, size_t size, size_t *ret_size)
{
	bool is_raw = data[0] & 1;
	uint8_t *memory;

	*ret_size = is_raw ? size - 1 : MEMORY;
	memory = calloc(1, *ret_size ? *ret_size : 1);
	if (memory && is_raw)
		memcpy(memory, data + 1, size - 1);
	else if (memory)
		fill(memory, data + 1, size - 1);
	return memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = {.frames = nd_profile_new(false)};
	struct nd_channel_view view;
	uint8_t *memory = NULL;
	size_t memory_size = 0;

	reader.lag = reader.frames ? nd_lag_new(reader.frames) : NULL;
	reader.trace = nd_trace_new();
	reader.sample = malloc(sizeof(*reader.sample) + ND_SAMPLE_COPY_MAX);
	if (size)
		memory = make_memory(data, size, &memory_size);
	if (memory && reader.lag && reader.trace && reader.sample) {
		nd_lag_set_listener(reader.lag, nd_trace_add_stall, reader.trace);
		add_frames(&reader);
		if (!nd_channel_view_init(&view, memory, memory_size))
			observe(&reader, &view);
	}
	free(memory);
	free(reader.sample);
	nd_trace_free(reader.trace);
	nd_lag_free(reader.lag);
	nd_profile_free(reader.frames);
	return 0;
}
