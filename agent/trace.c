/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ids are not kept: the script numbers its spans, and a span's id is a permutation of its number,
 * by a secret of the thread. So ids are made only of spans that are written, at any time, and
 * again.
 */

#include "agent/trace.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/channel.h"
#include "agent/core.h"
#include "agent/node_abi.h"
#include "agent/script.h"
#include "agent/thread.h"
#include "common/clock.h"
#include "proto/span.h"

/* Embedded. */
extern const unsigned char nd_trace_js[] __attribute__((visibility("hidden")));
extern const unsigned int nd_trace_js_len __attribute__((visibility("hidden")));

/* "00-" trace id "-" span id "-" flags: https://www.w3.org/TR/trace-context/ */
#define TRACEPARENT_LEN	  55
#define TRACEPARENT_SPAN  36
#define TRACEPARENT_FLAGS 53

/* What the script hands over of each span, in this order; trace.js has the same. */
enum argument {
	ARG_KIND, /* these are numbers */
	ARG_FLAGS,
	ARG_NUMBER,
	ARG_PARENT, /* a span of this thread, or 0 */
	ARG_ROOT,   /* the span that began the trace in this thread */
	ARG_START,
	ARG_STATUS,
	ARG_VERSION,
	ARG_NUMBERS,
	ARG_REMOTE =
		ARG_NUMBERS, /* these are strings, or undefined: the "traceparent" it came with */
	ARG_METHOD,
	ARG_ROUTE,
	ARG_TARGET,
	ARG_HOST,
	ARG_PEER,
	ARG_ERROR,
	ARG_COUNT
};

/* A record that is being made. */
struct draft {
	struct nd_event_span span; /* without its texts */
	char text[ND_SPAN_TEXTS][ND_SPAN_TEXT_MAX];
};

static bool always;

void nd_trace_read_environment(void)
{
	const char *wanted = secure_getenv("NODIAG_TRACE");

	always = wanted && !strcmp(wanted, "1");
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): no two numbers give the same. */
static uint64_t mix(uint64_t number)
{
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

/* Eight bytes of an id; one that is all zeros is no id. */
static void write_id(uint64_t secret, uint64_t number, uint8_t *ret)
{
	uint64_t id = mix(secret + number);
	int i;

	id = id ? id : 1;
	for (i = 0; i < 8; i++)
		ret[i] = (uint8_t)(id >> (56 - 8 * i));
}

static void make_span_id(const struct nd_thread *thread, uint64_t number, uint8_t *ret)
{
	write_id(thread->trace.secret[0], number, ret);
}

static void make_trace_id(const struct nd_thread *thread, uint64_t root, uint8_t *ret)
{
	write_id(thread->trace.secret[1], root, ret);
	write_id(thread->trace.secret[2], root, ret + 8);
}

static uint8_t read_nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10) & 15;
}

/* The script has looked at the digits. */
static void read_hex(const char *text, uint8_t *ret, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		ret[i] = (uint8_t)(read_nibble(text[2 * i]) << 4 | read_nibble(text[2 * i + 1]));
}

static void write_hex(const uint8_t *bytes, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
}

/* False when the span has no parent in another process. */
static bool read_remote(struct napi_env__ *env, struct napi_value__ *value,
			char ret[TRACEPARENT_LEN + 1])
{
	size_t len;

	return !napi_get_value_string_latin1(env, value, ret, TRACEPARENT_LEN + 1, &len) &&
	       len == TRACEPARENT_LEN;
}

static uint64_t read_number(struct napi_env__ *env, struct napi_value__ *value)
{
	double number;

	return !napi_get_value_double(env, value, &number) && number > 0 ? (uint64_t)number : 0;
}

/* Whose the span is. */
static void fill_ids(const struct nd_thread *thread, struct napi_env__ *env,
		     struct napi_value__ *const *argv, const uint64_t *numbers,
		     struct nd_event_span *span)
{
	char remote[TRACEPARENT_LEN + 1];
	bool has_remote = read_remote(env, argv[ARG_REMOTE], remote);

	make_span_id(thread, numbers[ARG_NUMBER], span->span_id);
	if (has_remote)
		read_hex(remote + 3, span->trace_id, sizeof(span->trace_id));
	else
		make_trace_id(thread, numbers[ARG_ROOT], span->trace_id);
	if (numbers[ARG_PARENT]) {
		make_span_id(thread, numbers[ARG_PARENT], span->parent_id);
	} else if (has_remote) {
		read_hex(remote + TRACEPARENT_SPAN, span->parent_id, sizeof(span->parent_id));
		span->flags |= ND_SPAN_REMOTE_PARENT;
	}
}

/* V8 cuts a text that is too long. */
static void read_text(struct napi_env__ *env, struct napi_value__ *value, char *ret)
{
	size_t len;

	if (napi_get_value_string_latin1(env, value, ret, ND_SPAN_TEXT_MAX, &len))
		*ret = '\0';
}

