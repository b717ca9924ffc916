/* SPDX-License-Identifier: Apache-2.0 */

/* The ring of common/ring.h: each side alone, each against a hostile other, and both at once. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/ring.h"

#define SIZE	4096u
#define LONGEST (SIZE / 2 - ND_RING_HEADER)

/* As much as an agent's head has, and bytes around the data that nobody may touch. */
#define FENCE 64

struct memory {
	struct nd_ring_head head;
	uint8_t before[FENCE];
	uint64_t data[SIZE / 8];
	uint8_t after[FENCE];
	struct nd_ring ring;
};

static int set_up(void **state)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -1;
	memset(m->before, 0xee, FENCE);
	memset(m->after, 0xee, FENCE);
	m->ring = (struct nd_ring){.head = &m->head, .data = (uint8_t *)m->data, .size = SIZE};
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct memory *m = *state;
	int i;

	for (i = 0; i < FENCE; i++)
		if (m->before[i] != 0xee || m->after[i] != 0xee)
			return -1;
	free(m);
	return 0;
}

static void fill(uint8_t *content, uint32_t len, uint32_t seed)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		content[i] = (uint8_t)(seed * 31 + i);
}

/* A record of that length, with content that follows from `seed`; false when there is no room. */
static bool write_record(struct nd_ring *ring, uint32_t len, uint32_t seed)
{
	uint8_t *content = nd_ring_reserve(ring, len);

	if (!content)
		return false;
	fill(content, len, seed);
	nd_ring_commit(ring, content, len);
	return true;
}

static void expect_record(struct nd_ring *ring, uint32_t len, uint32_t seed)
{
	uint8_t found[SIZE], expected[SIZE];

	assert_int_equal(nd_ring_read(ring, found, sizeof(found)), len);
	fill(expected, len, seed);
	assert_memory_equal(found, expected, len);
}

static void expect_none(struct nd_ring *ring)
{
	uint8_t found[SIZE];

	assert_int_equal(nd_ring_read(ring, found, sizeof(found)), 0);
}

static void test_every_length_comes_back(void **state)
{
	struct memory *m = *state;
	uint32_t len;

	assert_int_equal(nd_ring_content_max(&m->ring), LONGEST);
	for (len = 1; len <= LONGEST; len++) {
		assert_true(write_record(&m->ring, len, len));
		expect_record(&m->ring, len, len);
	}
	expect_none(&m->ring);
	assert_int_equal(m->head.dropped, 0);
}

/* Records never wrap, so padding comes at all places where one may end. */
static void test_records_go_round_in_order(void **state)
{
	struct memory *m = *state;
	uint32_t written = 0, read = 0;

	while (read < 20000) {
		while (write_record(&m->ring, 1 + written * 7 % 500, written))
			written++;
		assert_true(written > read);
		for (; read < written; read++)
			expect_record(&m->ring, 1 + read * 7 % 500, read);
	}
	expect_none(&m->ring);
}

static void test_what_finds_no_room_is_counted(void **state)
{
	struct memory *m = *state;
	uint32_t count = 0, i;

	while (write_record(&m->ring, 56, count))
		count++;
	assert_int_equal(count, SIZE / 64);
	assert_int_equal(m->head.dropped, 1);
	assert_false(write_record(&m->ring, 1, 0));
	assert_int_equal(m->head.dropped, 2);
	for (i = 0; i < count; i++)
		expect_record(&m->ring, 56, i);
	assert_true(write_record(&m->ring, 56, 7));
	expect_record(&m->ring, 56, 7);
	assert_int_equal(m->head.dropped, 2);
}

static void test_the_longest_fits_into_an_empty_ring(void **state)
{
	struct memory *m = *state;
	uint32_t first;

	assert_null(nd_ring_reserve(&m->ring, LONGEST + 1));
	assert_null(nd_ring_reserve(&m->ring, UINT32_MAX));
	assert_int_equal(m->head.dropped, 2);
	for (first = 8; first < SIZE / 2; first += 8) {
		assert_true(write_record(&m->ring, first, 1));
		expect_record(&m->ring, first, 1);
		assert_true(write_record(&m->ring, LONGEST, first));
		expect_record(&m->ring, LONGEST, first);
	}
}

