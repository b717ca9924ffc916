/* SPDX-License-Identifier: Apache-2.0 */
#include "common/procfs.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What node 22 has, shortened: its code twice, JIT memory, a library, the vdso. */
static const char node_maps[] =
	"00400000-00f7f000 r--p 00000000 fd:02 9437187                            /usr/bin/node\n"
	"00f7f000-00f80000 r-xp 00b7f000 fd:02 9437187                            /usr/bin/node\n"
	"02e1a000-02e3b000 rw-p 00000000 00:00 0                                  [heap]\n"
	"7f8753dc0000-7f8753fc4000 r-xp 01627000 fd:02 9437187                    /usr/bin/node\n"
	"7f8754000000-7f8754021000 rwxp 00000000 00:00 0 \n"
	"7f8757a00000-7f8757a40000 r-xp 00000000 00:00 0                          [anon:v8]\n"
	"7f8758c26000-7f8758d7b000 r-xp 00026000 fd:02 786440                     "
	"/usr/lib/x86_64-linux-gnu/libc.so.6\n"
	"7ffd5a5f2000-7ffd5a5f4000 r-xp 00000000 00:00 0                          [vdso]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

static void decode(const char *text, struct nd_maps *ret_maps)
{
	assert_int_equal(nd_maps_decode(text, 1000, ret_maps), 0);
}

/* The path of the only mapping. */
static void check_path(const char *line, const char *want)
{
	struct nd_maps maps;

	decode(line, &maps);
	assert_int_equal(maps.count, 1);
	assert_string_equal(maps.map[0].path, want);
	nd_maps_fini(&maps);
}

static void test_maps_of_node(void **state)
{
	struct nd_maps maps;

	decode(node_maps, &maps);
	assert_int_equal(maps.count, 7);
	assert_int_equal(maps.map[0].start, 0xf7f000);
	assert_int_equal(maps.map[0].end, 0xf80000);
	assert_int_equal(maps.map[0].offset, 0xb7f000);
	assert_int_equal(maps.map[0].dev, makedev(0xfd, 2));
	assert_int_equal(maps.map[0].inode, 9437187);
	assert_string_equal(maps.map[0].path, "/usr/bin/node");
	assert_int_equal(maps.map[1].offset, 0x1627000);
	assert_int_equal(maps.map[2].inode, 0);
	assert_string_equal(maps.map[2].path, "");
	assert_string_equal(maps.map[3].path, "[anon:v8]");
	assert_string_equal(maps.map[5].path, "[vdso]");
	assert_int_equal(maps.map[6].end, 0xffffffffff601000);
	nd_maps_fini(&maps);
	assert_int_equal(maps.count, 0);
	nd_maps_fini(&maps);
}

/* A thread's stack behind its guard, and what only looks alike. */
static void test_stacks(void **state)
{
	static const char text[] = "1000-2000 ---p 00000000 00:00 0 \n"
				   "2000-802000 rw-p 00000000 00:00 0 \n"
				   "802000-803000 rw-p 00000000 00:00 0 \n"
				   "900000-901000 ---p 00000000 00:00 0 \n"
				   "902000-a00000 rw-p 00000000 00:00 0 \n"
				   "a00000-a01000 ---p 00000000 08:01 5 /lib/x.so\n"
				   "a01000-a02000 rw-p 00000000 08:01 5 /lib/x.so\n"
				   "b00000-b01000 ---p 00000000 00:00 0 \n"
				   "b01000-b02000 r--p 00000000 00:00 0 \n"
				   "c00000-c01000 ---p 00000000 00:00 0 \n"
				   "c01000-c02000 rw-p 00000000 00:00 0 [anon: stack]\n";
	struct nd_maps maps;

	assert_int_equal(nd_maps_decode_stacks(text, 1000, &maps), 0);
	assert_int_equal(maps.count, 2);
	assert_int_equal(maps.map[0].start, 0x2000);
	assert_int_equal(maps.map[0].end, 0x802000);
	assert_int_equal(maps.map[1].start, 0xc01000);
	nd_maps_fini(&maps);
	assert_int_equal(nd_maps_decode_stacks(text, 1, &maps), -E2BIG);
	assert_int_equal(nd_maps_decode_stacks("nonsense", 1, &maps), -EBADMSG);
}

