/* SPDX-License-Identifier: Apache-2.0 */

/* Recordings as they are written, and as they are found: cut, damaged, of another version. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"
#include "proto/recording.h"
#include "tests/known_recording.h"

/* What came out of a recording. */
struct seen {
	size_t headers;
	size_t samples;
	size_t events;
	size_t counters;
	size_t moments;
	size_t ends;
	size_t lost; /* samples with a lost call or function in their stack */
	uint64_t weight_ns;
	struct nd_recording_state state;
};

static struct nd_buf known; /* the recording, whole */

static int setup(void **state)
{
	nd_buf_init(&known, ND_RECORDING_MAX);
	return known_record(&known);
}

static int teardown(void **state)
{
	nd_buf_fini(&known);
	return 0;
}

static bool is_lost(const struct nd_recording *recording, uint32_t call)
{
	struct nd_call calls[16];
	struct nd_frame frame;
	size_t depth = nd_recording_get_stack(recording, call, calls, 16), i;

	for (i = 0; i < depth; i++) {
		nd_recording_get_frame(recording, calls[i].frame, &frame);
		if (!strcmp(frame.name, "[lost]") || !strcmp(frame.file, "[lost]"))
			return true;
	}
	return false;
}

static void count(const struct nd_recording *recording, const struct nd_item *item,
		  struct seen *seen)
{
	switch (item->kind) {
	case ND_ITEM_HEADER:
		seen->headers++;
		break;
	case ND_ITEM_MOMENT:
		seen->moments++;
		break;
	case ND_ITEM_COUNTERS:
		seen->counters++;
		break;
	case ND_ITEM_SAMPLE:
		seen->samples++;
		seen->weight_ns += item->sample->weight_ns;
		seen->lost += is_lost(recording, item->sample->call);
		break;
	case ND_ITEM_EVENT:
		seen->events++;
		break;
	case ND_ITEM_END:
		seen->ends++;
		break;
	}
}

/* Read all; the recording must open. */
static struct seen read_all(const void *data, size_t len)
{
	struct nd_recording *recording;
	struct seen seen = {0};
	struct nd_item item;
	struct nd_err err;
	int ret;

	if (nd_recording_open(data, len, &recording, &err))
		fail_msg("%s", err.what);
	while ((ret = nd_recording_next(recording, &item)) > 0)
		count(recording, &item, &seen);
	assert_int_equal(ret, 0);
	nd_recording_get_state(recording, &seen.state);
	nd_recording_close(recording);
	return seen;
}

/* The part of a kind that is the n-th of them, from 0. */
static struct nd_part find_part(const struct nd_buf *file, uint32_t kind, size_t n)
{
	struct nd_part part = {.end = ND_FILE_HEAD_SIZE};

	do {
		assert_true(nd_frame_find_part(file->data, file->len, part.end, &part));
	} while (part.kind != kind || n-- > 0);
	return part;
}

/* The recording with `len` bytes from `start` on replaced. */
static void splice(uint64_t start, uint64_t len, const struct nd_buf *with, struct nd_buf *out)
{
	nd_buf_init(out, ND_RECORDING_MAX);
	nd_buf_add(out, known.data, start);
	if (with)
		nd_buf_add(out, with->data, with->len);
	nd_buf_add(out, known.data + start + len, known.len - start - len);
	assert_int_equal(nd_buf_error(out), 0);
}

/* A part with such content. */
static void make_part(uint32_t kind, const void *data, size_t len, struct nd_buf *out)
{
	struct nd_packer *packer = nd_packer_new();

	nd_buf_init(out, ND_RECORDING_MAX);
	assert_int_equal(nd_frame_add_part(packer, kind, data, len, out), 0);
	nd_packer_free(packer);
}

static void test_all_of_it_comes_back(void **state)
{
	struct seen seen = read_all(known.data, known.len);

	assert_int_equal(seen.headers, 1);
	assert_int_equal(seen.samples, 100);
	assert_true(seen.weight_ns == KNOWN_TOTAL);
	assert_int_equal(seen.events, 4 + 5 + 9 + 3);
	assert_int_equal(seen.counters, 1 + KNOWN_SPANS + KNOWN_SPANS - 6);
	assert_int_equal(seen.moments, 1 + KNOWN_SPANS);
	assert_int_equal(seen.ends, 1);
	assert_int_equal(seen.lost, 0);
	assert_true(seen.state.has_end);
	assert_int_equal(seen.state.cause, ND_END_INTERRUPT);
	assert_int_equal(seen.state.damaged, 0);
	assert_int_equal(seen.state.unknown, 0);
	assert_int_equal(seen.state.samples_lost, 0);
	assert_true(seen.state.last_ns == KNOWN_END_NS);
}

