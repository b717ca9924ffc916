/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: deny CALL... -- COMMAND...
 *
 * Run a command for which these system calls fail with EPERM, as under a container's seccomp
 * filter.
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 8

static const struct {
	const char *name;
	unsigned int number;
} calls[] = {
	{"bpf", SYS_bpf},
	{"clone", SYS_clone}, /* fork(): threads are made by clone3 */
	{"perf_event_open", SYS_perf_event_open},
	{"process_vm_readv", SYS_process_vm_readv},
	{"ptrace", SYS_ptrace},
};

static int find_call(const char *name, unsigned int *ret_number)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(name, calls[i].name)) {
			*ret_number = calls[i].number;
			return 0;
		}
	return -ENOENT;
}

static int install(const unsigned int *numbers, size_t count)
{
	struct sock_filter filter[1 + 2 * CALLS_MAX + 1];
	struct sock_fprog program = {.filter = filter};
	size_t at = 0, i;

	filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						    offsetof(struct seccomp_data, nr));
	for (i = 0; i < count; i++) {
		filter[at++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i], 0, 1);
		filter[at++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	}
	filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)at;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int numbers[CALLS_MAX];
	size_t count = 0;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (count == CALLS_MAX || find_call(argv[i], &numbers[count++])) {
			fprintf(stderr, "deny: cannot deny '%s'\n", argv[i]);
			return 2;
		}
	if (i + 1 >= argc || install(numbers, count)) {
		fprintf(stderr, "usage: deny CALL... -- COMMAND...\n");
		return 2;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