static void test_find(void **state)
{
	struct nd_maps maps;

	decode(node_maps, &maps);
	assert_null(nd_maps_find(&maps, 0));
	assert_null(nd_maps_find(&maps, 0x400000));
	assert_null(nd_maps_find(&maps, 0xf7efff));
	assert_ptr_equal(nd_maps_find(&maps, 0xf7f000), &maps.map[0]);
	assert_ptr_equal(nd_maps_find(&maps, 0xf7ffff), &maps.map[0]);
	assert_null(nd_maps_find(&maps, 0xf80000));
	assert_ptr_equal(nd_maps_find(&maps, 0x7f8754000000), &maps.map[2]);
	assert_ptr_equal(nd_maps_find(&maps, 0xffffffffff600fff), &maps.map[6]);
	assert_null(nd_maps_find(&maps, UINT64_MAX));
	nd_maps_fini(&maps);
	assert_null(nd_maps_find(&maps, 0x7f8754000000));
}

static void test_paths(void **state)
{
	char line[10000], want[9000];

	check_path("1000-2000 r-xp 0 8:1 5 /app/node (deleted)\n", "/app/node (deleted)");
	check_path("1000-2000 r-xp 0 8:1 5   /my apps/a  b/node \n", "/my apps/a  b/node ");
	check_path("1000-2000 r-xp 0 8:1 5 /app/new\\012line\n", "/app/new\\012line");
	check_path("1000-2000 r-xp 0 8:1 5 /\xe6\xbc\xa2/\xff\n", "/\xe6\xbc\xa2/\xff");
	check_path("1000-2000 r-xp 0 8:1 5 /no end of line", "/no end of line");
	check_path("1000-2000 r-xp 0 0:0 0", "");
	memset(want, 'x', sizeof(want));
	want[0] = '/';
	want[sizeof(want) - 1] = '\0';
	snprintf(line, sizeof(line), "1000-2000 r-xp 0 8:1 5 %s\n", want);
	check_path(line, want);
}

static void test_large_numbers(void **state)
{
	struct nd_maps maps;

	decode("fffffffffffff000-ffffffffffffffff r-xp fffffffffffff000 fff:fffff "
	       "18446744073709551615 /x\n",
	       &maps);
	assert_int_equal(maps.map[0].start, 0xfffffffffffff000);
	assert_int_equal(maps.map[0].end, UINT64_MAX);
	assert_int_equal(maps.map[0].offset, 0xfffffffffffff000);
	assert_int_equal(maps.map[0].dev, makedev(0xfff, 0xfffff));
	assert_int_equal(maps.map[0].inode, UINT64_MAX);
	nd_maps_fini(&maps);
}

static void test_nothing_executable(void **state)
{
	struct nd_maps maps;

	decode("", &maps);
	assert_int_equal(maps.count, 0);
	nd_maps_fini(&maps);
	decode("1000-2000 rw-p 0 0:0 0 [stack]\n", &maps);
	assert_int_equal(maps.count, 0);
	nd_maps_fini(&maps);
}

static void test_hostile_text(void **state)
{
	static const char *const texts[] = {
		"\n",
		"hello\n",
		"1000\n",
		"1000-2000\n",
		"1000-2000 r-xp\n",
		"1000-2000 r-xp 0 8:1\n",
		"1000-2000 r-xp 0 8 5 /x\n",
		"1000-2000 rx 0 8:1 5 /x\n",
		"2000-1000 r-xp 0 8:1 5 /x\n",
		"1000-1000 r-xp 0 8:1 5 /x\n",
		"1000-2000 r-xp zero 8:1 5 /x\n",
		"1000-2000 r-xp 0 8:1 five /x\n",
		/* A line must not borrow from the next. */
		"1000-2000 r-xp 0\n8:1 5 /x\n",
		"1000-2000 r-xp 0 8:1\n5 /x\n",
		/* What was read before must go again. */
		"1000-2000 r-xp 0 8:1 5 /x\n\n",
		"1000-2000 r-xp 0 8:1 5 /x\nnonsense",
	};
	struct nd_maps maps = {.count = 42};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (nd_maps_decode(texts[i], 1000, &maps) != -EBADMSG)
			fail_msg("'%s' was taken", texts[i]);
	assert_int_equal(maps.count, 42);
}

static void test_writable_memory(void **state)
{
	struct nd_ranges ranges = {.count = 42};

	assert_int_equal(nd_ranges_decode(node_maps, 1, &ranges), -E2BIG);
	assert_int_equal(nd_ranges_decode("nonsense", 10, &ranges), -EBADMSG);
	assert_int_equal(ranges.count, 42);
	assert_int_equal(nd_ranges_decode(node_maps, 2, &ranges), 0);
	assert_int_equal(ranges.count, 2);
	assert_int_equal(ranges.range[0].start, 0x2e1a000);
	assert_int_equal(ranges.range[0].end, 0x2e3b000);
	assert_int_equal(ranges.range[1].start, 0x7f8754000000);
	free(ranges.range);
}

