/* SPDX-License-Identifier: Apache-2.0 */
#include "common/procwait.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "common/buf.h"
#include "common/procfs.h"

/* Fields of a stat file after the name in parentheses: the third is the first. */
#define STAT_STACK_START 28

/* A stat file has 400 bytes, and is read in pieces of some kilobytes. */
#define PROC_TEXT_MAX (64u << 10)

/* "running", "-1 SP PC" outside of system calls, or "NUMBER ARGUMENT*6 SP PC", see proc(5). */
int nd_wait_decode(const char *text, struct nd_wait *ret_wait)
{
	struct nd_wait wait = {.number = -1};
	int fields;

	if (!strncmp(text, "running", strlen("running")) || !strncmp(text, "-1 ", 3)) {
		*ret_wait = wait;
		return 0;
	}
	fields = sscanf(text, "%d %" SCNx64 " %*x %*x %*x %*x %*x %" SCNx64, &wait.number,
			&wait.first_argument, &wait.sp);
	if (fields != 3 || wait.number < 0)
		return -EBADMSG;
	*ret_wait = wait;
	return 0;
}

int nd_procfs_read_wait(pid_t pid, pid_t tid, struct nd_wait *ret_wait)
{
	struct nd_buf text;
	char name[64];
	int ret;

	nd_buf_init(&text, PROC_TEXT_MAX);
	snprintf(name, sizeof(name), "task/%d/syscall", tid);
	ret = nd_procfs_read_text(pid, name, &text);
	if (!ret)
		ret = nd_wait_decode(text.len ? text.data : "", ret_wait);
	nd_buf_fini(&text);
	return ret;
}

bool nd_wait_is_epoll(const struct nd_wait *wait)
{
#ifdef SYS_epoll_wait
	if (wait->number == SYS_epoll_wait)
		return true;
#endif
	return wait->number == SYS_epoll_pwait;
}

static int decode_stack_start(const char *text, uint64_t *ret_address)
{
	const char *at = strrchr(text, ')');
	int field;

	for (field = 2; at && field < STAT_STACK_START; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, " %" SCNu64, ret_address) != 1)
		return -EBADMSG;
	/* What the kernel says to those who may not know. */
	return *ret_address > 1 ? 0 : -EACCES;
}

int nd_procfs_read_stack_start(pid_t pid, uint64_t *ret_address)
{
	struct nd_buf text;
	int ret;

	nd_buf_init(&text, PROC_TEXT_MAX);
	ret = nd_procfs_read_text(pid, "stat", &text);
	if (!ret)
		ret = decode_stack_start(text.len ? text.data : "", ret_address);
	nd_buf_fini(&text);
	return ret;
}
