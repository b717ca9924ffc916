/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CODEC_SPAN_H
#define NODIAG_PROTO_CODEC_SPAN_H

/* Spans as messages; for the other codec_*.c alone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/codec.h"
#include "proto/nodiag.pb-c.h"

/* Make the message of a span, from which it borrows. */
void nd_codec_fill_span(const struct nd_event_span *span, Nodiag__Span *message);

/* Zeroed memory that nd_codec_read_span() needs for a span, so that the next is aligned as well. */
size_t nd_codec_span_room(const Nodiag__Span *message);

/*
 * Make the span of a message, for an event whose `tid` and `time_ns` are there already, at `*room`,
 * which moves on. False when it is no span that is known here; nothing has changed then.
 */
bool nd_codec_read_span(const Nodiag__Span *message, enum nd_event_kind kind, char **room,
			struct nd_event_spanned *event);

#endif /* NODIAG_PROTO_CODEC_SPAN_H */