static void check_header(const struct nd_recording_header *header)
{
	assert_string_equal(header->nodiag_version, "0.1.0");
	assert_string_equal(header->title, "server.mjs (pid 4242)");
	assert_string_equal(header->command, "node server.mjs");
	assert_string_equal(header->runtime, "Node.js v22.23.3, V8 12.4.254");
	assert_string_equal(header->sampler, "eBPF");
	assert_string_equal(header->sampler_why, "");
	assert_string_equal(header->limits, "");
	assert_string_equal(header->unnamed, "");
	assert_true(header->start_ns == KNOWN_START_NS);
	assert_true(header->start_unix_ns == KNOWN_UNIX_NS);
	assert_true(header->period_ns == KNOWN_PERIOD);
	assert_true(header->threshold_ns == KNOWN_THRESHOLD);
	assert_int_equal(header->pid, 4242);
	assert_int_equal(header->agent_reason, 0);
	assert_true(header->has_agent);
	assert_int_equal(header->agent_features, 7);
	assert_string_equal(header->loops, "the agent");
	assert_int_equal(header->loops_known, 7);
}

static void check_sample(const struct nd_recording *recording,
			 const struct nd_recorded_sample *sample, size_t index)
{
	uint32_t pid, tid;
	const char *name;

	assert_true(sample->time_ns == KNOWN_START_NS + (index + 1) * (KNOWN_SPAN_NS / 10));
	assert_true(sample->weight_ns == KNOWN_PERIOD);
	nd_recording_get_thread(recording, sample->thread, &pid, &tid, &name);
	assert_int_equal(pid, 4242);
	assert_int_equal(tid, index < 91 ? 4242 : 4243);
	assert_string_equal(name, index < 91 ? "node" : "worker");
}

static void check_stack(const struct nd_recording *recording, uint32_t call,
			const struct known_stack *want)
{
	const struct nd_frame *frame;
	struct nd_call calls[16];
	struct nd_frame got;
	size_t i;

	assert_int_equal(nd_recording_get_stack(recording, call, calls, 16), want->depth);
	for (i = 0; i < want->depth; i++) {
		frame = &known_frames[want->calls[i].frame];
		nd_recording_get_frame(recording, calls[i].frame, &got);
		assert_string_equal(got.name, frame->name);
		assert_string_equal(got.file, frame->file);
		assert_int_equal(got.line, frame->line);
		assert_int_equal(got.column, frame->column);
		assert_int_equal(got.kind, frame->kind);
		assert_int_equal(calls[i].line, want->calls[i].line);
		assert_int_equal(calls[i].tier, want->calls[i].tier);
		assert_int_equal(calls[i].inlined, want->calls[i].inlined);
	}
}

static void test_samples_have_their_stacks_and_threads(void **state)
{
	struct nd_recording *recording;
	size_t samples = 0, stack = 0, of_stack = 0;
	struct nd_item item;

	assert_int_equal(nd_recording_open(known.data, known.len, &recording, NULL), 0);
	while (nd_recording_next(recording, &item) > 0) {
		if (item.kind == ND_ITEM_HEADER)
			check_header(item.header);
		if (item.kind != ND_ITEM_SAMPLE)
			continue;
		check_sample(recording, item.sample, samples++);
		check_stack(recording, item.sample->call, &known_stacks[stack]);
		if (++of_stack == known_stacks[stack].samples) {
			of_stack = 0;
			stack++;
		}
	}
	assert_int_equal(samples, 100);
	nd_recording_close(recording);
}

static void check_resource(const union nd_recorded_event *event)
{
	assert_int_equal(event->event.tid, 4243);
	if (event->event.kind == ND_EVENT_MEMORY) {
		assert_int_equal(event->memory.external_bytes, 3u << 20);
		assert_int_equal(event->memory.array_buffers_bytes, 2u << 20);
	} else if (event->event.kind == ND_EVENT_SPACE) {
		assert_string_equal(event->space.name, "old_space");
		assert_int_equal(event->space.size_bytes, 5u << 20);
		assert_int_equal(event->space.used_bytes, 4u << 20);
		assert_int_equal(event->space.available_bytes, 1u << 20);
		assert_int_equal(event->space.physical_bytes, (5u << 20) - 4096);
	} else if (event->event.kind == ND_EVENT_ASYNC) {
		assert_int_equal(event->async.reason, ND_ASYNC_OK);
		assert_true(event->async.since_ns == KNOWN_START_NS);
		assert_int_equal(event->async.resources_lost, 1);
		assert_int_equal(event->async.sites_lost, 2);
		assert_int_equal(event->async.types_lost, 3);
	} else if (event->event.kind == ND_EVENT_ASYNC_TYPE) {
		assert_string_equal(event->async_type.name, "Timeout");
		assert_int_equal(event->async_type.created, 4);
		assert_int_equal(event->async_type.alive, 3);
		assert_int_equal(event->async_type.ended, 1);
		assert_int_equal(event->async_type.looks, 4);
		assert_int_equal(event->async_type.total_us, 1500);
		assert_int_equal(event->async_type.lifetime[20], 1);
		assert_int_equal(event->async_type.lifetime[21], 0);
	} else {
		assert_string_equal(event->async_site.type, "Timeout");
		assert_string_equal(event->async_site.function, "leak");
		assert_string_equal(event->async_site.file, "/app/server.mjs");
		assert_int_equal(event->async_site.line, 12);
		assert_int_equal(event->async_site.column, 3);
		assert_int_equal(event->async_site.alive, 2);
		assert_int_equal(event->async_site.max_us, 1500);
	}
}

