/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/procfs.h"

#define CGROUP_TEXT_MAX (64u << 10)

/* What a version of cgroups calls it, and where it is. */
struct names {
	const char *root;
	const char *limit;
	const char *usage;
	const char *cache; /* in memory.stat: pages of files, which are given up first */
};

static const struct names second = {"/sys/fs/cgroup", "memory.max", "memory.current",
				    "inactive_file "};
static const struct names first = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
				   "memory.usage_in_bytes", "total_inactive_file "};

/* The number behind `name` at the start of a line. False where there is none, or "max". */
static bool read_number(const char *path, const char *name, uint64_t *ret)
{
	FILE *file = fopen(path, "re");
	size_t len = strlen(name);
	bool found = false;
	char line[256];

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, name, len) && sscanf(line + len, "%" SCNu64, ret) == 1;
	if (file)
		fclose(file);
	return found;
}

static uint64_t get_free_of_machine(void)
{
	uint64_t kib;

	return read_number("/proc/meminfo", "MemAvailable:", &kib) ? kib << 10 : UINT64_MAX;
}

static uint64_t get_free_of_group(const struct names *names, const char *group)
{
	uint64_t limit, usage, cache = 0;
	char path[4200];

	snprintf(path, sizeof(path), "%s%s/%s", names->root, group, names->limit);
	if (!read_number(path, "", &limit))
		return UINT64_MAX;
	snprintf(path, sizeof(path), "%s%s/%s", names->root, group, names->usage);
	if (!read_number(path, "", &usage))
		return UINT64_MAX;
	snprintf(path, sizeof(path), "%s%s/memory.stat", names->root, group);
	read_number(path, names->cache, &cache);
	usage -= cache < usage ? cache : usage;
	return usage < limit ? limit - usage : 0;
}

/* A limit of those above holds too. */
static uint64_t get_free_of_groups(const struct names *names, char *group)
{
	uint64_t least = UINT64_MAX, bytes;
	char *slash;

	for (;;) {
		slash = strrchr(group, '/');
		if (slash && !slash[1])
			*slash = '\0';
		bytes = get_free_of_group(names, group);
		least = bytes < least ? bytes : least;
		slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* A line of /proc/PID/cgroup: "0::/group", or "7:memory:/group" of the first version. */
static uint64_t get_free_of_line(char *line)
{
	char *controllers = strchr(line, ':'), *group;

	group = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!group)
		return UINT64_MAX;
	*group++ = '\0';
	if (!strcmp(controllers, ":"))
		return get_free_of_groups(&second, group);
	return strstr(controllers, "memory") ? get_free_of_groups(&first, group) : UINT64_MAX;
}

uint64_t memory_get_free(pid_t pid)
{
	uint64_t least = get_free_of_machine(), bytes;
	char *line, *rest = NULL;
	struct nd_buf text;

	nd_buf_init(&text, CGROUP_TEXT_MAX);
	if (!nd_procfs_read_text(pid, "cgroup", &text)) {
		line = strtok_r(text.data, "\n", &rest);
		for (; line; line = strtok_r(NULL, "\n", &rest)) {
			bytes = get_free_of_line(line);
			least = bytes < least ? bytes : least;
		}
	}
	nd_buf_fini(&text);
	return least;
}
