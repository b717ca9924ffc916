/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trace_span.h"

#include <stdlib.h>
#include <string.h>

#include "agent/channel.h"
#include "agent/context.h"
#include "agent/core.h"
#include "agent/node_abi.h"
#include "agent/otel.h"
#include "agent/thread.h"
#include "agent/trace_ids.h"
#include "common/clock.h"
#include "proto/span.h"

/*
 * What the script hands over of each span; trace/span.js has the same. Numbers are in an array that
 * both sides have, since each argument of a call costs more than all of them there.
 */
enum number {
	NUMBER_KIND,
	NUMBER_FLAGS,
	NUMBER_SPAN,
	NUMBER_PARENT, /* a span of this thread, or 0 */
	NUMBER_ROOT,   /* the span that began the trace in this thread */
	NUMBER_START,
	NUMBER_STATUS,
	NUMBER_VERSION,
	NUMBER_LIKE, /* a span with the same method, host and peer, or 0 */
	NUMBER_COUNT
};

/* Arguments, strings or undefined; the last ones may be left out. */
enum argument {
	ARG_METHOD,
	ARG_TARGET,
	ARG_HOST,
	ARG_PEER,
	ARG_REMOTE, /* the "traceparent" that it came with */
	ARG_ROUTE,
	ARG_ERROR,
	ARG_COUNT
};

/* Those of finish() and name(). */
enum finish_argument { FINISH_ROUTE, FINISH_ERROR, FINISH_COUNT };
enum name_argument { NAME_REMOTE, NAME_COUNT };

/* What the script says in a call. */
struct call {
	struct nd_thread *thread;
	struct napi_env__ *env;
	size_t argc;
	struct napi_value__ *argv[ARG_COUNT];
};

/* A record that is being made. */
struct draft {
	size_t size;
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	};
};

/* The text of an argument, cut by V8 where it is too long; "" where it is none. */
static size_t read_latin1(const struct call *call, int arg, char *ret, size_t size)
{
	size_t len;

	if ((size_t)arg < call->argc &&
	    !napi_get_value_string_latin1(call->env, call->argv[arg], ret, size, &len))
		return len;
	*ret = '\0';
	return 0;
}

/* False when the span has no parent in another process. The script has looked at the digits. */
static bool read_remote(const struct call *call, int arg, struct nd_traceparent *ret)
{
	char text[ND_TRACEPARENT_LEN + 1];

	if (read_latin1(call, arg, text, sizeof(text)) != ND_TRACEPARENT_LEN)
		return false;
	nd_traceparent_parse(text, ret);
	return true;
}

static uint64_t number(const struct nd_thread *thread, enum number index)
{
	double value = thread->trace.numbers[index];

	return value > 0 ? (uint64_t)(int64_t)value : 0;
}

/* Whoever made the trace may have decided already; NULL where that was nobody. */
static bool is_sampled(const struct nd_event_span *span, const struct nd_traceparent *remote)
{
	if (!remote)
		return nd_otel_is_sampled(span->trace_id, ND_OTEL_NO_PARENT);
	return nd_otel_is_sampled(span->trace_id, remote->flags & ND_TRACE_SAMPLED
							  ? ND_OTEL_SAMPLED
							  : ND_OTEL_NOT_SAMPLED);
}

/* The program's own tracer has made them: `remote` is of the request itself. */
static void fill_seen_ids(const struct nd_traceparent *remote, struct nd_event_span *span)
{
	memcpy(span->trace_id, remote->trace_id, sizeof(span->trace_id));
	if (span->kind == ND_SPAN_SERVER)
		memcpy(span->seen_id, remote->span_id, sizeof(span->seen_id));
}

/* Whose the span is; `remote` may be NULL. */
static void fill_ids(const struct nd_thread *thread, const struct nd_traceparent *remote,
		     struct nd_event_span *span)
{
	uint64_t parent = number(thread, NUMBER_PARENT);

	nd_trace_name_span(thread, number(thread, NUMBER_SPAN), span->span_id);
	nd_trace_name_span(thread, parent, span->parent_id);
	if (span->flags & ND_SPAN_OBSERVED) {
		if (remote)
			fill_seen_ids(remote, span);
		return;
	}
	if (remote)
		memcpy(span->trace_id, remote->trace_id, sizeof(span->trace_id));
	else
		nd_trace_name_trace(thread, number(thread, NUMBER_ROOT), span->trace_id);
	if (!parent && remote) {
		memcpy(span->parent_id, remote->span_id, sizeof(span->parent_id));
		span->flags |= ND_SPAN_REMOTE_PARENT;
	}
	if (!is_sampled(span, remote))
		span->flags |= ND_SPAN_UNSAMPLED;
}

