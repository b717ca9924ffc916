/* SPDX-License-Identifier: Apache-2.0 */
#include "common/smaps.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* glibc's arenas of other threads begin at multiples of this, and stacks do not. */
#define ARENA_BYTES (UINT64_C(64) << 20)

/* The kernel's default vm.max_map_count is 65,530; proto/limits.h has the same. */
#define MAPPINGS_MAX (1u << 18)

static bool is_shared_memory(const char *path)
{
	return !strncmp(path, "/memfd:", 7) || !strncmp(path, "/dev/shm/", 9) ||
	       !strncmp(path, "/dev/zero", 9) || !strncmp(path, "/SYSV", 5);
}

/* What a mapping is by its first line; its flags, which come last, may say that it is V8's. */
static enum nd_resident choose_kind(const struct nd_smaps_scan *scan, const char *access,
				    const char *path)
{
	if (!strncmp(path, "[stack", 6))
		return ND_RESIDENT_STACKS;
	if (*path && *path != '[')
		return is_shared_memory(path) ? ND_RESIDENT_SHARED : ND_RESIDENT_FILES;
	if (access[3] == 's')
		return ND_RESIDENT_SHARED;
	if (scan->after_guard && !strncmp(access, "rw-p", 4) && scan->start % ARENA_BYTES)
		return ND_RESIDENT_STACKS;
	return ND_RESIDENT_NATIVE;
}

/* "7f00-7f10 rw-p 00000000 00:00 0   PATH" */
static int begin_mapping(struct nd_smaps_scan *scan, const char *line)
{
	uint64_t start, end;
	char access[5];
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %*u %n", &start, &end, access,
		   &path) != 3 ||
	    !path)
		return -EBADMSG;
	if (++scan->mappings > MAPPINGS_MAX)
		return -E2BIG;
	scan->after_guard = scan->is_guard && start == scan->end;
	scan->is_guard = !strncmp(access, "---", 3);
	scan->start = start;
	scan->end = end;
	scan->rss_bytes = 0;
	scan->kind = choose_kind(scan, access, line + path);
	return 0;
}

static void end_mapping(struct nd_smaps_scan *scan, const char *flags)
{
	if (scan->kind != ND_RESIDENT_FILES && scan->kind != ND_RESIDENT_SHARED &&
	    strstr(flags, " dc"))
		scan->kind = ND_RESIDENT_HEAP;
	scan->smaps.resident_bytes[scan->kind] += scan->rss_bytes;
	scan->smaps.stacks += scan->kind == ND_RESIDENT_STACKS;
}

int nd_smaps_scan_line(struct nd_smaps_scan *scan, const char *line)
{
	if (isdigit((unsigned char)*line) || (*line >= 'a' && *line <= 'f'))
		return begin_mapping(scan, line);
	if (!scan->mappings)
		return -EBADMSG;
	if (!strncmp(line, "Rss:", 4))
		scan->rss_bytes = strtoull(line + 4, NULL, 10) * 1024;
	else if (!strncmp(line, "Swap:", 5))
		scan->smaps.swapped_bytes += strtoull(line + 5, NULL, 10) * 1024;
	else if (!strncmp(line, "VmFlags:", 8))
		end_mapping(scan, line + 8);
	return 0;
}

int nd_procfs_read_smaps(pid_t pid, struct nd_smaps *ret_smaps)
{
	struct nd_smaps_scan scan = {0};
	char path[32], *line = NULL;
	size_t size = 0;
	FILE *file;
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? -ESRCH : -errno;
	errno = 0;
	while (!ret && getline(&line, &size, file) > 0)
		ret = nd_smaps_scan_line(&scan, line);
	if (!ret && ferror(file))
		ret = errno ? -errno : -EIO;
	free(line);
	fclose(file);
	if (!ret)
		*ret_smaps = scan.smaps;
	return ret;
}
