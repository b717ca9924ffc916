/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/export/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/err.h"

#define ROOM (1u << 20)

static char folder[64];

static int make_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/nodiag-queue-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct nd_export_queue *open_queue(const char *path, uint64_t max_bytes)
{
	struct nd_export_queue *queue;

	assert_int_equal(nd_export_queue_open(path, max_bytes, &queue, NULL), 0);
	return queue;
}

/* Traces are packed in another way than metrics. */
static enum nd_packing packing_of(enum nd_otlp_signal signal)
{
	return signal == ND_OTLP_TRACES ? ND_PACKING_ZSTD : ND_PACKING_GZIP;
}

static void add(struct nd_export_queue *queue, enum nd_otlp_signal signal, const char *text,
		uint64_t items)
{
	const struct nd_queued what = {
		.signal = signal, .items = items, .packing = packing_of(signal)};
	struct nd_buf request;

	nd_buf_init(&request, ROOM);
	nd_buf_add_str(&request, text);
	assert_int_equal(nd_export_queue_add(queue, &what, &request, NULL), 0);
	nd_buf_fini(&request);
}

/* The oldest of a signal is this; take it off. */
static void take(struct nd_export_queue *queue, enum nd_otlp_signal signal, const char *text,
		 uint64_t items)
{
	const struct nd_queued *first = nd_export_queue_first(queue, signal);
	struct nd_buf plain, packed;

	nd_buf_init(&plain, ROOM);
	nd_buf_init(&packed, ROOM);
	assert_non_null(first);
	assert_int_equal(first->items, items);
	assert_int_equal(nd_export_queue_read(queue, first->id, &plain, &packed), 0);
	assert_string_equal(plain.data, text);
	assert_int_equal(first->packing, packing_of(signal));
	assert_int_equal(packed.data[0], first->packing == ND_PACKING_ZSTD ? 0x28 : 0x1f);
	assert_true(nd_export_queue_remove(queue, first->id));
	nd_buf_fini(&plain);
	nd_buf_fini(&packed);
}

/* The name of the only file in the folder whose name ends so. */
static void find_file(const char *ending, char *path, size_t size)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	*path = '\0';
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (strstr(entry->d_name, ending))
			snprintf(path, size, "%s/%s", folder, entry->d_name);
	closedir(dir);
}

static void use(const char *path)
{
	struct nd_export_queue *queue = open_queue(path, ROOM);

	assert_null(nd_export_queue_first(queue, ND_OTLP_METRICS));
	add(queue, ND_OTLP_METRICS, "one", 1);
	add(queue, ND_OTLP_TRACES, "two", 2);
	add(queue, ND_OTLP_METRICS, "three", 3);
	assert_int_equal(nd_export_queue_waiting_items(queue, ND_OTLP_METRICS), 4);
	take(queue, ND_OTLP_METRICS, "one", 1);
	take(queue, ND_OTLP_METRICS, "three", 3);
	assert_null(nd_export_queue_first(queue, ND_OTLP_METRICS));
	take(queue, ND_OTLP_TRACES, "two", 2);
	assert_int_equal(nd_export_queue_dropped_items(queue, ND_OTLP_METRICS), 0);
	nd_export_queue_close(queue);
}

static void test_order(void **state)
{
	use(NULL);
	use(folder);
}