static char *end_of(struct draft *draft)
{
	return draft->room + draft->size;
}

/* The text at the draft's end is this one, and so long. */
static void keep_text(struct draft *draft, enum nd_span_text text, size_t len)
{
	draft->room[draft->size + len] = '\0';
	draft->span.text_size[text] = (uint8_t)(len + 1);
	draft->size += len + 1;
}

/* Put a text at the draft's end. */
static size_t read_text(struct draft *draft, const struct call *call, int arg)
{
	return read_latin1(call, arg, end_of(draft), ND_SPAN_TEXT_MAX);
}

/* Those that the program chose itself may be in any script. */
static void add_words(struct draft *draft, enum nd_span_text text, const struct call *call, int arg)
{
	size_t len = 0;

	if ((size_t)arg < call->argc &&
	    napi_get_value_string_utf8(call->env, call->argv[arg], end_of(draft), ND_SPAN_TEXT_MAX,
				       &len))
		len = 0;
	keep_text(draft, text, len);
}

/* A text that another span has, too. */
static void copy_text(struct draft *draft, enum nd_span_text text, const struct nd_event_span *from)
{
	const char *words = nd_span_get_text(from, text);

	memcpy(end_of(draft), words, from->text_size[text]);
	keep_text(draft, text, from->text_size[text] - 1u);
}

/* A request's target is a path with a query, or for proxies a whole URL (RFC 9112, 3.2). */
static size_t cut_path(char *target)
{
	size_t len = 0;
	char *path;

	/* strcspn() takes longer for paths of usual length. */
	while (target[len] && target[len] != '?' && target[len] != '#')
		len++;
	target[len] = '\0';
	if (*target == '/')
		return len;
	path = strstr(target, "://");
	path = path ? strchr(path + strlen("://"), '/') : NULL;
	if (!path)
		return len;
	len = strlen(path);
	memmove(target, path, len + 1);
	return len;
}

/* strtoul() would take longer than all around it. */
static unsigned long read_port(const char *digits)
{
	unsigned long port = 0;

	for (; *digits >= '0' && *digits <= '9' && port <= UINT16_MAX; digits++)
		port = 10 * port + (unsigned long)(*digits - '0');
	return port;
}

/* "host", "host:8080" or "[::1]:8080"; cuts the port off. */
static uint16_t take_port(char *host, size_t *len, const struct nd_event_span *span)
{
	char *colon = memrchr(host, ':', *len);
	unsigned long port = 0;

	if (colon && colon[1] >= '0' && colon[1] <= '9' && !strchr(colon, ']') &&
	    (*host == '[' || strchr(host, ':') == colon)) {
		port = read_port(colon + 1);
		*len = (size_t)(colon - host);
	}
	if (port && port <= UINT16_MAX)
		return (uint16_t)port;
	if (!*len || span->kind == ND_SPAN_INTERNAL)
		return 0;
	return span->flags & ND_SPAN_TLS ? 443 : 80;
}

/*
 * What a server's span ends with is for the most part what it began with, and what the one before
 * had, and reading a string of V8's costs more than all else of a record.
 */
static struct nd_kept_span *find_kept(const struct nd_thread *thread, uint64_t number)
{
	struct nd_kept_span *kept =
		thread->trace.kept ? &thread->trace.kept[number % ND_KEPT_SPANS] : NULL;

	return number && kept && kept->number == number ? kept : NULL;
}

static void add_method(struct draft *draft, const struct call *call,
		       const struct nd_kept_span *like)
{
	if (like)
		copy_text(draft, ND_SPAN_METHOD, &like->span);
	else
		keep_text(draft, ND_SPAN_METHOD, read_text(draft, call, ARG_METHOD));
}

static void add_endpoints(struct draft *draft, const struct call *call,
			  const struct nd_kept_span *like)
{
	struct nd_event_span *span = &draft->span;
	size_t len;

	if (like) {
		span->port = like->span.port;
		copy_text(draft, ND_SPAN_HOST, &like->span);
		copy_text(draft, ND_SPAN_PEER, &like->span);
		return;
	}
	len = read_text(draft, call, ARG_HOST);
	span->port = take_port(end_of(draft), &len, span);
	keep_text(draft, ND_SPAN_HOST, len);
	keep_text(draft, ND_SPAN_PEER, read_text(draft, call, ARG_PEER));
}

