/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/codec_event.h"

#include "proto/codec_impl.h"
#include "proto/codec_span.h"

static void fill_stall(const struct nd_event_stall *event, Nodiag__Stall *message)
{
	nodiag__stall__init(message);
	message->duration_ns = event->event.time_ns - event->start_ns;
	message->cpu_ns = event->cpu_ns;
	message->run_delay_ns = event->run_delay_ns;
	message->since_ns = event->since_ns;
	message->gc_ns = event->gc_ns;
	ND_CODEC_FIXED(*message, phase_ns, event->phase_ns);
}

static void read_stall(const Nodiag__Stall *message, struct nd_event_stall *event)
{
	event->event.kind = ND_EVENT_STALL;
	event->start_ns = event->event.time_ns - message->duration_ns;
	event->cpu_ns = message->cpu_ns;
	event->run_delay_ns = message->run_delay_ns;
	event->since_ns = message->since_ns;
	event->gc_ns = message->gc_ns;
	ND_CODEC_COPY(event->phase_ns, message, phase_ns);
}

static void fill_gc(const struct nd_event_gc *event, Nodiag__Gc *message)
{
	nodiag__gc__init(message);
	message->duration_ns = event->event.time_ns - event->start_ns;
	message->type = event->type;
	message->flags = event->flags;
	message->used_before_bytes = event->used_before_bytes;
	message->used_after_bytes = event->used_after_bytes;
	message->total_bytes = event->total_bytes;
	message->limit_bytes = event->limit_bytes;
	message->external_bytes = event->external_bytes;
	message->malloced_bytes = event->malloced_bytes;
	message->span = nd_codec_pack_id(event->span_id);
}

static void read_gc(const Nodiag__Gc *message, struct nd_event_gc *event)
{
	event->event.kind = ND_EVENT_GC;
	event->start_ns = event->event.time_ns - message->duration_ns;
	event->type = message->type;
	event->flags = message->flags;
	event->used_before_bytes = message->used_before_bytes;
	event->used_after_bytes = message->used_after_bytes;
	event->total_bytes = message->total_bytes;
	event->limit_bytes = message->limit_bytes;
	event->external_bytes = message->external_bytes;
	event->malloced_bytes = message->malloced_bytes;
	nd_codec_unpack_id(message->span, event->span_id);
}

static void fill_handles(const struct nd_event_handles *event, Nodiag__Handles *message)
{
	nodiag__handles__init(message);
	ND_CODEC_FIXED(*message, active, event->active);
	ND_CODEC_FIXED(*message, total, event->total);
	message->requests = event->requests;
}

static void read_handles(const Nodiag__Handles *message, struct nd_event_handles *event)
{
	event->event.kind = ND_EVENT_HANDLES;
	ND_CODEC_COPY(event->active, message, active);
	ND_CODEC_COPY(event->total, message, total);
	event->requests = message->requests;
}

static Nodiag__Thread *fill_thread(const struct nd_event_thread *event, Nodiag__Thread *message)
{
	nodiag__thread__init(message);
	message->kind = event->thread_kind;
	return message;
}

void nd_codec_fill_event(const union nd_recorded_event *event, uint64_t time_ns,
			 union nd_codec_detail *detail, Nodiag__Event *message)
{
	nodiag__event__init(message);
	message->tid = event->event.tid;
	message->time_ns = (int64_t)(event->event.time_ns - time_ns);
	if (nd_codec_fill_resource(event, detail, message))
		return;
	switch (event->event.kind) {
	case ND_EVENT_THREAD_START:
		message->started = fill_thread(&event->thread, &detail->thread);
		break;
	case ND_EVENT_THREAD_END:
		message->ended = fill_thread(&event->thread, &detail->thread);
		break;
	case ND_EVENT_STALL:
		message->stall = &detail->stall;
		fill_stall(&event->stall, message->stall);
		break;
	case ND_EVENT_GC:
		message->gc = &detail->gc;
		fill_gc(&event->gc, message->gc);
		break;
	case ND_EVENT_BLOCKED:
		message->blocked = &detail->blocked;
		nodiag__blocked__init(message->blocked);
		message->blocked->start_ns = event->blocked.start_ns;
		message->blocked->syscall = event->blocked.syscall;
		break;
	case ND_EVENT_HANDLES:
		message->handles = &detail->handles;
		fill_handles(&event->handles, message->handles);
		break;
	case ND_EVENT_FORGET:
		message->forget = &detail->forget;
		nodiag__forget__init(message->forget);
		break;
	case ND_EVENT_SPAN_START:
		message->span_started = &detail->span;
		nd_codec_fill_span(event->spanned.span, message->span_started);
		break;
	case ND_EVENT_SPAN:
		message->span_ended = &detail->span;
		nd_codec_fill_span(event->spanned.span, message->span_ended);
		break;
	default:
		message->stack = &detail->stack;
		nodiag__stack__init(message->stack);
		message->stack->call = event->named.call;
		message->stack->syscall = event->named.syscall;
		message->stack->span = nd_codec_pack_id(event->named.span_id);
	}
}

bool nd_codec_read_event(const Nodiag__Event *message, uint64_t time_ns, char **room,
			 union nd_recorded_event *event)
{
	event->event.tid = message->tid;
	event->event.time_ns = time_ns + (uint64_t)message->time_ns;
	if (message->stall) {
		read_stall(message->stall, &event->stall);
	} else if (message->gc) {
		read_gc(message->gc, &event->gc);
	} else if (message->blocked) {
		event->event.kind = ND_EVENT_BLOCKED;
		event->blocked.start_ns = message->blocked->start_ns;
		event->blocked.syscall = message->blocked->syscall;
	} else if (message->handles) {
		read_handles(message->handles, &event->handles);
	} else if (message->stack) {
		event->event.kind = ND_EVENT_SAMPLE;
		event->named.call = message->stack->call;
		event->named.syscall = message->stack->syscall;
		nd_codec_unpack_id(message->stack->span, event->named.span_id);
	} else if (message->forget) {
		event->event.kind = ND_EVENT_FORGET;
	} else if (message->span_started) {
		return nd_codec_read_span(message->span_started, ND_EVENT_SPAN_START, room,
					  &event->spanned);
	} else if (message->span_ended) {
		return nd_codec_read_span(message->span_ended, ND_EVENT_SPAN, room,
					  &event->spanned);
	} else if (message->started || message->ended) {
		event->event.kind = message->started ? ND_EVENT_THREAD_START : ND_EVENT_THREAD_END;
		event->thread.thread_kind = nd_codec_thread_kind(
			message->started ? message->started->kind : message->ended->kind);
	} else {
		nd_codec_read_resource(message, event);
	}
	return event->event.kind != 0;
}