/* A process that is killed leaves all that it added, and the next one goes on with it. */
static void test_kill(void **state)
{
	struct nd_export_queue *queue;
	char path[400];
	int status, fd;
	pid_t child = fork();

	assert_int_not_equal(child, -1);
	if (!child) {
		queue = open_queue(folder, ROOM);
		add(queue, ND_OTLP_METRICS, "before", 7);
		add(queue, ND_OTLP_PROFILES, "the kill", 8);
		raise(SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	/* What it was writing at that moment. */
	snprintf(path, sizeof(path), "%s/new.tmp", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	queue = open_queue(folder, ROOM);
	assert_int_equal(access(path, F_OK), -1);
	add(queue, ND_OTLP_METRICS, "after", 9);
	take(queue, ND_OTLP_METRICS, "before", 7);
	take(queue, ND_OTLP_METRICS, "after", 9);
	take(queue, ND_OTLP_PROFILES, "the kill", 8);
	nd_export_queue_close(queue);
}

static void fill(const char *path)
{
	struct nd_export_queue *queue = open_queue(path, 200);
	char text[16];
	int i;

	/* Each takes some 30 bytes: few of them fit. */
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "request %d", i);
		add(queue, i % 2 ? ND_OTLP_METRICS : ND_OTLP_TRACES, text, 10);
	}
	assert_int_equal(nd_export_queue_dropped_items(queue, ND_OTLP_METRICS) +
				 nd_export_queue_waiting_items(queue, ND_OTLP_METRICS),
			 500);
	assert_int_equal(nd_export_queue_dropped_items(queue, ND_OTLP_TRACES) +
				 nd_export_queue_waiting_items(queue, ND_OTLP_TRACES),
			 500);
	assert_true(nd_export_queue_waiting_items(queue, ND_OTLP_METRICS) >= 20);
	assert_true(nd_export_queue_dropped_items(queue, ND_OTLP_METRICS) >= 400);
	/* The newest are there. */
	while (nd_export_queue_waiting_items(queue, ND_OTLP_METRICS) > 10)
		nd_export_queue_remove(queue, nd_export_queue_first(queue, ND_OTLP_METRICS)->id);
	take(queue, ND_OTLP_METRICS, "request 99", 10);
	/* What was dropped while it was under way is told apart. */
	assert_false(nd_export_queue_remove(queue, 0));
	nd_export_queue_close(queue);
}

static void test_bound(void **state)
{
	fill(NULL);
	fill(folder);
}

/* A smaller bound than that of the process before. */
static void test_smaller(void **state)
{
	struct nd_export_queue *queue = open_queue(folder, ROOM);
	int i;

	for (i = 0; i < 20; i++)
		add(queue, ND_OTLP_METRICS, "request", 1);
	nd_export_queue_close(queue);
	queue = open_queue(folder, 100);
	assert_true(nd_export_queue_dropped_items(queue, ND_OTLP_METRICS) >= 16);
	assert_int_equal(nd_export_queue_dropped_items(queue, ND_OTLP_METRICS) +
				 nd_export_queue_waiting_items(queue, ND_OTLP_METRICS),
			 20);
	nd_export_queue_close(queue);
}

static void test_damaged(void **state)
{
	struct nd_export_queue *queue = open_queue(folder, ROOM);
	struct nd_buf plain;
	char path[400];
	int fd;

	add(queue, ND_OTLP_METRICS, "this one is cut off", 1);
	nd_export_queue_close(queue);
	find_file("-metrics-1.gz", path, sizeof(path));
	assert_int_equal(truncate(path, 12), 0);
	/* Files of others are left alone. */
	snprintf(path, sizeof(path), "%s/00000000000000000009-metrics-x.gz", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	queue = open_queue(folder, ROOM);
	add(queue, ND_OTLP_METRICS, "whole", 2);
	nd_buf_init(&plain, ROOM);
	assert_int_equal(nd_export_queue_read(queue,
					      nd_export_queue_first(queue, ND_OTLP_METRICS)->id,
					      &plain, NULL),
			 -EBADMSG);
	nd_buf_fini(&plain);
	assert_int_equal(nd_export_queue_damaged(queue), 1);
	take(queue, ND_OTLP_METRICS, "whole", 2);
	assert_null(nd_export_queue_first(queue, ND_OTLP_METRICS));
	nd_export_queue_close(queue);
	assert_int_equal(access(path, F_OK), 0);
}

/* A bit of it is another one: zstd's checksum tells. */
static void test_wrong_bit(void **state)
{
	struct nd_export_queue *queue = open_queue(folder, ROOM);
	struct nd_buf plain;
	char path[400], byte;
	int fd;

	add(queue, ND_OTLP_TRACES, "this one is not what it was", 1);
	nd_export_queue_close(queue);
	find_file("-traces-1.zst", path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 20), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 20), 1);
	close(fd);
	queue = open_queue(folder, ROOM);
	nd_buf_init(&plain, ROOM);
	assert_int_equal(nd_export_queue_read(queue,
					      nd_export_queue_first(queue, ND_OTLP_TRACES)->id,
					      &plain, NULL),
			 -EBADMSG);
	nd_buf_fini(&plain);
	assert_int_equal(nd_export_queue_damaged(queue), 1);
	nd_export_queue_close(queue);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void test_one_process(void **state)
{
	struct nd_export_queue *queue = open_queue(folder, ROOM), *second;
	struct nd_err err = {0};

	assert_int_equal(nd_export_queue_open(folder, ROOM, &second, &err), -EBUSY);
	assert_non_null(strstr(err.what, folder));
	nd_export_queue_close(queue);
	nd_export_queue_close(open_queue(folder, ROOM));
}

static void test_no_folder(void **state)
{
	struct nd_export_queue *queue;
	struct nd_err err = {0};

	assert_int_equal(nd_export_queue_open("/proc/nodiag/queue", ROOM, &queue, &err), -ENOENT);
	assert_int_equal(nd_export_queue_open("/dev/null", ROOM, &queue, &err), -ENOTDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_kill, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_bound, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_smaller, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_damaged, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_wrong_bit, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_one_process, make_folder, remove_folder),
		cmocka_unit_test(test_no_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
