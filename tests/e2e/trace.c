/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: trace PID
 *
 * Trace a process, as a debugger does, until stdin ends. Prints a line when it does.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;

	if (pid <= 0 || ptrace(PTRACE_SEIZE, pid, NULL, NULL)) {
		perror("trace");
		return 1;
	}
	puts("tracing");
	fflush(stdout);
	while (getchar() != EOF)
		;
	ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	waitpid(pid, NULL, __WALL);
	return ptrace(PTRACE_DETACH, pid, NULL, NULL) ? 1 : 0;
}
