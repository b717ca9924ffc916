/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/strings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/limits.h"

#define FIRST_BYTES  (1u << 20)
#define FIRST_STARTS (1u << 16)

/* The longest that one character becomes, and a NUL. */
#define ROOM 8

enum state {
	FIRST,	/* behind "[": a string or "]" */
	WANTED, /* behind ",": a string */
	INSIDE,
	ESCAPE, /* behind a backslash */
	ENDED,	/* behind a string: "," or "]" */
};

static int no_memory(struct nd_err *err)
{
	return nd_err_set(err, -ENOMEM, "out of memory for its strings");
}

static int reserve(struct nd_heap_strings *s, size_t len, struct nd_err *err)
{
	size_t first = s->expected > FIRST_BYTES ? s->expected : FIRST_BYTES;
	size_t cap = s->cap ? s->cap : first;
	char *bytes;

	if (s->cap - s->len >= len + ROOM)
		return 0;
	if (s->len + len + ROOM > ND_HEAP_STRING_BYTES_MAX)
		return nd_err_set(err, -E2BIG, "its strings have more than %llu bytes",
				  (unsigned long long)ND_HEAP_STRING_BYTES_MAX);
	while (cap - s->len < len + ROOM)
		cap *= 2;
	bytes = realloc(s->bytes, cap);
	if (!bytes)
		return no_memory(err);
	s->bytes = bytes;
	s->cap = cap;
	return 0;
}

