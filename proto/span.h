/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_SPAN_H
#define NODIAG_PROTO_SPAN_H

/*
 * A span: one HTTP request that a thread answered, or made, or on demand something else that one
 * waited for, as a file. ND_EVENT_SPAN_START tells of one that
 * has begun, with what is known by then; ND_EVENT_SPAN of one that is over, with all of it.
 *
 * Ids and their meaning are those of W3C Trace Context; the words are those of OpenTelemetry's
 * semantic conventions for HTTP spans. Both are the same in a ring, in a recording, and here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/event.h"
#include "proto/limits.h"

enum nd_span_kind {
	ND_SPAN_SERVER = 1, /* a request that came in */
	ND_SPAN_CLIENT,	    /* one that went out */
	ND_SPAN_INTERNAL,   /* something else that a request waited for: ND_FEATURE_SPANS */
	ND_SPAN_KIND_COUNT
};

enum nd_span_flag {
	ND_SPAN_TLS = 1 << 0,		/* url.scheme is "https" */
	ND_SPAN_ABORTED = 1 << 1,	/* the connection ended before the response did */
	ND_SPAN_REMOTE_PARENT = 1 << 2, /* the parent's id came with the request */
	ND_SPAN_UNSAMPLED = 1 << 3,	/* the sampler decided that the trace is not sent */
	/*
	 * The program's own tracer has it too, and sends it: nodiag does not. `trace_id` is that
	 * tracer's, all zeros where it is not known; span_id and parent_id are nodiag's own.
	 */
	ND_SPAN_OBSERVED = 1 << 4,
};

enum nd_span_text {
	ND_SPAN_METHOD, /* "GET"; of an internal one what it is: "dns.lookup" */
	ND_SPAN_ROUTE,	/* http.route as the framework has it: "/users/:id"; "" where none is known
			 */
	ND_SPAN_PATH,	/* url.path, without the query; of a child process its executable */
	ND_SPAN_HOST,	/* server.address: what the client called it; what was looked up */
	ND_SPAN_PEER,	/* network.peer.address */
	ND_SPAN_ERROR,	/* what failed: "ECONNRESET"; "" where the status says it, or nothing did */
	ND_SPAN_TEXTS
};

/* `event.time_ns` is its end, of one that has begun its beginning. */
struct nd_event_span {
	struct nd_event event;
	uint64_t start_ns;
	/*
	 * Of one that has begun at a server: when the turn of the loop began in which it was read.
	 * What came while a turn lasted is read in the next, at the earliest. 0: not known.
	 */
	uint64_t turn_ns;
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8]; /* all zeros: it has none */
	uint8_t seen_id[8];   /* of one that is observed, that tracer's; zeros: not known */
	uint16_t status;      /* of the response; 0: there was none */
	uint16_t port;	      /* server.port; 0 where it is not known */
	uint8_t kind;	      /* enum nd_span_kind */
	uint8_t flags;	      /* enum nd_span_flag */
	uint8_t http_version; /* network.protocol.version, times ten; 0 where it is not known */
	uint8_t text_size[9]; /* by enum nd_span_text, with their NULs; the others are 0 */
	char text[];	      /* one after the other */
};

_Static_assert(offsetof(struct nd_event_span, text) == sizeof(struct nd_event_span),
	       "texts begin where the struct ends");

#define ND_SPAN_SIZE_MAX (sizeof(struct nd_event_span) + (size_t)ND_SPAN_TEXTS * ND_SPAN_TEXT_MAX)

/* Bytes of a span with these texts, of which none is longer than ND_SPAN_TEXT_MAX with its NUL. */
size_t nd_span_size(const char *const texts[ND_SPAN_TEXTS]);

/* Put texts into a span, for which there is room. */
void nd_span_set_texts(struct nd_event_span *span, const char *const texts[ND_SPAN_TEXTS]);

/*
 * Whether `size` bytes at `event`, which is of one of the two kinds, are a span whose texts can be
 * got, and are no longer than ND_SPAN_TEXT_MAX. Nothing else of a span from outside may be used
 * before.
 */
bool nd_span_is_sound(const struct nd_event *event, size_t size);

/* One of its texts, never NULL. */
const char *nd_span_get_text(const struct nd_event_span *span, enum nd_span_text text);

/* Bytes of a sound span. */
size_t nd_span_get_size(const struct nd_event_span *span);

/*
 * Which of ND_FEATURE_SPANS a list names: "dns,fs", or "all". What it has that is none of them goes
 * to `ret_unknown`, which may be NULL, with its length up to the next comma; NULL where there is
 * none. A list that is NULL is empty.
 */
uint32_t nd_span_features_parse(const char *list, const char **ret_unknown);

/* Whether it is known to which trace it belongs. */
bool nd_span_has_trace(const struct nd_event_span *span);

bool nd_span_has_parent(const struct nd_event_span *span);

/* Whether it counts as failed: the convention's error.type is set. */
bool nd_span_is_error(const struct nd_event_span *span);

#endif /* NODIAG_PROTO_SPAN_H */
