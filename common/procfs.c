/* SPDX-License-Identifier: Apache-2.0 */
#include "common/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/procwait.h"

/* A maps file has about 100 bytes a line and 65,530 lines at the kernel's default limit. */
#define MAPS_TEXT_MAX (64u << 20)

/* The kernel's ceiling for arguments and environment is a quarter of the stack's limit. */
#define ENVIRON_MAX (8u << 20)

/* The kernel's ceiling for process and thread ids (PID_MAX_LIMIT). */
#define TASKS_MAX (4u << 20)

/* A process that is gone reads as ESRCH everywhere, whichever way the kernel puts it. */
static int gone(int err)
{
	return err == ENOENT ? -ESRCH : -err;
}

static int read_file(const char *path, struct nd_buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;
	char *at;

	if (fd < 0)
		return gone(errno);
	while (n > 0) {
		at = nd_buf_reserve(out, 1 << 15);
		if (!at) {
			close(fd);
			return out->error;
		}
		n = read(fd, at, 1 << 15);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n > 0)
			out->len += (size_t)n;
	}
	n = n < 0 ? gone(errno) : 0;
	close(fd);
	out->data[out->len] = '\0';
	return (int)n;
}

int nd_procfs_read_text(pid_t pid, const char *name, struct nd_buf *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return read_file(path, out);
}

/* One line: "start-end perms offset major:minor inode   path". -EBADMSG when it is none. */
static int decode_line(const char *line, size_t len, struct nd_map *ret, char perms[5],
		       const char **ret_path)
{
	unsigned int major_nr, minor_nr;
	int path_at = 0;

	*ret = (struct nd_map){0};
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 "%n", &ret->start,
		   &ret->end, perms, &ret->offset, &major_nr, &minor_nr, &ret->inode, &path_at) < 7)
		return -EBADMSG;
	if ((size_t)path_at > len || ret->start >= ret->end || strlen(perms) != 4)
		return -EBADMSG;
	ret->dev = makedev(major_nr, minor_nr);
	while ((size_t)path_at < len && isspace((unsigned char)line[path_at]))
		path_at++;
	*ret_path = line + path_at;
	return 0;
}

/* Add a copy of `map` with that path. */
static int add_map(struct nd_maps *maps, size_t limit, const struct nd_map *map, char *path)
{
	struct nd_map *grown;

	if (!path)
		return -ENOMEM;
	if (maps->count >= limit)
		return -E2BIG;
	if ((maps->count & (maps->count - 1)) == 0) {
		grown = reallocarray(maps->map, maps->count ? maps->count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		maps->map = grown;
	}
	maps->map[maps->count] = *map;
	maps->map[maps->count++].path = path;
	return 0;
}

enum wanted { EXECUTABLE, STACKS };

/* Whether a mapping is of that kind; `before` is the one that stands before it. */
static bool is_wanted(enum wanted wanted, const struct nd_map *map, const char *perms,
		      const struct nd_map *before, const char *perms_before)
{
	if (wanted == EXECUTABLE)
		return perms[2] == 'x';
	return !map->inode && !strncmp(perms, "rw-", 3) && !strncmp(perms_before, "---", 3) &&
	       before->end == map->start;
}

/* Append a copy of the mapping with its path. */
static int keep_map(struct nd_maps *maps, size_t limit, struct nd_map map, const char *path,
		    size_t path_len)
{
	char *copy = strndup(path, path_len);
	int ret = add_map(maps, limit, &map, copy);

	if (ret)
		free(copy);
	return ret;
}

static int decode_maps(const char *text, size_t limit, enum wanted wanted, struct nd_maps *ret_maps)
{
	char perms[5], perms_before[5] = "";
	struct nd_map map, before = {0};
	struct nd_maps maps = {0};
	const char *path;
	size_t len;
	int ret = 0;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		ret = decode_line(text, len, &map, perms, &path);
		if (!ret && is_wanted(wanted, &map, perms, &before, perms_before))
			ret = keep_map(&maps, limit, map, path, (size_t)(text + len - path));
		if (ret) {
			nd_maps_fini(&maps);
			return ret;
		}
		before = map;
		memcpy(perms_before, perms, sizeof(perms));
	}
	*ret_maps = maps;
	return 0;
}

