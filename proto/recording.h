/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_RECORDING_H
#define NODIAG_PROTO_RECORDING_H

/*
 * Reads a recording (docs/format.md) that is in memory, item by item.
 *
 * Trusts nothing. A part that is damaged is left out and counted, and so is a name that was in such
 * a part: what is said of it is "[lost]". A recording without its end, as a killed nodiag leaves
 * it, is read to its last whole part. Parts and fields that a newer nodiag added are skipped. Not
 * thread-safe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/call.h"
#include "proto/codec.h"

struct nd_err;
struct nd_recording;

enum nd_item_kind {
	ND_ITEM_HEADER,	  /* comes first, and again when more was known */
	ND_ITEM_MOMENT,	  /* a span ends at `moment->time_ns`; its losses hold, and it follows: */
	ND_ITEM_COUNTERS, /* a thread's, at the end of the span */
	ND_ITEM_SAMPLE,	  /* CPU samples */
	ND_ITEM_EVENT,	  /* events of event loops, in order */
	ND_ITEM_END,
};

/* Borrowed until the next one. */
struct nd_item {
	enum nd_item_kind kind;
	union {
		const struct nd_recording_header *header;
		const struct nd_recorded_sample *sample;
		const union nd_recorded_event *event;
		const struct nd_recorded_counters *counters;
		const struct nd_events *moment;
		const struct nd_recording_end *end;
	};
};

/* How much of it there is. */
struct nd_recording_state {
	bool has_end;	       /* it was finished; else its writer was stopped before */
	uint64_t parts;	       /* that were read */
	uint64_t damaged;      /* parts that are damaged or not there */
	uint64_t unknown;      /* parts of a newer nodiag, left out */
	uint64_t samples_lost; /* CPU samples that were in the damaged parts, as far as is known */
	uint64_t last_ns;      /* the last moment */
	enum nd_end_cause cause; /* why it ended, if it has an end */
};

/*
 * Open the recording in `data`, which must stay. -EBADMSG when it is none, its head is damaged
 * or there is nothing else, -ENOTSUP when this nodiag is too old for it, -EFBIG, -ENOMEM.
 */
int nd_recording_open(const void *data, size_t len, struct nd_recording **ret_recording,
		      struct nd_err *err);
void nd_recording_close(struct nd_recording *recording);

/* The next item: 1, 0 after the last, or -ENOMEM. */
int nd_recording_next(struct nd_recording *recording, struct nd_item *ret_item);

/* What is known so far; all of it after the last item. */
void nd_recording_get_state(const struct nd_recording *recording,
			    struct nd_recording_state *ret_state);

/*
 * The stack that a call is the innermost of, at most `max` calls from there. Returns its depth.
 * Frames are ids for nd_recording_get_frame(), or ND_RECORDING_LOST.
 */
size_t nd_recording_get_stack(const struct nd_recording *recording, uint32_t call,
			      struct nd_call *calls, size_t max);

#define ND_RECORDING_LOST UINT32_MAX

/* A frame, and how many there may be so far. Any id will do. */
void nd_recording_get_frame(const struct nd_recording *recording, uint32_t id,
			    struct nd_frame *ret_frame);
uint32_t nd_recording_frame_count(const struct nd_recording *recording);

/* Whose a sample is; `ret_name` is "" where that is not known. */
void nd_recording_get_thread(const struct nd_recording *recording, uint32_t id, uint32_t *ret_pid,
			     uint32_t *ret_tid, const char **ret_name);

#endif /* NODIAG_PROTO_RECORDING_H */
