/* SPDX-License-Identifier: Apache-2.0 */

/* proto/channel_view.h: a reader of a program that goes on writing while it is read. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/channel_view.h"
#include "proto/event.h"

#define RING_SIZE 65536u

struct program {
	struct nd_channel_view view;
	struct nd_ring ring;
	uint8_t *memory;
	void *record;
	uint32_t every; /* writes an event for so many that are read, or for none */
	uint32_t written;
	uint32_t read;
};

static int set_up(void **state)
{
	uint32_t slot_size = sizeof(struct nd_channel_slot) + RING_SIZE;
	struct nd_channel_head head = {.magic = ND_CHANNEL_MAGIC,
				       .version = ND_CHANNEL_VERSION,
				       .head_size = sizeof(head),
				       .slot_size = slot_size,
				       .slots = 1,
				       .ring_offset = sizeof(struct nd_channel_slot),
				       .ring_size = RING_SIZE};
	struct program *program = calloc(1, sizeof(*program));
	size_t size = sizeof(head) + slot_size;

	*state = program;
	if (!program)
		return -1;
	program->memory = calloc(1, size);
	program->record = malloc(RING_SIZE / 2);
	if (!program->memory || !program->record)
		return -1;
	*(struct nd_channel_head *)(void *)program->memory = head;
	if (nd_channel_view_init(&program->view, program->memory, size))
		return -1;
	nd_channel_view_ring(&program->view, 0, &program->ring);
	return 0;
}

static int tear_down(void **state)
{
	struct program *program = *state;

	free(program->memory);
	free(program->record);
	free(program);
	return 0;
}

static void write_event(struct program *program)
{
	struct nd_event *event = nd_ring_reserve(&program->ring, sizeof(*event));

	assert_non_null(event);
	*event = (struct nd_event){.time_ns = program->written++};
	nd_ring_commit(&program->ring, event, sizeof(*event));
}

static int handle(void *arg, const struct nd_event *event, size_t size)
{
	struct program *program = arg;

	assert_int_equal(size, sizeof(*event));
	assert_int_equal(event->time_ns, program->read++);
	if (program->every && program->read % program->every == 0)
		write_event(program);
	return 0;
}

static int read_all(struct program *program)
{
	return nd_channel_view_read(&program->view, 0, program->record, handle, program);
}

static void write_events(struct program *program, uint32_t count)
{
	while (count--)
		write_event(program);
}

static void test_what_comes_meanwhile_is_read_too(void **state)
{
	struct program *program = *state;

	program->every = 4;
	write_events(program, 1000);
	assert_int_equal(read_all(program), 0);
	assert_true(program->written > 1300);
	assert_int_equal(program->read, program->written);
}

/* A reader has other things to do. */
static void test_a_program_that_writes_as_fast_as_it_is_read(void **state)
{
	struct program *program = *state;

	program->every = 1;
	write_events(program, 1000);
	assert_int_equal(read_all(program), 0);
	assert_in_range(program->read, 1000, 10000);
	assert_int_equal(program->written - program->read, 1000);
}

static int stop(void *arg, const struct nd_event *event, size_t size)
{
	struct program *program = arg;

	(void)event;
	(void)size;
	return ++program->read == 3 ? -ECANCELED : 0;
}

static void test_a_handler_that_fails_ends_it(void **state)
{
	struct program *program = *state;

	write_events(program, 10);
	assert_int_equal(nd_channel_view_read(&program->view, 0, program->record, stop, program),
			 -ECANCELED);
	assert_int_equal(program->read, 3);
	assert_int_equal(read_all(program), 0);
	assert_int_equal(program->read, 10);
}

static void test_a_damaged_ring_is_passed_over(void **state)
{
	struct program *program = *state;

	write_events(program, 10);
	*(uint64_t *)(void *)program->ring.data |= RING_SIZE;
	assert_int_equal(read_all(program), -EBADMSG);
	assert_int_equal(program->read, 0);
	program->read = program->written;
	write_event(program);
	assert_int_equal(read_all(program), 0);
	assert_int_equal(program->read, program->written);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_comes_meanwhile_is_read_too),
		TEST(test_a_program_that_writes_as_fast_as_it_is_read),
		TEST(test_a_handler_that_fails_ends_it),
		TEST(test_a_damaged_ring_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