/* The beginning and the end of a request, and what it asked for. */
static void check_span(const struct nd_event_span *span, int index)
{
	uint64_t from_ns = KNOWN_START_NS + 7 * KNOWN_SPAN_NS;
	static const uint64_t ends_ns[] = {0, 90000000, 50000000};
	bool is_client = index == 2;

	assert_true(nd_span_is_sound(&span->event, nd_span_get_size(span)));
	assert_int_equal(span->event.tid, 4242);
	assert_true(span->start_ns == from_ns + (is_client ? 10000000 : 0));
	assert_true(span->event.time_ns == from_ns + ends_ns[index]);
	assert_true(span->turn_ns == from_ns - 5000);
	assert_int_equal(span->kind, is_client ? ND_SPAN_CLIENT : ND_SPAN_SERVER);
	assert_int_equal(span->flags, is_client ? ND_SPAN_TLS | ND_SPAN_ABORTED : 0);
	assert_int_equal(span->status, index == 1 ? 200 : 0);
	assert_int_equal(span->port, 8080);
	assert_int_equal(span->http_version, 11);
	assert_memory_equal(span->trace_id, ((uint8_t[16]){1, 2, 3}), 16);
	assert_memory_equal(span->span_id, ((uint8_t[8]){4, 5, 6, [7] = is_client ? 9 : 0}), 8);
	assert_int_equal(span->parent_id[0], is_client ? 4 : 7);
	assert_string_equal(nd_span_get_text(span, ND_SPAN_METHOD), is_client ? "POST" : "GET");
	assert_string_equal(nd_span_get_text(span, ND_SPAN_ROUTE), is_client ? "" : "/users/:id");
	assert_string_equal(nd_span_get_text(span, ND_SPAN_PATH),
			    is_client ? "/items" : "/users/7");
	assert_string_equal(nd_span_get_text(span, ND_SPAN_ERROR), is_client ? "ECONNRESET" : "");
}

static void check_event(const struct nd_recording *recording, const union nd_recorded_event *event,
			size_t index)
{
	static const uint32_t kinds[] = {
		ND_EVENT_GC,	     ND_EVENT_THREAD_START, ND_EVENT_GC,
		ND_EVENT_GC,	     ND_EVENT_FORGET,	    ND_EVENT_SAMPLE,
		ND_EVENT_SAMPLE,     ND_EVENT_SAMPLE,	    ND_EVENT_STALL,
		ND_EVENT_BLOCKED,    ND_EVENT_STALL,	    ND_EVENT_HANDLES,
		ND_EVENT_MEMORY,     ND_EVENT_SPACE,	    ND_EVENT_ASYNC,
		ND_EVENT_ASYNC_TYPE, ND_EVENT_ASYNC_SITE,   ND_EVENT_THREAD_END,
		ND_EVENT_SPAN_START, ND_EVENT_SPAN,	    ND_EVENT_SPAN,
	};

	assert_int_equal(event->event.kind, kinds[index]);
	if (index == 1 || index == 17) {
		assert_int_equal(event->event.tid, 4243);
		assert_int_equal(event->thread.thread_kind, ND_THREAD_WORKER);
	} else if (index == 3) {
		assert_int_equal(event->event.tid, 4242);
		assert_true(event->gc.start_ns == event->event.time_ns - 20000000);
		assert_int_equal(event->gc.type, ND_GC_MARK_COMPACT);
		assert_int_equal(event->gc.used_before_bytes, 30u << 20);
		assert_int_equal(event->gc.used_after_bytes, 20u << 20);
	} else if (index == 4) {
		assert_int_equal(event->event.tid, 4242);
		assert_true(event->event.time_ns == KNOWN_STALL_END - KNOWN_STALL_NS);
	} else if (index == 5) {
		assert_int_equal(event->named.syscall, -1);
		check_stack(recording, event->named.call, &known_stacks[0]);
	} else if (index == 8) {
		assert_true(event->event.time_ns == KNOWN_STALL_END);
		assert_true(event->stall.start_ns == KNOWN_STALL_END - KNOWN_STALL_NS);
		assert_true(event->stall.since_ns == event->stall.start_ns);
		assert_true(event->stall.cpu_ns == KNOWN_STALL_NS);
		assert_int_equal(event->stall.run_delay_ns, 0);
		assert_int_equal(event->stall.phase_ns[ND_PHASE_TIMERS], 0);
		assert_true(event->stall.phase_ns[ND_PHASE_POLL] == KNOWN_STALL_NS);
	} else if (index == 9) {
		assert_true(event->blocked.start_ns == KNOWN_BLOCKED_END - KNOWN_BLOCKED_NS);
		assert_int_equal(event->blocked.syscall, 0);
		assert_int_equal(event->event.tid, 4243);
	} else if (index == 11) {
		assert_int_equal(event->handles.active[3], 1);
		assert_int_equal(event->handles.total[3], 2);
		assert_int_equal(event->handles.total[ND_HANDLE_TYPES - 1], 9);
		assert_int_equal(event->handles.requests, 4);
	} else if (index >= 18) {
		check_span(event->spanned.span, (int)index - 18);
	} else if (index > 11) {
		check_resource(event);
	}
}

