/* SPDX-License-Identifier: Apache-2.0 */

/* What a process has in memory, from the kernel's text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/smaps.h"

#define KIB UINT64_C(1024)

static int scan_all(struct nd_smaps_scan *scan, const char *const *lines)
{
	int ret = 0;

	for (; *lines && !ret; lines++)
		ret = nd_smaps_scan_line(scan, *lines);
	return ret;
}

/* Mappings as Node 18 and 26 have them, on x86. */
static const char *const text[] = {
	"00400000-06000000 r-xp 00000000 fe:01 77   /usr/bin/node\n",
	"Rss:               40 kB\n",
	"Swap:               3 kB\n",
	"VmFlags: rd ex mr mw me \n",
	"0a000000-0b000000 rw-p 00000000 00:00 0   [heap]\n",
	"Rss:               10 kB\n",
	"VmFlags: rd wr mr mw me ac \n",
	"10000000-10040000 rw-p 00000000 00:00 0 \n",
	"Rss:              256 kB\n",
	"VmFlags: rd wr mr mw me nr dc \n",
	/* An arena of a thread's behind the end of another one. */
	"7f0003000000-7f0004000000 ---p 00000000 00:00 0 \n",
	"Rss:                0 kB\n",
	"VmFlags: mr mw me nr \n",
	"7f0004000000-7f0004021000 rw-p 00000000 00:00 0 \n",
	"Rss:                7 kB\n",
	"VmFlags: rd wr mr mw me nr \n",
	/* A stack behind its guard. */
	"7f0010000000-7f0010001000 ---p 00000000 00:00 0 \n",
	"Rss:                0 kB\n",
	"VmFlags: mr mw me \n",
	"7f0010001000-7f0010801000 rw-p 00000000 00:00 0 \n",
	"Rss:               12 kB\n",
	"VmFlags: rd wr mr mw me ac \n",
	"7f0020000000-7f0020001000 rw-s 00000000 00:01 9   /memfd:nodiag (deleted)\n",
	"Rss:                4 kB\n",
	"VmFlags: rd wr sh mr mw me ms \n",
	"7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0   [stack]\n",
	"Rss:               20 kB\n",
	"VmFlags: rd wr mr mw me gd ac \n",
	NULL,
};

static void test_kinds(void **state)
{
	struct nd_smaps_scan scan = {0};
	const uint64_t *bytes = scan.smaps.resident_bytes;

	assert_int_equal(scan_all(&scan, text), 0);
	assert_int_equal(bytes[ND_RESIDENT_HEAP], 256 * KIB);
	assert_int_equal(bytes[ND_RESIDENT_NATIVE], 17 * KIB);
	assert_int_equal(bytes[ND_RESIDENT_STACKS], 32 * KIB);
	assert_int_equal(bytes[ND_RESIDENT_FILES], 40 * KIB);
	assert_int_equal(bytes[ND_RESIDENT_SHARED], 4 * KIB);
	assert_int_equal(scan.smaps.swapped_bytes, 3 * KIB);
	assert_int_equal(scan.smaps.stacks, 2);
}

static void test_damage(void **state)
{
	static const char *const bad[] = {"", "\n", "Rss: 4 kB\n", "10000-", "1000-2000 rw-p 0\n"};
	struct nd_smaps_scan scan;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		scan = (struct nd_smaps_scan){0};
		assert_int_equal(nd_smaps_scan_line(&scan, bad[i]), -EBADMSG);
	}
}

/* What we touch is there; what no process has is not. */
static void test_self(void **state)
{
	const size_t size = 8u << 20;
	struct nd_smaps before, after;
	char *data;

	assert_int_equal(nd_procfs_read_smaps(getpid(), &before), 0);
	data = malloc(size);
	assert_non_null(data);
	memset(data, 1, size);
	assert_int_equal(nd_procfs_read_smaps(getpid(), &after), 0);
	assert_true(after.resident_bytes[ND_RESIDENT_NATIVE] >=
		    before.resident_bytes[ND_RESIDENT_NATIVE] + size - 64 * KIB);
	assert_true(after.stacks >= 1);
	free(data);
	assert_int_equal(nd_procfs_read_smaps(-1, &after), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
