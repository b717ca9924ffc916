/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CODEC_EVENT_H
#define NODIAG_PROTO_CODEC_EVENT_H

/* Events as messages; for the other codec_*.c alone. */

#include <stdbool.h>
#include <stdint.h>

#include "proto/codec.h"
#include "proto/nodiag.pb-c.h"

/* What the message of an event may consist of. */
union nd_codec_detail {
	Nodiag__Stall stall;
	Nodiag__Gc gc;
	Nodiag__Blocked blocked;
	Nodiag__Handles handles;
	Nodiag__Stack stack;
	Nodiag__Thread thread;
	Nodiag__Memory memory;
	Nodiag__Space space;
	Nodiag__Async async;
	Nodiag__AsyncType async_type;
	Nodiag__AsyncSite async_site;
	Nodiag__Forget forget;
	Nodiag__Span span;
};

/*
 * Make the message of an event, which borrows from the event and from `detail`. Its time is told
 * from `time_ns` on.
 */
void nd_codec_fill_event(const union nd_recorded_event *event, uint64_t time_ns,
			 union nd_codec_detail *detail, Nodiag__Event *message);

/*
 * Make the event of a message, in `event`, which is all zeros so far. A span goes to `*room`, as
 * nd_codec_read_span() says. False when it is of a kind that is not known here: then no more than
 * its thread and time are set.
 */
bool nd_codec_read_event(const Nodiag__Event *message, uint64_t time_ns, char **room,
			 union nd_recorded_event *event);

/*
 * The same of kinds that not every agent has: of memory and of asynchronous resources. Another kind
 * gives false, or leaves the event as it is.
 */
bool nd_codec_fill_resource(const union nd_recorded_event *event, union nd_codec_detail *detail,
			    Nodiag__Event *message);
void nd_codec_read_resource(const Nodiag__Event *message, union nd_recorded_event *event);

#endif /* NODIAG_PROTO_CODEC_EVENT_H */
