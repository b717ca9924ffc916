/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trace_ids.h"

#include <string.h>
#include <sys/random.h>

#include "agent/thread.h"
#include "common/clock.h"

/* Where in "00-" trace id "-" span id "-" flags they are. */
#define TRACE_AT 3
#define SPAN_AT	 36
#define FLAGS_AT 53

static uint8_t read_nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10) & 15;
}

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

void nd_traceparent_parse(const char *text, struct nd_traceparent *ret)
{
	read_hex(text + TRACE_AT, ret->trace_id, sizeof(ret->trace_id));
	read_hex(text + SPAN_AT, ret->span_id, sizeof(ret->span_id));
	read_hex(text + FLAGS_AT, &ret->flags, 1);
}

void nd_traceparent_format(const struct nd_traceparent *parent,
			   char ret_text[ND_TRACEPARENT_LEN + 1])
{
	memcpy(ret_text, "00-", TRACE_AT);
	write_hex(parent->trace_id, sizeof(parent->trace_id), ret_text + TRACE_AT);
	ret_text[SPAN_AT - 1] = '-';
	write_hex(parent->span_id, sizeof(parent->span_id), ret_text + SPAN_AT);
	ret_text[FLAGS_AT - 1] = '-';
	write_hex(&parent->flags, 1, ret_text + FLAGS_AT);
	ret_text[ND_TRACEPARENT_LEN] = '\0';
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

void nd_trace_make_secret(struct nd_thread *thread)
{
	size_t size = sizeof(thread->trace.secret), i;

	if (getrandom(thread->trace.secret, size, GRND_NONBLOCK) == (ssize_t)size)
		return;
	for (i = 0; i < size / sizeof(thread->trace.secret[0]); i++)
		thread->trace.secret[i] = mix(nd_clock_monotonic_ns() + thread->tid + i);
}

void nd_trace_name_span(const struct nd_thread *thread, uint64_t number,
			uint8_t ret_id[ND_SPAN_ID_SIZE])
{
	if (number)
		write_id(thread->trace.secret[0], number, ret_id);
	else
		memset(ret_id, 0, ND_SPAN_ID_SIZE);
}

void nd_trace_name_trace(const struct nd_thread *thread, uint64_t root,
			 uint8_t ret_id[ND_TRACE_ID_SIZE])
{
	write_id(thread->trace.secret[1], root, ret_id);
	write_id(thread->trace.secret[2], root, ret_id + 8);
}
