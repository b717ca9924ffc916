/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: hold_process PID
 *
 * Trace a process, as a debugger would, until stdin ends; say "held" once it is so.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>

int main(int argc, char **argv)
{
	if (argc != 2 || ptrace(PTRACE_SEIZE, atoi(argv[1]), NULL, NULL)) {
		perror("hold_process");
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