/* Those that the program chose itself may be in any script. */
static void read_words(struct napi_env__ *env, struct napi_value__ *value, char *ret)
{
	size_t len;

	if (napi_get_value_string_utf8(env, value, ret, ND_SPAN_TEXT_MAX, &len))
		*ret = '\0';
}

/* A request's target is a path with a query, or for proxies a whole URL (RFC 9112, 3.2). */
static void keep_path(char *target)
{
	char *path = *target == '/' ? target : strstr(target, "://");

	target[strcspn(target, "?#")] = '\0';
	if (path == target)
		return;
	path = path ? strchr(path + strlen("://"), '/') : NULL;
	if (path)
		memmove(target, path, strlen(path) + 1);
}

/* "host", "host:8080" or "[::1]:8080"; cuts the port off. */
static uint16_t take_port(char *host, uint8_t flags)
{
	char *colon = strrchr(host, ':');
	unsigned long port = 0;

	if (colon && !strchr(colon, ']') && colon[1] >= '0' && colon[1] <= '9' &&
	    (*host == '[' || strchr(host, ':') == colon)) {
		port = strtoul(colon + 1, NULL, 10);
		*colon = '\0';
	}
	if (port && port <= UINT16_MAX)
		return (uint16_t)port;
	return !*host ? 0 : flags & ND_SPAN_TLS ? 443 : 80;
}

static void read_span(const struct nd_thread *thread, struct napi_env__ *env,
		      struct napi_value__ *const *argv, struct draft *draft)
{
	uint64_t numbers[ARG_NUMBERS];
	struct nd_event_span *span = &draft->span;
	int i;

	for (i = 0; i < ARG_NUMBERS; i++)
		numbers[i] = read_number(env, argv[i]);
	*span = (struct nd_event_span){
		.event.tid = thread->tid,
		.start_ns = numbers[ARG_START],
		.status = (uint16_t)numbers[ARG_STATUS],
		.kind = (uint8_t)numbers[ARG_KIND],
		.flags = (uint8_t)numbers[ARG_FLAGS],
		.http_version = (uint8_t)numbers[ARG_VERSION],
	};
	fill_ids(thread, env, argv, numbers, span);
	read_text(env, argv[ARG_METHOD], draft->text[ND_SPAN_METHOD]);
	read_words(env, argv[ARG_ROUTE], draft->text[ND_SPAN_ROUTE]);
	read_text(env, argv[ARG_TARGET], draft->text[ND_SPAN_PATH]);
	read_text(env, argv[ARG_HOST], draft->text[ND_SPAN_HOST]);
	read_text(env, argv[ARG_PEER], draft->text[ND_SPAN_PEER]);
	read_words(env, argv[ARG_ERROR], draft->text[ND_SPAN_ERROR]);
	keep_path(draft->text[ND_SPAN_PATH]);
	span->port = take_port(draft->text[ND_SPAN_HOST], span->flags);
}

static void write_span(struct nd_thread *thread, struct draft *draft, enum nd_event_kind kind,
		       uint64_t now)
{
	const char *texts[ND_SPAN_TEXTS];
	struct nd_event_span *span;
	uint32_t size;
	int i;

	for (i = 0; i < ND_SPAN_TEXTS; i++)
		texts[i] = draft->text[i];
	size = (uint32_t)nd_span_size(texts);
	span = nd_channel_begin(&thread->ring, kind, thread->tid, now, size);
	if (!span)
		return;
	draft->span.event = span->event;
	*span = draft->span;
	nd_span_set_texts(span, texts);
	nd_ring_commit(&thread->ring, span, size);
}

/* The function that the script calls with what enum argument says. NULL: something is not right. */
static struct nd_thread *read_call(struct napi_env__ *env, struct napi_callback_info__ *info,
				   struct draft *draft)
{
	struct napi_value__ *argv[ARG_COUNT];
	size_t argc = ARG_COUNT;
	void *thread;

	/* A child that fork() made has the script, but not the channel. */
	if (!nd_agent.active || napi_get_cb_info(env, info, &argc, argv, NULL, &thread))
		return NULL;
	read_span(thread, env, argv, draft);
	return thread;
}

/* begin(span...): returns its time, which end() is given back. */
static struct napi_value__ *on_begin(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	uint64_t now = nd_clock_monotonic_ns();
	struct napi_value__ *start = NULL;
	struct draft draft;
	struct nd_thread *thread = read_call(env, info, &draft);

	if (thread) {
		draft.span.start_ns = now;
		write_span(thread, &draft, ND_EVENT_SPAN_START, now);
	}
	napi_create_double(env, (double)now, &start);
	return start;
}