int nd_maps_decode(const char *text, size_t limit, struct nd_maps *ret_maps)
{
	return decode_maps(text, limit, EXECUTABLE, ret_maps);
}

int nd_maps_decode_stacks(const char *text, size_t limit, struct nd_maps *ret_maps)
{
	return decode_maps(text, limit, STACKS, ret_maps);
}

static int read_maps(pid_t pid, size_t limit, enum wanted wanted, struct nd_maps *ret_maps)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, MAPS_TEXT_MAX);
	ret = nd_procfs_read_text(pid, "maps", &text);
	if (!ret)
		ret = decode_maps(text.data, limit, wanted, ret_maps);
	nd_buf_fini(&text);
	return ret;
}

int nd_procfs_read_maps(pid_t pid, size_t limit, struct nd_maps *ret_maps)
{
	return read_maps(pid, limit, EXECUTABLE, ret_maps);
}

int nd_procfs_read_stacks(pid_t pid, size_t limit, struct nd_maps *ret_maps)
{
	return read_maps(pid, limit, STACKS, ret_maps);
}

static int add_range(struct nd_ranges *ranges, size_t limit, const struct nd_map *map)
{
	struct nd_range *grown;

	if (ranges->count >= limit)
		return -E2BIG;
	if ((ranges->count & (ranges->count - 1)) == 0) {
		grown = reallocarray(ranges->range, ranges->count ? ranges->count * 2 : 1,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		ranges->range = grown;
	}
	ranges->range[ranges->count++] = (struct nd_range){.start = map->start, .end = map->end};
	return 0;
}

int nd_ranges_decode(const char *text, size_t limit, struct nd_ranges *ret_ranges)
{
	struct nd_ranges ranges = {0};
	const char *path;
	struct nd_map map;
	char perms[5];
	size_t len;
	int ret;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		ret = decode_line(text, len, &map, perms, &path);
		if (!ret && perms[1] == 'w')
			ret = add_range(&ranges, limit, &map);
		if (ret) {
			free(ranges.range);
			return ret;
		}
	}
	*ret_ranges = ranges;
	return 0;
}

int nd_procfs_read_writable(pid_t pid, size_t limit, struct nd_ranges *ret_ranges)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, MAPS_TEXT_MAX);
	ret = nd_procfs_read_text(pid, "maps", &text);
	if (!ret)
		ret = nd_ranges_decode(text.data, limit, ret_ranges);
	nd_buf_fini(&text);
	return ret;
}

void nd_maps_fini(struct nd_maps *maps)
{
	size_t i;

	for (i = 0; i < maps->count; i++)
		free(maps->map[i].path);
	free(maps->map);
	*maps = (struct nd_maps){0};
}

