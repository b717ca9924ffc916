/* SPDX-License-Identifier: Apache-2.0 */
#include "probes/syscalls.h"

#include <stdio.h>
#include <sys/syscall.h>

#define NAME(name)                                                                                 \
	{                                                                                          \
		SYS_##name, #name                                                                  \
	}

/* Those in which threads wait, or spend more time than a moment. */
static const struct {
	int number;
	const char *name;
} names[] = {
	NAME(accept),
	NAME(accept4),
	NAME(brk),
	NAME(clock_nanosleep),
	NAME(close),
	NAME(connect),
	NAME(copy_file_range),
	NAME(epoll_pwait),
	NAME(epoll_pwait2),
	NAME(execve),
	NAME(exit),
	NAME(exit_group),
	NAME(fallocate),
	NAME(fcntl),
	NAME(fdatasync),
	NAME(flock),
	NAME(fstat),
	NAME(fsync),
	NAME(ftruncate),
	NAME(futex),
	NAME(getdents64),
	NAME(getrandom),
	NAME(io_getevents),
	NAME(io_uring_enter),
	NAME(ioctl),
	NAME(lseek),
	NAME(madvise),
	NAME(mmap),
	NAME(mprotect),
	NAME(mremap),
	NAME(msgrcv),
	NAME(msync),
	NAME(munmap),
	NAME(nanosleep),
	NAME(newfstatat),
	NAME(openat),
	NAME(pidfd_open),
	NAME(ppoll),
	NAME(pread64),
	NAME(preadv),
	NAME(pselect6),
	NAME(pwrite64),
	NAME(pwritev),
	NAME(read),
	NAME(readlinkat),
	NAME(readv),
	NAME(recvfrom),
	NAME(recvmmsg),
	NAME(recvmsg),
	NAME(renameat2),
	NAME(restart_syscall),
	NAME(rt_sigsuspend),
	NAME(rt_sigtimedwait),
	NAME(sched_yield),
	NAME(semtimedop),
	NAME(sendfile),
	NAME(sendmmsg),
	NAME(sendmsg),
	NAME(sendto),
	NAME(splice),
	NAME(statx),
	NAME(sync_file_range),
	NAME(unlinkat),
	NAME(wait4),
	NAME(waitid),
	NAME(write),
	NAME(writev),
/* Older ones, that newer architectures do without. */
#ifdef SYS_epoll_wait
	NAME(epoll_wait),
	NAME(open),
	NAME(pause),
	NAME(poll),
	NAME(select),
	NAME(stat),
	NAME(unlink),
#endif
};

void nd_syscall_name(int number, char *buf, size_t size)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == number) {
			snprintf(buf, size, "%s", names[i].name);
			return;
		}
	snprintf(buf, size, "%d", number);
}