/* Only what is not read in time makes a large ring use more of its memory than its beginning. */
static void test_a_ring_that_is_read_stays_small(void **state)
{
	const uint32_t size = 16 * ND_RING_REWIND, room = 2 * ND_RING_REWIND;
	struct nd_ring_head head = {0};
	struct nd_ring ring = {.head = &head, .data = calloc(1, size), .size = size};
	uint32_t i, unread;

	assert_non_null(ring.data);
	for (i = 0; i < 100000; i++) {
		assert_true(write_record(&ring, 200, i));
		expect_record(&ring, 200, i);
	}
	for (i = room; i < size; i++)
		assert_int_equal(ring.data[i], 0);
	for (unread = 0; write_record(&ring, 200, unread); unread++)
		;
	/* All but what is too short for one more, before the ring's end and at last. */
	assert_true(unread >= size / 208 - 2);
	for (i = 0; i < unread; i++)
		expect_record(&ring, 200, i);
	assert_true(write_record(&ring, size / 2 - ND_RING_HEADER, 7));
	free(ring.data);
}

/* From whatever position it begins anew, there is room for all of it, and nothing before is read.
 */
static void test_a_ring_that_begins_anew_is_empty(void **state)
{
	const uint32_t size = 4 * ND_RING_REWIND, len = 1000;
	struct nd_ring_head head = {0};
	struct nd_ring ring = {.head = &head, .data = calloc(1, size), .size = size};
	uint32_t before, i, count;

	assert_non_null(ring.data);
	for (before = ND_RING_REWIND / len + 1; before < size / 1008; before += 7) {
		head = (struct nd_ring_head){0};
		for (i = 0; i < before; i++)
			assert_true(write_record(&ring, len, i));
		for (i = 0; i < before; i++)
			expect_record(&ring, len, i);
		expect_none(&ring);
		for (count = 0; write_record(&ring, len, count); count++)
			;
		assert_int_equal(count, size / 1008);
		for (i = 0; i < count; i++)
			expect_record(&ring, len, i);
		expect_none(&ring);
	}
	free(ring.data);
}

/* What a burst took is told of when it was read, and what is in use is not. */
static void test_what_a_burst_took_is_given_back(void **state)
{
	const uint32_t size = 16 * ND_RING_REWIND;
	struct nd_ring_head head = {0};
	struct nd_ring ring = {.head = &head, .data = calloc(1, size), .size = size};
	uint32_t from = 0, given, unread, i;

	assert_non_null(ring.data);
	for (unread = 0; write_record(&ring, 200, unread); unread++)
		;
	assert_int_equal(nd_ring_take_unused(&ring, &from), 0);
	for (i = 0; i < unread; i++)
		expect_record(&ring, 200, i);
	/* The next record may still come to its end. */
	assert_int_equal(nd_ring_take_unused(&ring, &from), 0);
	assert_true(write_record(&ring, 200, 1));
	expect_record(&ring, 200, 1);
	assert_true(write_record(&ring, 200, 2));
	given = nd_ring_take_unused(&ring, &from);
	assert_true(from >= ND_RING_REWIND && given > size - from - 208 && given <= size - from);
	memset(ring.data + from, 0, given);
	assert_int_equal(nd_ring_take_unused(&ring, &from), 0);
	assert_true(write_record(&ring, 200, 3));
	expect_record(&ring, 200, 2);
	expect_record(&ring, 200, 3);
	for (unread = 0; write_record(&ring, 200, unread); unread++)
		;
	for (i = 0; i < unread; i++)
		expect_record(&ring, 200, i);
	free(ring.data);
}