static void test_limit(void **state)
{
	struct nd_maps maps = {.count = 42};

	assert_int_equal(nd_maps_decode(node_maps, 6, &maps), -E2BIG);
	assert_int_equal(nd_maps_decode(node_maps, 0, &maps), -E2BIG);
	assert_int_equal(maps.count, 42);
	assert_int_equal(nd_maps_decode(node_maps, 7, &maps), 0);
	assert_int_equal(maps.count, 7);
	nd_maps_fini(&maps);
}

/* This program is a process too. */
static void test_own_process(void **state)
{
	const struct nd_map *map;
	struct nd_maps maps;
	char text[4096], exe[4096], comm[32];
	pid_t tracer = -1;
	char letter = '?';
	int number = -2;
	pid_t *ids;
	size_t count, i;
	bool found = false;
	ssize_t n;
	int fd;

	assert_int_equal(nd_procfs_read_maps(getpid(), 100000, &maps), 0);
	map = nd_maps_find(&maps, (uint64_t)(uintptr_t)test_own_process);
	assert_non_null(map);
	assert_int_equal(nd_procfs_read_exe(getpid(), exe, sizeof(exe)), 0);
	assert_string_equal(map->path, exe);
	fd = nd_procfs_open_map(getpid(), map);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, 4), 4);
	assert_memory_equal(text, "\177ELF", 4);
	close(fd);
	nd_maps_fini(&maps);

	n = nd_procfs_read_cmdline(getpid(), text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_non_null(strstr(text, "test_procfs"));
	assert_int_equal(nd_procfs_read_cmdline(getpid(), text, 5), 4);
	assert_int_equal(strlen(text), 4);
	n = nd_procfs_read_args(getpid(), text, sizeof(text));
	assert_int_equal(n, strlen(text)); /* there is one */
	assert_int_equal(nd_procfs_read_cwd(getpid(), text, sizeof(text)), 0);
	assert_string_equal(text, getcwd(exe, sizeof(exe)));
	assert_int_equal(nd_procfs_read_comm(getpid(), getpid(), comm, sizeof(comm)), 0);
	assert_string_equal(comm, "test_procfs");
	assert_int_equal(nd_procfs_read_state(getpid(), getpid(), &letter), 0);
	assert_int_equal(letter, 'R');
	assert_int_equal(nd_procfs_read_syscall(getpid(), getpid(), &number), 0);
	assert_int_equal(number, SYS_read);
	assert_int_equal(nd_procfs_read_tracer(getpid(), &tracer), 0);
	assert_true(tracer >= 0);
	assert_int_equal(nd_procfs_read_threads(getpid(), &ids, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(ids[0], getpid());
	free(ids);
	assert_int_equal(nd_procfs_read_pids(&ids, &count), 0);
	for (i = 0; i < count; i++)
		found = found || ids[i] == getpid();
	assert_true(found);
	free(ids);
}

static void test_a_process_that_is_gone(void **state)
{
	struct nd_map map = {.start = 0x1000, .end = 0x2000, .path = (char *)"/x"};
	struct nd_maps maps;
	char text[64];
	pid_t *ids;
	size_t count;
	pid_t pid = fork();
	char letter;
	int number;
	pid_t tracer;

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(nd_procfs_read_maps(pid, 10, &maps), -ESRCH);
	assert_int_equal(nd_procfs_read_cmdline(pid, text, sizeof(text)), -ESRCH);
	assert_int_equal(nd_procfs_read_comm(pid, pid, text, sizeof(text)), -ESRCH);
	assert_int_equal(nd_procfs_read_exe(pid, text, sizeof(text)), -ESRCH);
	assert_int_equal(nd_procfs_read_state(pid, pid, &letter), -ESRCH);
	assert_int_equal(nd_procfs_read_syscall(pid, pid, &number), -ESRCH);
	assert_int_equal(nd_procfs_read_tracer(pid, &tracer), -ESRCH);
	assert_int_equal(nd_procfs_read_threads(pid, &ids, &count), -ESRCH);
	assert_true(nd_procfs_open_map(pid, &map) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_maps_of_node),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_large_numbers),
		cmocka_unit_test(test_nothing_executable),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_writable_memory),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
