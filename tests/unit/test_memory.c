/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"

#define PAGE 4096

/* Pages in which byte i of page n is n + i, and behind them one that cannot be read. */
static uint8_t *map_pages(size_t count)
{
	uint8_t *pages = mmap(NULL, (count + 1) * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	assert_true(pages != MAP_FAILED);
	for (i = 0; i < count * PAGE; i++)
		pages[i] = (uint8_t)(i / PAGE + i);
	assert_int_equal(mprotect(pages + count * PAGE, PAGE, PROT_NONE), 0);
	return pages;
}

static void unmap_pages(uint8_t *pages, size_t count)
{
	munmap(pages, (count + 1) * PAGE);
}

static uint64_t addr_of(const uint8_t *at)
{
	return (uint64_t)(uintptr_t)at;
}

static uint64_t misses(const struct nd_memory *memory)
{
	struct nd_memory_stats stats;

	nd_memory_get_stats(memory, &stats);
	return stats.misses;
}

/* Append a page of one byte to an image. */
static void add_page(struct nd_buf *image, uint64_t addr, uint8_t byte)
{
	uint8_t page[PAGE];

	memset(page, byte, sizeof(page));
	nd_buf_add(image, &addr, sizeof(addr));
	assert_int_equal(nd_buf_add(image, page, sizeof(page)), 0);
}

static void check_byte(struct nd_memory *memory, uint64_t addr, uint8_t want)
{
	uint8_t byte = (uint8_t)~want;

	assert_int_equal(nd_memory_read(memory, addr, &byte, 1), 0);
	assert_int_equal(byte, want);
}

static void test_reads_of_every_size(void **state)
{
	static const size_t sizes[] = {0, 1, 8, PAGE, PAGE + 1, 4 * PAGE, 4 * PAGE + 1, 6 * PAGE};
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t *pages = map_pages(8), got[6 * PAGE];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(got, 0xa5, sizeof(got));
		assert_int_equal(nd_memory_read(memory, addr_of(pages + 100), got, sizes[i]), 0);
		assert_memory_equal(got, pages + 100, sizes[i]);
	}
	assert_int_equal(nd_memory_read_u64(memory, addr_of(pages)), 0x0706050403020100);
	nd_memory_free(memory);
	unmap_pages(pages, 8);
}

static void test_what_is_not_all_there_is_not_read(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t *pages = map_pages(8), got[8 * PAGE];
	uint64_t end = addr_of(pages + 8 * PAGE);

	assert_int_equal(nd_memory_read(memory, end - 8, got, 8), 0);
	assert_int_equal(nd_memory_read(memory, end - 8, got, 9), -EFAULT);
	assert_int_equal(nd_memory_read(memory, end - 7 * PAGE, got, 7 * PAGE + 1), -EFAULT);
	assert_int_equal(nd_memory_read(memory, end, got, 1), -EFAULT);
	assert_int_equal(nd_memory_read_u64(memory, end - 4), 0);
	assert_int_equal(nd_memory_read(memory, 0, got, 8), -EFAULT);
	assert_false(nd_memory_is_gone(memory));
	nd_memory_free(memory);
	unmap_pages(pages, 8);
}

static void test_addresses_do_not_wrap_around(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t got[5 * PAGE];

	assert_int_equal(nd_memory_read(memory, UINT64_MAX, got, 1), -EFAULT);
	assert_int_equal(nd_memory_read(memory, UINT64_MAX - 7, got, 8), -EFAULT);
	assert_int_equal(nd_memory_read(memory, UINT64_MAX - 6, got, 16), -EFAULT);
	assert_int_equal(nd_memory_read(memory, UINT64_MAX - 6, got, sizeof(got)), -EFAULT);
	assert_int_equal(nd_memory_read_u64(memory, UINT64_MAX - 3), 0);
	nd_memory_free(memory);
}

static void test_a_batch_sees_one_moment(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t *pages = map_pages(1);

	check_byte(memory, addr_of(pages + 5), 5);
	pages[5] = 77;
	check_byte(memory, addr_of(pages + 5), 5);
	check_byte(memory, addr_of(pages + 6), 6);
	assert_int_equal(misses(memory), 1);
	nd_memory_forget(memory);
	check_byte(memory, addr_of(pages + 5), 77);
	assert_int_equal(misses(memory), 2);
	/* That a page is not there is remembered as well. */
	assert_int_equal(nd_memory_read_u64(memory, addr_of(pages + PAGE)), 0);
	assert_int_equal(nd_memory_read_u64(memory, addr_of(pages + PAGE)), 0);
	assert_int_equal(misses(memory), 3);
	nd_memory_free(memory);
	unmap_pages(pages, 1);
}