static void check_slots(const struct nd_channel_slot *got, const struct nd_channel_slot *want)
{
	assert_true(got->start_ns == want->start_ns);
	assert_int_equal(got->generation, want->generation);
	assert_int_equal(got->tid, want->tid);
	assert_int_equal(got->kind, want->kind);
	assert_int_equal(got->state, want->state);
	assert_memory_equal(&got->loop, &want->loop, sizeof(got->loop));
	assert_memory_equal(&got->gc, &want->gc, sizeof(got->gc));
}

static void check_counters(const struct nd_recorded_counters *counters, int span)
{
	struct nd_channel_slot want;

	assert_int_equal(counters->is_baseline, span < 0);
	if (counters->index == 2) {
		known_worker_slot(&want);
	} else {
		assert_int_equal(counters->index, 1);
		known_main_slot(span, &want);
	}
	check_slots(&counters->slot, &want);
}

static void check_moment(const struct nd_events *moment, int span)
{
	uint64_t passed_ns = (uint64_t)(span + 1) * KNOWN_SPAN_NS;

	assert_true(moment->time_ns == KNOWN_START_NS + passed_ns);
	assert_true(moment->unix_ns == KNOWN_UNIX_NS + passed_ns);
	assert_int_equal(moment->events_dropped, 5);
	assert_int_equal(moment->threads_left_out, 1);
	assert_int_equal(moment->loss_count, 2);
	assert_int_equal(moment->losses[0].loss, ND_LOSS_RING_FULL);
	assert_int_equal(moment->losses[0].count, 12);
	assert_int_equal(moment->losses[1].loss, ND_LOSS_JS_STALE);
	assert_int_equal(moment->losses[1].count, 3);
}

static void test_the_agent_is_all_there(void **state)
{
	struct nd_recording *recording;
	struct nd_item item;
	size_t events = 0;
	int span = -2;

	assert_int_equal(nd_recording_open(known.data, known.len, &recording, NULL), 0);
	while (nd_recording_next(recording, &item) > 0) {
		if (item.kind == ND_ITEM_MOMENT)
			check_moment(item.moment, ++span);
		else if (item.kind == ND_ITEM_COUNTERS)
			check_counters(item.counters, span);
		else if (item.kind == ND_ITEM_EVENT)
			check_event(recording, item.event, events++);
		else if (item.kind == ND_ITEM_END)
			assert_int_equal(item.end->cause, ND_END_INTERRUPT);
	}
	assert_int_equal(events, 21);
	nd_recording_close(recording);
}

static void test_cut_anywhere_it_is_read_to_its_last_whole_part(void **state)
{
	size_t len, start = find_part(&known, ND_PART_HEADER, 0).end;
	struct nd_recording *recording;
	struct seen seen, before = {0};
	char *copy;

	for (len = 0; len < known.len; len++) {
		/* Exactly as large, so that a sanitizer sees the first byte too many. */
		copy = malloc(len ? len : 1);
		memcpy(copy, known.data, len);
		if (len < start) {
			assert_int_equal(nd_recording_open(copy, len, &recording, NULL), -EBADMSG);
		} else {
			seen = read_all(copy, len);
			assert_false(seen.state.has_end);
			assert_int_equal(seen.state.damaged, 0);
			assert_int_equal(seen.lost, 0);
			assert_int_equal(seen.samples % 10, 0);
			assert_in_range(seen.samples, before.samples, before.samples + 10);
			before = seen;
		}
		free(copy);
	}
	assert_int_equal(before.samples, 100);
}