/* Under a load that never pauses, never all is read. */
static void test_what_a_burst_took_is_given_back_under_load(void **state)
{
	const uint32_t size = 16 * ND_RING_REWIND, behind = 100;
	struct nd_ring_head head = {0};
	struct nd_ring ring = {.head = &head, .data = calloc(1, size), .size = size};
	uint32_t i, read = 0, from, given, total = 0;

	assert_non_null(ring.data);
	for (i = 0; i < 5 * size / 208; i++) {
		assert_true(write_record(&ring, 200, i));
		if (i - read >= behind)
			expect_record(&ring, 200, read++);
		given = nd_ring_take_unused(&ring, &from);
		total += given;
		if (!given)
			continue;
		assert_int_equal(from % 4096, 0);
		assert_int_equal(from + given <= size, 1);
		memset(ring.data + from, 0xee, given);
	}
	for (; read < i; read++)
		expect_record(&ring, 200, read);
	assert_true(total > 3 * (size - 3 * ND_RING_REWIND));
	free(ring.data);
}

/* As when a signal handler comes between reserving and committing. */
static void test_a_record_within_another(void **state)
{
	struct memory *m = *state;
	uint8_t *outer, *inner;
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		outer = nd_ring_reserve(&m->ring, 100);
		assert_non_null(outer);
		inner = nd_ring_reserve(&m->ring, 60);
		assert_non_null(inner);
		fill(inner, 60, 2 * i);
		nd_ring_commit(&m->ring, inner, 60);
		expect_none(&m->ring);
		fill(outer, 100, 2 * i + 1);
		nd_ring_commit(&m->ring, outer, 100);
		expect_record(&m->ring, 100, 2 * i + 1);
		expect_record(&m->ring, 60, 2 * i);
		expect_none(&m->ring);
	}
}

/* Nothing that an earlier round left is taken for the record that is being written. */
static void test_old_records_are_not_new_ones(void **state)
{
	struct memory *m = *state;
	uint8_t *content;
	uint32_t i;

	for (i = 0; i < 3 * SIZE / 64; i++) {
		content = nd_ring_reserve(&m->ring, 56);
		assert_non_null(content);
		expect_none(&m->ring);
		fill(content, 56, i);
		nd_ring_commit(&m->ring, content, 56);
		expect_record(&m->ring, 56, i);
	}
}

static void test_a_buffer_that_is_too_small(void **state)
{
	struct memory *m = *state;
	uint8_t found[99];

	assert_true(write_record(&m->ring, 100, 3));
	assert_int_equal(nd_ring_read(&m->ring, found, sizeof(found)), -EMSGSIZE);
	assert_int_equal(nd_ring_read(&m->ring, found, sizeof(found)), -EMSGSIZE);
	expect_record(&m->ring, 100, 3);
}

static void test_skip(void **state)
{
	struct memory *m = *state;

	assert_true(write_record(&m->ring, 100, 1));
	assert_true(write_record(&m->ring, 100, 2));
	nd_ring_skip(&m->ring);
	expect_none(&m->ring);
	assert_true(write_record(&m->ring, 100, 3));
	expect_record(&m->ring, 100, 3);
}

static void test_damaged_headers(void **state)
{
	static const uint32_t lengths[] = {1, 7, SIZE + 1, SIZE * 2, UINT32_MAX};
	struct memory *m = *state;
	uint8_t found[SIZE];
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_true(write_record(&m->ring, 100, 1));
		m->data[0] = (m->data[0] & ~(uint64_t)UINT32_MAX) | lengths[i];
		assert_int_equal(nd_ring_read(&m->ring, found, sizeof(found)), -EBADMSG);
		/* Padding is no way out. */
		m->data[0] |= UINT64_C(1) << 63;
		assert_int_equal(nd_ring_read(&m->ring, found, sizeof(found)), -EBADMSG);
		memset(&m->head, 0, sizeof(m->head));
	}
}