/* Twice as many pages as the cache holds. */
static void test_more_pages_than_are_kept(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t *pages = map_pages(1024);
	int round;
	size_t i;

	for (round = 0; round < 2; round++)
		for (i = 0; i < 1024; i++)
			check_byte(memory, addr_of(pages + i * PAGE), (uint8_t)i);
	nd_memory_free(memory);
	unmap_pages(pages, 1024);
}

static void test_an_overlay_hides_the_process(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t *pages = map_pages(2), copy[16] = "the stack's copy";
	uint64_t at = addr_of(pages + PAGE - 8);
	uint8_t got[16];

	nd_memory_set_overlay(memory, at, copy, sizeof(copy));
	assert_int_equal(nd_memory_read(memory, at, got, 16), 0);
	assert_memory_equal(got, copy, 16);
	check_byte(memory, at + 15, 'y');
	/* What is only partly inside is the process's. */
	assert_int_equal(nd_memory_read(memory, at + 1, got, 16), 0);
	assert_memory_equal(got, pages + PAGE - 7, 16);
	assert_int_equal(nd_memory_read(memory, at - 1, got, 8), 0);
	assert_memory_equal(got, pages + PAGE - 9, 8);
	check_byte(memory, at - 1, pages[PAGE - 9]);
	check_byte(memory, at + 16, pages[PAGE + 8]);
	nd_memory_set_overlay(memory, 0, NULL, 0);
	check_byte(memory, at, pages[PAGE - 8]);
	nd_memory_free(memory);
	unmap_pages(pages, 2);
}

/* An overlay at the top of the address space, and one that would reach beyond. */
static void test_an_overlay_does_not_wrap_around(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t copy[64] = {1, 2, 3}, got[64];

	nd_memory_set_overlay(memory, UINT64_MAX - 31, copy, sizeof(copy));
	check_byte(memory, UINT64_MAX - 30, 2);
	assert_int_equal(nd_memory_read(memory, UINT64_MAX - 31, got, 64), -EFAULT);
	assert_int_equal(nd_memory_read(memory, 0, got, 8), -EFAULT);
	nd_memory_free(memory);
}

