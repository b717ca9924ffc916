/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/child.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A third of the program's share: with a tenth, who sends 30,000 requests a second falls behind. */
#define NICE	  5
#define NICE_TEXT "5"

/* Descriptors that are closed one by one where the kernel cannot close a range (before 5.9). */
#define FDS_MAX 65536

/* The first descriptor behind the standard ones. */
#define KEPT_FD 3

void nd_child_forget_handlers(void)
{
	struct sigaction action;
	sigset_t none;
	int number;

	/* They are functions of the program, in memory that it still has. */
	for (number = 1; number < NSIG; number++) {
		if (sigaction(number, NULL, &action) || action.sa_handler == SIG_IGN)
			continue;
		action = (struct sigaction){.sa_handler = SIG_DFL};
		sigaction(number, &action, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(unsigned int first)
{
	struct rlimit limit;
	int fd;

	if (!syscall(SYS_close_range, first, ~0u, 0u))
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > FDS_MAX)
		limit.rlim_cur = FDS_MAX;
	for (fd = (int)first; fd < (int)limit.rlim_cur; fd++)
		close(fd);
}

int nd_child_close_descriptors(int keep)
{
	int null, fd;

	if (keep >= 0 && keep != KEPT_FD && dup2(keep, KEPT_FD) < 0)
		return -1;
	null = open("/dev/null", O_RDWR);
	for (fd = 0; fd < KEPT_FD; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	close_from(keep >= 0 ? KEPT_FD + 1 : KEPT_FD);
	return keep >= 0 ? KEPT_FD : -1;
}

/* By the scheduler's two ideas of who is who: the process, and its session's group. */
void nd_child_be_nice(void)
{
	int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	ssize_t written;

	setpriority(PRIO_PROCESS, 0, NICE);
	if (fd < 0)
		return;
	written = write(fd, NICE_TEXT, strlen(NICE_TEXT));
	(void)written;
	close(fd);
}