/* A header of another position is one that is not there yet. */
static void test_a_header_of_elsewhere(void **state)
{
	struct memory *m = *state;

	assert_true(write_record(&m->ring, 100, 1));
	m->data[0] ^= UINT64_C(1) << 32;
	expect_none(&m->ring);
	m->data[0] ^= UINT64_C(1) << 32;
	expect_record(&m->ring, 100, 1);
}

/* The memory is the reader's too: whatever it says, the writer stays inside of the ring. */
static void test_a_hostile_reader(void **state)
{
	struct memory *m = *state;
	uint32_t random = 1, i, len;
	uint8_t *content;

	for (i = 0; i < 100000; i++) {
		random = random * 1103515245 + 12345;
		m->head.consumed = i % 3 ? m->head.produced - random % (2 * SIZE)
					 : (uint64_t)random << (random & 31);
		if (i % 5 == 0) {
			m->head.void_from = m->head.consumed;
			m->head.void_to = m->head.produced - random % (4 * SIZE);
		}
		len = 1 + (random >> 8) % LONGEST;
		content = nd_ring_reserve(&m->ring, len);
		if (!content)
			continue;
		assert_in_range(content - m->ring.data, ND_RING_HEADER, SIZE - len);
		fill(content, len, i);
		nd_ring_commit(&m->ring, content, len);
	}
}

/* It is the writer's as well: a position between two words is none. */
static void test_a_hostile_writer(void **state)
{
	struct memory *m = *state;
	uint8_t found[SIZE];
	uint64_t consumed;

	for (consumed = SIZE - 7; consumed < SIZE; consumed++) {
		m->head.consumed = consumed;
		m->head.produced = consumed + 64;
		assert_int_equal(nd_ring_read(&m->ring, found, sizeof(found)), -EBADMSG);
	}
	m->head.consumed = 64;
	m->head.produced = 8;
	expect_none(&m->ring);
	/* Nor may it lead the reader back, or further than a ring is long. */
	m->head = (struct nd_ring_head){
		.consumed = 64, .produced = 128, .void_from = 64, .void_to = 0};
	assert_int_equal(nd_ring_read(&m->ring, found, sizeof(found)), -EBADMSG);
	m->head.void_to = 64 + SIZE + 8;
	assert_int_equal(nd_ring_read(&m->ring, found, sizeof(found)), -EBADMSG);
}

/*
 * Both at once: a thread that writes, in which a signal handler writes too, and one that reads. Of
 * each of the two writers all records come, in order, but for those that found no room.
 */
#define STRESS_RECORDS 300000

struct stress_record {
	uint64_t writer;
	uint64_t number;
	uint8_t rest[200]; /* as many as `number` says */
};

struct stress {
	struct nd_ring ring;
	uint64_t number[2]; /* next of each writer */
	uint64_t refused;
	bool rests; /* the writer, until all is read */
	bool done;
};

static struct stress stress;

static uint32_t rest_of(uint64_t number)
{
	return (uint32_t)(number * 13 % sizeof(((struct stress_record *)0)->rest));
}

static void write_stress(unsigned int writer)
{
	uint64_t number = stress.number[writer];
	uint32_t len = (uint32_t)offsetof(struct stress_record, rest) + rest_of(number);
	struct stress_record *record = nd_ring_reserve(&stress.ring, len);

	if (!record) {
		__atomic_fetch_add(&stress.refused, 1, __ATOMIC_RELAXED);
		return;
	}
	stress.number[writer]++;
	record->writer = writer;
	record->number = number;
	memset(record->rest, (int)(uint8_t)number, rest_of(number));
	nd_ring_commit(&stress.ring, record, len);
}

static void on_signal(int signal)
{
	write_stress(1);
}

/* The handler's signal, on this thread. */
static void mask_signal(int how)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(how, &signals, NULL);
}

