/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/span.h"

#define MS  UINT64_C(1000000)
#define SEC (1000 * MS)

/* What was kept: spans are known by the first byte of their ids. */
struct fixture {
	struct nd_tail *tail;
	char kept[64];
	size_t count;
};

static struct fixture f;

static int keep(void *arg, const struct nd_event_span *span)
{
	if (f.count < sizeof(f.kept) - 1)
		f.kept[f.count] = (char)span->span_id[0];
	f.count++;
	return 0;
}

static void begin(struct nd_tail_rules rules)
{
	nd_tail_free(f.tail);
	f = (struct fixture){.tail = nd_tail_new(&rules, keep, NULL)};
	assert_non_null(f.tail);
}

static int fini(void **state)
{
	nd_tail_free(f.tail);
	f.tail = NULL;
	return 0;
}

/* A span of a trace, both known by a letter; `end_ms` is 0 where it only begins. */
struct part {
	char trace;
	char span;
	uint64_t start_ms;
	uint64_t end_ms;
	uint16_t status;
	uint8_t flags;
};

static void add(struct part part)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "/a", "/a", "", "", ""};
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u = {.span = {.start_ns = part.start_ms * MS,
			.kind = ND_SPAN_SERVER,
			.status = part.status,
			.flags = part.flags}};

	u.span.event.kind = part.end_ms ? ND_EVENT_SPAN : ND_EVENT_SPAN_START;
	u.span.event.time_ns = (part.end_ms ? part.end_ms : part.start_ms) * MS;
	/* The bits that decide about one in many are the last ones. */
	u.span.trace_id[9] = (uint8_t)part.trace;
	u.span.span_id[0] = (uint8_t)part.span;
	nd_span_set_texts(&u.span, texts);
	assert_int_equal(nd_tail_add(f.tail, &u.span), 0);
}

/* One that began and ended while others went on. */
static void add_whole(struct part part)
{
	struct part first = part;

	first.end_ms = 0;
	add(first);
	add(part);
}

static void check(const char *kept, uint64_t kept_traces, uint64_t dropped, uint64_t early)
{
	struct nd_tail_counts counts;

	assert_string_equal(f.kept, kept);
	nd_tail_get_counts(f.tail, &counts);
	assert_int_equal(counts.kept, kept_traces);
	assert_int_equal(counts.dropped, dropped);
	assert_int_equal(counts.early, early);
}

static void test_no_rule(void **state)
{
	begin((struct nd_tail_rules){0});
	add((struct part){'t', 'a', 1, 0, 0, 0});
	add((struct part){'t', 'a', 1, 2, 200, 0});
	add((struct part){'u', 'x', 1, 2, 200, ND_SPAN_UNSAMPLED});
	check("a", 0, 0, 0);
}

/* All of a trace is kept for one span of it, in the order in which they ended. */
static void test_errors(void **state)
{
	begin((struct nd_tail_rules){.errors = true});
	add((struct part){'t', 'a', 1, 0, 0, 0});
	add((struct part){'t', 'b', 2, 0, 0, 0});
	add((struct part){'u', 'x', 2, 0, 0, 0});
	add((struct part){'t', 'b', 2, 3, 200, 0});
	add((struct part){'u', 'x', 2, 3, 404, 0});
	assert_int_equal(nd_tail_settle(f.tail, 4 * MS), 0);
	check("", 0, 1, 0);
	add((struct part){'t', 'a', 1, 5, 500, 0});
	check("ba", 1, 1, 0);
	/* What comes later shares its fate, but that what failed is kept. */
	add((struct part){'t', 'c', 5, 6, 200, 0});
	add((struct part){'u', 'y', 5, 6, 200, 0});
	check("bac", 1, 1, 0);
	add((struct part){'u', 'z', 5, 6, 503, 0});
	add((struct part){'u', 'w', 6, 7, 200, 0});
	check("baczw", 2, 0, 0);
}