const struct nd_map *nd_maps_find(const struct nd_maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (maps->map[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < maps->count && maps->map[low].start <= addr)
		return &maps->map[low];
	return NULL;
}

ssize_t nd_procfs_read_args(pid_t pid, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone(errno);
	n = read(fd, buf, size - 1);
	if (n < 0)
		n = gone(errno);
	close(fd);
	while (n > 0 && buf[n - 1] == '\0')
		n--;
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

ssize_t nd_procfs_read_cmdline(pid_t pid, char *buf, size_t size)
{
	ssize_t n = nd_procfs_read_args(pid, buf, size), i;

	for (i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = ' ';
	return n;
}

/* Read the beginning of a small file of a thread as text. */
static int read_task(pid_t pid, pid_t tid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone(errno);
	n = read(fd, buf, size - 1);
	n = n < 0 ? gone(errno) : n;
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n < 0 ? (int)n : 0;
}

int nd_procfs_read_comm(pid_t pid, pid_t tid, char *buf, size_t size)
{
	int ret = read_task(pid, tid, "comm", buf, size);

	buf[ret ? 0 : strcspn(buf, "\n")] = '\0';
	return ret;
}

/* The entries of a folder of /proc that are numbers. */
static int read_ids(const char *path, pid_t **ret_ids, size_t *ret_count)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	pid_t *ids = NULL, *grown;
	size_t count = 0;

	if (!dir)
		return gone(errno);
	while ((entry = readdir(dir)) && count < TASKS_MAX) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if ((count & (count - 1)) == 0) {
			grown = reallocarray(ids, count ? count * 2 : 1, sizeof(*grown));
			if (!grown) {
				free(ids);
				closedir(dir);
				return -ENOMEM;
			}
			ids = grown;
		}
		ids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(dir);
	*ret_ids = ids;
	*ret_count = count;
	return 0;
}

int nd_procfs_read_threads(pid_t pid, pid_t **ret_tids, size_t *ret_count)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return read_ids(path, ret_tids, ret_count);
}

int nd_procfs_read_pids(pid_t **ret_pids, size_t *ret_count)
{
	return read_ids("/proc", ret_pids, ret_count);
}

/* Read number `index` after "NAME:" in the status file of a thread. */
static int read_status(pid_t tid, const char *name, int index, unsigned int *ret_number)
{
	struct nd_buf text;
	char *at;
	int ret;

	nd_buf_init(&text, 1 << 16);
	ret = nd_procfs_read_text(tid, "status", &text);
	at = ret ? NULL : strstr(text.data, name);
	if (at) {
		at += strlen(name);
		while (index-- > 0)
			strtoul(at, &at, 10);
		if (sscanf(at, "%u", ret_number) != 1)
			at = NULL;
	}
	nd_buf_fini(&text);
	return ret || at ? ret : -EBADMSG;
}

int nd_procfs_read_tracer(pid_t tid, pid_t *ret_tracer)
{
	unsigned int tracer;
	int ret = read_status(tid, "\nTracerPid:", 0, &tracer);

	if (!ret)
		*ret_tracer = (pid_t)tracer;
	return ret;
}

int nd_procfs_read_state(pid_t pid, pid_t tid, char *ret_state)
{
	char text[256], *at;
	int ret = read_task(pid, tid, "stat", text, sizeof(text));

	if (ret)
		return ret;
	/* "TID (NAME) S ...", and the name may hold anything. */
	at = strrchr(text, ')');
	if (!at || at[1] != ' ' || !isalpha((unsigned char)at[2]))
		return -EBADMSG;
	*ret_state = at[2];
	return 0;
}

int nd_procfs_read_syscall(pid_t pid, pid_t tid, int *ret_number)
{
	struct nd_wait wait;
	int ret = nd_procfs_read_wait(pid, tid, &wait);

	if (!ret)
		*ret_number = wait.number;
	return ret;
}

void nd_procfs_read_variable(pid_t pid, const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);
	struct nd_buf text;
	const char *at;

	buf[0] = '\0';
	nd_buf_init(&text, ENVIRON_MAX);
	if (!nd_procfs_read_text(pid, "environ", &text))
		for (at = text.data; at < text.data + text.len; at += strlen(at) + 1)
			if (!strncmp(at, name, len) && at[len] == '=')
				snprintf(buf, size, "%s", at + len + 1);
	nd_buf_fini(&text);
}

static int read_link(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, buf, size - 1);
	if (n < 0)
		return gone(errno);
	buf[n] = '\0';
	return 0;
}

int nd_procfs_read_exe(pid_t pid, char *buf, size_t size)
{
	return read_link(pid, "exe", buf, size);
}

int nd_procfs_read_cwd(pid_t pid, char *buf, size_t size)
{
	return read_link(pid, "cwd", buf, size);
}

int nd_procfs_read_setting(const char *name, long *ret_value)
{
	char path[128];
	FILE *f;
	int ret;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	ret = fscanf(f, "%ld", ret_value) == 1 ? 0 : -EBADMSG;
	fclose(f);
	return ret;
}

int nd_procfs_open_map(pid_t pid, const struct nd_map *map)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, map->start,
		 map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, map->path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd >= 0 ? fd : -errno;
}
