/* SPDX-License-Identifier: Apache-2.0 */
#include "common/procstat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/procfs.h"

/* The lists of a status file grow with groups, CPUs and memory nodes. */
#define STATUS_TEXT_MAX (256u << 10)

/* One line of some fifty numbers. */
#define STAT_TEXT_MAX (64u << 10)

/* Fields between the name and the start of the process, in a stat file. */
#define FIELDS_BEFORE_START 19

/* Inode numbers of the first namespaces (PROC_USER_INIT_INO and PROC_PID_INIT_INO of the kernel).
 */
#define FIRST_USER_NAMESPACE 0xEFFFFFFDu
#define FIRST_PID_NAMESPACE  0xEFFFFFFCu

/* What stands behind "NAME:" at the start of a line; NULL when there is no such line. */
static const char *find_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, name, len) && text[len] == ':')
			return text + len + 1 + strspn(text + len + 1, " \t");
	}
	return NULL;
}

/* A value as a number, 0 when it is not there. */
static uint64_t find_number(const char *text, const char *name, int base)
{
	const char *value = find_value(text, name);

	return value ? strtoull(value, NULL, base) : 0;
}

/* "NSpid: 4242 17": its ids from our namespace down to its own. */
static void decode_namespaces(const char *text, struct nd_proc_status *status)
{
	const char *value = find_value(text, "NSpid");
	int used = 0, pid;

	while (value && sscanf(value, " %d%n", &pid, &used) == 1 && *value != '\n') {
		status->namespace_pid = pid;
		status->pid_namespaces++;
		value += used;
		value += strspn(value, " \t");
	}
}

int nd_proc_status_decode(const char *text, struct nd_proc_status *ret_status)
{
	struct nd_proc_status status = {0};
	const char *uids = find_value(text, "Uid");

	if (!uids || sscanf(uids, "%*u %u", &status.uid) != 1)
		return -EBADMSG;
	status.ppid = (pid_t)find_number(text, "PPid", 10);
	status.rss_bytes = find_number(text, "VmRSS", 10) * 1024;
	status.threads = (uint32_t)find_number(text, "Threads", 10);
	status.capabilities = find_number(text, "CapEff", 16);
	status.has_seccomp_filter = find_number(text, "Seccomp", 10) == 2;
	decode_namespaces(text, &status);
	*ret_status = status;
	return 0;
}

int nd_procfs_read_status(pid_t pid, struct nd_proc_status *ret_status)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, STATUS_TEXT_MAX);
	ret = nd_procfs_read_text(pid, "status", &text);
	if (!ret)
		ret = nd_proc_status_decode(text.data, ret_status);
	nd_buf_fini(&text);
	return ret;
}

int nd_proc_stat_decode_start(const char *text, uint64_t *ret_ticks)
{
	const char *at = strrchr(text, ')');
	int field;

	if (!at)
		return -EBADMSG;
	at++;
	for (field = 0; field < FIELDS_BEFORE_START; field++) {
		at += strspn(at, " ");
		at += strcspn(at, " \n");
	}
	return sscanf(at, " %" SCNu64, ret_ticks) == 1 ? 0 : -EBADMSG;
}

int nd_procfs_read_age(pid_t pid, uint64_t *ret_ns)
{
	uint64_t ticks, second = (uint64_t)sysconf(_SC_CLK_TCK), start_ns, now_ns;
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, STAT_TEXT_MAX);
	ret = nd_procfs_read_text(pid, "stat", &text);
	if (!ret)
		ret = nd_proc_stat_decode_start(text.data, &ticks);
	nd_buf_fini(&text);
	if (ret)
		return ret;
	start_ns = ticks / second * ND_NSEC_PER_SEC + ticks % second * ND_NSEC_PER_SEC / second;
	now_ns = nd_clock_read_ns(CLOCK_BOOTTIME);
	*ret_ns = now_ns > start_ns ? now_ns - start_ns : 0;
	return 0;
}

int nd_procfs_read_cpu(pid_t pid, uint64_t *ret_ns)
{
	struct timespec used;
	clockid_t clock;
	int ret = clock_getcpuclockid(pid, &clock);

	if (ret)
		return -ret;
	if (clock_gettime(clock, &used))
		return errno == EINVAL ? -ESRCH : -errno;
	*ret_ns = (uint64_t)used.tv_sec * ND_NSEC_PER_SEC + (uint64_t)used.tv_nsec;
	return 0;
}

int nd_procfs_is_elsewhere(pid_t pid, const char *kind, bool *ret_elsewhere)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (stat(path, &ours))
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	if (stat(path, &theirs))
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_elsewhere = ours.st_ino != theirs.st_ino;
	return 0;
}

bool nd_procfs_is_on_host(const char *kind)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return !stat(path, &st) &&
	       st.st_ino == (!strcmp(kind, "user") ? FIRST_USER_NAMESPACE : FIRST_PID_NAMESPACE);
}