static void test_slow(void **state)
{
	begin((struct nd_tail_rules){.slow_ns = 200 * MS});
	add((struct part){'t', 'a', 1000, 0, 0, 0});
	add_whole((struct part){'t', 'b', 1001, 1100, 200, 0});
	add((struct part){'u', 'x', 1000, 0, 0, 0});
	add((struct part){'u', 'x', 1000, 1199, 500, 0});
	/* It goes on, and is slow enough already. */
	assert_int_equal(nd_tail_settle(f.tail, 1199 * MS), 0);
	check("", 0, 1, 0);
	assert_int_equal(nd_tail_settle(f.tail, 1200 * MS), 0);
	check("b", 1, 1, 0);
	add((struct part){'t', 'a', 1000, 1300, 200, 0});
	check("ba", 1, 1, 0);
	/* From the first span of a trace to the end of the last. */
	add((struct part){'v', 'c', 2000, 2150, 200, 0});
	add((struct part){'v', 'd', 2100, 2200, 200, 0});
	check("bacd", 2, 1, 0);
}

/* The same traces everywhere, of which more are kept the smaller the number is. */
static void test_one_in(void **state)
{
	int i;

	begin((struct nd_tail_rules){.one_in = 4});
	for (i = 0; i < 256; i++)
		add((struct part){(char)i, (char)('a' + i % 16), 1, 2, 200, 0});
	assert_int_equal(f.count, 64);
	begin((struct nd_tail_rules){.one_in = 4});
	add((struct part){(char)191, 'a', 1, 2, 200, 0});
	add((struct part){(char)192, 'b', 1, 2, 200, 0});
	assert_int_equal(nd_tail_finish(f.tail), 0);
	check("b", 1, 1, 0);
	begin((struct nd_tail_rules){.one_in = 1});
	add((struct part){0, 'a', 1, 2, 200, 0});
	check("a", 1, 0, 0);
}

static void test_unsampled(void **state)
{
	begin((struct nd_tail_rules){.errors = true});
	add((struct part){'t', 'a', 1, 2, 500, ND_SPAN_UNSAMPLED});
	assert_int_equal(nd_tail_finish(f.tail), 0);
	check("", 0, 0, 0);
}

/* What waits too long is dropped, and what was cut off is kept. */
static void test_time(void **state)
{
	begin((struct nd_tail_rules){.errors = true});
	add((struct part){'t', 'a', 1000, 0, 0, 0});
	add_whole((struct part){'t', 'b', 1000, 1001, 200, 0});
	assert_int_equal(nd_tail_settle(f.tail, ND_TAIL_WAIT_NS + 1000 * MS), 0);
	check("", 0, 0, 0);
	assert_int_equal(nd_tail_settle(f.tail, ND_TAIL_WAIT_NS + 1001 * MS), 0);
	check("", 0, 1, 1);
	add((struct part){'u', 'c', 40000, 0, 0, 0});
	add_whole((struct part){'u', 'd', 40000, 40001, 200, 0});
	assert_int_equal(nd_tail_finish(f.tail), 0);
	check("d", 1, 1, 1);
}

static void add_numbered(uint32_t number, bool is_over)
{
	static const char *const texts[ND_SPAN_TEXTS] = {"GET", "/a", "/a", "", "", ""};
	union {
		struct nd_event_span span;
		char room[ND_SPAN_SIZE_MAX];
	} u = {.span = {.start_ns = SEC, .kind = ND_SPAN_SERVER, .status = 200}};

	u.span.event.kind = is_over ? ND_EVENT_SPAN : ND_EVENT_SPAN_START;
	u.span.event.time_ns = SEC;
	memcpy(u.span.trace_id + 10, &number, sizeof(number));
	nd_span_set_texts(&u.span, texts);
	assert_int_equal(nd_tail_add(f.tail, &u.span), 0);
}

static void test_room(void **state)
{
	uint32_t i;

	begin((struct nd_tail_rules){.errors = true});
	for (i = 0; i < ND_TAIL_TRACES_MAX + 5; i++)
		add_numbered(i, false);
	check("", 0, 5, 5);
	/* More spans than there is room for, of traces that go on. */
	for (i = 0; i < 4 * ND_TAIL_BYTES_MAX / sizeof(struct nd_event_span); i++)
		add_numbered(100, i % 2);
	check("", 0, 101, 101);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_no_rule, fini),
		cmocka_unit_test_teardown(test_errors, fini),
		cmocka_unit_test_teardown(test_slow, fini),
		cmocka_unit_test_teardown(test_one_in, fini),
		cmocka_unit_test_teardown(test_unsampled, fini),
		cmocka_unit_test_teardown(test_time, fini),
		cmocka_unit_test_teardown(test_room, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