static void put_character(struct nd_heap_strings *s, uint32_t c)
{
	unsigned char *at = (unsigned char *)s->bytes + s->len;

	if (!c)
		c = 0xfffd;
	if (c < 0x80) {
		*at++ = (unsigned char)c;
	} else if (c < 0x800) {
		*at++ = (unsigned char)(0xc0 | c >> 6);
		*at++ = (unsigned char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*at++ = (unsigned char)(0xe0 | c >> 12);
		*at++ = (unsigned char)(0x80 | (c >> 6 & 63));
		*at++ = (unsigned char)(0x80 | (c & 63));
	} else {
		*at++ = (unsigned char)(0xf0 | c >> 18);
		*at++ = (unsigned char)(0x80 | (c >> 12 & 63));
		*at++ = (unsigned char)(0x80 | (c >> 6 & 63));
		*at++ = (unsigned char)(0x80 | (c & 63));
	}
	s->len = (size_t)((char *)at - s->bytes);
}

/* A surrogate whose other half did not come stays alone. There is room for it. */
static void flush_high(struct nd_heap_strings *s)
{
	if (s->high)
		put_character(s, s->high);
	s->high = 0;
}

static void put_unit(struct nd_heap_strings *s, uint32_t unit)
{
	uint32_t high = s->high;

	if (high && unit >= 0xdc00 && unit < 0xe000) {
		s->high = 0;
		put_character(s, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
		return;
	}
	flush_high(s);
	if (unit >= 0xd800 && unit < 0xdc00)
		s->high = unit;
	else
		put_character(s, unit);
}

/* 1 when the escape is complete, 0 when more of it must come, -1 when it is none. */
static int decode_escape(const struct nd_heap_strings *s, uint32_t *ret_unit)
{
	static const char letters[] = "\"\\/bfnrt", units[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	char hex[5] = "";

	if (s->escape[0] != 'u') {
		letter = strchr(letters, s->escape[0]);
		if (!letter || !*letter)
			return -1;
		*ret_unit = (unsigned char)units[letter - letters];
		return 1;
	}
	if (s->escape_len > 1 && !isxdigit((unsigned char)s->escape[s->escape_len - 1]))
		return -1;
	if (s->escape_len < sizeof(s->escape))
		return 0;
	memcpy(hex, s->escape + 1, 4);
	*ret_unit = (uint32_t)strtoul(hex, NULL, 16);
	return 1;
}

static int add_escape(struct nd_heap_strings *s, char c, uint64_t offset, struct nd_err *err)
{
	uint32_t unit;
	int ret;

	s->escape[s->escape_len++] = c;
	ret = decode_escape(s, &unit);
	if (ret < 0)
		return nd_err_set(err, -EBADMSG, "a bad escape in a string at byte %" PRIu64,
				  offset);
	if (!ret)
		return 0;
	s->state = INSIDE;
	ret = reserve(s, 0, err);
	if (!ret)
		put_unit(s, unit);
	return ret;
}

/* Remember where a string starts, or where the last one ended. */
static int add_start(struct nd_heap_strings *s, struct nd_err *err)
{
	uint32_t cap = s->start_cap ? s->start_cap * 2 : FIRST_STARTS;
	size_t *start;

	if (s->count == s->start_cap) {
		start = reallocarray(s->start, cap, sizeof(*start));
		if (!start)
			return no_memory(err);
		s->start = start;
		s->start_cap = cap;
	}
	s->start[s->count] = s->len;
	return 0;
}

static int begin_string(struct nd_heap_strings *s, struct nd_err *err)
{
	int ret = reserve(s, 0, err);

	if (!ret && s->count == ND_HEAP_STRINGS_MAX)
		ret = nd_err_set(err, -E2BIG, "it has more than %u strings", ND_HEAP_STRINGS_MAX);
	s->state = INSIDE;
	return ret ? ret : add_start(s, err);
}

/* Bytes up to a quote, a backslash, or one that may not be in a string. */
static size_t run_of(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= ' ')
		p++;
	return (size_t)(p - start);
}

/* Take what stands in a string, and its end. */
static int add_run(struct nd_heap_strings *s, const char **p, const char *end, uint64_t offset,
		   struct nd_err *err)
{
	size_t run = run_of(*p, end);
	int ret = reserve(s, run, err);

	if (ret)
		return ret;
	if (run) {
		flush_high(s);
		memcpy(s->bytes + s->len, *p, run);
		s->len += run;
		*p += run;
	}
	if (*p == end)
		return 0;
	if (**p == '\\') {
		s->state = ESCAPE;
		s->escape_len = 0;
	} else if (**p == '"') {
		flush_high(s);
		s->bytes[s->len++] = '\0';
		s->count++;
		s->state = ENDED;
	} else {
		return nd_err_set(err, -EBADMSG,
				  "byte 0x%02x at %" PRIu64 ", which is not escaped in a string",
				  (unsigned char)**p, offset + run);
	}
	++*p;
	return 0;
}

/* Between strings. 1 at the end of the list. */
static int punctuate(struct nd_heap_strings *s, char c, uint64_t offset, struct nd_err *err)
{
	if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
		return 0;
	if (c == '"' && s->state <= WANTED)
		return begin_string(s, err);
	if (c == ',' && s->state == ENDED) {
		s->state = WANTED;
		return 0;
	}
	if (c != ']' || s->state == WANTED)
		return nd_err_set(err, -EBADMSG,
				  "byte 0x%02x at %" PRIu64 ", in the list of strings",
				  (unsigned char)c, offset);
	return add_start(s, err) ? -ENOMEM : 1;
}

int nd_heap_strings_feed(struct nd_heap_strings *s, const char *data, size_t len, uint64_t offset,
			 size_t *ret_used, struct nd_err *err)
{
	const char *p = data, *end = data + len;
	uint64_t at;
	int ret = 0;

	while (p < end && !ret) {
		at = offset + (uint64_t)(p - data);
		if (s->state == INSIDE)
			ret = add_run(s, &p, end, at, err);
		else if (s->state == ESCAPE)
			ret = add_escape(s, *p++, at, err);
		else
			ret = punctuate(s, *p++, at, err);
	}
	*ret_used = (size_t)(p - data);
	return ret;
}

void nd_heap_strings_fini(struct nd_heap_strings *s)
{
	free(s->bytes);
	free(s->start);
	*s = (struct nd_heap_strings){0};
}