static void test_a_wrong_bit_is_noticed_and_costs_little(void **state)
{
	struct nd_recording *recording;
	struct seen seen;
	size_t at, unnoticed = 0;
	int ret;

	for (at = 0; at < known.len; at++) {
		known.data[at] ^= (char)(1u << at % 8);
		ret = at < ND_FILE_HEAD_SIZE
			      ? nd_recording_open(known.data, known.len, &recording, NULL)
			      : 0;
		assert_int_equal(ret, at < ND_FILE_HEAD_SIZE ? -EBADMSG : 0);
		if (!ret) {
			seen = read_all(known.data, known.len);
			/* zstd's frames have a bit that means nothing. */
			if (seen.state.damaged || !seen.state.has_end)
				assert_true(seen.state.damaged <= 1);
			else
				unnoticed++;
			assert_true(seen.state.damaged || (seen.samples == 100 && !seen.lost));
			assert_true(seen.samples >= 90);
			assert_true(!seen.state.has_end || !seen.state.samples_lost ||
				    seen.samples + seen.state.samples_lost == 100);
		}
		known.data[at] ^= (char)(1u << at % 8);
	}
	assert_true(unnoticed <= read_all(known.data, known.len).state.parts);
}

static void test_bytes_that_are_missing_in_the_middle(void **state)
{
	struct nd_part first = find_part(&known, ND_PART_EVENTS, 2);
	struct nd_part last = find_part(&known, ND_PART_EVENTS, 4);
	struct nd_buf file;
	struct seen seen;

	/* Three parts of events and what names are between. */
	splice(first.start, last.end - first.start, NULL, &file);
	seen = read_all(file.data, file.len);
	assert_int_equal(seen.samples, 70);
	/* The foot points to where the index was. */
	assert_false(seen.state.has_end);
	nd_buf_fini(&file);

	/* Overwritten with zeros, as after a power failure. */
	splice(0, 0, NULL, &file);
	memset(file.data + first.start, 0, last.end - first.start);
	seen = read_all(file.data, file.len);
	assert_true(seen.state.has_end);
	assert_true(seen.state.damaged >= 3);
	assert_int_equal(seen.state.samples_lost, 30);
	assert_int_equal(seen.samples, 70);
	nd_buf_fini(&file);
}

static void test_names_that_are_lost_are_said_to_be(void **state)
{
	struct nd_part part = find_part(&known, ND_PART_NAMES, 0);
	struct nd_buf file;
	struct seen seen;

	splice(0, 0, NULL, &file);
	file.data[part.end - 1] ^= 1;
	seen = read_all(file.data, file.len);
	assert_int_equal(seen.state.damaged, 1);
	assert_int_equal(seen.samples, 100);
	/* Functions are in the first part; one sample has no stack. */
	assert_int_equal(seen.lost, 99);
	nd_buf_fini(&file);
}