/* Where only chance would let the reader catch up, it might never. */
static void rest(void)
{
	const struct nd_ring_head *head = stress.ring.head;

	mask_signal(SIG_BLOCK);
	while (__atomic_load_n(&head->consumed, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(&head->produced, __ATOMIC_RELAXED))
		sched_yield();
	mask_signal(SIG_UNBLOCK);
}

static void *run_writer(void *arg)
{
	uint64_t before;

	while ((before = stress.number[0]) < STRESS_RECORDS) {
		write_stress(0);
		/* Full: let the reader have the CPU. */
		if (stress.number[0] == before)
			sched_yield();
		if (stress.rests && before % 1000 == 0)
			rest();
	}
	/* A signal that is under way still would write what nobody reads any more. */
	mask_signal(SIG_BLOCK);
	__atomic_store_n(&stress.done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_whole(const struct stress_record *record, int len, uint64_t expected)
{
	uint32_t i;

	if (record->number != expected ||
	    len != (int)(offsetof(struct stress_record, rest) + rest_of(expected)))
		return false;
	for (i = 0; i < rest_of(expected); i++)
		if (record->rest[i] != (uint8_t)expected)
			return false;
	return true;
}

static void *run_reader(void *arg)
{
	uint64_t *next = arg;
	struct stress_record record;
	bool done;
	int len;

	do {
		done = __atomic_load_n(&stress.done, __ATOMIC_ACQUIRE);
		while ((len = nd_ring_read(&stress.ring, &record, sizeof(record)))) {
			if (len < 0 || record.writer > 1 ||
			    !is_whole(&record, len, next[record.writer]))
				return (void *)"a record is wrong, or one is missing";
			next[record.writer]++;
		}
		sched_yield();
	} while (!done);
	return NULL;
}

static void stress_ring(struct nd_ring *ring, bool rests)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	uint64_t next[2] = {0};
	pthread_t writer, reader;
	void *wrong;

	stress = (struct stress){.ring = *ring, .rests = rests};
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_create(&reader, NULL, run_reader, next), 0);
	assert_int_equal(pthread_create(&writer, NULL, run_writer, NULL), 0);
	while (!__atomic_load_n(&stress.done, __ATOMIC_ACQUIRE)) {
		pthread_kill(writer, SIGUSR1);
		sched_yield();
	}
	pthread_join(writer, NULL);
	pthread_join(reader, &wrong);
	if (wrong)
		fail_msg("%s", (const char *)wrong);
	assert_int_equal(next[0], STRESS_RECORDS);
	assert_int_equal(next[1], stress.number[1]);
	assert_true(next[1] > 0);
	assert_int_equal(ring->head->dropped, stress.refused);
}

static void test_both_at_once(void **state)
{
	struct memory *m = *state;

	stress_ring(&m->ring, false);
}

static void test_both_at_once_where_it_begins_anew(void **state)
{
	const uint32_t size = 2 * ND_RING_REWIND;
	struct nd_ring_head head = {0};
	struct nd_ring ring = {.head = &head, .data = calloc(1, size), .size = size};

	assert_non_null(ring.data);
	stress_ring(&ring, true);
	assert_true(head.void_to > 0);
	free(ring.data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_length_comes_back),
		TEST(test_records_go_round_in_order),
		TEST(test_what_finds_no_room_is_counted),
		TEST(test_the_longest_fits_into_an_empty_ring),
		TEST(test_what_a_burst_took_is_given_back),
		TEST(test_what_a_burst_took_is_given_back_under_load),
		TEST(test_a_ring_that_is_read_stays_small),
		TEST(test_a_ring_that_begins_anew_is_empty),
		TEST(test_a_record_within_another),
		TEST(test_old_records_are_not_new_ones),
		TEST(test_a_buffer_that_is_too_small),
		TEST(test_skip),
		TEST(test_damaged_headers),
		TEST(test_a_header_of_elsewhere),
		TEST(test_a_hostile_reader),
		TEST(test_a_hostile_writer),
		TEST(test_both_at_once),
		TEST(test_both_at_once_where_it_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