/* end(span...) */
static struct napi_value__ *on_end(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	uint64_t now = nd_clock_monotonic_ns();
	struct draft draft;
	struct nd_thread *thread = read_call(env, info, &draft);

	if (thread)
		write_span(thread, &draft, ND_EVENT_SPAN, now);
	return NULL;
}

/* name(span...): the "traceparent" of what the span asks for. */
static struct napi_value__ *on_name(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	char text[TRACEPARENT_LEN + 1] = "00-";
	struct napi_value__ *argv[ARG_COUNT], *name = NULL;
	char remote[TRACEPARENT_LEN + 1];
	uint64_t numbers[ARG_NUMBERS];
	struct nd_event_span span = {0};
	size_t argc = ARG_COUNT;
	void *thread;
	int i;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, &thread))
		return NULL;
	for (i = 0; i < ARG_NUMBERS; i++)
		numbers[i] = read_number(env, argv[i]);
	fill_ids(thread, env, argv, numbers, &span);
	write_hex(span.trace_id, sizeof(span.trace_id), text + 3);
	text[TRACEPARENT_SPAN - 1] = text[TRACEPARENT_FLAGS - 1] = '-';
	write_hex(span.span_id, sizeof(span.span_id), text + TRACEPARENT_SPAN);
	/* Whether a trace is sampled is decided where it begins; here all are. */
	memcpy(text + TRACEPARENT_FLAGS, "01", 2);
	if (read_remote(env, argv[ARG_REMOTE], remote))
		memcpy(text + TRACEPARENT_FLAGS, remote + TRACEPARENT_FLAGS, 2);
	napi_create_string_latin1(env, text, TRACEPARENT_LEN, &name);
	return name;
}

/* tell(): a request that the script could make nothing of; tell(why): it has ended by itself. */
static struct napi_value__ *on_tell(struct napi_env__ *env, struct napi_callback_info__ *info)
{
	struct napi_value__ *argv[1];
	struct nd_thread *thread;
	size_t argc = 1;
	uint32_t why;
	void *data;

	if (!nd_agent.active || napi_get_cb_info(env, info, &argc, argv, NULL, &data))
		return NULL;
	thread = data;
	if (!napi_get_value_uint32(env, argv[0], &why))
		__atomic_store_n(&thread->slot->tracing, why, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&thread->slot->spans_lost, thread->slot->spans_lost + 1,
				 __ATOMIC_RELAXED);
	return NULL;
}

static void make_secrets(struct nd_thread *thread)
{
	size_t size = sizeof(thread->trace.secret), i;

	if (getrandom(thread->trace.secret, size, GRND_NONBLOCK) == (ssize_t)size)
		return;
	for (i = 0; i < size / sizeof(thread->trace.secret[0]); i++)
		thread->trace.secret[i] = mix(nd_clock_monotonic_ns() + thread->tid + i);
}

static void load(struct nd_thread *thread, struct napi_env__ *env)
{
	static const struct {
		const char *name;
		nd_napi_callback *callback;
	} functions[] = {
		{"begin", on_begin}, {"end", on_end}, {"name", on_name}, {"tell", on_tell}};
	struct napi_value__ *argv[sizeof(functions) / sizeof(functions[0])];
	size_t argc = sizeof(functions) / sizeof(functions[0]), i;

	for (i = 0; i < argc; i++)
		if (napi_create_function(env, functions[i].name, ND_NAPI_AUTO_LENGTH,
					 functions[i].callback, thread, &argv[i]))
			return;
	make_secrets(thread);
	thread->trace.toggle = nd_script_load(env, nd_trace_js, nd_trace_js_len, argc, argv);
}

static void tell_script(struct nd_thread *thread, struct napi_env__ *env)
{
	int state = ND_TRACING_FAILED;

	if (!thread->trace.toggle)
		load(thread, env);
	if (thread->trace.toggle)
		state = nd_script_switch(env, thread->trace.toggle, thread->trace.is_wanted,
					 ND_TRACING_FAILED);
	__atomic_store_n(&thread->slot->tracing, (uint32_t)state, __ATOMIC_RELAXED);
}

void nd_trace_update(struct nd_thread *thread)
{
	bool wanted = nd_agent.features & ND_FEATURE_TRACE &&
		      (always || nd_agent.wanted & ND_FEATURE_TRACE);

	if (wanted == thread->trace.is_wanted)
		return;
	thread->trace.is_wanted = wanted;
	if (!nd_script_enter(thread, tell_script))
		thread->trace.is_wanted = !wanted;
}

static void drop_script(struct nd_thread *thread, struct napi_env__ *env)
{
	tell_script(thread, env);
	napi_delete_reference(env, thread->trace.toggle);
	thread->trace.toggle = NULL;
}

bool nd_trace_stop(struct nd_thread *thread)
{
	if (!thread->trace.toggle)
		return true;
	thread->trace.is_wanted = false;
	return nd_script_enter(thread, drop_script);
}