static void read_span(const struct call *call, const struct nd_kept_span *like, struct draft *draft)
{
	const struct nd_thread *thread = call->thread;
	struct nd_event_span *span = &draft->span;
	struct nd_traceparent remote;
	bool has_remote = read_remote(call, ARG_REMOTE, &remote);

	*span = (struct nd_event_span){
		.start_ns = number(thread, NUMBER_START),
		.status = (uint16_t)number(thread, NUMBER_STATUS),
		.kind = (uint8_t)number(thread, NUMBER_KIND),
		.flags = (uint8_t)number(thread, NUMBER_FLAGS),
		.http_version = (uint8_t)number(thread, NUMBER_VERSION),
	};
	draft->size = sizeof(*span);
	fill_ids(thread, has_remote ? &remote : NULL, span);
	add_method(draft, call, like);
	add_words(draft, ND_SPAN_ROUTE, call, ARG_ROUTE);
	read_text(draft, call, ARG_TARGET);
	keep_text(draft, ND_SPAN_PATH, cut_path(end_of(draft)));
	add_endpoints(draft, call, like);
	add_words(draft, ND_SPAN_ERROR, call, ARG_ERROR);
}

static void write_span(struct nd_thread *thread, struct draft *draft, enum nd_event_kind kind,
		       uint64_t now)
{
	struct nd_event *event =
		nd_channel_begin(&thread->ring, kind, thread->tid, now, (uint32_t)draft->size);

	if (!event)
		return;
	draft->span.event = *event;
	memcpy(event, draft->room, draft->size);
	nd_ring_commit(&thread->ring, event, (uint32_t)draft->size);
}

/* Take at most so many arguments. False when something is not right. */
static bool read_call(struct napi_env__ *env, struct napi_callback_info__ *info, size_t max,
		      struct call *ret)
{
	void *thread;

	ret->env = env;
	ret->argc = max;
	/* A child that fork() made has the script, but not the channel. */
	if (!nd_agent.active || napi_get_cb_info(env, info, &ret->argc, ret->argv, NULL, &thread))
		return false;
	ret->argc = ret->argc < max ? ret->argc : max;
	ret->thread = thread;
	return ret->thread->trace.numbers;
}

static void keep_span(const struct nd_thread *thread, const struct draft *draft)
{
	uint64_t span = number(thread, NUMBER_SPAN);
	struct nd_kept_span *kept;

	if (!thread->trace.kept || draft->size > ND_KEPT_SPAN_SIZE)
		return;
	kept = &thread->trace.kept[span % ND_KEPT_SPANS];
	kept->number = span;
	kept->size = draft->size;
	memcpy(kept->room, draft->room, draft->size);
	kept->span.event = (struct nd_event){
		.kind = ND_EVENT_SPAN_START, .tid = thread->tid, .time_ns = kept->span.start_ns};
}

struct napi_value__ *nd_trace_on_begin(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	uint64_t now = nd_clock_monotonic_ns();
	struct nd_thread *thread;
	struct draft draft;
	struct call call;

	if (!read_call(env, info, ARG_ROUTE, &call))
		return NULL;
	thread = call.thread;
	thread->trace.numbers[NUMBER_START] = (double)now;
	nd_context_add(thread, number(thread, NUMBER_SPAN));
	read_span(&call, find_kept(thread, number(thread, NUMBER_LIKE)), &draft);
	draft.span.start_ns = now;
	if (draft.span.kind == ND_SPAN_SERVER) {
		keep_span(thread, &draft);
		draft.span.turn_ns = thread->slot->loop.busy_since_ns;
	}
	write_span(thread, &draft, ND_EVENT_SPAN_START, now);
	return NULL;
}

/* Put what was kept between the texts that only the end knows. */
static void finish_span(const struct call *call, const struct nd_kept_span *kept,
			struct draft *draft)
{
	const struct nd_thread *thread = call->thread;
	const uint8_t *sizes = kept->span.text_size;
	size_t before = sizeof(kept->span) + sizes[ND_SPAN_METHOD];
	size_t after = before + sizes[ND_SPAN_ROUTE];
	size_t rest = kept->size - after - sizes[ND_SPAN_ERROR];