static void set_version(struct nd_buf *file, char major, char minor)
{
	static const char magic[] = "\x89NODIAG\n";
	uint32_t crc = UINT32_MAX;
	int i, bit;

	memcpy(file->data, magic, 8);
	file->data[8] = major;
	file->data[10] = minor;
	for (i = 0; i < 12; i++) {
		crc ^= (uint8_t)file->data[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	crc = ~crc;
	for (i = 0; i < 4; i++)
		file->data[12 + i] = (char)(crc >> 8 * i);
}

static void test_a_newer_major_version_is_refused(void **state)
{
	struct nd_recording *recording;
	struct nd_err err = {0};
	struct nd_buf file;

	splice(0, 0, NULL, &file);
	set_version(&file, 2, 3);
	assert_int_equal(nd_recording_open(file.data, file.len, &recording, &err), -ENOTSUP);
	assert_string_equal(err.what, "the recording has format 2.3, and this nodiag reads 1.x");
	assert_true(err.hint[0]);
	set_version(&file, 1, 9);
	assert_int_equal(read_all(file.data, file.len).samples, 100);
	nd_buf_fini(&file);
}

static void test_what_a_newer_minor_version_adds_is_skipped(void **state)
{
	/* Field 1000 of any message: a number, and bytes. */
	static const char unknown[] = "\xc0\x3e\x07\xc2\x3e\x02hi";
	struct nd_packer *packer = nd_packer_new();
	struct nd_buf file, payload, part_bytes;
	struct nd_part part;
	struct seen seen;
	size_t at;

	nd_buf_init(&file, ND_RECORDING_MAX);
	nd_buf_init(&payload, ND_PART_UNPACKED_MAX);
	nd_buf_add(&file, known.data, ND_FILE_HEAD_SIZE);
	for (at = ND_FILE_HEAD_SIZE; nd_frame_find_part(known.data, known.len, at, &part);
	     at = part.end) {
		nd_buf_reset(&payload);
		assert_int_equal(nd_frame_unpack(packer, &part, &payload), 0);
		nd_buf_add(&payload, unknown, sizeof(unknown) - 1);
		/* An event of a kind that is not known: a time, and field 99. */
		if (part.kind == ND_PART_EVENTS)
			nd_buf_add(&payload, "\x5a\x07\x10\x02\x9a\x06\x02hi", 9);
		make_part(part.kind, payload.data, payload.len, &part_bytes);
		nd_buf_add(&file, part_bytes.data, part_bytes.len);
		nd_buf_fini(&part_bytes);
		make_part(77, "from the future", 15, &part_bytes);
		nd_buf_add(&file, part_bytes.data, part_bytes.len);
		nd_buf_fini(&part_bytes);
	}
	seen = read_all(file.data, file.len);
	assert_int_equal(seen.samples, 100);
	assert_int_equal(seen.events, 21);
	assert_int_equal(seen.lost, 0);
	assert_int_equal(seen.state.damaged, 0);
	assert_true(seen.state.unknown > 10);
	nd_packer_free(packer);
	nd_buf_fini(&payload);
	nd_buf_fini(&file);
}

/* Read the recording with such a part in front; it must be found damaged, and hurt nothing else. */
static void check_refused(uint32_t kind, const void *data, size_t len)
{
	struct nd_buf part, file;
	struct seen seen;

	make_part(kind, data, len, &part);
	splice(ND_FILE_HEAD_SIZE, 0, &part, &file);
	seen = read_all(file.data, file.len);
	assert_int_equal(seen.state.damaged, 1);
	assert_int_equal(seen.samples, 100);
	assert_int_equal(seen.lost, 0);
	nd_buf_fini(&part);
	nd_buf_fini(&file);
}

static void check_names_refused(const struct nd_names *names)
{
	struct nd_buf payload;

	nd_buf_init(&payload, ND_PART_UNPACKED_MAX);
	assert_int_equal(nd_codec_encode_names(names, &payload), 0);
	check_refused(ND_PART_NAMES, payload.data, payload.len);
	nd_buf_fini(&payload);
}

static void test_names_beyond_their_ceilings_are_refused(void **state)
{
	const char *string = "x";
	const struct nd_name_frame frame = {0};
	const struct nd_name_call call = {0};
	const struct nd_name_thread thread = {0};

	check_names_refused(&(struct nd_names){
		.first_string = ND_RECORDING_STRINGS_MAX, .strings = &string, .string_count = 1});
	check_names_refused(&(struct nd_names){.strings = &string, .string_count = 1});
	check_names_refused(&(struct nd_names){
		.first_frame = ND_RECORDING_FRAMES_MAX, .frames = &frame, .frame_count = 1});
	check_names_refused(&(struct nd_names){
		.first_call = ND_RECORDING_CALLS_MAX + 1, .calls = &call, .call_count = 1});
	check_names_refused(&(struct nd_names){.calls = &call, .call_count = 1});
	check_names_refused(&(struct nd_names){
		.first_thread = ND_RECORDING_THREADS_MAX, .threads = &thread, .thread_count = 1});
	check_names_refused(
		&(struct nd_names){.first_frame = UINT32_MAX, .frames = &frame, .frame_count = 1});
}

static void test_parts_that_are_no_such_message_are_refused(void **state)
{
	struct nd_recorded_counters counters = {.index = ND_CHANNEL_SLOTS_MAX};
	struct nd_events events = {.counters = &counters, .counters_count = 1};
	struct nd_buf payload;
	size_t i;

	check_refused(ND_PART_HEADER, "\x0a\x7f", 2);
	/* Columns of different length: two functions, one line. */
	check_refused(ND_PART_NAMES, "\x22\x02\x00\x00\x32\x01\x01", 7);
	/* A call whose caller is before the first. */
	check_refused(ND_PART_NAMES, "\x48\x05\x52\x01\x00\x5a\x01\x06", 8);
	check_refused(ND_PART_EVENTS, "\x1a\x02\x00\x00\x22\x01\x01", 7);
	nd_buf_init(&payload, ND_PART_UNPACKED_MAX);
	assert_int_equal(nd_codec_encode_events(&events, &payload), 0);
	check_refused(ND_PART_EVENTS, payload.data, payload.len);
	nd_buf_reset(&payload);
	for (i = 0; i <= ND_PART_EVENTS_MAX; i++)
		nd_buf_add(&payload, "\x5a\x00", 2);
	check_refused(ND_PART_EVENTS, payload.data, payload.len);
	nd_buf_reset(&payload);
	/* More empty messages than there is memory for. */
	for (i = 0; i < ND_PART_UNPACKED_MAX / 2; i++)
		nd_buf_add(&payload, "\x62\x00", 2);
	check_refused(ND_PART_EVENTS, payload.data, payload.len);
	nd_buf_fini(&payload);
}

static void test_a_part_may_not_unpack_to_more_than_its_ceiling(void **state)
{
	struct nd_packer *packer = nd_packer_new();
	struct nd_buf out, part;
	char *large = calloc(1, ND_PART_UNPACKED_MAX + 1);

	nd_buf_init(&out, ND_RECORDING_MAX);
	assert_int_equal(
		nd_frame_add_part(packer, ND_PART_EVENTS, large, ND_PART_UNPACKED_MAX + 1, &out),
		-EFBIG);
	assert_int_equal(out.len, 0);
	/* All zeros are no message, but they are unpacked. */
	make_part(ND_PART_EVENTS, large, ND_PART_UNPACKED_MAX, &part);
	check_refused(ND_PART_EVENTS, large, ND_PART_UNPACKED_MAX);
	nd_packer_free(packer);
	nd_buf_fini(&out);
	nd_buf_fini(&part);
	free(large);
}

static void test_what_could_not_be_written_is_not_in_the_index(void **state)
{
	struct nd_recorder *recorder = nd_recorder_new();
	struct nd_buf file;
	struct seen seen;

	nd_buf_init(&file, ND_RECORDING_MAX);
	assert_int_equal(known_add_header(recorder), 0);
	assert_int_equal(known_take(recorder, &file), 0);
	assert_int_equal(known_add_samples(recorder), 0);
	nd_recorder_drop_output(recorder);
	assert_int_equal(nd_recorder_get_samples(recorder), 0);
	assert_int_equal(nd_recorder_finish(recorder, ND_END_FULL, KNOWN_END_NS), 0);
	assert_int_equal(known_take(recorder, &file), 0);
	assert_true(nd_recorder_get_size(recorder) == file.len);
	seen = read_all(file.data, file.len);
	assert_true(seen.state.has_end);
	assert_int_equal(seen.state.damaged, 0);
	assert_int_equal(seen.state.samples_lost, 0);
	assert_int_equal(seen.samples, 0);
	nd_recorder_free(recorder);
	nd_buf_fini(&file);
}

static void test_parts_are_due_by_time_and_by_size(void **state)
{
	struct nd_recorder *recorder = nd_recorder_new();
	struct nd_stack stack = {.weight = 1, .pid = 1, .tid = 1};
	uint32_t i;

	assert_int_equal(known_add_header(recorder), 0);
	assert_false(nd_recorder_is_due(recorder, KNOWN_START_NS + 999999999));
	assert_true(nd_recorder_is_due(recorder, KNOWN_START_NS + 1000000000));
	for (i = 0; i < 20000; i++)
		assert_int_equal(nd_recorder_add_sample(recorder, &stack), 0);
	assert_false(nd_recorder_is_due(recorder, KNOWN_START_NS));
	for (i = 0; i < 20000; i++)
		assert_int_equal(nd_recorder_add_sample(recorder, &stack), 0);
	assert_true(nd_recorder_is_due(recorder, KNOWN_START_NS));
	assert_int_equal(known_flush(recorder, 1), 0);
	assert_false(nd_recorder_is_due(recorder, KNOWN_START_NS + KNOWN_SPAN_NS));
	assert_false(nd_recorder_is_full(recorder));
	nd_recorder_free(recorder);
}

/* More of everything than one part takes: long names, deep stacks, many samples. */
static void test_what_is_too_much_for_a_part_becomes_several(void **state)
{
	enum { FRAMES = 300, SAMPLES = 200000 };
	struct nd_recorder *recorder = nd_recorder_new();
	struct nd_frame frames[FRAMES];
	struct nd_call *calls = calloc(ND_STACK_DEPTH_MAX + 5, sizeof(*calls));
	struct nd_stack stack = {.calls = calls, .depth = 1, .weight = 1, .pid = 1, .tid = 1};
	char *name = malloc(2 * ND_RECORDING_STRING_MAX);
	struct nd_buf file;
	struct seen seen;
	uint32_t i;

	memset(name, 'x', 2 * ND_RECORDING_STRING_MAX - 1);
	name[2 * ND_RECORDING_STRING_MAX - 1] = '\0';
	for (i = 0; i < FRAMES; i++)
		frames[i] = (struct nd_frame){.name = name + i, .file = "", .line = i};
	assert_int_equal(known_add_header(recorder), 0);
	for (i = 0; i < SAMPLES; i++) {
		calls[0] = (struct nd_call){.frame = i % FRAMES, .line = i};
		assert_int_equal(nd_recorder_add_sample(recorder, &stack), 0);
	}
	stack.depth = ND_STACK_DEPTH_MAX + 5;
	for (i = 0; i < stack.depth; i++)
		calls[i] = (struct nd_call){.frame = 1, .line = i};
	assert_int_equal(nd_recorder_add_sample(recorder, &stack), 0);
	assert_int_equal(nd_recorder_flush(recorder, KNOWN_END_NS, 0, frames, FRAMES), 0);
	assert_int_equal(nd_recorder_finish(recorder, ND_END_DURATION, KNOWN_END_NS), 0);
	nd_buf_init(&file, ND_RECORDING_MAX);
	assert_int_equal(known_take(recorder, &file), 0);
	seen = read_all(file.data, file.len);
	assert_int_equal(seen.samples, SAMPLES + 1);
	assert_int_equal(seen.moments, 2);
	assert_int_equal(seen.lost, 0);
	assert_int_equal(seen.state.damaged, 0);
	free(calls);
	free(name);
	nd_buf_fini(&file);
	nd_recorder_free(recorder);
}

/* Samples, stacks of stalls and pauses say in which span they were, or in none. */
static void test_span_ids(void **state)
{
	static const uint8_t id[ND_SPAN_ID_SIZE] = {1, 2, 3, 4, 5, 6, 7, 0xff}, none[sizeof(id)];
	struct nd_recorder *recorder = nd_recorder_new();
	struct nd_stack stack = {.weight = 1, .pid = 1, .tid = 1};
	struct nd_event_sample named = {.event = {ND_EVENT_SAMPLE, 1, KNOWN_START_NS}};
	struct nd_event_gc gc = {.event = {ND_EVENT_GC, 1, KNOWN_START_NS}};
	struct nd_recording *recording;
	const uint8_t *got;
	struct nd_buf file;
	struct nd_item item;
	size_t count = 0;

	assert_int_equal(known_add_header(recorder), 0);
	assert_int_equal(nd_recorder_add_sample(recorder, &stack), 0);
	memcpy(stack.span_id, id, sizeof(id));
	assert_int_equal(nd_recorder_add_sample(recorder, &stack), 0);
	assert_int_equal(nd_recorder_add_named(recorder, &named, NULL, NULL, 0), 0);
	assert_int_equal(nd_recorder_add_named(recorder, &named, id, NULL, 0), 0);
	/* An older agent's event ends before the id. */
	memcpy(gc.span_id, id, sizeof(id));
	assert_int_equal(nd_recorder_add_event(recorder, &gc.event, ND_EVENT_GC_SIZE_MIN), 0);
	assert_int_equal(nd_recorder_add_event(recorder, &gc.event, sizeof(gc)), 0);
	assert_int_equal(known_flush(recorder, 1), 0);
	nd_buf_init(&file, ND_RECORDING_MAX);
	assert_int_equal(known_take(recorder, &file), 0);
	assert_int_equal(nd_recording_open(file.data, file.len, &recording, NULL), 0);
	while (nd_recording_next(recording, &item) > 0) {
		if (item.kind == ND_ITEM_SAMPLE)
			got = item.sample->span_id;
		else if (item.kind == ND_ITEM_EVENT && item.event->event.kind == ND_EVENT_GC)
			got = item.event->gc.span_id;
		else if (item.kind == ND_ITEM_EVENT)
			got = item.event->named.span_id;
		else
			continue;
		assert_memory_equal(got, count++ % 2 ? id : none, sizeof(id));
	}
	assert_int_equal(count, 6);
	nd_recording_close(recording);
	nd_recorder_free(recorder);
	nd_buf_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_comes_back),
		cmocka_unit_test(test_samples_have_their_stacks_and_threads),
		cmocka_unit_test(test_the_agent_is_all_there),
		cmocka_unit_test(test_cut_anywhere_it_is_read_to_its_last_whole_part),
		cmocka_unit_test(test_a_wrong_bit_is_noticed_and_costs_little),
		cmocka_unit_test(test_bytes_that_are_missing_in_the_middle),
		cmocka_unit_test(test_names_that_are_lost_are_said_to_be),
		cmocka_unit_test(test_a_newer_major_version_is_refused),
		cmocka_unit_test(test_what_a_newer_minor_version_adds_is_skipped),
		cmocka_unit_test(test_names_beyond_their_ceilings_are_refused),
		cmocka_unit_test(test_parts_that_are_no_such_message_are_refused),
		cmocka_unit_test(test_a_part_may_not_unpack_to_more_than_its_ceiling),
		cmocka_unit_test(test_what_could_not_be_written_is_not_in_the_index),
		cmocka_unit_test(test_span_ids),
		cmocka_unit_test(test_parts_are_due_by_time_and_by_size),
		cmocka_unit_test(test_what_is_too_much_for_a_part_becomes_several),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
