/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_RECORDER_H
#define NODIAG_PROTO_RECORDER_H

/*
 * Makes the bytes of a recording, part by part, for the caller to write to a file as they come:
 *
 *	recorder = nd_recorder_new();
 *	nd_recorder_set_header(recorder, &header);
 *	loop:
 *		nd_recorder_add_...();
 *		if nd_recorder_is_due(recorder, now): nd_recorder_flush();
 *		write nd_recorder_get_output(), then nd_recorder_take_output();
 *	nd_recorder_flush();
 *	nd_recorder_finish();
 *	write the rest
 *
 * What was written is readable at any time up to the last whole part. Does no I/O. Not thread-safe.
 * Functions that return int give 0, -ENOMEM, or -E2BIG when something reaches its ceiling of
 * proto/limits.h: then only finishing makes sense.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/call.h"
#include "proto/codec.h"

struct nd_buf;
struct nd_recorder;

/* Its first output is the head of the file. NULL when out of memory. */
struct nd_recorder *nd_recorder_new(void);
void nd_recorder_free(struct nd_recorder *recorder);

/* Say what is recorded; again when more is known. */
int nd_recorder_set_header(struct nd_recorder *recorder, const struct nd_recording_header *header);

/* Whether a thread has a name yet, and give it one: what the kernel calls it. */
bool nd_recorder_has_thread(const struct nd_recorder *recorder, uint32_t pid, uint32_t tid);
int nd_recorder_add_thread(struct nd_recorder *recorder, uint32_t pid, uint32_t tid,
			   const char *name);

/* A CPU sample, of a thread that was added. Frames are ids that nd_recorder_flush() explains. */
int nd_recorder_add_sample(struct nd_recorder *recorder, const struct nd_stack *stack);

/* An event of proto/event.h; kinds that recordings do not have are ignored, samples too. */
int nd_recorder_add_event(struct nd_recorder *recorder, const struct nd_event *event, size_t size);

/*
 * A stack that was taken during a stall, its names found; `span_id` is that of the span that the
 * thread was in, NULL or all zeros where it is not known.
 */
int nd_recorder_add_named(struct nd_recorder *recorder, const struct nd_event_sample *sample,
			  const uint8_t *span_id, const struct nd_call *calls, size_t depth);

/* A thread's counters, as they are when the next flush comes. */
int nd_recorder_add_counters(struct nd_recorder *recorder, uint32_t index,
			     const struct nd_channel_slot *slot, bool is_baseline);

/* How much was lost since the beginning. */
void nd_recorder_set_loss(struct nd_recorder *recorder, enum nd_loss loss, uint64_t count);
void nd_recorder_set_agent_losses(struct nd_recorder *recorder, uint64_t events_dropped,
				  uint64_t threads_left_out);

/* Whether it is time for a flush: a second has passed, or much has come together. */
bool nd_recorder_is_due(const struct nd_recorder *recorder, uint64_t now_ns);

/* Whether the recording is as large as can still be read back; it should be finished then. */
bool nd_recorder_is_full(const struct nd_recorder *recorder);

/*
 * Make parts of all that was added since the last time, a span that ends at `time_ns`, which is
 * `unix_ns` by the wall clock. `frames` are those that samples name, of which there are only more
 * each time.
 */
int nd_recorder_flush(struct nd_recorder *recorder, uint64_t time_ns, uint64_t unix_ns,
		      const struct nd_frame *frames, uint32_t frame_count);

/* Make the end, the index and the foot. Its number of samples is known here. */
int nd_recorder_finish(struct nd_recorder *recorder, enum nd_end_cause cause, uint64_t time_ns);

/* What is to be written next, and having written it. */
const struct nd_buf *nd_recorder_get_output(const struct nd_recorder *recorder);
void nd_recorder_take_output(struct nd_recorder *recorder);

/* Instead: it could not be written, and the file is as it was; the recording can be finished. */
void nd_recorder_drop_output(struct nd_recorder *recorder);

/* Bytes and CPU samples that were written. */
uint64_t nd_recorder_get_size(const struct nd_recorder *recorder);
uint64_t nd_recorder_get_samples(const struct nd_recorder *recorder);

#endif /* NODIAG_PROTO_RECORDER_H */