static void test_a_process_that_ends(void **state)
{
	struct nd_memory *memory;
	uint8_t *pages = map_pages(1);
	int ends[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) < 0);
	}
	close(ends[0]);
	memory = nd_memory_new_process(pid);
	check_byte(memory, addr_of(pages + 3), 3);
	close(ends[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* Pages of the batch stay; others are gone for good. */
	check_byte(memory, addr_of(pages + 3), 3);
	assert_false(nd_memory_is_gone(memory));
	nd_memory_forget(memory);
	assert_int_equal(nd_memory_read(memory, addr_of(pages), &byte, 1), -ESRCH);
	assert_int_equal(nd_memory_read(memory, addr_of(pages), &byte, 1), -ESRCH);
	assert_true(nd_memory_is_gone(memory));
	nd_memory_free(memory);
	unmap_pages(pages, 1);
}

static void test_whether_it_may_be_read(void **state)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	assert_int_equal(nd_memory_check(getpid()), 0);
	assert_int_equal(nd_memory_check(pid), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(nd_memory_check(pid), -ESRCH);
}

static void test_what_is_saved_is_read_again(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t *pages = map_pages(16), got[8 * PAGE], want[8 * PAGE];
	uint64_t at = addr_of(pages);
	struct nd_buf image;

	nd_buf_init(&image, 1 << 20);
	check_byte(memory, at + 15 * PAGE, 15);
	nd_memory_save(memory, &image);
	check_byte(memory, at + 15 * PAGE, 15);
	assert_int_equal(nd_memory_read(memory, at + PAGE - 4, got, 8), 0);
	assert_int_equal(nd_memory_read(memory, at + 3 * PAGE + 9, want, 7 * PAGE), 0);
	assert_int_equal(nd_memory_read(memory, at + 16 * PAGE, got, 1), -EFAULT);
	nd_memory_save(memory, NULL);
	check_byte(memory, at + 14 * PAGE, 14);
	nd_memory_free(memory);
	memcpy(want, pages, sizeof(want));
	unmap_pages(pages, 16);

	/* Pages 0 and 1, and 3 to 10: 15 was there before, 14 came after, 16 is none. */
	assert_int_equal(image.len, 10 * (8 + PAGE));
	memory = nd_memory_new_image(image.data, image.len);
	assert_int_equal(nd_memory_read(memory, at + PAGE - 4, got, 8), 0);
	assert_memory_equal(got, want + PAGE - 4, 8);
	assert_int_equal(nd_memory_read(memory, at + 3 * PAGE, got, 5 * PAGE), 0);
	assert_memory_equal(got, want + 3 * PAGE, 5 * PAGE);
	assert_int_equal(nd_memory_read(memory, at + 2 * PAGE, got, 1), -EFAULT);
	assert_int_equal(nd_memory_read(memory, at + PAGE, got, 3 * PAGE), -EFAULT);
	assert_int_equal(nd_memory_read(memory, at + 14 * PAGE, got, 1), -EFAULT);
	assert_int_equal(nd_memory_read(memory, at + 15 * PAGE, got, 1), -EFAULT);
	assert_false(nd_memory_is_gone(memory));
	nd_memory_free(memory);
	nd_buf_fini(&image);
}

static void test_an_image_that_is_full_is_short(void **state)
{
	struct nd_memory *memory = nd_memory_new_process(getpid());
	uint8_t *pages = map_pages(4);
	struct nd_buf image;

	nd_buf_init(&image, 2 * (8 + PAGE) + 100);
	nd_memory_save(memory, &image);
	check_byte(memory, addr_of(pages), 0);
	check_byte(memory, addr_of(pages + PAGE), 1);
	assert_int_equal(nd_buf_error(&image), 0);
	check_byte(memory, addr_of(pages + 2 * PAGE), 2);
	assert_int_equal(nd_buf_error(&image), -EFBIG);
	nd_memory_free(memory);

	memory = nd_memory_new_image(image.data, image.len);
	check_byte(memory, addr_of(pages + PAGE), 1);
	assert_int_equal(nd_memory_read_u64(memory, addr_of(pages + 2 * PAGE)), 0);
	nd_memory_free(memory);
	nd_buf_fini(&image);
	unmap_pages(pages, 4);
}

static void test_torn_images(void **state)
{
	struct nd_memory *memory;
	struct nd_buf image;
	uint8_t byte;

	nd_buf_init(&image, 1 << 20);
	add_page(&image, 0x7000, 7);
	add_page(&image, UINT64_MAX - (PAGE - 1), 9);
	add_page(&image, 0x3000, 3);
	add_page(&image, 0x7000, 8); /* once more */
	add_page(&image, 0x5008, 5); /* no page's address */
	add_page(&image, 0x9000, 9);
	memory = nd_memory_new_image(image.data, image.len - 1);
	check_byte(memory, 0x3000, 3);
	check_byte(memory, 0x7fff, 7);
	assert_int_equal(nd_memory_read(memory, 0x5008, &byte, 1), -EFAULT);
	assert_int_equal(nd_memory_read(memory, 0x9000, &byte, 1), -EFAULT);
	check_byte(memory, UINT64_MAX - 1, 9);
	nd_memory_free(memory);

	memory = nd_memory_new_image(image.data, 8 + PAGE - 1);
	assert_int_equal(nd_memory_read(memory, 0x7000, &byte, 1), -EFAULT);
	nd_memory_free(memory);
	memory = nd_memory_new_image(NULL, 0);
	assert_int_equal(nd_memory_read(memory, 0, &byte, 1), -EFAULT);
	nd_memory_free(memory);
	nd_memory_free(NULL);
	nd_buf_fini(&image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_of_every_size),
		cmocka_unit_test(test_what_is_not_all_there_is_not_read),
		cmocka_unit_test(test_addresses_do_not_wrap_around),
		cmocka_unit_test(test_a_batch_sees_one_moment),
		cmocka_unit_test(test_more_pages_than_are_kept),
		cmocka_unit_test(test_an_overlay_hides_the_process),
		cmocka_unit_test(test_an_overlay_does_not_wrap_around),
		cmocka_unit_test(test_a_process_that_ends),
		cmocka_unit_test(test_whether_it_may_be_read),
		cmocka_unit_test(test_what_is_saved_is_read_again),
		cmocka_unit_test(test_an_image_that_is_full_is_short),
		cmocka_unit_test(test_torn_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