	memcpy(draft->room, kept->room, before);
	draft->size = before;
	add_words(draft, ND_SPAN_ROUTE, call, FINISH_ROUTE);
	memcpy(end_of(draft), kept->room + after, rest);
	draft->size += rest;
	add_words(draft, ND_SPAN_ERROR, call, FINISH_ERROR);
	draft->span.status = (uint16_t)number(thread, NUMBER_STATUS);
	draft->span.flags |= (uint8_t)number(thread, NUMBER_FLAGS);
	draft->span.http_version = (uint8_t)number(thread, NUMBER_VERSION);
}

struct napi_value__ *nd_trace_on_finish(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	uint64_t now = nd_clock_monotonic_ns();
	struct nd_thread *thread;
	struct nd_kept_span *kept;
	struct draft draft;
	struct call call;

	if (!read_call(env, info, FINISH_COUNT, &call))
		return NULL;
	thread = call.thread;
	kept = find_kept(thread, number(thread, NUMBER_SPAN));
	/* Its ids may be known only now, where another tracer makes them. */
	if (!kept || number(thread, NUMBER_FLAGS) & ND_SPAN_OBSERVED)
		return NULL;
	finish_span(&call, kept, &draft);
	write_span(thread, &draft, ND_EVENT_SPAN, now);
	/* For who asks in what request something is done after the answer. */
	kept->span.status = draft.span.status;
	thread->trace.numbers[NUMBER_KIND] = 0;
	return NULL;
}

struct napi_value__ *nd_trace_on_end(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	uint64_t now = nd_clock_monotonic_ns();
	struct draft draft;
	struct call call;

	if (!read_call(env, info, ARG_COUNT, &call))
		return NULL;
	read_span(&call, NULL, &draft);
	write_span(call.thread, &draft, ND_EVENT_SPAN, now);
	return NULL;
}

struct napi_value__ *nd_trace_on_name(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct nd_traceparent remote, own = {0};
	struct nd_event_span span = {0};
	char text[ND_TRACEPARENT_LEN + 1];
	struct napi_value__ *name = NULL;
	struct call call;
	bool has_remote;

	if (!read_call(env, info, NAME_COUNT, &call))
		return NULL;
	has_remote = read_remote(&call, NAME_REMOTE, &remote);
	fill_ids(call.thread, has_remote ? &remote : NULL, &span);
	memcpy(own.trace_id, span.trace_id, sizeof(own.trace_id));
	memcpy(own.span_id, span.span_id, sizeof(own.span_id));
	own.flags = has_remote ? remote.flags & ~ND_TRACE_SAMPLED : 0;
	own.flags |= span.flags & ND_SPAN_UNSAMPLED ? 0 : ND_TRACE_SAMPLED;
	nd_traceparent_format(&own, text);
	napi_create_string_latin1(env, text, ND_TRACEPARENT_LEN, &name);
	return name;
}

struct napi_value__ *nd_trace_on_share(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct napi_value__ *argv[1];
	size_t argc = 1, length;
	void *thread, *numbers;
	int type;

	if (!napi_get_cb_info(env, info, &argc, argv, NULL, &thread) &&
	    !napi_get_typedarray_info(env, argv[0], &type, &length, &numbers, NULL, NULL) &&
	    type == ND_NAPI_FLOAT64_ARRAY && length >= NUMBER_COUNT) {
		((struct nd_thread *)thread)->trace.numbers = numbers;
		((double *)numbers)[ND_TRACE_PROPAGATORS] = nd_otel_get_propagators();
	}
	return NULL;
}

struct napi_value__ *nd_trace_on_tell(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct nd_thread *thread;
	struct call call;
	uint32_t why;

	if (!read_call(env, info, 1, &call))
		return NULL;
	thread = call.thread;
	if (!napi_get_value_uint32(env, call.argv[0], &why))
		__atomic_store_n(&thread->slot->tracing, why, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&thread->slot->spans_lost, thread->slot->spans_lost + 1,
				 __ATOMIC_RELAXED);
	return NULL;
}

void nd_trace_prepare(struct nd_thread *thread)
{
	nd_trace_make_secret(thread);
	if (!thread->trace.kept)
		thread->trace.kept = calloc(ND_KEPT_SPANS, sizeof(*thread->trace.kept));
	thread->slot->kept = (uintptr_t)thread->trace.kept;
}

void nd_trace_free(struct nd_thread *thread)
{
	free(thread->trace.kept);
	thread->trace.kept = NULL;
}
