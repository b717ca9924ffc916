/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CODEC_H
#define NODIAG_PROTO_CODEC_H

/*
 * What the parts of a recording hold, as C; proto/nodiag.proto is the schema and says what each
 * field means. Nothing of protobuf-c shows.
 *
 * Encoding adds to a buffer: 0, -ENOMEM or the buffer's error. Decoding gives structures that the
 * caller frees, whose strings end with a NUL and are never NULL: 0, -ENOMEM, or -EBADMSG when the
 * bytes are no such part, or are beyond proto/limits.h. Ids are not checked; enums are.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/call.h"
#include "proto/channel.h"
#include "proto/event.h"
#include "proto/frame.h"
#include "proto/span.h"

struct nd_buf;

/* Strings may be NULL where they are encoded. */
struct nd_recording_header {
	const char *nodiag_version;
	const char *title;
	const char *command;
	const char *runtime;
	const char *sampler;
	const char *sampler_why;
	const char *limits;
	const char *unnamed;
	const char *loops;
	uint64_t start_ns;
	uint64_t start_unix_ns;
	uint64_t period_ns;
	uint64_t threshold_ns;
	uint32_t pid;
	uint32_t agent_reason; /* enum nd_agent_reason, or a newer one */
	uint32_t agent_features;
	uint32_t loops_known; /* enum nd_loop_known, where `loops` is not empty */
	bool has_agent;
};

struct nd_name_frame {
	uint32_t name; /* ids of strings */
	uint32_t file;
	uint32_t line;
	uint32_t column;
	uint32_t kind; /* enum nd_frame_kind */
};

struct nd_name_call {
	uint32_t caller; /* id of a call, less than its own; 0: it has none */
	uint32_t frame;
	uint32_t line;
	uint32_t column;
	uint32_t tier; /* enum nd_tier */
	uint32_t inlined;
};

struct nd_name_thread {
	uint32_t pid;
	uint32_t tid;
	uint32_t name; /* id of a string */
};

/* Each array's first element has the id `first_...`. */
struct nd_names {
	uint32_t first_string;
	uint32_t first_frame;
	uint32_t first_call;
	uint32_t first_thread;
	const char **strings;
	const struct nd_name_frame *frames;
	const struct nd_name_call *calls;
	const struct nd_name_thread *threads;
	size_t string_count;
	size_t frame_count;
	size_t call_count;
	size_t thread_count;
};

/* A CPU sample. */
struct nd_recorded_sample {
	uint64_t time_ns;
	uint64_t weight_ns;
	uint32_t thread; /* ids */
	uint32_t call;
	uint8_t span_id[ND_SPAN_ID_SIZE]; /* all zeros: not known */
};

/* A stack during a stall, its names found: has the kind ND_EVENT_SAMPLE. */
struct nd_event_named {
	struct nd_event event;
	uint32_t call;
	int32_t syscall;		  /* as in struct nd_event_sample */
	uint8_t span_id[ND_SPAN_ID_SIZE]; /* all zeros: not known */
};

/* A span that began or ended. */
struct nd_event_spanned {
	struct nd_event event;
	const struct nd_event_span *span; /* sound; its `event` is the same */
};

/* An event of an event loop, of one of the kinds that are here, or with nothing but its head. */
union nd_recorded_event {
	struct nd_event event;
	struct nd_event_thread thread;
	struct nd_event_stall stall;
	struct nd_event_gc gc;
	struct nd_event_blocked blocked;
	struct nd_event_handles handles;
	struct nd_event_named named;
	struct nd_event_memory memory;
	struct nd_event_space space;
	struct nd_event_async async;
	struct nd_event_async_type async_type;
	struct nd_event_async_site async_site;
	struct nd_event_spanned spanned;
};

/* The counters of a thread; `slot.ring` means nothing. */
struct nd_recorded_counters {
	struct nd_channel_slot slot;
	uint32_t index; /* of the slot */
	bool is_baseline;
};

struct nd_recorded_loss {
	uint32_t loss; /* enum nd_loss, or a newer one */
	uint64_t count;
};

/* A span of time. */
struct nd_events {
	uint64_t time_ns; /* its end */
	uint64_t unix_ns;
	uint64_t events_dropped; /* these since the recording began */
	uint64_t threads_left_out;
	const struct nd_recorded_loss *losses;
	const struct nd_recorded_sample *samples;
	const union nd_recorded_event *events;
	const struct nd_recorded_counters *counters;
	size_t loss_count;
	size_t sample_count;
	size_t event_count;
	size_t counters_count;
};

/* Why a recording ended; numbers as in the schema. */
enum nd_end_cause {
	ND_END_UNKNOWN,
	ND_END_DURATION,
	ND_END_INTERRUPT,
	ND_END_TARGET,
	ND_END_FULL,
	ND_END_CAUSE_COUNT
};

struct nd_recording_end {
	uint64_t time_ns;
	uint64_t samples;
	enum nd_end_cause cause;
};

/* Where a part is. */
struct nd_index_entry {
	uint64_t start;
	uint64_t first_ns; /* time of what is in it; both 0 for kinds without time */
	uint64_t last_ns;
	uint32_t kind;
};

struct nd_index {
	const struct nd_index_entry *entries; /* in the order of `start` */
	size_t count;
};

int nd_codec_encode_header(const struct nd_recording_header *header, struct nd_buf *out);
int nd_codec_encode_names(const struct nd_names *names, struct nd_buf *out);
int nd_codec_encode_events(const struct nd_events *events, struct nd_buf *out);
int nd_codec_encode_end(const struct nd_recording_end *end, struct nd_buf *out);
int nd_codec_encode_index(const struct nd_index *index, struct nd_buf *out);

/* A decoded part; which member is there is said by `kind`. */
struct nd_decoded {
	enum nd_part_kind kind;
	union {
		struct nd_recording_header header;
		struct nd_names names;
		struct nd_events events;
		struct nd_recording_end end;
		struct nd_index index;
	};
	void *storage; /* what the rest points into */
};

/* Decode what a part of a known kind unpacks to. Free it after success. */
int nd_codec_decode(enum nd_part_kind kind, const void *data, size_t len,
		    struct nd_decoded *ret_decoded);
void nd_codec_free(struct nd_decoded *decoded);

#endif /* NODIAG_PROTO_CODEC_H */
